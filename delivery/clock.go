package delivery

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// expiryClock decides whether the time of day is right, which expiring entries depends on. If the
// system clock were far ahead when the process started, all entries would expire at once, and also
// if it was far behind when they were settled. The engine's clock is steady, so it is right for the
// whole process or not at all.
type expiryClock struct {
	// For the maintenance loop only.
	stored  outbox.Clock // as read from the outbox when the process started
	started time.Time    // when it was read; zero: not yet
	warned  bool

	mu       sync.Mutex
	compared bool
	skew     time.Duration // between TeleCRM's clock and ours in the latest answer
}

// clockTolerance is the difference up to which two clocks agree. Entries are kept for days, so a
// day more or less does no harm.
const clockTolerance = 24 * time.Hour

// compareClock compares the clock with TeleCRM's.
func (e *Engine) compareClock(answer telecrm.Answer) {
	if answer.Date.IsZero() {
		return
	}
	c := &e.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compared, c.skew = true, answer.Date.Sub(e.now()).Abs()
}

// trusted reports whether the clock agrees with TeleCRM's. If TeleCRM has not answered yet, it
// compares the clock with the time that an earlier process stored.
func (c *expiryClock) trusted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.compared {
		return c.skew <= clockTolerance
	}
	return c.stored.SeenAt.IsZero() || c.started.Sub(c.stored.SeenAt).Abs() <= clockTolerance
}

// next returns the clock to store in the outbox.
func (c *expiryClock) next(now time.Time) outbox.Clock {
	if !c.trusted() {
		return outbox.Clock{SeenAt: c.stored.SeenAt}
	}
	next := outbox.Clock{SeenAt: now, SteadySince: c.stored.SteadySince}
	if next.SteadySince.IsZero() || c.stored.SeenAt.After(c.started.Add(clockTolerance)) {
		next.SteadySince = c.started
	}
	return next
}

// startClock reads the stored clock. If the clock of this process is not trusted, it stores that at
// once, because the process may settle entries and end before the first maintenance.
func (e *Engine) startClock(ctx context.Context) error {
	c := &e.clock
	if !c.started.IsZero() {
		return nil
	}
	stored, err := e.store.Clock(ctx)
	if err != nil {
		return err
	}
	c.stored, c.started = stored, e.now()
	if c.trusted() || stored.SteadySince.IsZero() {
		return nil
	}
	return e.store.SetClock(ctx, c.next(c.started))
}

// storeClock stores the clock in the outbox. It returns a function that reports whether the outbox
// has existed for at least the given time, whichever clock its entries were settled by: because the
// clock was right for that time, or because this process has run for it.
func (e *Engine) storeClock(ctx context.Context) (lasted func(time.Duration) bool, err error) {
	if err := e.startClock(ctx); err != nil {
		return nil, err
	}
	c, now := &e.clock, e.now()
	next := c.next(now)
	if err := e.store.SetClock(ctx, next); err != nil {
		return nil, err
	}
	trusted := !next.SteadySince.IsZero()
	if !trusted && !c.warned {
		e.settings().Logger.Warn("system clock differs from the outbox or TeleCRM by more than a day; no entry expires until they agree; check the clock of this machine",
			zap.String("now", now.UTC().Format(time.RFC3339)), zap.String("outbox", next.SeenAt.UTC().Format(time.RFC3339)))
	}
	c.warned = !trusted
	return func(keep time.Duration) bool {
		return now.Sub(c.started) >= keep || trusted && now.Sub(next.SteadySince) >= keep
	}, nil
}
