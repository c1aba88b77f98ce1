package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Retry makes a waiting or parked entry due at once, as if it had never been
// tried. It returns an error wrapping [outbox.ErrNotFound] if there is no such
// entry, and one wrapping [outbox.ErrState] if it is delivered or its attempt
// is under way.
func (e *Engine) Retry(ctx context.Context, id string) error {
	if err := e.store.Retry(ctx, id, e.now()); err != nil {
		return fmt.Errorf("retrying a lead: %w", err)
	}
	e.mu.Lock()
	lanes := slices.Collect(maps.Values(e.lanes))
	e.mu.Unlock()
	for _, l := range lanes {
		l.signal()
	}
	return nil
}

// Resumption is what [Engine.Resume] did.
type Resumption struct {
	// Resumed is false if the account was neither held nor paused.
	Resumed bool
	// Waiting tells that the account has leads to try. If it does not, the
	// next one is tried as soon as it comes.
	Waiting bool
}

// Resume has the account tried at once with one of its leads, whether that is
// due or not, for somebody who has mended what was wrong: a held one is
// probed, and what a pause has left of its time is let go, even if TeleCRM
// asked for it. The error says that the account is not configured.
func (e *Engine) Resume(account string) (Resumption, error) {
	l, err := e.lane(account)
	if err != nil {
		return Resumption{}, err
	}
	waiting := l.hasWork()
	resumed, configured := l.resume()
	if !configured {
		return Resumption{}, fmt.Errorf("account %s: %w", account, errUnconfigured)
	}
	return Resumption{Resumed: resumed, Waiting: waiting}, nil
}

// hasWork reports whether the lane has a lead to try, or is trying one. If the
// outbox does not say, it may have.
func (l *lane) hasWork() bool {
	_, waiting, err := l.engine.store.NextDue(l.engine.running, l.name)
	if err != nil {
		l.logStoreError("looking for what waits", err)
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return waiting || l.inFlight > 0
}

// resume makes the next attempt due, which is a probe if the lane is held, and
// has the waits between probes grow from the shortest again. A probe that is
// in flight began before whatever has been mended, so another one follows it.
func (l *lane) resume() (resumed, configured bool) {
	now := l.engine.now()
	l.mu.Lock()
	configured = l.account != nil
	if configured {
		resumed = l.hold.on() || now.Before(l.paused)
		l.forced = resumed
		l.paused, l.pause, l.failures = time.Time{}, 0, 0
		if l.hold.on() {
			l.hold.probeAt, l.hold.interval, l.hold.freshInterval = now, 0, 0
			l.hold.resumed = l.hold.probe != ""
		}
	}
	l.mu.Unlock()
	l.signal()
	return resumed, configured
}
