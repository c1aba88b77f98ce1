package pgstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// Append implements [outbox.Store].
func (s *Store) Append(ctx context.Context, entry outbox.Entry) error {
	r, err := record.New(entry)
	if err != nil {
		return wrap("appending", r.ID, err)
	}
	by := s.currentNode()
	switch r.State {
	case record.Taken:
		if by, err = s.holder(); err != nil {
			return wrap("appending", r.ID, err)
		}
	case record.Parked:
		by = nil
	}
	late := s.opts.clock().Add(s.Skew()).Add(lateAfter)
	err = s.change(ctx, func(t tx) error { return s.insert(t, r, by, late) })
	err = s.settleDoubt(ctx, r.ID, err, func(found record.Record) bool {
		return found.State == r.State && found.Entry.BegunAt.Equal(record.FromMillis(record.Millis(entry.BegunAt)))
	})
	switch {
	case r.State == record.Waiting:
		s.floors.lower(entry.Account, record.Millis(entry.DueAt))
	case r.State != record.Taken:
	case err == nil:
		s.begun(by, r.Entry)
	case errors.Is(err, outbox.ErrUnsure):
		s.stray(by, r.ID)
	}
	return wrap("appending", r.ID, err)
}

// lateAfter is how long an append may take until the entry counts as ambiguous. A network that stalls
// may deliver it minutes later, when it is in a spool and was sent from there. It is longer than
// clocks in step may differ.
const lateAfter = 3 * minSkew / 2

// insert inserts a new entry and reserves its mark.
func (s *Store) insert(t tx, r record.Record, by *node, late time.Time) error {
	key, lasts := s.markOf(r.Entry.Mark)
	var gone []byte // an entry that had the mark and was removed
	for range maxTries {
		rows, err := t.exec(qAppend, append(values(r, by), key, lasts, gone, record.Millis(late))...)
		switch {
		case code(err) == codeUnique:
			return outbox.ErrBusy
		case err != nil || rows > 0:
			return err
		case key == nil:
			return outbox.ErrExists
		}
		owner, isKept, err := marked(t, key)
		switch {
		case err != nil:
			return err
		case bytes.Equal(owner, r.ID[:]):
			return outbox.ErrExists
		case isKept:
			return repeat(owner)
		}
		gone = owner
	}
	return outbox.ErrBusy
}

// stray records that this process may have taken entries, for which nothing will be sent.
func (s *Store) stray(by *node, ids ...uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.strays[id] = by
	}
}

// values returns a row in the order of the columns of qAppend and qAdopt.
func values(r record.Record, by *node) []any {
	e := &r.Entry
	payload := e.Payload
	if payload == nil {
		payload = []byte{}
	}
	return []any{
		by.key(), r.ID[:], clean(e.Account), clean(e.Form), clean(e.Identifier), record.Millis(e.CreatedAt), r.State,
		record.Millis(e.DueAt), e.Attempts, clean(e.Step), record.Millis(e.BegunAt), record.Millis(e.AmbiguousSince),
		record.Millis(e.FailingSince), clean(e.Reason), clean(e.LeadID), record.Millis(e.SettledAt), payload,
	}
}

// key returns the node's id, or nil for no node.
func (n *node) key() []byte {
	if n == nil {
		return nil
	}
	return n.id[:]
}

// clean returns a text without what PostgreSQL cannot store.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// begun records that this process has taken entries.
func (s *Store) begun(by *node, entries ...outbox.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if id, err := record.ParseID(e.ID); err == nil {
			s.taken[id] = attempt{by, e.Account, e.Identifier}
		}
	}
}

// attempt returns this process's attempt at an entry. If there is none, no node with the id zero has
// taken it.
func (s *Store) attempt(id uuid.UUID) attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, ok := s.taken[id]; ok {
		return a
	}
	return attempt{node: new(node)}
}

func (s *Store) ended(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.taken, id)
}

// adoption is an entry to adopt.
type adoption struct {
	record.Record

	recalled bool
}

// Adopt implements [outbox.Store]. It skips what was erased.
func (s *Store) Adopt(ctx context.Context, entries []outbox.Adoption) error {
	rows := make([]adoption, 0, len(entries))
	for _, e := range entries {
		r, err := record.Adopted(e.Entry)
		if err != nil {
			return wrap("adopting", r.ID, err)
		}
		rows = append(rows, adoption{r, e.Recalled})
	}
	// Two nodes that lock the same rows do so in the same order.
	slices.SortStableFunc(rows, func(a, b adoption) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	err := s.transact(ctx, func(t tx) error {
		rows, err := s.withoutErased(t, rows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if _, err := t.exec(qAdopt, values(r.Record, nil)...); err != nil {
				return err
			}
			if !r.recalled || !r.IsRecalled() {
				continue
			}
			hash := record.Hash(s.secret, r.Entry.Account, r.Entry.Identifier)
			if _, err := t.exec(qRememberLater, hash, record.Millis(r.Entry.SettledAt), clean(r.Entry.LeadID)); err != nil {
				return err
			}
		}
		return nil
	})
	s.floors.forget()
	return wrap("adopting entries", uuid.Nil, err) // adopting them again does no harm
}

// missed returns why a statement has not changed an entry.
func (s *Store) missed(t tx, id uuid.UUID) error {
	found, err := t.entries(qByID, [][]byte{id[:]})
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return outbox.ErrNotFound
	case found[0].State == record.Taken:
		return fmt.Errorf("an attempt is in flight: %w", outbox.ErrState)
	}
	return fmt.Errorf("the entry is %s: %w", found[0].Entry.State, outbox.ErrState)
}

// Advance implements [outbox.Store]. The error wraps [outbox.ErrState] if the node's lease has ended.
func (s *Store) Advance(ctx context.Context, id string, p outbox.Progress) error {
	parsed, err := parseID("advancing", id)
	if err != nil {
		return err
	}
	if err := record.CheckTexts(p.Step, p.Reason, p.LeadID); err != nil {
		return wrap("advancing", parsed, err)
	}
	if p.At.IsZero() {
		p.At = s.opts.Now()
	}
	by := s.attempt(parsed).node
	err = s.change(ctx, func(t tx) error {
		rows, err := t.exec(qAdvance, by.key(), parsed[:], clean(p.Step), record.Millis(p.At), clean(p.LeadID), clean(p.Reason))
		if err == nil && rows == 0 {
			err = s.missed(t, parsed)
		}
		return err
	})
	err = s.settleDoubt(ctx, parsed, err, func(r record.Record) bool {
		return r.State == record.Taken && r.Entry.Step == p.Step && record.Millis(r.Entry.BegunAt) == record.Millis(p.At)
	})
	return wrap("advancing", parsed, err)
}

// Settle implements [outbox.Store]. The record is always durable.
func (s *Store) Settle(ctx context.Context, id string, o outbox.Settlement) error {
	parsed, err := parseID("settling", id)
	if err != nil {
		return err
	}
	if err := record.CheckSettlement(o); err != nil {
		return wrap("settling", parsed, err)
	}
	at, due := cmp.Or(record.Millis(o.At), record.Millis(s.opts.Now())), int64(0)
	if o.State == outbox.Waiting {
		at, due = 0, record.Millis(o.DueAt)
	}
	less := 0
	if o.Uncounted {
		less = 1
	}
	a := s.attempt(parsed)
	of := record.Record{State: record.StateOf(o.State), Entry: outbox.Entry{LeadID: o.LeadID, Identifier: a.identifier}}
	hash := record.Hash(s.secret, a.account, a.identifier)
	err = s.change(ctx, func(t tx) error {
		rows := 0
		err := t.in.QueryRowContext(t.ctx, t.text(qSettle), a.node.key(), parsed[:], of.State, due, clean(o.Step), clean(o.Reason), clean(o.LeadID),
			record.Millis(o.AmbiguousSince), record.Millis(o.FailingSince), at, less, hash, of.IsRecalled()).Scan(&rows)
		if err == nil && rows == 0 {
			err = s.missed(t, parsed)
		}
		return err
	})
	err = s.settleDoubt(ctx, parsed, err, func(r record.Record) bool {
		return r.State == of.State && record.Millis(r.Entry.SettledAt) == at && record.Millis(r.Entry.DueAt) == due && r.Entry.Reason == clean(o.Reason)
	})
	if errors.Is(err, outbox.ErrUnsure) && errors.Is(err, errDoubt) {
		err = nil // if the standby lacks it, the attempt was never settled, which is found out
	}
	if o.State == outbox.Waiting {
		s.floors.lower(a.account, due)
	}
	if err == nil || errors.Is(err, outbox.ErrState) || errors.Is(err, outbox.ErrNotFound) {
		s.ended(parsed)
	}
	return wrap("settling", parsed, err)
}

// Retry implements [outbox.Store].
func (s *Store) Retry(ctx context.Context, id string, at time.Time) error {
	defer s.floors.forget()
	return s.changeOne(ctx, "retrying", id, func(t tx, id uuid.UUID) (int64, error) { return t.exec(qRetry, id[:], record.Millis(at)) })
}

// Erase implements [outbox.Store].
func (s *Store) Erase(ctx context.Context, id string) error {
	return s.changeOne(ctx, "erasing", id, func(t tx, id uuid.UUID) (int64, error) { return t.exec(qErase, id[:]) })
}

// changeOne changes one entry that is not taken. Changing it again does no harm.
func (s *Store) changeOne(ctx context.Context, doing, text string, f func(tx, uuid.UUID) (int64, error)) error {
	id, err := parseID(doing, text)
	if err != nil {
		return err
	}
	return wrap(doing, id, s.change(ctx, func(t tx) error {
		rows, err := f(t, id)
		if err == nil && rows == 0 {
			err = s.missed(t, id)
		}
		return err
	}))
}

// RetryFailed implements [outbox.Store].
func (s *Store) RetryFailed(ctx context.Context, account string, at time.Time, limit int) (int, error) {
	defer s.floors.lower(account, record.Millis(at))
	return s.changeSome(ctx, "retrying failed entries", qRetryFailed, account, record.Millis(at), limit)
}

// Expire implements [outbox.Store].
func (s *Store) Expire(ctx context.Context, state outbox.State, before time.Time, limit int) (int, error) {
	if err := record.CheckExpire(state); err != nil {
		return 0, err
	}
	return s.changeSome(ctx, "expiring entries", qExpire, record.StateOf(state), record.Millis(before), limit)
}

// Forget implements [outbox.Store].
func (s *Store) Forget(ctx context.Context, account, identifier string) error {
	_, err := s.changeSome(ctx, "forgetting a lead's id", qForget, record.Hash(s.secret, account, identifier))
	return err
}

// ForgetBefore implements [outbox.Store].
func (s *Store) ForgetBefore(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.changeSome(ctx, "forgetting old lead ids", qForgetOld, record.Millis(before), limit)
}

// SetClock implements [outbox.Store].
func (s *Store) SetClock(ctx context.Context, c outbox.Clock) error {
	_, err := s.changeSome(ctx, "storing the clock", qSetClock, record.Millis(c.SeenAt), record.Millis(c.SteadySince))
	return err
}

// changeSome carries out one statement and returns the number of rows that it changed.
func (s *Store) changeSome(ctx context.Context, doing string, q query, args ...any) (changed int, err error) {
	err = s.change(ctx, func(t tx) error {
		rows, err := t.exec(q, args...)
		changed = int(rows)
		return err
	})
	if err != nil {
		return 0, wrap(doing, uuid.Nil, err)
	}
	return changed, nil
}
