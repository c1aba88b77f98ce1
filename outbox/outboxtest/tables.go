package outboxtest

import (
	"context"
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

func testList(t *testing.T, f *fixture) {
	const n = 30
	accounts := []string{"default", "north", "south"}
	for i := range n {
		f.append(t, func(e *outbox.Entry) {
			e.ID, e.Account, e.BegunAt = numberedID(i), accounts[i%3], f.clock.now()
		})
		if i%2 == 0 {
			must(t, f.store.Settle(t.Context(), numberedID(i), outbox.Settlement{State: outbox.States()[i%3], At: f.clock.now()}))
		}
	}
	all, err := f.store.List(t.Context(), outbox.Filter{})
	must(t, err)
	for _, account := range append(accounts, "", "unknown") {
		for _, state := range append(outbox.States(), "") {
			var want []string
			for _, e := range all {
				if (account == "" || e.Account == account) && (state == "" || e.State == state) {
					want = append(want, e.ID)
				}
			}
			for _, limit := range []int{0, 1, 4, n} {
				filter := outbox.Filter{State: state, Account: account, Limit: limit}
				wantIDs(t, "List", listAll(t, f.store, filter), want...)
			}
		}
	}
	if len(all) != n {
		t.Errorf("List returned %d of %d", len(all), n)
	}
	if _, err := f.store.List(t.Context(), outbox.Filter{After: "not a UUID"}); err == nil {
		t.Error("List after an invalid id: no error")
	}
	// The last entry of a page may be gone when the next page is read.
	must(t, f.store.Erase(t.Context(), numberedID(4)))
	rest, err := f.store.List(t.Context(), outbox.Filter{After: numberedID(4), Limit: 1})
	must(t, err)
	wantIDs(t, "List after an erased entry", rest, numberedID(5))
}

// testSearch chooses entries by each field that can be searched for.
func testSearch(t *testing.T, f *fixture) {
	const n = 24
	for i := range n {
		f.append(t, func(e *outbox.Entry) {
			e.ID, e.Form, e.Account = numberedID(i), []string{"/enquire", "/visit"}[i%2], []string{"default", "north"}[i/2%2]
			e.Identifier = []string{"918123456789", "12015550123", ""}[i%3]
			if i%5 == 0 {
				e.State, e.SettledAt = outbox.Parked, f.clock.now()
			}
		})
		f.clock.advance(time.Minute)
	}
	all, err := f.store.List(t.Context(), outbox.Filter{})
	must(t, err)
	for _, filter := range []outbox.Filter{
		{Form: "/visit"},
		{Form: "/visit", State: outbox.Parked},
		{Form: "/vis"},
		{Identifier: "12015550123"},
		{Identifier: "12015550123", Account: "north", State: outbox.Waiting},
		{Since: start.Add(5 * time.Minute)},
		{Until: start.Add(5 * time.Minute)},
		{Since: start.Add(4*time.Minute - time.Microsecond), Until: start.Add(9*time.Minute + time.Microsecond), Form: "/enquire"},
		{Since: start.Add(4*time.Minute + time.Microsecond), Account: "north"},
		{Since: start.Add(time.Hour)},
	} {
		var want []string
		for _, e := range all {
			if filter.Matches(e) {
				want = append(want, e.ID)
			}
		}
		for _, limit := range []int{0, 1, 3, n} {
			filter.Limit = limit
			wantIDs(t, "List", listAll(t, f.store, filter), want...)
		}
	}
	if len(all) != n {
		t.Errorf("List returned %d of %d", len(all), n)
	}
}

// listAll lists page by page.
func listAll(t *testing.T, store outbox.Store, f outbox.Filter) []outbox.Entry {
	t.Helper()
	var all []outbox.Entry
	for {
		page, err := store.List(t.Context(), f)
		must(t, err)
		all = append(all, page...)
		if f.Limit == 0 || len(page) < f.Limit {
			return all
		}
		f.After = page[len(page)-1].ID
	}
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
