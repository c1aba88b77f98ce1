package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// A shared primary may have stored an entry although its answer was lost or is late. Such an entry
// goes to a spool under the same id, and is unsure: it is not sent at once, because another process
// may find it in the primary. When the primary can be reached, it is compared. If that takes long, it
// is sent from the spool, as one that may have been delivered already.

// unsureDelay is how long an unsure entry waits to be compared with the primary.
const unsureDelay = time.Minute

// comparing is a shared primary that entries of spools move to. It has each id once, so an unsure
// entry does not have to wait any longer.
type comparing struct{ outbox.Store }

// adopter returns the store to move entries to.
func adopter(to *member) outbox.Store {
	if _, shared := to.Store.(outbox.Shared); shared {
		return comparing{to}
	}
	return to
}

// Adopt implements [outbox.Store].
func (c comparing) Adopt(ctx context.Context, entries []outbox.Adoption) error {
	for i := range entries {
		if e := &entries[i].Entry; e.State == outbox.Waiting && e.Attempts == 0 && e.BegunAt.IsZero() && !e.AmbiguousSince.IsZero() {
			e.DueAt = e.DueAt.Add(-unsureDelay)
		}
	}
	return c.Store.Adopt(ctx, entries)
}

func (s *Store) isDoubtful(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, doubtful := s.doubtful[key(id)]
	return doubtful
}

// appendUnsure appends an entry to a spool that may be in the primary too.
func (s *Store) appendUnsure(ctx context.Context, v view, entry outbox.Entry) error {
	entry.BegunAt = time.Time{}
	if entry.State != outbox.Parked {
		entry.DueAt = entry.DueAt.Add(unsureDelay)
		if entry.AmbiguousSince.IsZero() {
			entry.AmbiguousSince = entry.CreatedAt
		}
	}
	err := s.appendToSpool(ctx, v, entry)
	s.mu.Lock()
	if err == nil {
		s.doubtful[key(entry.ID)] = true
	} else {
		delete(s.doubtful, key(entry.ID))
	}
	s.mu.Unlock()
	s.signal()
	return err
}

// appendToPrimary appends an entry to the primary. The error wraps [outbox.ErrUnsure] if the primary
// does not answer in time.
func (s *Store) appendToPrimary(ctx context.Context, primary *member, entry outbox.Entry) error {
	if s.opts.AppendPatience <= 0 {
		return primary.Append(ctx, entry)
	}
	result := make(chan error, 1)
	s.late.Go(func() { result <- primary.Append(context.WithoutCancel(ctx), entry) })
	timer := time.NewTimer(s.opts.AppendPatience)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
	}
	s.late.Go(func() {
		if <-result == nil && !entry.BegunAt.IsZero() {
			s.giveBack(context.WithoutCancel(ctx), primary, entry)
		}
	})
	return fmt.Errorf("%w: it did not answer within %v", outbox.ErrUnsure, s.opts.AppendPatience)
}

// giveBack makes an entry due that the primary has stored as taken when nobody waited for it any
// more, so that no attempt follows. If there is a copy in a spool, one of the two is removed when
// they are compared.
func (s *Store) giveBack(ctx context.Context, primary *member, entry outbox.Entry) {
	back := outbox.Settlement{State: outbox.Waiting, DueAt: entry.DueAt, Uncounted: true, AmbiguousSince: entry.AmbiguousSince}
	if back.AmbiguousSince.IsZero() {
		back.AmbiguousSince = entry.CreatedAt // the copy may have been sent
	}
	for {
		err := primary.Settle(ctx, entry.ID, back)
		if err == nil || errors.Is(err, outbox.ErrState) || errors.Is(err, outbox.ErrNotFound) {
			s.hasChanged()
			return
		}
		select {
		case <-s.stopping:
			return // closing the primary gives it back
		case <-time.After(s.opts.Retry):
		}
	}
}
