package sqlstore

import (
	"bytes"
	"cmp"
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

// read commits lazy settlements and then calls f with the database. If f meets damage or cannot read
// the file, read has it repaired and calls f again.
func (s *Store) read(ctx context.Context, f func(*handle) error) error {
	if s.deferred.Load() > 0 {
		if err := s.await(ctx, &operation{run: func(*change) error { return nil }}); err != nil {
			return err
		}
	}
	return s.readNow(ctx, f)
}

// readNow is like read, but does not commit lazy settlements first.
func (s *Store) readNow(ctx context.Context, f func(*handle) error) error {
	seen, err := s.tryRead(ctx, f)
	if !isDamage(err) && !isDistrust(err) && !errors.Is(err, errNotOpen) {
		return err
	}
	if err := s.await(ctx, &operation{alone: func() error { return s.writer.repairSeen(seen, err) }}); err != nil {
		return err
	}
	_, err = s.tryRead(ctx, f)
	return err
}

// errNotOpen means that the database could not be reopened after an error.
var errNotOpen = errors.New("the outbox is not open")

// tryRead calls f with the database, and returns the handle that f used.
func (s *Store) tryRead(ctx context.Context, f func(*handle) error) (*handle, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-s.closing:
		return nil, outbox.ErrClosed
	default:
	}
	s.swap.RLock()
	defer s.swap.RUnlock()
	if s.handle == nil {
		return nil, errNotOpen
	}
	err := f(s.handle)
	if cause := ctx.Err(); cause != nil && err != nil {
		err = cause
	}
	return s.handle, err
}

// NextDue implements [outbox.Store]. It does not wait for lazy settlements, because they do not
// change when an entry is due.
func (s *Store) NextDue(ctx context.Context, account string) (due time.Time, found bool, err error) {
	err = s.readNow(ctx, func(h *handle) error {
		var at int64
		var inRow sql.NullInt64
		err := h.reads[qNextDue].QueryRowContext(ctx, account).Scan(&at, &inRow)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return h.checkNoneWaits(ctx, account)
		case err == nil && inRow.Int64 != at:
			return fmt.Errorf("%w: the index of due entries has another time than the entry", errDamaged)
		}
		due, found = record.FromMillis(at), err == nil
		return explainScan(err)
	})
	return due, found, record.Wrap("finding the next due entry", uuid.Nil, err)
}

// checkNoneWaits returns an error if an entry waits that the index of due entries lacks. SQLite does
// not notice damage that left an index readable.
func (h *handle) checkNoneWaits(ctx context.Context, account string) error {
	h.mu.RLock()
	waiting := h.counts[shard{account, record.Waiting}]
	h.mu.RUnlock()
	if waiting == 0 {
		return nil
	}
	var one int
	switch err := h.reads[qHidden].QueryRowContext(ctx, account, account).Scan(&one); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: the index of due entries does not have an entry that waits", errDamaged)
}

// Ahead implements [outbox.Store].
func (s *Store) Ahead(ctx context.Context, entry outbox.Entry, n int) (found bool, err error) {
	id, err := record.ParseID(entry.ID)
	if err != nil {
		return false, fmt.Errorf("counting the entries ahead of an entry: %w: %w", err, outbox.ErrNotFound)
	}
	if n < 1 {
		return true, nil
	}
	err = s.readNow(ctx, func(h *handle) error {
		var one int
		err := h.reads[qAhead].QueryRowContext(ctx, entry.Account, record.Millis(entry.DueAt), id[:], n-1).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		found = err == nil
		return explainScan(err)
	})
	return found, record.Wrap("counting the entries ahead of", id, err)
}

// Get implements [outbox.Store].
func (s *Store) Get(ctx context.Context, id string) (entry outbox.Entry, err error) {
	parsed, err := record.ParseID(id)
	if err != nil {
		return entry, fmt.Errorf("getting entry: %w: %w", err, outbox.ErrNotFound)
	}
	err = s.read(ctx, func(h *handle) error {
		found, err := queryRows(ctx, h.reads[qByID], parsed[:])
		if err == nil && len(found) == 0 {
			return outbox.ErrNotFound
		}
		if err == nil {
			entry = found[0].entry
		}
		return err
	})
	return entry, record.Wrap("getting", parsed, err)
}

// Clock implements [outbox.Store].
func (s *Store) Clock(ctx context.Context) (clock outbox.Clock, err error) {
	err = s.read(ctx, func(h *handle) error {
		var seen, steady int64
		err := h.reads[qClock].QueryRowContext(ctx).Scan(&seen, &steady)
		clock = outbox.Clock{SeenAt: record.FromMillis(seen), SteadySince: record.FromMillis(steady)}
		return explainScan(err)
	})
	return clock, record.Wrap("reading the clock", uuid.Nil, err)
}

// Counts implements [outbox.Store].
func (s *Store) Counts(ctx context.Context) (counts []outbox.Count, err error) {
	err = s.read(ctx, func(h *handle) error {
		counts = h.publicCounts()
		return nil
	})
	return counts, record.Wrap("counting entries", uuid.Nil, err)
}

func (h *handle) publicCounts() (counts []outbox.Count) {
	h.mu.RLock()
	sum := make(map[outbox.Count]int64)
	for s, n := range h.counts {
		sum[outbox.Count{Account: s.account, State: record.PublicState(s.state)}] += n
	}
	h.mu.RUnlock()
	for c, n := range sum {
		if n > 0 {
			c.Entries = int(n)
			counts = append(counts, c)
		}
	}
	slices.SortFunc(counts, func(a, b outbox.Count) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(record.StateOf(a.State), record.StateOf(b.State)))
	})
	return counts
}

// List implements [outbox.Store].
func (s *Store) List(ctx context.Context, f outbox.Filter) (page []outbox.Entry, err error) {
	f, after, err := record.CheckFilter(f)
	if err != nil {
		return nil, record.Wrap("listing entries", uuid.Nil, err)
	}
	err = s.read(ctx, func(h *handle) (err error) {
		page, err = h.list(ctx, f, after)
		return err
	})
	return page, record.Wrap("listing entries", uuid.Nil, err)
}

func (h *handle) list(ctx context.Context, f outbox.Filter, after uuid.UUID) ([]outbox.Entry, error) {
	choose := h.listShards
	if f.Searches() || f.Account == "" && f.State == "" {
		choose = h.search
	}
	found, err := choose(ctx, f, after)
	if err != nil {
		return nil, err
	}
	page := make([]outbox.Entry, 0, len(found))
	for _, r := range found {
		page = append(page, r.entry)
	}
	return page, nil
}

// search reads rows until it has found a page.
func (h *handle) search(ctx context.Context, f outbox.Filter, after uuid.UUID) (found []row, err error) {
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !f.Since.IsZero() {
		since = record.Millis(record.Ceil(f.Since)) // entries keep milliseconds
	}
	if !f.Until.IsZero() {
		until = record.Millis(record.Ceil(f.Until))
	}
	state := record.StateOf(f.State) // zero for all
	also, ok := map[outbox.State]int64{outbox.Waiting: record.Taken, outbox.Parked: record.Damaged}[f.State]
	if !ok {
		also = state
	}
	for len(found) < f.Limit {
		rows, err := queryRows(ctx, h.reads[qSearch], after[:], since, until, state, state, also, f.Account, f.Form, f.Identifier, f.Limit)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			// Damage that is not known yet makes a row parked, although another state is stored.
			if after = r.id; len(found) < f.Limit && (f.State == "" || r.entry.State == f.State) {
				found = append(found, r)
			}
		}
		if len(rows) < f.Limit {
			break
		}
	}
	return found, nil
}

// listShards returns the rows with the first ids of several shards. It reads at most a page of each.
func (h *handle) listShards(ctx context.Context, f outbox.Filter, after uuid.UUID) (found []row, err error) {
	for _, s := range h.shards(f.Account, f.State) {
		rows, err := queryRows(ctx, h.reads[qInState], s.account, s.state, after[:], f.Limit)
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	slices.SortFunc(found, func(a, b row) int { return bytes.Compare(a.id[:], b.id[:]) })
	// An entry that changes its state meanwhile can be in two shards.
	found = slices.CompactFunc(found, func(a, b row) bool { return a.id == b.id })
	return found[:min(f.Limit, len(found))], nil
}
