package delivery

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// clockTolerance is how far two clocks may be apart that agree. Entries are kept for
// days, so that a day more or less does no harm.
const clockTolerance = 24 * time.Hour

// expiryClock judges whether the time of day can be trusted when entries are
// expired. A machine whose clock was far ahead when the process started would
// expire all of them at once, and so would one whose clock was far behind when
// they were settled. The clock of this process is steady, so it is either right
// all the time or never.
type expiryClock struct {
	// Of the one goroutine that expires entries.
	stored  outbox.Clock // as it was when the process started
	started time.Time    // when that was read; zero: it was not
	warned  bool

	mu       sync.Mutex
	compared bool
	skew     time.Duration // how far TeleCRM's clock was from ours when it was last heard
}

// compareClock compares the clock with that of TeleCRM.
func (e *Engine) compareClock(answer telecrm.Answer) {
	if answer.Date.IsZero() {
		return
	}
	k := &e.clock
	k.mu.Lock()
	defer k.mu.Unlock()
	k.compared, k.skew = true, answer.Date.Sub(e.now()).Abs()
}

// trusted reports whether the clock agrees with TeleCRM's, or if TeleCRM has
// not been heard yet, with what it showed when an earlier process looked.
func (k *expiryClock) trusted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.compared {
		return k.skew <= clockTolerance
	}
	return k.stored.SeenAt.IsZero() || k.started.Sub(k.stored.SeenAt).Abs() <= clockTolerance
}

// next returns what the outbox is to remember of the clock.
func (k *expiryClock) next(now time.Time) outbox.Clock {
	if !k.trusted() {
		return outbox.Clock{SeenAt: k.stored.SeenAt}
	}
	next := outbox.Clock{SeenAt: now, SteadySince: k.stored.SteadySince}
	if next.SteadySince.IsZero() || k.stored.SeenAt.After(k.started.Add(clockTolerance)) {
		next.SteadySince = k.started
	}
	return next
}

// startClock reads what the outbox remembers of the clock. If this process has
// a clock that is not trusted, the outbox knows from now on, because entries
// may be settled by it before the process ends.
func (e *Engine) startClock(ctx context.Context) error {
	k := &e.clock
	if !k.started.IsZero() {
		return nil
	}
	kept, err := e.store.Clock(ctx)
	if err != nil {
		return err
	}
	k.stored, k.started = kept, e.now()
	if k.trusted() || kept.SteadySince.IsZero() {
		return nil
	}
	return e.store.SetClock(ctx, k.next(k.started))
}

// keepClock notes in the outbox whether the clock is trusted, and returns a
// function that reports whether entries have been there for so long, whatever
// clock they were settled by. It was at least that long if the clock has been
// right for that time, or if this process has run for it.
func (e *Engine) keepClock(ctx context.Context) (lasted func(time.Duration) bool, err error) {
	if err := e.startClock(ctx); err != nil {
		return nil, err
	}
	k, now := &e.clock, e.now()
	c := k.next(now)
	if err := e.store.SetClock(ctx, c); err != nil {
		return nil, err
	}
	trusted := !c.SteadySince.IsZero()
	if !trusted && !k.warned {
		e.settings().Logger.Warn("the time of day is not what the outbox or TeleCRM shows, so that no entry expires until they agree; look at this machine's clock",
			zap.Time("now", now), zap.Time("outbox", c.SeenAt))
	}
	k.warned = !trusted
	return func(keep time.Duration) bool {
		return now.Sub(k.started) >= keep || trusted && now.Sub(c.SteadySince) >= keep
	}, nil
}
