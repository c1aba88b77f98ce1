package outboxtest

import (
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

func testAppend(t *testing.T, f *fixture) {
	elsewhere := time.FixedZone("IST", 19800)
	appended := f.append(t, func(e *outbox.Entry) {
		e.Identifier = "918123456789"
		e.Payload = []byte{0, 0xff, '{'}
		e.CreatedAt = f.clock.now().In(elsewhere)
		e.DueAt = f.clock.now().Add(time.Minute).In(elsewhere)
		e.Reason = "a reason"
	})
	appended.CreatedAt, appended.DueAt = appended.CreatedAt.UTC(), appended.DueAt.UTC()
	f.wantEntry(t, appended)
	f.wantDue(t, appended.DueAt)
	f.wantCounts(t, outbox.Count{Account: "default", State: outbox.Waiting, Entries: 1})

	begun := f.append(t, func(e *outbox.Entry) { e.BegunAt = f.clock.now() })
	f.wantEntry(t, begun)
	f.wantDue(t, appended.DueAt)
	f.clock.advance(time.Hour)
	wantIDs(t, "Take", f.take(t, 10), appended.ID)
	must(t, f.store.Settle(t.Context(), begun.ID, outbox.Settlement{State: outbox.Delivered, At: f.clock.now()}))

	for name, change := range map[string]func(*outbox.Entry){
		"again":          func(e *outbox.Entry) { e.ID = appended.ID },
		"once delivered": func(e *outbox.Entry) { e.ID = begun.ID },
		"in capitals":    func(e *outbox.Entry) { e.ID = strings.ToUpper(appended.ID) },
		"elsewhere":      func(e *outbox.Entry) { e.ID, e.Account = appended.ID, "other" },
	} {
		e := appended
		change(&e)
		wantError(t, "appending "+name, f.store.Append(t.Context(), e), outbox.ErrExists)
	}
	for name, change := range map[string]func(*outbox.Entry){
		"without id":    func(e *outbox.Entry) { e.ID = "" },
		"with a bad id": func(e *outbox.Entry) { e.ID = "../../etc/passwd" },
		"delivered":     func(e *outbox.Entry) { e.State = outbox.Delivered },
	} {
		e := appended
		e.ID = numberedID(1)
		change(&e)
		if err := f.store.Append(t.Context(), e); err == nil {
			t.Errorf("appending an entry %s: no error", name)
		}
	}
}

func testTake(t *testing.T, f *fixture) {
	due := func(d time.Duration, n int) outbox.Entry {
		return f.append(t, func(e *outbox.Entry) { e.ID, e.DueAt = numberedID(n), f.clock.now().Add(d) })
	}
	later, second, first := due(time.Second, 1), due(0, 2), due(-time.Hour, 3)
	f.append(t, func(e *outbox.Entry) { e.Account = "other" })
	f.wantDue(t, first.DueAt)

	wantIDs(t, "Take none", f.take(t, 0))
	taken := f.take(t, 1)
	wantIDs(t, "Take one", taken, first.ID)
	want := first
	want.Attempts, want.BegunAt = 1, f.clock.now()
	if diff := diffEntries(want, taken[0]); diff != "" {
		t.Errorf("taken entry (-want +got):\n%s", diff)
	}
	f.wantEntry(t, want)
	wantIDs(t, "Take the rest", f.take(t, 10), second.ID)
	wantIDs(t, "Take when none is due", f.take(t, 10))
	f.wantDue(t, later.DueAt)

	// The clock was set back, but the caller knows that the entry is due.
	now := f.clock.now().Add(-24 * time.Hour)
	entries, err := f.store.Take(t.Context(), "default", later.DueAt, now, 1, nil)
	must(t, err)
	wantIDs(t, "Take by another clock", entries, later.ID)
	if !entries[0].BegunAt.Equal(now) {
		t.Errorf("BegunAt = %v, want %v", entries[0].BegunAt, now)
	}
	f.wantDue(t, time.Time{})
	entries, err = f.store.Take(t.Context(), "unknown", now, now, 1, nil)
	must(t, err)
	wantIDs(t, "Take of an unknown account", entries)
}

func testBusy(t *testing.T, f *fixture) {
	identified := func(identifier string) outbox.Entry {
		return f.append(t, func(e *outbox.Entry) { e.Identifier = identifier })
	}
	blocked, free, nameless := identified("12015550123"), identified("447400123456"), identified("")
	now := f.clock.now()
	busy := func(identifier string) bool { return identifier == blocked.Identifier || identifier == "" }
	entries, err := f.store.Take(t.Context(), "default", now, now, 10, busy)
	must(t, err)
	wantIDs(t, "Take", entries, free.ID, nameless.ID)
	f.wantDue(t, now.Add(time.Second))
	blocked.DueAt = now.Add(time.Second)
	f.wantEntry(t, blocked)
	wantIDs(t, "Take at once", f.take(t, 10))
	f.clock.advance(time.Second)
	wantIDs(t, "Take a second later", f.take(t, 10), blocked.ID)
}

func testSettle(t *testing.T, f *fixture) {
	at := f.clock.now().Add(time.Second)
	for name, test := range map[string]struct {
		settlement outbox.Settlement
		want       func(*outbox.Entry)
	}{
		"delivered": {
			outbox.Settlement{State: outbox.Delivered, At: at, LeadID: "lead-1", DueAt: at},
			func(e *outbox.Entry) { e.State, e.SettledAt, e.LeadID = outbox.Delivered, at, "lead-1" },
		},
		"parked": {
			outbox.Settlement{State: outbox.Parked, At: at, Reason: "refused", FailingSince: at},
			func(e *outbox.Entry) {
				e.State, e.SettledAt, e.Reason, e.FailingSince = outbox.Parked, at, "refused", at
			},
		},
		"again": {
			outbox.Settlement{State: outbox.Waiting, At: at, DueAt: at.Add(time.Hour), AmbiguousSince: at, Reason: "no answer"},
			func(e *outbox.Entry) { e.DueAt, e.AmbiguousSince, e.Reason = at.Add(time.Hour), at, "no answer" },
		},
		"uncounted": {
			outbox.Settlement{State: outbox.Waiting, At: at, DueAt: at, Uncounted: true},
			func(e *outbox.Entry) { e.DueAt, e.Attempts = at, 0 },
		},
	} {
		f.append(t, func(e *outbox.Entry) { e.AmbiguousSince, e.FailingSince, e.Reason = at, at, "before" })
		want := f.take(t, 1)[0]
		want.DueAt, want.AmbiguousSince, want.FailingSince, want.Reason = time.Time{}, time.Time{}, time.Time{}, ""
		test.want(&want)
		if err := f.store.Settle(t.Context(), want.ID, test.settlement); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.wantEntry(t, want)
		f.reopen(t)
		f.wantEntry(t, want)
	}
	f.wantDue(t, at)
	f.wantCounts(t,
		outbox.Count{Account: "default", State: outbox.Waiting, Entries: 2},
		outbox.Count{Account: "default", State: outbox.Delivered, Entries: 1},
		outbox.Count{Account: "default", State: outbox.Parked, Entries: 1})
}

// testLazy: a settlement that need not be durable at once is seen at once, is final, and is there
// when the store was closed. A crash may lose it, and then the attempt was never settled.
func testLazy(t *testing.T, f *fixture) {
	settle := func(state outbox.State, leadID string) outbox.Entry {
		t.Helper()
		e := f.append(t, func(e *outbox.Entry) { e.BegunAt, e.Identifier = f.clock.now(), newID() })
		s := outbox.Settlement{State: state, At: f.clock.now(), DueAt: f.clock.now(), LeadID: leadID, Lazy: true}
		must(t, f.store.Settle(t.Context(), e.ID, s))
		wantError(t, "settling twice", f.store.Settle(t.Context(), e.ID, s), outbox.ErrState)
		return e
	}
	unknown := outbox.Settlement{State: outbox.Delivered, Lazy: true}
	wantError(t, "settling an unknown entry", f.store.Settle(t.Context(), numberedID(9), unknown), outbox.ErrNotFound)
	for state, leadID := range map[outbox.State]string{outbox.Delivered: "lead-1", outbox.Parked: "", outbox.Waiting: ""} {
		e := settle(state, leadID)
		if got, _, err := f.store.Recall(t.Context(), "default", e.Identifier); err != nil || got != leadID {
			t.Errorf("Recall of one %s = %q, %v, want %q", state, got, err, leadID)
		}
		settle(state, leadID)
	}
	count := func(n int) []outbox.Count {
		return []outbox.Count{
			{Account: "default", State: outbox.Waiting, Entries: n},
			{Account: "default", State: outbox.Delivered, Entries: n},
			{Account: "default", State: outbox.Parked, Entries: n},
		}
	}
	f.wantCounts(t, count(2)...)
	f.wantDue(t, f.clock.now())
	settle(outbox.Delivered, "lead-2")
	settle(outbox.Parked, "")
	settle(outbox.Waiting, "")
	f.reopen(t)
	f.wantCounts(t, count(3)...)

	e := settle(outbox.Delivered, "lead-3")
	f.crash(t)
	got, err := f.store.Get(t.Context(), e.ID)
	must(t, err)
	if got.State != outbox.Delivered && (got.State != outbox.Waiting || got.AmbiguousSince.IsZero()) {
		t.Errorf("after a crash it is %s, ambiguous since %v", got.State, got.AmbiguousSince)
	}
}

func testRetry(t *testing.T, f *fixture) {
	f.append(t)
	parked := f.take(t, 1)[0]
	s := outbox.Settlement{State: outbox.Parked, At: f.clock.now(), Reason: "refused", FailingSince: f.clock.now(), AmbiguousSince: f.clock.now()}
	must(t, f.store.Settle(t.Context(), parked.ID, s))
	f.wantDue(t, time.Time{})

	when := f.clock.now().Add(time.Minute)
	must(t, f.store.Retry(t.Context(), parked.ID, when))
	want := parked
	want.DueAt, want.Attempts = when, 0
	want.Reason, want.AmbiguousSince = s.Reason, s.AmbiguousSince
	f.wantEntry(t, want)
	f.wantDue(t, when)

	sooner := f.clock.now()
	must(t, f.store.Retry(t.Context(), parked.ID, sooner))
	f.wantDue(t, sooner)
	wantIDs(t, "Take", f.take(t, 10), parked.ID)
}

func testRetryFailed(t *testing.T, f *fixture) {
	ctx, now := t.Context(), f.clock.now()
	fail := func(due time.Duration, change ...func(*outbox.Entry)) outbox.Entry {
		e := f.append(t, append(change, func(e *outbox.Entry) { e.BegunAt = now })...)
		must(t, f.store.Settle(ctx, e.ID, outbox.Settlement{
			State: outbox.Waiting, At: now, DueAt: now.Add(due), FailingSince: now.Add(-time.Hour), Reason: "no answer",
		}))
		return e
	}
	late, later := fail(time.Hour), fail(4*time.Hour)
	soon := fail(-time.Second)
	other := fail(time.Hour, func(e *outbox.Entry) { e.Account = "other" })
	fresh := f.append(t, func(e *outbox.Entry) { e.DueAt = now.Add(time.Hour) })
	taken := f.append(t, func(e *outbox.Entry) { e.BegunAt = now })
	retry := func(limit, want int) {
		t.Helper()
		if n, err := f.store.RetryFailed(ctx, late.Account, now, limit); err != nil || n != want {
			t.Errorf("RetryFailed with limit %d changed %d entries, error %v; want %d", limit, n, err, want)
		}
	}
	retry(1, 1)
	due := func(id string, want time.Time) {
		t.Helper()
		e, err := f.store.Get(ctx, id)
		must(t, err)
		if !e.DueAt.Equal(want) {
			t.Errorf("entry %s is due at %v, want %v", id, e.DueAt, want)
		}
	}
	due(late.ID, now)
	due(later.ID, now.Add(4*time.Hour))
	retry(10, 1)
	due(later.ID, now)
	due(soon.ID, now.Add(-time.Second))
	due(other.ID, now.Add(time.Hour))
	due(fresh.ID, now.Add(time.Hour))
	retry(10, 0)
	e, err := f.store.Get(ctx, later.ID)
	must(t, err)
	if e.FailingSince.IsZero() || e.Attempts != 1 || e.Reason != "no answer" {
		t.Errorf("the entry is %+v", e)
	}
	wantIDs(t, "Take", f.take(t, 10), soon.ID, late.ID, later.ID)
	must(t, f.store.Settle(ctx, taken.ID, outbox.Settlement{State: outbox.Delivered, At: now}))
}

func testExpire(t *testing.T, f *fixture) {
	settle := func(state outbox.State, at time.Time) string {
		e := f.append(t, func(e *outbox.Entry) { e.BegunAt = f.clock.now() })
		must(t, f.store.Settle(t.Context(), e.ID, outbox.Settlement{State: state, At: at}))
		return e.ID
	}
	now := f.clock.now()
	newest := settle(outbox.Delivered, now)
	for i := range 5 {
		settle(outbox.Delivered, now.Add(-time.Duration(i+1)*time.Hour))
	}
	parked := settle(outbox.Parked, now.Add(-time.Hour))
	expire := func(state outbox.State, before time.Time, limit, want int) {
		t.Helper()
		n, err := f.store.Expire(t.Context(), state, before, limit)
		must(t, err)
		if n != want {
			t.Errorf("Expire(%s, limit %d) = %d, want %d", state, limit, n, want)
		}
	}
	expire(outbox.Delivered, now, 0, 0)
	expire(outbox.Delivered, now, 2, 2)
	expire(outbox.Delivered, now, 100, 3)
	expire(outbox.Delivered, now, 100, 0)
	entries, err := f.store.List(t.Context(), outbox.Filter{})
	must(t, err)
	wantIDs(t, "List", entries, newest, parked)
	expire(outbox.Parked, now, 100, 1)
	f.wantCounts(t, outbox.Count{Account: "default", State: outbox.Delivered, Entries: 1})
}

func testClock(t *testing.T, f *fixture) {
	t.Helper()
	want := func(want outbox.Clock) {
		t.Helper()
		got, err := f.store.Clock(t.Context())
		must(t, err)
		if !got.SeenAt.Equal(want.SeenAt) || !got.SteadySince.Equal(want.SteadySince) {
			t.Errorf("Clock = %v, want %v", got, want)
		}
	}
	want(outbox.Clock{})
	full := outbox.Clock{SeenAt: start, SteadySince: start.Add(-time.Hour)}
	must(t, f.store.SetClock(t.Context(), full))
	f.reopen(t)
	want(full)
	must(t, f.store.SetClock(t.Context(), outbox.Clock{SeenAt: start}))
	f.crash(t)
	want(outbox.Clock{SeenAt: start})
	if err := f.store.Health(); err != nil {
		t.Errorf("health of a healthy store: %v", err)
	}
}
