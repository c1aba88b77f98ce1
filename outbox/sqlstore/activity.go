package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// The statements of Activity. They read indices only.
const (
	qCountIDs     query = `SELECT count(*) FROM entries WHERE id >= ? AND id < ?`
	qCountSettled query = `SELECT count(*) FROM entries WHERE state = ? AND settled_at <> 0 AND settled_at >= ? AND settled_at < ?`
)

// Activity implements [outbox.Store].
func (s *Store) Activity(ctx context.Context, from, to time.Time) (a outbox.Activity, err error) {
	from, to = record.Ceil(from), record.Ceil(to) // entries keep milliseconds
	err = s.read(ctx, func(h *handle) error {
		for _, count := range []struct {
			into  *int
			query query
			args  []any
		}{
			{&a.Appended, qCountIDs, []any{record.FirstID(from), record.FirstID(to)}},
			{&a.Delivered, qCountSettled, []any{record.Delivered, record.Millis(from), record.Millis(to)}},
			{&a.Parked, qCountSettled, []any{record.Parked, record.Millis(from), record.Millis(to)}},
		} {
			if err := h.reads[count.query].QueryRowContext(ctx, count.args...).Scan(count.into); err != nil {
				return explainScan(err)
			}
		}
		return nil
	})
	return a, record.Wrap("counting the entries of a time", uuid.Nil, err)
}
