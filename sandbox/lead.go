package sandbox

import (
	"maps"
	"slices"
	"time"
)

// Lead is one stored lead.
type Lead struct {
	// ID is the lead_id that the create was answered with: 24 hexadecimal digits.
	ID string `json:"lead_id"`
	// CreatedAt is when it was stored, by Config.Now.
	CreatedAt time.Time `json:"created_at"`
	// Fields holds what is stored, exactly as it was sent: a value is a string, a json.Number or, for tags, a []any of
	// strings. Dropped fields are not in it.
	Fields map[string]any `json:"fields"`
	// Actions holds the actions that were stored, in the order sent. Ignored ones are not in it.
	Actions []Action `json:"actions"`
	// Changes holds what was set after the lead was created, one entry for each request that set something.
	Changes []Change `json:"changes"`
	// Remarks says what was not stored of the requests that made the lead what it is. Creating a lead and appending actions
	// are answered with them; an update and the Async API tell nobody.
	Remarks []Remark `json:"remarks"`
	// NewOptions names the dropdowns that were given a label which is not in the schema. TeleCRM makes a new option of such
	// a label, see https://docs.telecrm.in/sync-api/enterprise/examples. A lead field is named by its API name, a field of
	// an action by its path, such as actions[0].fields.slot.
	NewOptions []string `json:"new_options"`
}

// Action is one entry of a lead's timeline.
type Action struct {
	// ID is the action_id that the request was answered with: 24 hexadecimal digits.
	ID string `json:"action_id"`
	// CreatedAt is when it was stored, by Config.Now.
	CreatedAt time.Time `json:"created_at"`
	// Type is the bare code of a custom action, or PAYMENT.
	Type string `json:"type"`
	// Fields holds the stored values, as in Lead.Fields. A payment's status, currency, amount and paymentid are here too.
	Fields map[string]any `json:"fields"`
}

// Change is what one request set of a lead that was there.
type Change struct {
	// At is when, by Config.Now.
	At time.Time `json:"at"`
	// Fields holds the names and values that were set, as in Lead.Fields, those included that were the same before.
	Fields map[string]any `json:"fields"`
}

// Remark says what was not stored. See https://docs.telecrm.in/sync-api/leads/pitfalls.
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
