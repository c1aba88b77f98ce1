package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// reserved is how long after it is due a new entry is left to the node that appended it. So the other
// nodes need not be told about it.
const reserved = 10 * time.Second

// maxPassedOver limits the busy entries that one Take skips.
const maxPassedOver = 1000

// Take implements [outbox.Store]. It skips entries that another node is taking, and postpones those
// whose identifier is in flight on any node.
func (s *Store) Take(ctx context.Context, account string, due, now time.Time, limit int, busy func(identifier string) bool) ([]outbox.Entry, error) {
	by, err := s.holder()
	if err != nil {
		return nil, nil //nolint:nilerr // the next lease begins soon
	}
	busy = once(busy)
	var c choice
	for try := 1; ; try++ {
		err = s.transact(ctx, func(t tx) error {
			c = choice{from: s.floors.get(account), now: record.FromMillis(record.Millis(now)), limit: limit, busy: busy, identifiers: make(map[string]bool)}
			if err := c.choose(t, by, account, due); err != nil {
				return err
			}
			return c.take(t, by)
		})
		// Another node has taken a lead of the same identifier in between.
		if code(err) != codeUnique || try == maxTries {
			break
		}
	}
	if errors.Is(err, errUnknown) {
		err = s.askTaken(ctx, by, &c, err)
	}
	if err != nil && !errors.Is(err, errDoubt) {
		return nil, wrap("taking entries", uuid.Nil, err)
	}
	s.begun(by, c.entries...)
	return c.entries, nil
}

// once returns a function that calls busy once for each identifier, because a transaction may be
// tried again.
func once(busy func(string) bool) func(string) bool {
	known := make(map[string]bool)
	return func(identifier string) bool {
		is, asked := known[identifier]
		if !asked && busy != nil {
			is = busy(identifier)
			known[identifier] = is
		}
		return is
	}
}

// choice is what one Take takes.
type choice struct {
	from        int64 // no entry is due before
	now         time.Time
	limit       int
	busy        func(string) bool
	identifiers map[string]bool // of the entries
	entries     []outbox.Entry
	ids         []uuid.UUID
	postponed   [][]byte
}

// choose chooses entries and locks them.
func (c *choice) choose(t tx, by *node, account string, due time.Time) error {
	lastDue, lastID := max(c.from, math.MinInt64+1)-1, uuid.UUID{}
	for len(c.entries) < c.limit && len(c.postponed) < maxPassedOver {
		want := min(c.limit-len(c.entries), record.MaxPage)
		found, err := t.due(account, record.Millis(due), lastDue, lastID[:], want, by.key(), reserved.Milliseconds())
		if err != nil {
			return err
		}
		for _, r := range found {
			lastDue, lastID = record.Millis(r.Entry.DueAt), r.ID
			c.add(r)
		}
		if len(found) < want {
			break
		}
	}
	return nil
}

// dueRecord is an entry that is due. inFlight says that there is an attempt with its identifier.
type dueRecord struct {
	record.Record

	inFlight bool
}

func (t tx) due(args ...any) (found []dueRecord, err error) {
	err = t.each(qDue, func(rows *sql.Rows) (err error) {
		var d dueRecord
		d.Record, err = scanRecord(rows, &d.inFlight)
		found = append(found, d)
		return err
	}, args...)
	return found, err
}

// add takes an entry, or postpones it.
func (c *choice) add(r dueRecord) {
	identifier := r.Entry.Identifier
	if identifier != "" && (r.inFlight || c.identifiers[identifier] || c.busy(identifier)) {
		c.postponed = append(c.postponed, slices.Clone(r.ID[:]))
		return
	}
	c.identifiers[identifier] = true
	r.Entry.Attempts++
	r.Entry.BegunAt = c.now
	c.entries, c.ids = append(c.entries, r.Entry), append(c.ids, r.ID)
}

// take records the choice.
func (c *choice) take(t tx, by *node) error {
	if len(c.postponed) > 0 {
		if _, err := t.exec(qPostpone, record.Millis(c.now.Add(time.Second)), c.postponed); err != nil {
			return err
		}
	}
	if len(c.ids) == 0 {
		return nil
	}
	rows, err := t.exec(qTake, by.key(), record.Millis(c.now), keys(c.ids))
	if err == nil && int(rows) != len(c.ids) {
		err = fmt.Errorf("the lease of this node has ended: %w", outbox.ErrBusy)
	}
	return err
}

func keys(ids []uuid.UUID) [][]byte {
	keys := make([][]byte, 0, len(ids))
	for _, id := range ids {
		keys = append(keys, slices.Clone(id[:]))
	}
	return keys
}

// askTaken finds out whether a choice was recorded whose answer was lost. If that is not possible
// either, the entries are given back later.
func (s *Store) askTaken(ctx context.Context, by *node, c *choice, lost error) error {
	owned := 0
	err := s.read(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return s.pool.QueryRowContext(ctx, s.text(qOwned), by.key(), keys(c.ids)).Scan(&owned)
	})
	if err == nil && owned == len(c.ids) {
		return nil
	}
	s.stray(by, c.ids...)
	return lost
}
