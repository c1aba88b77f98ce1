package sqlstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// The states of a row. In the terms of package outbox, a taken entry is waiting and a damaged entry
// is parked.
const (
	stateWaiting   int64 = 1
	stateDelivered int64 = 2
	stateParked    int64 = 3
	stateTaken     int64 = 4
	stateDamaged   int64 = 5
)

// reasonDamaged is the reason of an entry whose checksum does not match.
const reasonDamaged = "damaged on disk: its checksum does not match"

// rowState returns the row's state for a state of package outbox, or zero if that is unknown.
func rowState(s outbox.State) int64 {
	switch s {
	case outbox.Waiting:
		return stateWaiting
	case outbox.Delivered:
		return stateDelivered
	case outbox.Parked:
		return stateParked
	}
	return 0
}

func publicState(s int64) outbox.State {
	switch s {
	case stateWaiting, stateTaken:
		return outbox.Waiting
	case stateDelivered:
		return outbox.Delivered
	default:
		return outbox.Parked
	}
}

// row is an entry in its stored form.
type row struct {
	seq   int64
	id    uuid.UUID
	state int64
	crc   int64
	entry outbox.Entry
	// whole means that the checksum matches.
	whole bool
	// The payload's checksum and length, even of a row that is kept without the payload.
	payloadCRC  uint32
	payloadSize int
	// added means that a transaction inserted the row, which may not have been committed.
	added bool
}

// columns are the columns of the entries table, in its order. The payload is last because it may be
// on overflow pages.
const columns = "seq, id, account, form, identifier, created_at, state, due_at, attempts, step, begun_at, " +
	"ambiguous_since, failing_since, reason, lead_id, settled_at, crc, payload"

const columnCount = 18

// values returns the row in the order of columns.
func (r *row) values() []any {
	e := &r.entry
	payload := e.Payload
	if payload == nil {
		payload = []byte{}
	}
	return []any{
		r.seq, r.id[:], e.Account, e.Form, e.Identifier, millis(e.CreatedAt), r.state, millis(e.DueAt), int64(e.Attempts),
		e.Step, millis(e.BegunAt), millis(e.AmbiguousSince), millis(e.FailingSince), e.Reason, e.LeadID,
		millis(e.SettledAt), r.crc, payload,
	}
}

var errID = errors.New("id must be a UUID")

// parseID parses an id in the format that this package writes.
func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		return uuid.Nil, errID
	}
	return id, nil
}

// decodeRow returns the row with the given column values. Damage may have changed even their types.
func decodeRow(v []any) row {
	r := row{whole: len(v) == columnCount}
	if !r.whole {
		return r
	}
	integer := func(i int) int64 { n, ok := v[i].(int64); r.whole = r.whole && ok; return n }
	text := func(i int) string { s, ok := v[i].(string); r.whole = r.whole && ok; return s }
	moment := func(i int) time.Time { return fromMillis(integer(i)) }
	r.seq, r.state, r.crc = integer(0), integer(6), integer(16)
	id, _ := v[1].([]byte)
	r.whole = r.whole && len(id) == len(r.id)
	copy(r.id[:], id)
	payload, ok := v[17].([]byte)
	r.whole = r.whole && (ok || v[17] == nil)
	r.measure(payload)
	r.entry = outbox.Entry{
		ID: r.id.String(), Account: text(2), Form: text(3), Identifier: text(4), Payload: payload, CreatedAt: moment(5),
		State: publicState(r.state), DueAt: moment(7), Attempts: int(integer(8)), Step: text(9), BegunAt: moment(10),
		AmbiguousSince: moment(11), FailingSince: moment(12), Reason: text(13), LeadID: text(14), SettledAt: moment(15),
	}
	r.whole = r.whole && r.crc == r.checksum()
	if !r.whole {
		r.entry.State, r.entry.Reason = outbox.Parked, reasonDamaged
	}
	return r
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// measure computes the payload's checksum.
func (r *row) measure(payload []byte) {
	r.payloadCRC, r.payloadSize = crc32.Checksum(payload, castagnoli), len(payload)
}

// checksum combines the CRC-32C of the payload with that of all other fields of an entry except
// DueAt. Without DueAt, one statement can make many rows due. The index of due entries contains a
// second copy of it.
func (r *row) checksum() int64 {
	e := &r.entry
	var scratch [512]byte
	b := append(scratch[:0], r.id[:]...)
	for _, s := range []string{e.Account, e.Form, e.Identifier, e.Step, e.Reason, e.LeadID} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, t := range []time.Time{e.CreatedAt, e.BegunAt, e.AmbiguousSince, e.FailingSince, e.SettledAt} {
		b = binary.AppendVarint(b, millis(t))
	}
	b = binary.AppendVarint(b, r.state)
	b = binary.AppendVarint(b, int64(e.Attempts))
	return int64(crc32.Checksum(b, castagnoli) ^ r.payloadCRC)
}

// seal updates the checksum.
func (r *row) seal() { r.crc = r.checksum() }

// abandon makes a taken row due and marks it as ambiguous.
func (r *row) abandon(now time.Time) {
	r.state = stateWaiting
	r.entry.DueAt = now
	r.doubt()
	r.seal()
}

// doubt marks a waiting row as ambiguous, because it may have been delivered already.
func (r *row) doubt() {
	e := &r.entry
	if !e.AmbiguousSince.IsZero() {
		return
	}
	if e.AmbiguousSince = e.BegunAt; e.AmbiguousSince.IsZero() {
		e.AmbiguousSince = e.CreatedAt
	}
}

// millis returns t in the stored format, in which 0 is the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// newRow returns the row of an entry to append.
func newRow(entry outbox.Entry) (row, error) {
	id, err := parseID(entry.ID)
	if err != nil {
		return row{}, err
	}
	entry.Attempts = 0
	r := row{id: id, state: stateWaiting, whole: true}
	switch {
	case entry.State == outbox.Parked && entry.BegunAt.IsZero():
		r.state = stateParked
		entry.DueAt = time.Time{}
	case entry.State != "" && entry.State != outbox.Waiting:
		return row{}, fmt.Errorf("state must be waiting, or parked without an attempt, got %q: %w", entry.State, outbox.ErrState)
	default:
		entry.SettledAt = time.Time{}
		if !entry.BegunAt.IsZero() {
			r.state = stateTaken
			entry.Attempts = 1
		}
	}
	if err := checkSizes(entry); err != nil {
		return row{}, err
	}
	r.entry = entry
	r.measure(entry.Payload)
	r.seal()
	return r, nil
}

// maxTextSize limits each text of an entry, and maxPayloadSize limits its payload. Both are far
// above what a form may send.
const (
	maxTextSize    = 1 << 12
	maxPayloadSize = 1 << 26
)

func checkSizes(e outbox.Entry) error {
	if len(e.Payload) > maxPayloadSize {
		return fmt.Errorf("payload is too long, got %d bytes; at most %d are allowed", len(e.Payload), maxPayloadSize)
	}
	return checkTexts(e.Account, e.Form, e.Identifier, e.Step, e.Reason, e.LeadID)
}

// checkTexts returns an error if a text is too long to store.
func checkTexts(texts ...string) error {
	for _, text := range texts {
		if len(text) > maxTextSize {
			return fmt.Errorf("text is too long, got %d bytes; at most %d are allowed", len(text), maxTextSize)
		}
	}
	return nil
}
