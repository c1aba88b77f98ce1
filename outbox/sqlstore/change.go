package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// attempt is an entry that this process has taken.
type attempt struct {
	// row is the entry's row without its payload; nil if it must be read from the database.
	row *row
	// settled means that a lazy settlement is waiting for a commit.
	settled bool
}

// change is a transaction of the writer. Its commit also updates the handle.
type change struct {
	*handle
	ctx    context.Context
	log    *zap.Logger
	now    func() time.Time
	after  ledger // the ledger after the commit
	deltas map[shard]int64
	// attempts are those of the process. taken has the rows of entries that this transaction took or
	// changed while they are taken, and nil for those that it settled.
	attempts map[uuid.UUID]*attempt
	taken    map[uuid.UUID]*row
	wrote    bool
	erased   bool
	// budget is roughly how many bytes the transaction may write to the log. spent estimates how
	// many bytes its changes so far will take there.
	budget, spent int64
}

func (c *change) reset(h *handle) {
	c.handle, c.after = h, h.ledger
	c.wrote, c.erased = false, false
	c.budget, c.spent = math.MaxInt64, 0
	clear(c.deltas)
	clear(c.taken)
}

func (c *change) exec(q query, args ...any) (affected int64, err error) {
	result, err := c.writes[q].ExecContext(c.ctx, args...)
	if err != nil {
		return 0, err
	}
	affected, err = result.RowsAffected()
	c.wrote = c.wrote || affected > 0
	return affected, err
}

// commit writes the ledger and commits the transaction.
func (c *change) commit() error {
	c.after.commits++
	if _, err := c.exec(qLedger, c.after.commits, c.after.appended, c.after.removed, c.after.missing); err != nil {
		return err
	}
	if _, err := c.writes[qCommit].ExecContext(c.ctx); err != nil {
		return err
	}
	c.ledger = c.after
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, n := range c.deltas {
		if c.counts[s] += n; c.counts[s] == 0 {
			delete(c.counts, s)
		}
	}
	return nil
}

// query runs a query of the writer and returns its rows.
func (c *change) query(q query, args ...any) ([]row, error) {
	return queryRows(c.ctx, c.writes[q], args...)
}

// queryRows returns the rows that a statement selects. Some of them may be damaged.
func queryRows(ctx context.Context, stmt *sql.Stmt, args ...any) (found []row, err error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	values := make([]any, columnCount)
	targets := make([]any, columnCount)
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		found = append(found, decodeRow(values))
	}
	return found, rows.Err()
}

// add inserts a row with the next sequence number. A row that it has inserted before may be there
// already: a commit that failed can turn out to be durable.
func (c *change) add(r *row) error {
	r.seq = c.after.appended + 1
	affected, err := c.exec(qInsert, r.values()...)
	if err != nil {
		return err
	}
	switch {
	case affected > 0:
		r.added = true
		c.after.appended++
		c.move(r, 0, r.state)
		return nil
	case r.added:
		return c.addAgain(r)
	}
	return outbox.ErrExists
}

// addAgain writes a row that is there although the commit that inserted it failed. It has been counted.
// A repair since then may have given it another number.
func (c *change) addAgain(r *row) error {
	found, err := c.query(qByID, r.id[:])
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("%w: an index has an entry that is not there", errDamaged)
	}
	r.seq = found[0].seq
	return c.replace(r, found[0].state)
}

// move updates the counts for a row that changes its state. Zero stands for a row that is not in
// the table.
func (c *change) move(r *row, from, to int64) {
	if from != 0 {
		c.deltas[shard{r.entry.Account, from}]--
	}
	if to != 0 {
		c.deltas[shard{r.entry.Account, to}]++
	}
	switch {
	case to == record.Taken:
		kept := *r
		kept.entry.Payload = nil
		c.taken[r.id] = &kept
	case from == record.Taken:
		c.taken[r.id] = nil
	}
}

// find returns the row of an entry. The row of a taken entry may lack its payload, because it is
// kept in memory.
func (c *change) find(id uuid.UUID) (*row, error) {
	kept, changed := c.taken[id]
	if a := c.attempts[id]; a != nil && !changed {
		kept = a.row
	}
	if kept != nil {
		r := *kept
		return &r, nil
	}
	found, err := c.query(qByID, id[:])
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, outbox.ErrNotFound
	}
	return &found[0], nil
}

// setAside parks a damaged row. It does not change the row's checksum.
func (c *change) setAside(r *row) error {
	if r.state == record.Damaged {
		return nil
	}
	// It was found by an index, which may be what is damaged.
	found, err := c.query(qBySeq, r.seq)
	if err != nil {
		return err
	}
	if len(found) == 0 || found[0].whole {
		return fmt.Errorf("%w: an index differs from the entry", errDamaged)
	}
	c.log.Error("an entry is damaged on disk; it is parked and will not be sent; inspect it, then erase it",
		zap.String("id", r.entry.ID), zap.String("account", r.entry.Account), zap.String("created_at", r.entry.CreatedAt.Format(time.RFC3339)))
	c.spend(0)
	affected, err := c.exec(qSetAside, record.Millis(c.now()), r.seq)
	if err == nil && affected == 0 {
		return fmt.Errorf("%w: a row has another number", errDamaged)
	}
	c.move(r, r.state, record.Damaged)
	return err
}

// findWhole returns the intact row of an entry that is in one of the states.
func (c *change) findWhole(id uuid.UUID, in ...int64) (*row, error) {
	r, err := c.find(id)
	if err != nil {
		return nil, err
	}
	switch {
	case !r.whole:
		return nil, cmp.Or(c.setAside(r), fmt.Errorf("%s: %w", reasonDamaged, outbox.ErrState))
	case slices.Contains(in, r.state):
		return r, nil
	case r.state == record.Taken:
		return nil, fmt.Errorf("an attempt is in flight: %w", outbox.ErrState)
	}
	return nil, fmt.Errorf("the entry is %s: %w", r.entry.State, outbox.ErrState)
}

// replace updates a row whose previous state was from.
func (c *change) replace(r *row, from int64) error {
	r.seal()
	e := &r.entry
	c.spend(r.payloadSize)
	affected, err := c.exec(qUpdate, r.state, record.Millis(e.DueAt), int64(e.Attempts), e.Step, record.Millis(e.BegunAt), record.Millis(e.AmbiguousSince),
		record.Millis(e.FailingSince), e.Reason, e.LeadID, record.Millis(e.SettledAt), r.crc, r.seq)
	if err == nil && affected == 0 {
		return outbox.ErrNotFound // it was in memory, but is no longer in the file
	}
	c.move(r, from, r.state)
	return err
}

// maxPassedOver limits the busy entries that one Take skips, so that many posts of one visitor
// cannot delay other commits.
const maxPassedOver = 1000

func (c *change) take(account string, due, now time.Time, limit int, busy func(string) bool) (entries []outbox.Entry, err error) {
	now = record.FromMillis(record.Millis(now))
	lastDue, lastID := int64(math.MinInt64), uuid.UUID{}
	for passed := 0; len(entries) < limit && passed < maxPassedOver; {
		want := min(limit-len(entries), record.MaxPage)
		found, err := c.query(qDue, account, record.Millis(due), lastDue, lastID[:], want)
		if err == nil && len(found) == 0 && passed+len(entries) == 0 {
			err = c.checkNoneIsDue(account, due)
		}
		if err != nil {
			return nil, err
		}
		for i := range found {
			if c.exhausted() {
				return entries, nil
			}
			r := &found[i]
			lastDue, lastID = record.Millis(r.entry.DueAt), r.id
			switch {
			case !r.whole:
				passed++
				err = c.setAside(r)
			case busy != nil && r.entry.Identifier != "" && busy(r.entry.Identifier):
				passed++
				c.spend(0)
				_, err = c.exec(qPostpone, record.Millis(now.Add(time.Second)), r.seq)
			default:
				r.state = record.Taken
				r.entry.Attempts++
				r.entry.BegunAt = now
				err = c.replace(r, record.Waiting)
				entries = append(entries, r.entry)
			}
			if err != nil {
				return nil, err
			}
		}
		if len(found) < want {
			break
		}
	}
	return entries, nil
}

// checkNoneIsDue returns an error if an entry is due, although a query for due entries found none. A
// key that is out of order can hide those behind it from one query and not from another.
func (c *change) checkNoneIsDue(account string, due time.Time) error {
	var next int64
	var inRow sql.NullInt64
	err := c.writes[qNextDue].QueryRowContext(c.ctx, account).Scan(&next, &inRow)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return explainScan(err)
	case next <= record.Millis(due):
		return fmt.Errorf("%w: the index of due entries is not in order", errDamaged)
	}
	return nil
}

func (c *change) advance(id uuid.UUID, p outbox.Progress) error {
	r, err := c.findWhole(id, record.Taken)
	if err != nil {
		return err
	}
	e := &r.entry
	e.Step, e.LeadID, e.Reason = p.Step, p.LeadID, p.Reason
	e.BegunAt, e.AmbiguousSince = p.At, time.Time{}
	return c.replace(r, record.Taken)
}

func (c *change) settle(id uuid.UUID, s outbox.Settlement) error {
	r, err := c.findWhole(id, record.Taken)
	if err != nil {
		return err
	}
	e := &r.entry
	r.state = record.StateOf(s.State)
	e.DueAt, e.SettledAt = time.Time{}, time.Time{}
	if s.State == outbox.Waiting {
		e.DueAt = s.DueAt
	} else {
		e.SettledAt = s.At
	}
	e.Step, e.Reason, e.LeadID = s.Step, s.Reason, s.LeadID
	e.AmbiguousSince, e.FailingSince = s.AmbiguousSince, s.FailingSince
	if s.Uncounted {
		e.Attempts = max(e.Attempts-1, 0)
	}
	if err := c.replace(r, record.Taken); err != nil {
		return err
	}
	return c.remember(r)
}

func (c *change) retry(id uuid.UUID, at time.Time) error {
	r, err := c.findWhole(id, record.Waiting, record.Parked)
	if err != nil {
		return err
	}
	from := r.state
	r.state = record.Waiting
	e := &r.entry
	e.DueAt, e.SettledAt = at, time.Time{}
	e.Attempts, e.FailingSince = 0, time.Time{}
	return c.replace(r, from)
}

// erase removes an entry, even a damaged one.
func (c *change) erase(id uuid.UUID) error {
	r, err := c.find(id)
	if err != nil {
		return err
	}
	if r.state == record.Taken {
		return fmt.Errorf("an attempt is in flight: %w", outbox.ErrState)
	}
	return c.remove(r)
}

func (c *change) remove(r *row) error {
	c.spend(r.payloadSize)
	affected, err := c.exec(qDelete, r.seq)
	if affected > 0 {
		c.after.removed++
		c.erased = true
		c.move(r, r.state, 0)
	}
	return err
}

// expire removes the entries that reached the state before the given time. With parked entries it
// also removes damaged ones.
func (c *change) expire(state outbox.State, before time.Time, limit int) (removed int, err error) {
	of := []int64{record.StateOf(state)}
	if state == outbox.Parked {
		of = append(of, record.Damaged)
	}
	for _, s := range of {
		old, err := c.settledBefore(s, before, limit-removed)
		if err != nil {
			return removed, err
		}
		for i := range old {
			if c.exhausted() {
				return removed, nil
			}
			if err := c.remove(&old[i]); err != nil {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}

// settledBefore returns the longest settled rows of a state, with only the fields that remove
// needs.
func (c *change) settledBefore(state int64, before time.Time, limit int) (old []row, err error) {
	rows, err := c.writes[qSettled].QueryContext(c.ctx, state, record.Millis(before), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := row{state: state}
		if err := rows.Scan(&r.seq, &r.entry.Account, &r.payloadSize); err != nil {
			return nil, errors.Join(errDamaged, err)
		}
		old = append(old, r)
	}
	return old, rows.Err()
}

// release makes due the entries that are taken, but not by this process. An earlier one took them and
// did not settle them, so the outcome of those attempts is unknown.
func (c *change) release() error {
	return c.each(record.Taken, func(r *row) error {
		if c.attempts[r.id] != nil {
			return nil
		}
		r.abandon(c.now())
		return c.replace(r, record.Taken)
	})
}

// doubtAll marks all waiting entries as ambiguous.
func (c *change) doubtAll() error {
	return c.each(record.Waiting, func(r *row) error {
		r.doubt()
		return c.replace(r, record.Waiting)
	})
}

// each calls f with each intact row in the state, until the transaction's budget is spent. It parks
// damaged rows.
func (c *change) each(state int64, f func(*row) error) error {
	for _, s := range c.shards("", "") {
		if c.exhausted() {
			return nil
		}
		var after uuid.UUID
		for found := make([]row, record.MaxPage); s.state == state && len(found) == record.MaxPage; {
			var err error
			if found, err = c.query(qInState, s.account, state, after[:], record.MaxPage); err != nil {
				return err
			}
			for i := range found {
				if c.exhausted() {
					return nil
				}
				r := &found[i]
				after = r.id
				do := f
				if !r.whole {
					do = c.setAside
				}
				if err := do(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
