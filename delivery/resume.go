package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Retry makes a waiting or parked entry due at once and resets its retries. The error wraps
// [outbox.ErrNotFound] if there is no such entry, and [outbox.ErrState] if it is delivered or its
// attempt is in flight.
func (e *Engine) Retry(ctx context.Context, id string) error {
	if err := e.store.Retry(ctx, id, e.now()); err != nil {
		return fmt.Errorf("retrying lead: %w", err)
	}
	e.mu.Lock()
	lanes := slices.Collect(maps.Values(e.lanes))
	e.mu.Unlock()
	for _, l := range lanes {
		l.signal()
	}
	return nil
}

// Resumption is the result of [Engine.Resume].
type Resumption struct {
	// Resumed is false if the account was neither on hold nor paused.
	Resumed bool
	// Waiting is true if the account has leads to try. Otherwise the next new lead is tried at
	// once.
	Waiting bool
}

// Resume tries one lead of the account at once, whether it is due or not. It is for operators who
// have fixed the account: it sends a probe if the account is on hold, and ends a pause, even one
// that TeleCRM asked for. It returns an error if the account is not configured.
func (e *Engine) Resume(account string) (Resumption, error) {
	l, err := e.lane(account)
	if err != nil {
		return Resumption{}, err
	}
	waiting := l.hasWork()
	resumed, configured := l.resume()
	if !configured {
		return Resumption{}, fmt.Errorf("account %s: %w", account, errNotConfigured)
	}
	return Resumption{Resumed: resumed, Waiting: waiting}, nil
}

// hasWork reports whether the lane has an entry to try or an attempt in flight. It returns true if
// the outbox fails.
func (l *lane) hasWork() bool {
	_, waiting, err := l.engine.store.NextDue(l.engine.running, l.name)
	if err != nil {
		l.storeFailed("looking for waiting entries", err)
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return waiting || l.slots.inFlight > 0
}

// resume ends a pause, makes the probe of a hold due, and forces the next attempt.
func (l *lane) resume() (resumed, configured bool) {
	now := l.engine.now()
	l.mu.Lock()
	configured = l.account != nil
	if configured {
		resumed = l.hold.on() || now.Before(l.pause.until)
		l.forced = resumed
		l.pause = pause{}
		if l.hold.on() {
			l.hold.resume(now)
		}
	}
	l.mu.Unlock()
	l.signal()
	return resumed, configured
}
