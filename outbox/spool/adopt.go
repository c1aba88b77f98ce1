package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/move"
)

// adoptSpools moves the entries of spools until ctx ends.
func (s *Store) adoptSpools(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	delay := s.opts.Retry
	var failed error
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			if failed != nil {
				continue // the timer says when to try again
			}
		case <-timer.C:
		}
		s.claim(ctx)
		err := s.adoptAll(ctx)
		s.publishSpooled(ctx)
		if err != nil && ctx.Err() == nil && (failed == nil || err.Error() != failed.Error()) {
			s.opts.Logger.Warn("leads in a spool cannot move to the outbox yet; they are delivered from the spool, and tried again",
				zap.String("outbox", s.opts.Name), zap.Error(err))
		}
		if failed = err; failed == nil {
			delay = s.opts.MaxRetry
		} else if delay = min(2*delay, s.opts.MaxRetry); delay == 0 {
			delay = s.opts.Retry
		}
		timer.Reset(delay)
	}
}

// adoptAll moves the entries of all spools to the primary, or to the first spool if the primary is
// not open.
func (s *Store) adoptAll(ctx context.Context) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	leave() // the members stay until this goroutine removes them
	if err := s.compareAll(ctx, v); err != nil {
		return err
	}
	to := v.home()
	var errs []error
	for _, from := range v.spools {
		if from == to {
			continue
		}
		if err := s.drain(ctx, from, to); err != nil {
			errs = append(errs, fmt.Errorf("spool %s: %w", from.file, err))
		}
	}
	if err := errors.Join(errs...); err != nil || !v.refused || v.away != nil {
		return cmp.Or(err, v.away)
	}
	return s.probe(ctx, v.primary)
}

// probe finds out whether a primary that has refused entries accepts them again.
func (s *Store) probe(ctx context.Context, primary *member) error {
	clock, err := primary.Clock(ctx)
	if err == nil {
		err = primary.SetClock(ctx, clock)
	}
	if err = cmp.Or(err, primary.Health()); err != nil {
		return err
	}
	s.mu.Lock()
	s.refused, s.trouble, s.since = false, nil, time.Time{}
	s.mu.Unlock()
	s.opts.Logger.Info("outbox accepts leads again", zap.String("outbox", s.opts.Name))
	return nil
}

// compareAll removes one of two copies of an entry in a spool and the primary. Then entries may be
// taken from the primary.
func (s *Store) compareAll(ctx context.Context, v view) error {
	if v.primary == nil || !v.hidden {
		return nil
	}
	s.mu.Lock()
	doubtful := maps.Clone(s.doubtful)
	s.mu.Unlock()
	for _, m := range v.spools {
		if err := s.compare(ctx, m, v.primary, doubtful); err != nil {
			return fmt.Errorf("comparing spool %s with the outbox: %w", m.file, err)
		}
	}
	for _, m := range v.spools {
		m.unknown.Store(false)
	}
	s.mu.Lock()
	for id, inSpool := range doubtful {
		if inSpool {
			delete(s.doubtful, id)
		}
	}
	// Otherwise there is more to compare.
	s.hidden = len(s.doubtful) > 0 || len(s.spools) > len(v.spools)
	shown := !s.hidden
	s.mu.Unlock()
	if !shown {
		s.signal()
		return nil
	}
	s.hasChanged()
	return nil
}

// compare compares the entries of a spool with the primary.
func (s *Store) compare(ctx context.Context, spool, primary *member, doubtful map[string]bool) error {
	for after, more := "", true; more; {
		var err error
		if after, more, err = s.compareBatch(ctx, spool, primary, doubtful, after); err != nil {
			return err
		}
	}
	return nil
}

// compareSize limits the entries that are compared while no operation runs.
const compareSize = 100

// compareBatch compares some entries after the given id. Meanwhile none of them is taken or settled:
// an entry that is delivered from the spool after it was read would look older than its copy. It
// returns the id of the last one that it compared.
func (s *Store) compareBatch(ctx context.Context, spool, primary *member, doubtful map[string]bool, after string) (last string, more bool, err error) {
	leave, err := s.enterAlone(ctx)
	if err != nil {
		return after, false, err
	}
	defer leave()
	page, err := spool.List(ctx, outbox.Filter{After: after, Limit: compareSize})
	if err != nil {
		return after, false, err
	}
	for _, e := range page {
		after = e.ID
		other, err := primary.Get(ctx, e.ID)
		if errors.Is(err, outbox.ErrNotFound) || spool.hasMoved(e.ID) {
			continue
		}
		if err != nil {
			return after, false, err
		}
		if err := keepOne(ctx, spool, primary, e, other, doubtful[e.ID]); err != nil {
			return after, false, err
		}
	}
	return after, len(page) == compareSize, nil
}

// keepOne removes one of two copies of an entry: e in a spool and other in the primary.
func keepOne(ctx context.Context, spool, primary *member, e, other outbox.Entry, doubtful bool) error {
	if _, shared := primary.Store.(outbox.Shared); shared {
		// Other processes may have gone on with the primary's.
		if e.IsLater(other) && other.State == outbox.Waiting {
			if err := primary.Erase(ctx, e.ID); !errors.Is(err, outbox.ErrState) {
				return err
			}
		}
		return spool.Erase(ctx, e.ID)
	}
	if doubtful || e.IsLater(other) {
		return eraseTaken(ctx, primary, e.ID)
	}
	return spool.Erase(ctx, e.ID)
}

// eraseTaken erases an entry of the primary that this process may have appended as taken. No attempt
// at it is in flight.
func eraseTaken(ctx context.Context, primary *member, id string) error {
	err := primary.Erase(ctx, id)
	if !errors.Is(err, outbox.ErrState) {
		return err
	}
	// The state Parked keeps the entry from being taken in between.
	if err := primary.Settle(ctx, id, outbox.Settlement{State: outbox.Parked, Reason: "is in a spool"}); err != nil {
		return err
	}
	return primary.Erase(ctx, id)
}

// drain moves the entries of a spool that are not in flight, and removes the spool if it is empty
// then. Between two batches it leaves as much time to posts as a batch took.
func (s *Store) drain(ctx context.Context, from, to *member) error {
	if len(from.movedIDs()) > 0 {
		if err := eraseMoved(ctx, from); err != nil {
			return err
		}
		s.hasChanged() // its entries may be taken again
	}
	total := 0
	for after, more := "", true; more; {
		var n int
		var err error
		began := time.Now()
		n, after, more, err = s.moveBatch(ctx, from, to, after)
		if total += n; err != nil {
			return err
		}
		if n > 0 && closesWithin(ctx.Done(), time.Since(began)) {
			return ctx.Err()
		}
	}
	if total > 0 {
		s.opts.Logger.Info("leads have moved from a spool to the outbox",
			zap.String("outbox", s.opts.Name), zap.String("spool", from.file), zap.Int("leads", total))
	}
	return s.removeIfEmpty(ctx, from)
}

// moveBatch moves some entries after the given id. It returns the id of the last one that it looked
// at.
func (s *Store) moveBatch(ctx context.Context, from, to *member, after string) (n int, last string, more bool, err error) {
	leave, err := s.enterAlone(ctx)
	if err != nil {
		return 0, after, false, err
	}
	defer leave()
	c, err := move.Batch(ctx, from, adopter(to), after, from.isTaken)
	if err != nil || len(c.IDs) == 0 {
		return 0, c.Last, c.More, err
	}
	for _, id := range c.IDs {
		from.setMoved(id, true)
	}
	return len(c.IDs), c.Last, true, eraseMoved(ctx, from)
}

// eraseMoved erases the entries that were adopted elsewhere.
func eraseMoved(ctx context.Context, from *member) error {
	return move.Erase(ctx, from, from.movedIDs(), func(id string) { from.setMoved(id, false) })
}

// removeIfEmpty removes a spool without entries.
func (s *Store) removeIfEmpty(ctx context.Context, m *member) error {
	leave, err := s.enterAlone(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if n, err := size(ctx, m); err != nil || n > 0 || m.inFlight() > 0 {
		return err
	}
	s.mu.Lock()
	s.spools = slices.DeleteFunc(s.spools, func(other *member) bool { return other == m })
	s.mu.Unlock()
	return m.spool.Remove()
}
