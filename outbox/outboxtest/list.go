package outboxtest

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

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
