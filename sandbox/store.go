package sandbox

import (
	"slices"
	"time"
)

// record is a lead with the store's own data.
type record struct {
	lead       Lead
	seq        uint64 // number of its last change, from 1
	identifier string // normalised
	missed     int    // searches that missed it
}

// store holds the leads. Sandbox.mu guards it.
type store struct {
	keep    int // 0: all
	era     string
	seq     uint64
	records []record            // in order of arrival
	taken   map[string]struct{} // normalised identifiers
	pending []upsert            // accepted by the Async API, in order
	changed chan struct{}       // closed and replaced at every change
}

func newStore(keep int) *store {
	return &store{
		keep:    keep,
		era:     newID(),
		taken:   make(map[string]struct{}),
		changed: make(chan struct{}),
	}
}

// add stores the lead unless the identifier is taken. It then returns the id of the lead that has
// it.
func (st *store) add(lead Lead, identifier string) (id string, added bool) {
	if _, taken := st.taken[identifier]; taken {
		return st.byIdentifier(identifier).lead.ID, false
	}
	st.taken[identifier] = struct{}{}
	st.seq++
	st.records = append(st.records, record{lead: lead, seq: st.seq, identifier: identifier})
	if st.keep > 0 && len(st.records) > st.keep {
		st.remove(0)
	}
	st.announce()
	return lead.ID, true
}

// byID returns the record with the given id, or nil. It is valid until the store changes.
func (st *store) byID(id string) *record {
	return st.find(func(rec record) bool { return rec.lead.ID == id })
}

// byIdentifier is like byID, for a normalized identifier.
func (st *store) byIdentifier(identifier string) *record {
	return st.find(func(rec record) bool { return rec.identifier == identifier })
}

func (st *store) find(is func(record) bool) *record {
	if i := slices.IndexFunc(st.records, is); i >= 0 {
		return &st.records[i]
	}
	return nil
}

// change applies the draft to the record.
func (st *store) change(rec *record, d *draft) {
	d.change(&rec.lead)
	st.seq++
	rec.seq = st.seq
	st.announce()
}

// forget deletes the lead and reports whether it existed. It starts a new era, because a cursor
// cannot announce deletions.
func (st *store) forget(id string) bool {
	i := slices.IndexFunc(st.records, func(rec record) bool { return rec.lead.ID == id })
	if i < 0 {
		return false
	}
	st.remove(i)
	st.era = newID()
	st.announce()
	return true
}

func (st *store) remove(i int) {
	delete(st.taken, st.records[i].identifier)
	st.records = slices.Delete(st.records, i, i+1)
}

func (st *store) clear() {
	st.era, st.seq = newID(), 0
	st.records, st.pending = nil, nil
	clear(st.taken)
	st.announce()
}

func (st *store) announce() {
	close(st.changed)
	st.changed = make(chan struct{})
}

// untilDue returns the time until the next pending upsert is due, or 0 if there is none.
func (st *store) untilDue(now time.Time) time.Duration {
	if len(st.pending) == 0 {
		return 0
	}
	return max(st.pending[0].due.Sub(now), time.Nanosecond)
}
