package pgstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// If an asynchronous standby is promoted, the last changes have not happened. An attempt whose result
// was among them is still in flight in the database, on a node that is alive and knows nothing of it.
// Such entries are orphans. They are due again, and ambiguous.

const (
	qHeld   query = `SELECT id FROM {schema}.entries WHERE ` + own
	qOrphan query = `UPDATE {schema}.entries SET state = 1, node = NULL, due_at = $3, ambiguous_since =
			CASE WHEN ambiguous_since <> 0 THEN ambiguous_since WHEN begun_at <> 0 THEN begun_at ELSE created_at END
		WHERE id = ANY($2) AND ` + own
)

// releaseOrphans makes the entries due that this node has taken in the database only, for longer
// than the answer to a commit may take.
func (s *Store) releaseOrphans(ctx context.Context) error {
	by, now := s.currentNode(), time.Now()
	seen := make(map[uuid.UUID]time.Time)
	err := s.rows(ctx, qHeld, func(rows *sql.Rows) error {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return err
		}
		parsed, err := uuid.FromBytes(id)
		seen[parsed] = now
		return err
	}, by.key())
	if err != nil {
		return err
	}
	var orphans []uuid.UUID
	s.mu.Lock()
	for id := range seen {
		if _, known := s.taken[id]; known {
			delete(seen, id)
		} else if first, again := s.orphans[id]; again {
			if seen[id] = first; now.Sub(first) > s.opts.CommitTimeout {
				orphans = append(orphans, id)
			}
		}
	}
	s.orphans = seen
	s.mu.Unlock()
	if len(orphans) == 0 {
		return nil
	}
	s.opts.Logger.Warn("leads are in flight in the outbox and not on this node, perhaps because a standby was promoted that lacked their results; TeleCRM is asked about them before they are sent",
		zap.String("outbox", s.name), zap.Int("leads", len(orphans)))
	_, err = s.pool.ExecContext(ctx, s.text(qOrphan), by.key(), keys(orphans), record.Millis(s.now()))
	s.floors.forget()
	return err
}
