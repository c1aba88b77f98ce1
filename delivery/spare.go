package delivery

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
)

// spareRetryDelay is how long to wait before looking again whether a request can be spared.
const spareRetryDelay = time.Second

// ErrOnHold means that the account is on hold.
var ErrOnHold = errors.New("on hold")

// WaitSpare waits until the account may send a request that is not for a lead, and takes a token of
// its rate limit. Leads go first: while some are due or sent, or while TeleCRM has asked to wait, it
// waits. If the limit allows several requests at once, it leaves one for the next lead.
func (e *Engine) WaitSpare(ctx context.Context, account string) error {
	l, err := e.lane(account)
	if err != nil {
		return err
	}
	return waitSpare(ctx, func() (bool, error) { return l.takeSpare(ctx) })
}

// WaitSpare waits until the limiter has a token that no lead needs, and takes it.
func WaitSpare(ctx context.Context, limiter *rate.Limiter) error {
	return waitSpare(ctx, func() (bool, error) { return takeSpare(limiter, time.Now()), nil })
}

func waitSpare(ctx context.Context, take func() (taken bool, err error)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		if taken, err := take(); taken || err != nil {
			return err
		}
		timer.Reset(spareRetryDelay)
	}
}

// takeSpare takes a token of the account's rate limit unless a lead may need it.
func (l *lane) takeSpare(ctx context.Context) (taken bool, err error) {
	now := l.engine.now()
	if spare, err := l.canSpare(now); !spare {
		return false, err
	}
	if !l.pace.isLent(now, l.lends()) {
		return takeSpare(l.pace.limiter, now), nil
	}
	l.borrow(ctx, 1)
	return l.pace.take(l.engine.now(), true), nil
}

// canSpare reports whether no lead needs the next token.
func (l *lane) canSpare(now time.Time) (spare bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.engine.running.Err() != nil, l.account == nil:
		return false, ErrNotConfigured
	case l.hold.on():
		return false, ErrOnHold
	case l.queued, l.slots.inFlight > 0, now.Before(l.pause.until):
		return false, nil
	}
	return true, nil
}

// takeSpare takes a token if another one is left, or if there is never more than one.
func takeSpare(limiter *rate.Limiter, now time.Time) bool {
	const both = 2
	return limiter.TokensAt(now) >= float64(min(both, limiter.Burst())) && limiter.AllowN(now, 1)
}
