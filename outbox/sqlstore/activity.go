package sqlstore

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// The statements of Activity. They read indices only.
const (
	qCountIDs     query = `SELECT count(*) FROM entries WHERE id >= ? AND id < ?`
	qCountSettled query = `SELECT count(*) FROM entries WHERE state = ? AND settled_at <> 0 AND settled_at >= ? AND settled_at < ?`
)

// Activity implements [outbox.Store].
func (s *Store) Activity(ctx context.Context, from, to time.Time) (a outbox.Activity, err error) {
	from, to = from.Add(time.Millisecond-1), to.Add(time.Millisecond-1) // entries keep milliseconds
	err = s.read(ctx, func(h *handle) error {
		for _, count := range []struct {
			into  *int
			query query
			args  []any
		}{
			{&a.Appended, qCountIDs, []any{firstID(from), firstID(to)}},
			{&a.Delivered, qCountSettled, []any{stateDelivered, millis(from), millis(to)}},
			{&a.Parked, qCountSettled, []any{stateParked, millis(from), millis(to)}},
		} {
			if err := h.reads[count.query].QueryRowContext(ctx, count.args...).Scan(count.into); err != nil {
				return explainScan(err)
			}
		}
		return nil
	})
	return a, wrap("counting the entries of a time", uuid.Nil, err)
}

// firstID returns the smallest id of version 7 that is made at the given time.
func firstID(at time.Time) []byte {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(max(0, at.UnixMilli()))<<16) //nolint:gosec // not negative
	return id[:]
}
