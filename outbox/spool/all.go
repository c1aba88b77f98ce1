package spool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// Take implements [outbox.Store].
func (s *Store) Take(ctx context.Context, account string, due, now time.Time, limit int, busy func(identifier string) bool) ([]outbox.Entry, error) {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	members := v.serving()
	if len(members) == 1 {
		return take(ctx, members[0], account, due, now, limit, busy)
	}
	var taken []outbox.Entry
	var failure error
	for len(taken) < limit {
		m, until, err := s.longestDue(ctx, members, account, due)
		if m == nil {
			failure = errors.Join(failure, err)
			break
		}
		entries, err := take(ctx, m, account, until, now, limit-len(taken), busy)
		taken = append(taken, entries...)
		failure = errors.Join(failure, err)
		if len(entries) == 0 {
			members = slices.DeleteFunc(members, func(other *member) bool { return other == m })
		}
	}
	if len(taken) > 0 || failure == nil {
		return taken, nil
	}
	return nil, failure
}

func take(ctx context.Context, m *member, account string, due, now time.Time, limit int, busy func(string) bool) ([]outbox.Entry, error) {
	entries, err := m.Take(ctx, account, due, now, limit, busy)
	m.begun(entries...)
	return entries, err
}

// longestDue returns the member with the entry that is longest due, and the time until which no
// other member has one. It returns nil if no entry is due.
func (s *Store) longestDue(ctx context.Context, members []*member, account string, due time.Time) (first *member, until time.Time, err error) {
	var at time.Time
	until = due
	for _, m := range members {
		next, waiting, failed := m.NextDue(ctx, account)
		if failed != nil {
			s.opts.Logger.Debug("looking for due entries", zap.String("spool", m.file), zap.Error(failed))
			err = errors.Join(err, failed)
			continue
		}
		if !waiting || next.After(due) {
			continue
		}
		if first == nil || next.Before(at) {
			if first != nil {
				until = at
			}
			first, at = m, next
		} else if next.Before(until) {
			until = next
		}
	}
	return first, until, err
}

// NextDue implements [outbox.Store].
func (s *Store) NextDue(ctx context.Context, account string) (due time.Time, waiting bool, err error) {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	defer leave()
	for _, m := range v.serving() {
		at, some, failed := m.NextDue(ctx, account)
		if some && (!waiting || at.Before(due)) {
			due, waiting = at, true
		}
		err = errors.Join(err, failed)
	}
	if waiting {
		err = nil // the others are looked at again soon
	}
	return due, waiting, err
}

// each calls f with all members.
func (s *Store) each(ctx context.Context, f func(*member) error) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var errs []error
	for _, m := range v.members() {
		errs = append(errs, f(m))
	}
	return errors.Join(errs...)
}

// upTo calls f with the members until it has changed as many entries as limit allows.
func (s *Store) upTo(ctx context.Context, limit int, f func(m *member, limit int) (int, error)) (changed int, err error) {
	err = s.each(ctx, func(m *member) error {
		n, err := f(m, limit-changed)
		changed += n
		return err
	})
	return changed, err
}

// RetryFailed implements [outbox.Store].
func (s *Store) RetryFailed(ctx context.Context, account string, at time.Time, limit int) (int, error) {
	return s.upTo(ctx, limit, func(m *member, limit int) (int, error) { return m.RetryFailed(ctx, account, at, limit) })
}

// ForgetBefore implements [outbox.Store].
func (s *Store) ForgetBefore(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.upTo(ctx, limit, func(m *member, limit int) (int, error) { return m.ForgetBefore(ctx, before, limit) })
}

// Expire implements [outbox.Store].
func (s *Store) Expire(ctx context.Context, state outbox.State, before time.Time, limit int) (int, error) {
	if err := record.CheckExpire(state); err != nil {
		return 0, err
	}
	return s.upTo(ctx, limit, func(m *member, limit int) (int, error) { return m.Expire(ctx, state, before, limit) })
}

// Recall implements [outbox.Store]. What a spool remembers is newer.
func (s *Store) Recall(ctx context.Context, account, identifier string) (leadID string, known bool, err error) {
	err = s.each(ctx, func(m *member) (err error) {
		if !known {
			leadID, known, err = m.Recall(ctx, account, identifier)
		}
		return err
	})
	return leadID, known, err
}

// Forget implements [outbox.Store].
func (s *Store) Forget(ctx context.Context, account, identifier string) error {
	return s.each(ctx, func(m *member) error { return m.Forget(ctx, account, identifier) })
}

// List implements [outbox.Store].
func (s *Store) List(ctx context.Context, f outbox.Filter) ([]outbox.Entry, error) {
	f, _, err := record.CheckFilter(f)
	if err != nil {
		return nil, record.Wrap("listing entries", uuid.Nil, err)
	}
	var page []outbox.Entry
	err = s.each(ctx, func(m *member) error {
		entries, err := m.List(ctx, f)
		page = append(page, slices.DeleteFunc(entries, func(e outbox.Entry) bool { return m.hasMoved(e.ID) })...)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(page, func(a, b outbox.Entry) int { return strings.Compare(a.ID, b.ID) })
	// A crash may have left two copies, which are compared soon.
	page = slices.CompactFunc(page, func(a, b outbox.Entry) bool { return a.ID == b.ID })
	return page[:min(len(page), f.Limit)], nil
}

// Counts implements [outbox.Store].
func (s *Store) Counts(ctx context.Context) (counts []outbox.Count, err error) {
	members := 0
	sum := make(map[outbox.Count]int)
	err = s.each(ctx, func(m *member) error {
		members++
		part, err := m.Counts(ctx)
		counts = part
		for _, c := range part {
			sum[outbox.Count{Account: c.Account, State: c.State}] += c.Entries
		}
		return err
	})
	if err != nil || members == 1 {
		return counts, err
	}
	counts = counts[:0]
	for c, n := range sum {
		c.Entries = n
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b outbox.Count) int {
		order := outbox.States()
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)))
	})
	return counts, nil
}

// Spooled returns the number of entries in spools.
func (s *Store) Spooled(ctx context.Context) (entries int, err error) {
	err = s.each(ctx, func(m *member) error {
		if m.spool == nil {
			return nil
		}
		n, err := size(ctx, m)
		entries += n
		return err
	})
	return entries, err
}

func size(ctx context.Context, m *member) (entries int, err error) {
	counts, err := m.Counts(ctx)
	for _, c := range counts {
		entries += c.Entries
	}
	return entries, err
}

// atHome calls f with the member that keeps the clock.
func (s *Store) atHome(ctx context.Context, f func(*member) error) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if m := v.home(); m != nil {
		return f(m)
	}
	return s.cause()
}

// Clock implements [outbox.Store].
func (s *Store) Clock(ctx context.Context) (c outbox.Clock, err error) {
	err = s.atHome(ctx, func(m *member) (err error) {
		c, err = m.Clock(ctx)
		return err
	})
	return c, err
}

// SetClock implements [outbox.Store].
func (s *Store) SetClock(ctx context.Context, c outbox.Clock) error {
	return s.atHome(ctx, func(m *member) error { return m.SetClock(ctx, c) })
}

// Compact implements [outbox.Store].
func (s *Store) Compact(ctx context.Context) error {
	return s.each(ctx, func(m *member) error { return m.Compact(ctx) })
}

// Ahead implements [outbox.Store]. It asks each member alone, because spools are small and soon gone.
func (s *Store) Ahead(ctx context.Context, entry outbox.Entry, n int) (ahead bool, err error) {
	err = s.each(ctx, func(m *member) error {
		is, err := m.Ahead(ctx, entry, n)
		ahead = ahead || is
		return err
	})
	return ahead, err
}

// Activity implements [outbox.Store].
func (s *Store) Activity(ctx context.Context, from, to time.Time) (sum outbox.Activity, err error) {
	err = s.each(ctx, func(m *member) error {
		part, err := m.Activity(ctx, from, to)
		sum.Appended += part.Appended
		sum.Delivered += part.Delivered
		sum.Parked += part.Parked
		return err
	})
	return sum, err
}
