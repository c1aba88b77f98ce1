// Package record converts entries of an outbox to rows of an SQL database, and checks them. All
// stores in a database share it.
package record

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// The states of a row. In the terms of package outbox, a taken entry is waiting and a damaged entry
// is parked.
const (
	Waiting   int64 = 1
	Delivered int64 = 2
	Parked    int64 = 3
	Taken     int64 = 4
	Damaged   int64 = 5
)

// StateOf returns the row's state for a state of package outbox, or zero if that is unknown.
func StateOf(s outbox.State) int64 {
	switch s {
	case outbox.Waiting:
		return Waiting
	case outbox.Delivered:
		return Delivered
	case outbox.Parked:
		return Parked
	}
	return 0
}

// PublicState returns the state of package outbox for a row's state.
func PublicState(s int64) outbox.State {
	switch s {
	case Waiting, Taken:
		return outbox.Waiting
	case Delivered:
		return outbox.Delivered
	default:
		return outbox.Parked
	}
}

// Record is an entry as a row stores it.
type Record struct {
	ID    uuid.UUID
	State int64
	Entry outbox.Entry
}

// New returns the record of an entry to append.
func New(entry outbox.Entry) (Record, error) {
	id, err := ParseID(entry.ID)
	if err != nil {
		return Record{}, err
	}
	entry.Attempts = 0
	r := Record{ID: id, State: Waiting}
	switch {
	case entry.State == outbox.Parked && entry.BegunAt.IsZero():
		r.State = Parked
		entry.DueAt = time.Time{}
	case entry.State != "" && entry.State != outbox.Waiting:
		return r, fmt.Errorf("state must be waiting, or parked without an attempt, got %q: %w", entry.State, outbox.ErrState)
	default:
		entry.SettledAt = time.Time{}
		if !entry.BegunAt.IsZero() {
			r.State = Taken
			entry.Attempts = 1
		}
	}
	r.Entry = entry
	return r, checkSizes(entry)
}

// Adopted returns the record of an entry of another store.
func Adopted(entry outbox.Entry) (Record, error) {
	id, err := ParseID(entry.ID)
	if err != nil {
		return Record{}, err
	}
	r := Record{ID: id, State: StateOf(cmp.Or(entry.State, outbox.Waiting)), Entry: entry}
	if r.State == 0 {
		return r, unknownState(entry.State)
	}
	return r, checkSizes(entry)
}

// IsRecalled reports whether the lead's id is remembered.
func (r *Record) IsRecalled() bool {
	return r.State == Delivered && r.Entry.LeadID != "" && r.Entry.Identifier != ""
}

// CheckSettlement returns an error if the settlement cannot be stored.
func CheckSettlement(s outbox.Settlement) error {
	if StateOf(s.State) == 0 {
		return unknownState(s.State)
	}
	return CheckTexts(s.Step, s.Reason, s.LeadID)
}

// CheckFilter returns an error if the filter is invalid. It returns the parsed id of After, and the
// filter with a valid limit.
func CheckFilter(f outbox.Filter) (outbox.Filter, uuid.UUID, error) {
	var after uuid.UUID
	if f.After != "" {
		var err error
		if after, err = ParseID(f.After); err != nil {
			return f, after, fmt.Errorf("after: %w", err)
		}
	}
	if f.State != "" && StateOf(f.State) == 0 {
		return f, after, unknownState(f.State)
	}
	if f.Limit <= 0 || f.Limit > MaxPage {
		f.Limit = MaxPage
	}
	return f, after, nil
}

// CheckExpire returns an error if entries of the state do not expire.
func CheckExpire(state outbox.State) error {
	if state == outbox.Delivered || state == outbox.Parked {
		return nil
	}
	return fmt.Errorf("expiring entries: state must be delivered or parked, got %q: %w", state, outbox.ErrState)
}

func unknownState(s outbox.State) error {
	return fmt.Errorf("state must be one of %v, got %q: %w", outbox.States(), s, outbox.ErrState)
}

var errID = errors.New("id must be a UUID")

// ParseID parses an id in the format that stores write.
func ParseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		return uuid.Nil, errID
	}
	return id, nil
}

// FirstID returns the smallest id of version 7 that is made at the given time.
func FirstID(at time.Time) []byte {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(max(0, at.UnixMilli()))<<16) //nolint:gosec // not negative
	return id[:]
}

// Millis returns t in the stored format, in which 0 is the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis returns the time of the stored format.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Ceil returns the first stored time that is not before t.
func Ceil(t time.Time) time.Time { return t.Add(time.Millisecond - 1) }

const (
	// MaxPage is the maximum number of entries on a page of a list.
	MaxPage = 1000
	// MaxPayloadSize limits the payload of an entry, and maxTextSize limits each of its texts. Both
	// are far above what a form may send.
	MaxPayloadSize = 1 << 26
	maxTextSize    = 1 << 12
)

func checkSizes(e outbox.Entry) error {
	if len(e.Payload) > MaxPayloadSize {
		return fmt.Errorf("payload is too long, got %d bytes; at most %d are allowed", len(e.Payload), MaxPayloadSize)
	}
	return CheckTexts(e.Account, e.Form, e.Identifier, e.Step, e.Reason, e.LeadID)
}

// CheckTexts returns an error if a text is too long to store.
func CheckTexts(texts ...string) error {
	for _, text := range texts {
		if len(text) > maxTextSize {
			return fmt.Errorf("text is too long, got %d bytes; at most %d are allowed", len(text), maxTextSize)
		}
	}
	return nil
}

// Wrap adds the operation to an error, and the entry if there is one.
func Wrap(doing string, id uuid.UUID, err error) error {
	if err == nil {
		return nil
	}
	if id != uuid.Nil {
		doing += " entry " + id.String()
	}
	return fmt.Errorf("%s: %w", doing, err)
}
