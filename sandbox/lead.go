package sandbox

import (
	"maps"
	"slices"
	"time"
)

// Lead is one stored lead.
type Lead struct {
	// ID is the lead_id in the answer to the create: 24 hexadecimal digits.
	ID string `json:"lead_id"`
	// CreatedAt is the time at which it was stored, by Config.Now.
	CreatedAt time.Time `json:"created_at"`
	// Fields holds the stored values exactly as they were sent: a string, a json.Number or, for
	// tags, a []any of strings. It does not have dropped fields.
	Fields map[string]any `json:"fields"`
	// Actions holds the stored actions, in the order sent. It does not have ignored ones.
	Actions []Action `json:"actions"`
	// Changes has one entry for each request that set fields after the lead was created.
	Changes []Change `json:"changes"`
	// Remarks says which parts of the requests for this lead were not stored. The answers to a
	// create and an append contain them; those to an update and of the Async API do not.
	Remarks []Remark `json:"remarks"`
	// NewOptions names the dropdowns that got a label which is not in the schema. TeleCRM creates a
	// new option for such a label, see https://docs.telecrm.in/sync-api/enterprise/examples. A lead
	// field is named by its API name, a field of an action by its path, such as
	// actions[0].fields.slot.
	NewOptions []string `json:"new_options"`
}

// Action is one entry of a lead's timeline.
type Action struct {
	// ID is the action_id in the answer: 24 hexadecimal digits.
	ID string `json:"action_id"`
	// CreatedAt is the time at which it was stored, by Config.Now.
	CreatedAt time.Time `json:"created_at"`
	// Type is the bare code of a custom action, or PAYMENT.
	Type string `json:"type"`
	// Fields holds the stored values, as in Lead.Fields, including a payment's status, currency,
	// amount and paymentid.
	Fields map[string]any `json:"fields"`
}

// Change has the fields that one request set on an existing lead.
type Change struct {
	// At is the time of the request, by Config.Now.
	At time.Time `json:"at"`
	// Fields holds the set fields, as in Lead.Fields, including unchanged ones.
	Fields map[string]any `json:"fields"`
}

// Remark describes a part of a request that was not stored. See
// https://docs.telecrm.in/sync-api/leads/pitfalls.
type Remark struct {
	// Field is the path in the request: fields.rating, actions[0].fields.note, actions[0].type.
	Field string `json:"field"`
	// Status is always IGNORED here.
	Status string `json:"status"`
	// Remark is the reason in words. It never repeats the value.
	Remark string `json:"remark"`
}

func (l Lead) clone() Lead {
	l.Fields = cloneFields(l.Fields)
	l.Actions = slices.Clone(l.Actions)
	for i := range l.Actions {
		l.Actions[i].Fields = cloneFields(l.Actions[i].Fields)
	}
	l.Changes = slices.Clone(l.Changes)
	for i := range l.Changes {
		l.Changes[i].Fields = cloneFields(l.Changes[i].Fields)
	}
	l.Remarks = slices.Clone(l.Remarks)
	l.NewOptions = slices.Clone(l.NewOptions)
	return l
}

func cloneFields(fields map[string]any) map[string]any {
	fields = maps.Clone(fields)
	for name, v := range fields {
		if list, ok := v.([]any); ok {
			fields[name] = slices.Clone(list)
		}
	}
	return fields
}
