package sqlstore

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// reasonDamaged is the reason of an entry whose checksum does not match.
const reasonDamaged = "damaged on disk: its checksum does not match"

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
		r.seq, r.id[:], e.Account, e.Form, e.Identifier, record.Millis(e.CreatedAt), r.state, record.Millis(e.DueAt), int64(e.Attempts),
		e.Step, record.Millis(e.BegunAt), record.Millis(e.AmbiguousSince), record.Millis(e.FailingSince), e.Reason, e.LeadID,
		record.Millis(e.SettledAt), r.crc, payload,
	}
}

// decodeRow returns the row with the given column values. Damage may have changed even their types.
func decodeRow(v []any) row {
	r := row{whole: len(v) == columnCount}
	if !r.whole {
		return r
	}
	integer := func(i int) int64 { n, ok := v[i].(int64); r.whole = r.whole && ok; return n }
	text := func(i int) string { s, ok := v[i].(string); r.whole = r.whole && ok; return s }
	moment := func(i int) time.Time { return record.FromMillis(integer(i)) }
	r.seq, r.state, r.crc = integer(0), integer(6), integer(16)
	id, _ := v[1].([]byte)
	r.whole = r.whole && len(id) == len(r.id)
	copy(r.id[:], id)
	payload, ok := v[17].([]byte)
	r.whole = r.whole && (ok || v[17] == nil)
	r.measure(payload)
	r.entry = outbox.Entry{
		ID: r.id.String(), Account: text(2), Form: text(3), Identifier: text(4), Payload: payload, CreatedAt: moment(5),
		State: record.PublicState(r.state), DueAt: moment(7), Attempts: int(integer(8)), Step: text(9), BegunAt: moment(10),
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
		b = binary.AppendVarint(b, record.Millis(t))
	}
	b = binary.AppendVarint(b, r.state)
	b = binary.AppendVarint(b, int64(e.Attempts))
	return int64(crc32.Checksum(b, castagnoli) ^ r.payloadCRC)
}

// seal updates the checksum.
func (r *row) seal() { r.crc = r.checksum() }

// abandon makes a taken row due and marks it as ambiguous.
func (r *row) abandon(now time.Time) {
	r.state = record.Waiting
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

// newRow returns the row of an entry to append.
func newRow(entry outbox.Entry) (row, error) {
	of, err := record.New(entry)
	return rowOf(of), err
}

// rowOf returns the row of a record.
func rowOf(of record.Record) row {
	r := row{id: of.ID, state: of.State, entry: of.Entry, whole: true}
	r.measure(of.Entry.Payload)
	r.seal()
	return r
}
