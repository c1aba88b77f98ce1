package outboxtest

import (
	"context"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

func testErrors(t *testing.T, f *fixture) {
	ctx := t.Context()
	delivered := outbox.Settlement{State: outbox.Delivered, At: f.clock.now()}
	for _, id := range []string{numberedID(7), "", "not a UUID"} {
		_, err := f.store.Get(ctx, id)
		wantError(t, "Get", err, outbox.ErrNotFound)
		wantError(t, "Settle", f.store.Settle(ctx, id, delivered), outbox.ErrNotFound)
		wantError(t, "Retry", f.store.Retry(ctx, id, f.clock.now()), outbox.ErrNotFound)
		wantError(t, "Erase", f.store.Erase(ctx, id), outbox.ErrNotFound)
	}
	invalid := outbox.Entry{ID: numberedID(8), Account: "default", State: outbox.Parked, BegunAt: f.clock.now()}
	wantError(t, "appending a parked and taken one", f.store.Append(ctx, invalid), outbox.ErrState)
	invalid.State, invalid.BegunAt = outbox.Delivered, time.Time{}
	wantError(t, "appending a delivered one", f.store.Append(ctx, invalid), outbox.ErrState)
	e := f.append(t)
	wantError(t, "settling one not taken", f.store.Settle(ctx, e.ID, delivered), outbox.ErrState)
	f.take(t, 1)
	wantError(t, "retrying a taken one", f.store.Retry(ctx, e.ID, f.clock.now()), outbox.ErrState)
	wantError(t, "erasing a taken one", f.store.Erase(ctx, e.ID), outbox.ErrState)
	if err := f.store.Settle(ctx, e.ID, outbox.Settlement{State: "lost"}); err == nil {
		t.Error("settling with an unknown state: no error")
	}
	must(t, f.store.Settle(ctx, e.ID, delivered))
	wantError(t, "settling twice", f.store.Settle(ctx, e.ID, delivered), outbox.ErrState)
	wantError(t, "retrying a delivered one", f.store.Retry(ctx, e.ID, f.clock.now()), outbox.ErrState)
	must(t, f.store.Erase(ctx, e.ID))
	wantError(t, "erasing twice", f.store.Erase(ctx, e.ID), outbox.ErrNotFound)
	_, err := f.store.Expire(ctx, outbox.Waiting, f.clock.now(), 10)
	wantError(t, "expiring waiting entries", err, outbox.ErrState)
	f.wantCounts(t)
}

func testRecover(t *testing.T, f *fixture) {
	earlier := f.clock.now().Add(-time.Hour)
	appended := f.append(t, func(e *outbox.Entry) { e.BegunAt, e.DueAt = f.clock.now(), time.Time{} })
	f.append(t, func(e *outbox.Entry) { e.AmbiguousSince = earlier })
	taken := f.take(t, 1)[0]
	waiting := f.append(t, func(e *outbox.Entry) { e.DueAt = f.clock.now().Add(time.Hour) })
	f.clock.advance(time.Minute)
	appended.AmbiguousSince = appended.BegunAt
	for _, reopen := range []func(*testing.T){f.crash, f.reopen, f.crash} {
		reopen(t)
		if appended.DueAt.IsZero() {
			appended.DueAt, taken.DueAt = f.clock.now(), f.clock.now()
		}
		f.wantEntry(t, appended)
		f.wantEntry(t, taken)
		f.wantEntry(t, waiting)
		f.wantDue(t, taken.DueAt)
		f.clock.advance(time.Minute)
	}
	wantIDs(t, "Take", f.take(t, 10), appended.ID, taken.ID)
}

func testContext(t *testing.T, f *fixture) {
	e := f.append(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, do := range everyMethod(ctx, f, e.ID) {
		wantError(t, name+" with a canceled context", do(), context.Canceled)
	}
	f.wantEntry(t, e)
	wantIDs(t, "Take", f.take(t, 10), e.ID)
}

func testClose(t *testing.T, f *fixture) {
	e := f.append(t)
	must(t, f.store.Close())
	must(t, f.store.Close())
	for name, do := range everyMethod(t.Context(), f, e.ID) {
		wantError(t, name+" after Close", do(), outbox.ErrClosed)
	}
	f.open(t)
	f.wantEntry(t, e)
}

// everyMethod calls each method of the store except Close.
func everyMethod(ctx context.Context, f *fixture, id string) map[string]func() error {
	now := f.clock.now()
	return map[string]func() error{
		"Append": func() error {
			return f.store.Append(ctx, outbox.Entry{ID: numberedID(1), Account: "default"})
		},
		"Take":    func() error { _, err := f.store.Take(ctx, "default", now, now, 1, nil); return err },
		"NextDue": func() error { _, _, err := f.store.NextDue(ctx, "default"); return err },
		"Ahead": func() error {
			_, err := f.store.Ahead(ctx, outbox.Entry{ID: id, Account: "default", DueAt: now}, 1)
			return err
		},
		"Settle":      func() error { return f.store.Settle(ctx, id, outbox.Settlement{State: outbox.Parked}) },
		"Retry":       func() error { return f.store.Retry(ctx, id, now) },
		"RetryFailed": func() error { _, err := f.store.RetryFailed(ctx, "default", now, 1); return err },
		"Get":         func() error { _, err := f.store.Get(ctx, id); return err },
		"List":        func() error { _, err := f.store.List(ctx, outbox.Filter{}); return err },
		"Counts":      func() error { _, err := f.store.Counts(ctx); return err },
		"Activity":    func() error { _, err := f.store.Activity(ctx, now, now); return err },
		"Adopt":       func() error { return f.store.Adopt(ctx, []outbox.Adoption{{Entry: outbox.Entry{ID: newID()}}}) },
		"Erase":       func() error { return f.store.Erase(ctx, id) },
		"Expire":      func() error { _, err := f.store.Expire(ctx, outbox.Parked, now, 1); return err },
		"Compact":     func() error { return f.store.Compact(ctx) },
		"Clock":       func() error { _, err := f.store.Clock(ctx); return err },
		"SetClock": func() error {
			return f.store.SetClock(ctx, outbox.Clock{SeenAt: now})
		},
	}
}
