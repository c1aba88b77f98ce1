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

// Resume has the account tried at once, for somebody who has mended what was
// wrong: a held one is probed, and what a pause has left of its time is let
// go, even if TeleCRM asked for it. It reports whether there was anything to
// resume. The error says that the account is not configured.
func (e *Engine) Resume(account string) (resumed bool, err error) {
	l, err := e.lane(account)
	if err != nil {
		return false, err
	}
	resumed, configured := l.resume()
	if !configured {
		return false, fmt.Errorf("account %s: %w", account, errUnconfigured)
	}
	return resumed, nil
}

// resume makes the next probe due, and has the waits between probes grow from
// the shortest again.
func (l *lane) resume() (resumed, configured bool) {
	now := l.engine.now()
	l.mu.Lock()
	configured = l.account != nil
	if configured {
		resumed = l.hold.on() || now.Before(l.paused)
		l.paused, l.pause, l.failures = time.Time{}, 0, 0
		if l.hold.on() {
			l.hold.probeAt, l.hold.every = now, 0
		}
	}
	l.mu.Unlock()
	l.signal()
	return resumed, configured
}
