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

// The states of a row. A taken entry is waiting in the words of the contract, and a damaged one is
// parked.
const (
	stateWaiting   int64 = 1
	stateDelivered int64 = 2
	stateParked    int64 = 3
	stateTaken     int64 = 4
	stateDamaged   int64 = 5
)

// reasonDamaged is the reason of an entry whose checksum does not match.
const reasonDamaged = "damaged on disk: its checksum does not match"

// rowState returns the state of a row that is in that state of the contract; zero if there is none.
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

// row is an entry as it is stored.
type row struct {
	seq   int64
	id    uuid.UUID
	state int64
	crc   int64
	entry outbox.Entry
	// whole: it is what was written, as far as its checksum can tell.
	whole bool
	// payloadSize is how long the payload is of a row that was read without it.
	payloadSize int
}

// columns are those of the entries table, in the order of the table. The payload is last, because
// it may be on pages of its own.
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

var errID = errors.New("an entry's id must be a UUID")

// parseID parses an id in the form that this package writes.
func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		return uuid.Nil, errID
	}
	return id, nil
}

// decodeRow returns the row of the given column values, of which damage may have changed even the
// types.
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

// checksum returns the CRC-32C of all that is delivered and of what decides about that. The time at
// which the row is due is not part of it, so that one statement can change that of many; the index
// of what is due has it too.
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
	return int64(crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, e.Payload))
}

// seal sets the checksum to that of what the row is now.
func (r *row) seal() { r.crc = r.checksum() }

// abandon makes a taken row one that is due, with the attempt's outcome unknown.
func (r *row) abandon(now time.Time) {
	r.state = stateWaiting
	r.entry.DueAt = now
	r.doubt()
	r.seal()
}

// doubt says of a waiting row that it may have been delivered already.
func (r *row) doubt() {
	e := &r.entry
	if !e.AmbiguousSince.IsZero() {
		return
	}
	if e.AmbiguousSince = e.BegunAt; e.AmbiguousSince.IsZero() {
		e.AmbiguousSince = e.CreatedAt
	}
}

// millis returns t as it is stored. Zero stands for the zero time.
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

// newRow returns the row of an entry that is to be appended.
func newRow(entry outbox.Entry) (row, error) {
	id, err := parseID(entry.ID)
	if err != nil {
		return row{}, err
	}
	entry.Attempts = 0
	r := row{id: id, state: stateWaiting}
	switch {
	case entry.State == outbox.Parked && entry.BegunAt.IsZero():
		r.state = stateParked
		entry.DueAt = time.Time{}
	case entry.State != "" && entry.State != outbox.Waiting:
		return row{}, fmt.Errorf("only waiting entries and parked ones that were never tried can be appended, got %q: %w", entry.State, outbox.ErrState)
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
	r.seal()
	return r, nil
}

// maxTextSize bounds each text of an entry, and maxPayloadSize its payload: far more than any form
// may send.
const (
	maxTextSize    = 1 << 12
	maxPayloadSize = 1 << 26
)

func checkSizes(e outbox.Entry) error {
	if len(e.Payload) > maxPayloadSize {
		return fmt.Errorf("the payload is too long, got %d bytes; at most %d can be kept", len(e.Payload), maxPayloadSize)
	}
	return checkTexts(e.Account, e.Form, e.Identifier, e.Step, e.Reason, e.LeadID)
}

// checkTexts returns an error if one of the texts is too long to be kept.
func checkTexts(texts ...string) error {
	for _, text := range texts {
		if len(text) > maxTextSize {
			return fmt.Errorf("a text is too long, got %d bytes; at most %d can be kept", len(text), maxTextSize)
		}
	}
	return nil
}
