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
	// Fields holds what was stored, exactly as it was sent: a value is a string, a json.Number or, for tags, a []any of
	// strings. Dropped fields are not in it.
	Fields map[string]any `json:"fields"`
	// Actions holds the actions that were stored, in the order sent. Ignored ones are not in it.
	Actions []Action `json:"actions"`
	// Remarks is what the create was answered with.
	Remarks []Remark `json:"remarks"`
	// NewOptions names the dropdowns that were given a label which is not in the schema. TeleCRM makes a new option of such
	// a label, see https://docs.telecrm.in/sync-api/enterprise/examples. A lead field is named by its API name, a field of
	// an action by its path, such as actions[0].fields.slot.
	NewOptions []string `json:"new_options"`
}

// Action is one entry of a lead's timeline.
type Action struct {
	// ID is the action_id that the create was answered with: 24 hexadecimal digits.
	ID string `json:"action_id"`
	// Type is the bare code of a custom action, or PAYMENT.
	Type string `json:"type"`
	// Fields holds the stored values, as in Lead.Fields. A payment's status, currency, amount and paymentid are here too.
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

// record is a lead with what the store needs to find it again.
type record struct {
	lead       Lead
	seq        uint64 // 1 for the first lead of an era
	identifier string // normalised
	missed     int    // searches that should have found it
}

// store holds the leads. Sandbox.mu guards it.
type store struct {
	keep    int // 0: all
	era     string
	seq     uint64
	records []record
	taken   map[string]struct{} // normalised identifiers
	changed chan struct{}       // closed and replaced at every change
}

func newStore(keep int) store {
	return store{
		keep:    keep,
		era:     newID(),
		taken:   make(map[string]struct{}),
		changed: make(chan struct{}),
	}
}

// add stores the lead unless the identifier is taken.
func (st *store) add(lead Lead, identifier string) bool {
	if _, taken := st.taken[identifier]; taken {
		return false
	}
	st.taken[identifier] = struct{}{}
	st.seq++
	st.records = append(st.records, record{lead: lead, seq: st.seq, identifier: identifier})
	if st.keep > 0 && len(st.records) > st.keep {
		delete(st.taken, st.records[0].identifier)
		st.records = slices.Delete(st.records, 0, 1)
	}
	st.announce()
	return true
}

func (st *store) clear() {
	st.era, st.seq = newID(), 0
	st.records = nil
	clear(st.taken)
	st.announce()
}

func (st *store) announce() {
	close(st.changed)
	st.changed = make(chan struct{})
}
