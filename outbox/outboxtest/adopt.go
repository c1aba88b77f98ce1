package outboxtest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// testAdopt checks that entries are adopted as they are, and that adopting them again does no harm.
func testAdopt(t *testing.T, f *fixture) {
	ctx, now := t.Context(), f.clock.now()
	const phone = "918123456789"
	entry := func(n int, state outbox.State, change ...func(*outbox.Entry)) outbox.Entry {
		e := outbox.Entry{
			ID: numberedID(n), Account: "default", Form: "/enquire", Identifier: phone, Payload: []byte("{}"), State: state,
			CreatedAt: now.Add(-time.Hour), BegunAt: now.Add(-time.Minute), Attempts: 3, Step: "append", Reason: "a reason",
			AmbiguousSince: now.Add(-time.Minute), FailingSince: now.Add(-2 * time.Minute), LeadID: "lead-1",
		}
		if state == outbox.Waiting {
			e.DueAt = now.Add(time.Second)
		} else {
			e.SettledAt = now
		}
		for _, c := range change {
			c(&e)
		}
		return e
	}
	adopt := func(entries ...outbox.Entry) {
		t.Helper()
		var adopted []outbox.Adoption
		for _, e := range entries {
			adopted = append(adopted, outbox.Adoption{Entry: e, Recalled: e.State == outbox.Delivered})
		}
		must(t, f.store.Adopt(ctx, adopted))
	}
	waiting, delivered, parked := entry(1, outbox.Waiting), entry(2, outbox.Delivered), entry(3, outbox.Parked)
	for range 2 {
		adopt(waiting, delivered, parked)
		for _, e := range []outbox.Entry{waiting, delivered, parked} {
			f.wantEntry(t, e)
		}
	}
	f.wantDue(t, waiting.DueAt)
	wantError(t, "appending an adopted entry", f.store.Append(ctx, waiting), outbox.ErrExists)
	recalled := func(want string) {
		t.Helper()
		got, known, err := f.store.Recall(ctx, "default", phone)
		if err != nil || got != want || known != (want != "") {
			t.Errorf("Recall = %q, %v, %v, want %q", got, known, err, want)
		}
	}
	recalled("lead-1")
	adopt(entry(4, outbox.Delivered, func(e *outbox.Entry) { e.LeadID, e.SettledAt = "lead-0", now.Add(-time.Hour) }))
	recalled("lead-1")
	must(t, f.store.Forget(ctx, "default", phone))
	must(t, f.store.Adopt(ctx, []outbox.Adoption{{Entry: entry(5, outbox.Delivered)}}))
	recalled("")

	// The store has gone on with an entry that it adopted.
	f.clock.advance(time.Minute)
	wantIDs(t, "Take", f.take(t, 10), waiting.ID)
	must(t, f.store.Settle(ctx, waiting.ID, outbox.Settlement{State: outbox.Parked, At: f.clock.now(), Reason: "refused"}))
	adopt(waiting)
	if e, err := f.store.Get(ctx, waiting.ID); err != nil || e.State != outbox.Parked || e.Reason != "refused" {
		t.Errorf("after adopting an older version: %+v, error %v", e, err)
	}
	// An append had an unknown result, and the other store has gone on with the entry.
	for _, begun := range []time.Time{{}, f.clock.now()} {
		appended := f.append(t, func(e *outbox.Entry) { e.BegunAt = begun })
		appended.State, appended.BegunAt, appended.Attempts = outbox.Delivered, f.clock.now(), 1
		appended.DueAt, appended.SettledAt = time.Time{}, f.clock.now()
		adopt(appended)
		f.wantEntry(t, appended)
	}
	bad := []outbox.Adoption{{Entry: entry(6, outbox.Parked)}, {Entry: entry(7, "lost")}}
	wantError(t, "adopting an unknown state", f.store.Adopt(ctx, bad), outbox.ErrState)
	_, err := f.store.Get(ctx, numberedID(6))
	wantError(t, "getting an entry of a refused adoption", err, outbox.ErrNotFound)
}

// adopt adopts an entry that no store has, or another version of one.
func (m *model) adopt(rt *rapid.T) {
	e := outbox.Entry{
		ID:         m.id(rt),
		Account:    rapid.SampledFrom(modelAccounts).Draw(rt, "account"),
		Identifier: rapid.SampledFrom(modelIdentifiers).Draw(rt, "identifier"),
		Payload:    []byte{},
		CreatedAt:  m.clock.now(),
		State:      rapid.SampledFrom(outbox.States()).Draw(rt, "state"),
		Attempts:   rapid.IntRange(0, 3).Draw(rt, "attempts"),
		LeadID:     rapid.SampledFrom([]string{"", "lead-3"}).Draw(rt, "lead"),
	}
	own, known := m.entries[e.ID]
	if known {
		e.Account, e.Identifier, e.Payload, e.CreatedAt = own.Account, own.Identifier, own.Payload, own.CreatedAt
	}
	if e.Attempts > 0 {
		e.BegunAt = m.clock.now().Add(-drawDuration(rt, 0))
	}
	if e.State == outbox.Waiting {
		e.DueAt = m.clock.now()
	} else {
		e.SettledAt = m.clock.now()
	}
	recalled := e.State == outbox.Delivered && rapid.Bool().Draw(rt, "recalled")
	m.must(rt, m.store.Adopt(m.t.Context(), []outbox.Adoption{{Entry: e, Recalled: recalled}}))
	adopted := !known || isLater(e, own)
	if adopted {
		m.remove(e.ID)
		m.entries[e.ID] = &modelEntry{Entry: e}
	}
	key := knownKey{e.Account, e.Identifier}
	if recalled && e.LeadID != "" && e.Identifier != "" && !m.known[key].at.After(e.SettledAt) {
		m.known[key] = knownID{leadID: e.LeadID, at: e.SettledAt, entry: e.ID, gone: !adopted}
	}
}

// isLater reports whether e is a later version than the store's own.
func isLater(e outbox.Entry, own *modelEntry) bool {
	return e.IsLater(own.Entry) || own.taken && e.BegunAt.Equal(own.BegunAt)
}
