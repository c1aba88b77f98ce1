package spool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// A shared primary may have stored an entry although its answer was lost or is late. Such an entry
// goes to a spool under the same id, and is unsure: it is not sent at once, because another process
// may find it in the primary. When the primary can be reached, it is compared. If that takes long, it
// is sent from the spool, as one that may have been delivered already.

// unsureDelay is how long an unsure entry waits to be compared with the primary.
const unsureDelay = time.Minute

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
		if <-result == nil {
			s.eraseLate(context.WithoutCancel(ctx), entry.ID)
		}
	})
	return fmt.Errorf("%w: it did not answer within %v", outbox.ErrUnsure, s.opts.AppendPatience)
}

// eraseLate erases an entry from the primary that was appended late, if it is in a spool by now.
func (s *Store) eraseLate(ctx context.Context, id string) {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return // the next process compares the spool with the primary
	}
	defer leave()
	for _, m := range v.spools {
		if _, err := m.Get(ctx, id); err != nil || v.primary == nil {
			continue
		}
		if err := eraseTaken(ctx, v.primary, id); err != nil && !errors.Is(err, outbox.ErrNotFound) {
			s.opts.Logger.Warn("a lead that the outbox has stored late is also in a spool, until the two are compared",
				zap.String("id", id), zap.Error(err))
		}
	}
}
