package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// scanRecord reads the current row of columns, and more columns after them.
func scanRecord(rows *sql.Rows, more ...any) (r record.Record, err error) {
	var id []byte
	e := &r.Entry
	times := [6]int64{}
	columns := append([]any{
		&id, &e.Account, &e.Form, &e.Identifier, &times[0], &r.State, &times[1], &e.Attempts, &e.Step, &times[2],
		&times[3], &times[4], &e.Reason, &e.LeadID, &times[5], &e.Payload,
	}, more...)
	if err := rows.Scan(columns...); err != nil {
		return r, err
	}
	if r.ID, err = uuid.FromBytes(id); err != nil {
		return r, err
	}
	e.ID, e.State = r.ID.String(), record.PublicState(r.State)
	for i, t := range []*time.Time{&e.CreatedAt, &e.DueAt, &e.BegunAt, &e.AmbiguousSince, &e.FailingSince, &e.SettledAt} {
		*t = record.FromMillis(times[i])
	}
	return r, nil
}

// read calls f with a context that limits how long it reads. It tries again if the connection was
// lost.
func (s *Store) read(ctx context.Context, f func(context.Context) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, s.opts.ReadTimeout)
	defer cancel()
	for try := 1; ; try++ {
		err = f(limited)
		if err == nil || try == 2 || limited.Err() != nil || !errors.Is(classify(err), errUnknown) {
			break
		}
	}
	return contextError(ctx, err)
}

// rows calls f with each row that a query selects.
func (s *Store) rows(ctx context.Context, q query, f func(*sql.Rows) error, args ...any) error {
	return tx{ctx, s.pool, s.text}.each(q, f, args...)
}

// one reads one row into targets, and reports whether there is one.
func (s *Store) one(ctx context.Context, q query, args, targets []any) (found bool, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		err := s.pool.QueryRowContext(ctx, s.text(q), args...).Scan(targets...)
		if found = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return found, err
}

// NextDue implements [outbox.Store].
func (s *Store) NextDue(ctx context.Context, account string) (due time.Time, found bool, err error) {
	var at, first sql.NullInt64
	from := s.floors.get(account)
	seen := s.floors.seek(account)
	_, err = s.one(ctx, qNextDue, []any{account, s.currentNode().key(), reserved.Milliseconds(), from}, []any{&at, &first})
	if seen != nil {
		switch {
		case err != nil:
			seen(from)
		case !first.Valid:
			seen(math.MaxInt64)
		default:
			seen(first.Int64)
		}
	}
	return record.FromMillis(at.Int64), at.Valid, wrap("finding the next due entry", uuid.Nil, err)
}

// Ahead implements [outbox.Store].
func (s *Store) Ahead(ctx context.Context, entry outbox.Entry, n int) (found bool, err error) {
	id, err := parseID("counting the entries ahead of an", entry.ID)
	if err != nil {
		return false, err
	}
	if n < 1 {
		return true, nil
	}
	var one int
	found, err = s.one(ctx, qAhead, []any{entry.Account, record.Millis(entry.DueAt), id[:], n - 1, s.floors.get(entry.Account)}, []any{&one})
	return found, wrap("counting the entries ahead of", id, err)
}

// Recall implements [outbox.Store].
func (s *Store) Recall(ctx context.Context, account, identifier string) (leadID string, known bool, err error) {
	known, err = s.one(ctx, qRecall, []any{record.Hash(s.secret, account, identifier)}, []any{&leadID})
	return leadID, known, wrap("recalling a lead's id", uuid.Nil, err)
}

// Clock implements [outbox.Store].
func (s *Store) Clock(ctx context.Context) (outbox.Clock, error) {
	var seen, steady int64
	_, err := s.one(ctx, qClock, nil, []any{&seen, &steady})
	return outbox.Clock{SeenAt: record.FromMillis(seen), SteadySince: record.FromMillis(steady)}, wrap("reading the clock", uuid.Nil, err)
}

// Activity implements [outbox.Store].
func (s *Store) Activity(ctx context.Context, from, to time.Time) (a outbox.Activity, err error) {
	from, to = record.Ceil(from), record.Ceil(to)
	_, err = s.one(ctx, qActivity, []any{record.FirstID(from), record.FirstID(to), record.Millis(from), record.Millis(to)},
		[]any{&a.Appended, &a.Delivered, &a.Parked})
	return a, wrap("counting the entries of a time", uuid.Nil, err)
}

// Counts implements [outbox.Store].
func (s *Store) Counts(ctx context.Context) (counts []outbox.Count, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		counts = nil
		return s.rows(ctx, qCounts, func(rows *sql.Rows) error {
			var c outbox.Count
			var state int64
			if err := rows.Scan(&c.Account, &state, &c.Entries); err != nil {
				return err
			}
			c.State = record.PublicState(state)
			counts = append(counts, c)
			return nil
		})
	})
	return counts, wrap("counting entries", uuid.Nil, err)
}

// Get implements [outbox.Store].
func (s *Store) Get(ctx context.Context, id string) (outbox.Entry, error) {
	parsed, err := parseID("getting", id)
	if err != nil {
		return outbox.Entry{}, err
	}
	found, err := s.page(ctx, qByID, [][]byte{parsed[:]})
	if err == nil && len(found) == 0 {
		err = outbox.ErrNotFound
	}
	if err != nil {
		return outbox.Entry{}, wrap("getting", parsed, err)
	}
	return found[0], nil
}

// List implements [outbox.Store].
func (s *Store) List(ctx context.Context, f outbox.Filter) (page []outbox.Entry, err error) {
	f, after, err := record.CheckFilter(f)
	if err != nil {
		return nil, wrap("listing entries", uuid.Nil, err)
	}
	states := statesOf(f.State)
	if f.Searches() || f.State == "" && f.Account == "" {
		since, until := int64(math.MinInt64), int64(math.MaxInt64)
		if !f.Since.IsZero() {
			since = record.Millis(record.Ceil(f.Since))
		}
		if !f.Until.IsZero() {
			until = record.Millis(record.Ceil(f.Until))
		}
		page, err = s.page(ctx, qSearch, after[:], since, until, states, f.Account, f.Form, f.Identifier, f.Limit)
	} else {
		page, err = s.page(ctx, qList, f.Account, states, after[:], f.Limit)
	}
	return page, wrap("listing entries", uuid.Nil, err)
}

// statesOf returns the states of rows for a state of package outbox, or all.
func statesOf(s outbox.State) []int64 {
	switch s {
	case outbox.Waiting:
		return []int64{record.Waiting, record.Taken}
	case outbox.Delivered, outbox.Parked:
		return []int64{record.StateOf(s)}
	}
	return []int64{record.Waiting, record.Taken, record.Delivered, record.Parked}
}

// page returns the entries that a query selects.
func (s *Store) page(ctx context.Context, q query, args ...any) (page []outbox.Entry, err error) {
	err = s.read(ctx, func(ctx context.Context) error {
		found, err := tx{ctx, s.pool, s.text}.entries(q, args...)
		page = make([]outbox.Entry, 0, len(found))
		for _, r := range found {
			page = append(page, r.Entry)
		}
		return err
	})
	return page, err
}
