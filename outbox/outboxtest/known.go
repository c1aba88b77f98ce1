package outboxtest

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// testAdvance checks that an attempt records its current step, and that a crash makes only that
// step ambiguous.
func testAdvance(t *testing.T, f *fixture) {
	e := f.append(t)
	wantError(t, "advancing an entry that is not taken", f.store.Advance(t.Context(), e.ID, outbox.Progress{Step: "append"}), outbox.ErrState)
	wantError(t, "advancing an unknown entry", f.store.Advance(t.Context(), numberedID(9), outbox.Progress{Step: "append"}), outbox.ErrNotFound)
	e = f.take(t, 1)[0]

	f.clock.advance(time.Second)
	p := outbox.Progress{Step: "append", At: f.clock.now(), LeadID: "lead-1", Reason: "not updated"}
	must(t, f.store.Advance(t.Context(), e.ID, p))
	e.Step, e.BegunAt, e.LeadID, e.Reason = p.Step, p.At, p.LeadID, p.Reason
	f.wantEntry(t, e)

	f.clock.advance(time.Second)
	f.crash(t)
	e.DueAt, e.AmbiguousSince = f.clock.now(), p.At
	f.wantEntry(t, e)

	taken := f.take(t, 1)[0]
	if !taken.AmbiguousSince.Equal(p.At) || taken.Step != p.Step {
		t.Errorf("taken after a crash: %+v", taken)
	}
	must(t, f.store.Advance(t.Context(), e.ID, outbox.Progress{Step: "later", At: f.clock.now()}))
	got, err := f.store.Get(t.Context(), e.ID)
	must(t, err)
	if !got.AmbiguousSince.IsZero() || got.LeadID != "" || got.Reason != "" {
		t.Errorf("after another step: %+v", got)
	}
}

// testRecall checks that a delivered lead's id outlives its entry, for its account and identifier
// only.
func testRecall(t *testing.T, f *fixture) {
	const phone = "918123456789"
	recall := func(account, identifier, want string) {
		t.Helper()
		got, known, err := f.store.Recall(t.Context(), account, identifier)
		must(t, err)
		if got != want || known != (want != "") {
			t.Errorf("Recall(%s, %s) = %q, %v, want %q", account, identifier, got, known, want)
		}
	}
	deliver := func(identifier, leadID string, state outbox.State) outbox.Entry {
		t.Helper()
		e := f.append(t, func(e *outbox.Entry) { e.Identifier, e.BegunAt = identifier, f.clock.now() })
		must(t, f.store.Settle(t.Context(), e.ID, outbox.Settlement{State: state, At: f.clock.now(), LeadID: leadID}))
		return e
	}
	recall("default", phone, "")
	deliver("", "lead-0", outbox.Delivered)
	recall("default", "", "")
	deliver(phone, "lead-1", outbox.Parked)
	recall("default", phone, "")
	deliver(phone, "", outbox.Delivered)
	recall("default", phone, "")
	first := deliver(phone, "lead-1", outbox.Delivered)
	recall("default", phone, "lead-1")
	recall("north", phone, "")
	recall("default", "12015550123", "")

	must(t, f.store.Erase(t.Context(), first.ID))
	f.crash(t)
	recall("default", phone, "lead-1")

	f.clock.advance(time.Hour)
	deliver(phone, "lead-2", outbox.Delivered)
	f.clock.advance(time.Hour)
	deliver("12015550123", "lead-3", outbox.Delivered)
	for _, step := range []struct {
		age  time.Duration
		want int
	}{{2 * time.Hour, 0}, {30 * time.Minute, 1}, {30 * time.Minute, 0}} {
		n, err := f.store.ForgetBefore(t.Context(), f.clock.now().Add(-step.age), 10)
		must(t, err)
		if n != step.want {
			t.Errorf("ids older than %v forgotten: %d, want %d", step.age, n, step.want)
		}
	}
	recall("default", phone, "")
	recall("default", "12015550123", "lead-3")
	must(t, f.store.Forget(t.Context(), "default", "12015550123"))
	must(t, f.store.Forget(t.Context(), "default", "12015550123"))
	recall("default", "12015550123", "")
}
