package delivery

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// maxSharedWait is how long a lane sleeps at most while other processes use the outbox too, because
// they do not wake it. A lane sleeps at least half as long, and not all processes equally long.
const maxSharedWait = 2 * time.Second

// sharedWait is how long a lane may sleep.
func (e *Engine) sharedWait() time.Duration {
	if e.shared() == nil {
		return idleWait
	}
	return maxSharedWait/2 + rand.N(maxSharedWait/2) //nolint:gosec // it only spreads the load
}

// errLease ends the requests of an attempt.
var errLease = errors.New("the lease of the lead has ended, so another machine may send it")

// withinLease returns a context that ends with the lease of a taken entry, so that no request goes
// on while another process may make an attempt. The caller must call end after the attempt.
func (e *Engine) withinLease(ctx context.Context, id string) (_ context.Context, end func()) {
	shared, ok := e.store.(outbox.Shared)
	if !ok {
		return ctx, func() {}
	}
	until, leased := shared.LeasedUntil(id)
	if !leased {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if !time.Now().Before(until) {
		cancel(errLease)
		return ctx, func() {}
	}
	go func() {
		for time.Now().Before(until) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(until)):
			}
			if until, leased = shared.LeasedUntil(id); !leased {
				return
			}
		}
		cancel(errLease)
	}()
	return ctx, func() { cancel(nil) }
}
