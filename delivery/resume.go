package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/leadwire/caddy-telecrm/outbox"
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
	// Resumed is false if the account was sending and no lead waited for its retry.
	Resumed bool
	// Waiting is true if the account has leads to try or in flight. Otherwise the next new lead is
	// tried at once.
	Waiting bool
	// Due counts the leads that are due now, without those in flight.
	Due int
}

// Resume makes all waiting leads of the account due at once. It is for operators who have fixed the
// account, or know that TeleCRM is back: it ends a pause, even one that TeleCRM asked for. If the
// account is on hold or failing, one lead is tried at once, and the others follow if TeleCRM takes
// it. Resume may be called again at any time. It returns an error if the account is not configured
// or the outbox fails; a pause has ended nevertheless.
func (e *Engine) Resume(ctx context.Context, account string) (Resumption, error) {
	l, err := e.lane(account)
	if err != nil {
		return Resumption{}, err
	}
	l.mu.Lock()
	configured := l.account != nil
	l.mu.Unlock()
	if !configured {
		return Resumption{}, fmt.Errorf("account %s: %w", account, ErrNotConfigured)
	}
	changed, err := l.makeDue(ctx)
	var waiting int
	if err == nil {
		waiting, err = l.countWaiting(ctx)
	}
	resumed, inFlight := l.resume()
	if err != nil {
		return Resumption{Resumed: resumed}, fmt.Errorf("resuming account %s: %w", account, err)
	}
	return Resumption{
		Resumed: resumed || changed > 0,
		Waiting: waiting > 0 || inFlight > 0,
		Due:     max(waiting-inFlight, 0),
	}, nil
}

// makeDue makes the failed entries of the account due, and returns their number. By the plan of
// their retries they would wait for up to four hours more.
func (l *lane) makeDue(ctx context.Context) (changed int, err error) {
	for {
		n, err := l.engine.store.RetryFailed(ctx, l.name, l.engine.now(), retryBatch)
		changed += n
		if err != nil || n < retryBatch {
			return changed, err
		}
	}
}

// countWaiting counts the account's waiting entries, including those in flight.
func (l *lane) countWaiting(ctx context.Context) (int, error) {
	counts, err := l.engine.store.Counts(ctx)
	for _, count := range counts {
		if count.Account == l.name && count.State == outbox.Waiting {
			return count.Entries, err
		}
	}
	return 0, err
}

// resume ends a pause, makes the probe of a hold due, and forces the next attempt. It reports
// whether the account was not sending, and how many attempts are in flight.
func (l *lane) resume() (resumed bool, inFlight int) {
	now := l.engine.now()
	l.mu.Lock()
	if l.account != nil {
		resumed = l.state(now).condition != Sending || now.Before(l.pause.until)
		l.forced = resumed
		l.pause = pause{}
		if l.hold.on() {
			l.hold.resume(now)
		}
	}
	inFlight = l.slots.inFlight
	l.mu.Unlock()
	l.shareChanges()
	l.signal()
	return resumed, inFlight
}
