package pgstore

import (
	"context"
	"database/sql"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox/record"
)

const qHolders query = `SELECT e.id, n.name FROM {schema}.entries e JOIN {schema}.nodes n ON n.id = e.node WHERE e.id = ANY($1) AND e.state = 4`

// Holders implements [outbox.Holding].
func (s *Store) Holders(ctx context.Context, ids []string) (names map[string]string, err error) {
	wanted := make([]uuid.UUID, 0, len(ids))
	for _, text := range ids {
		if id, err := record.ParseID(text); err == nil {
			wanted = append(wanted, id)
		}
	}
	if len(wanted) == 0 {
		return nil, nil //nolint:nilnil // none is
	}
	err = s.read(ctx, func(ctx context.Context) error {
		names = make(map[string]string)
		return s.rows(ctx, qHolders, func(rows *sql.Rows) error {
			var key []byte
			var name string
			if err := rows.Scan(&key, &name); err != nil {
				return err
			}
			id, err := uuid.FromBytes(key)
			names[id.String()] = name
			return err
		}, keys(wanted))
	})
	return names, wrap("looking for the nodes of entries in flight", uuid.Nil, err)
}
