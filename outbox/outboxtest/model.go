package outboxtest

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

var (
	modelAccounts    = []string{"default", "north", "südwest"}
	modelIdentifiers = []string{"", "918123456789", "12015550123"}
)

// model runs the simplest correct store beside the store under test.
type model struct {
	t       *testing.T
	clock   *clock
	backend Backend
	store   outbox.Store
	entries map[string]*modelEntry
	known   map[knownKey]knownID
	// forgot means that the ids of leads whose entries are gone may be forgotten.
	forgot bool
}

type knownKey struct{ account, identifier string }

type knownID struct {
	leadID string
	at     time.Time
	entry  string
	gone   bool // the entry was removed, or replaced by another version
}

type modelEntry struct {
	outbox.Entry
	taken bool
}

// testModel runs random operations on both stores and compares them.
func testModel(t *testing.T, newBackend func(*testing.T, func() time.Time) Backend) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{t: t, clock: newClock(), entries: make(map[string]*modelEntry), known: make(map[knownKey]knownID)}
		m.backend = newBackend(t, m.clock.now)
		m.open(rt)
		defer func() { _ = m.store.Close() }()
		actions := map[string]func(*rapid.T){
			"append":       m.append,
			"adopt":        m.adopt,
			"take":         m.take,
			"advance":      m.advance,
			"settle":       m.settle,
			"forget":       m.forget,
			"age":          m.forgetBefore,
			"retry":        m.retry,
			"retry failed": m.retryFailed,
			"erase":        m.erase,
			"expire":       m.expire,
			"tick":         func(rt *rapid.T) { m.clock.advance(drawDuration(rt, 0)) },
			"reopen":       m.reopen,
			"crash":        m.crash,
			"compact":      func(rt *rapid.T) { m.must(rt, m.store.Compact(t.Context())) },
			"":             m.check,
		}
		if flapper, ok := m.backend.(Flapper); ok {
			actions["flap"] = func(rt *rapid.T) { m.flap(rt, flapper) }
		}
		rt.Repeat(actions)
	})
}

// drawDuration draws a duration from the given one up to 5 s.
func drawDuration(rt *rapid.T, from time.Duration) time.Duration {
	return time.Duration(rapid.Int64Range(from.Milliseconds(), 5000).Draw(rt, "milliseconds")) * time.Millisecond
}

func (m *model) must(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil {
		rt.Fatal(err)
	}
}

func (m *model) open(rt *rapid.T) {
	var err error
	m.store, err = m.backend.Open()
	m.must(rt, err)
}

// id draws a known id, or sometimes another.
func (m *model) id(rt *rapid.T) string {
	return numberedID(rapid.IntRange(0, len(m.entries)).Draw(rt, "id"))
}

func (m *model) append(rt *rapid.T) {
	e := outbox.Entry{
		ID:         m.id(rt),
		Account:    rapid.SampledFrom(modelAccounts).Draw(rt, "account"),
		Form:       rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 0, 10, 40).Draw(rt, "form"),
		Identifier: rapid.SampledFrom(modelIdentifiers).Draw(rt, "identifier"),
		Payload:    rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(rt, "payload"),
		CreatedAt:  m.clock.now(),
		State:      outbox.Waiting,
		DueAt:      m.clock.now().Add(drawDuration(rt, -time.Second)),
	}
	switch rapid.SampledFrom([]string{"due", "begun", "parked"}).Draw(rt, "as") {
	case "begun":
		e.BegunAt = m.clock.now()
	case "parked":
		e.State, e.Reason = outbox.Parked, "suspected spam"
		e.DueAt, e.SettledAt = time.Time{}, m.clock.now()
	}
	err := m.store.Append(m.t.Context(), e)
	switch _, known := m.entries[e.ID]; {
	case known:
		m.wantError(rt, err, outbox.ErrExists)
		return
	case !e.BegunAt.IsZero() && m.inFlight(e):
		m.wantError(rt, err, outbox.ErrBusy)
		return
	}
	m.must(rt, err)
	if !e.BegunAt.IsZero() {
		e.Attempts = 1
	}
	m.entries[e.ID] = &modelEntry{Entry: e, taken: !e.BegunAt.IsZero()}
}

// inFlight reports whether the store must not begin an attempt because of another one.
func (m *model) inFlight(e outbox.Entry) bool {
	if _, shared := m.backend.(Sharer); !shared || e.Identifier == "" {
		return false
	}
	for _, other := range m.entries {
		if other.taken && other.Account == e.Account && other.Identifier == e.Identifier {
			return true
		}
	}
	return false
}

func (m *model) wantError(rt *rapid.T, err, want error) {
	rt.Helper()
	if !errors.Is(err, want) {
		rt.Fatalf("error %v, want one wrapping %q", err, want)
	}
}

// due returns the account's waiting entries that are not taken, the longest due first.
func (m *model) due(account string) []*modelEntry {
	var due []*modelEntry
	for _, e := range m.entries {
		if e.State == outbox.Waiting && !e.taken && e.Account == account {
			due = append(due, e)
		}
	}
	slices.SortFunc(due, func(a, b *modelEntry) int {
		return cmp.Or(a.DueAt.Compare(b.DueAt), strings.Compare(a.ID, b.ID))
	})
	return due
}

func (m *model) take(rt *rapid.T) {
	account := rapid.SampledFrom(modelAccounts).Draw(rt, "account")
	limit := rapid.IntRange(0, 4).Draw(rt, "limit")
	busy := rapid.SampledFrom(modelIdentifiers).Draw(rt, "busy")
	now := m.clock.now()
	got, err := m.store.Take(m.t.Context(), account, now, now, limit, func(identifier string) bool { return identifier == busy })
	m.must(rt, err)
	var want []outbox.Entry
	for _, e := range m.due(account) {
		if len(want) == limit || e.DueAt.After(now) {
			break
		}
		if busy != "" && e.Identifier == busy || m.inFlight(e.Entry) {
			e.DueAt = now.Add(time.Second)
			continue
		}
		e.taken = true
		e.Attempts++
		e.BegunAt = now
		want = append(want, e.Entry)
	}
	if diff := diffEntries(want, got); diff != "" {
		rt.Fatalf("Take (-want +got):\n%s", diff)
	}
}

// changed checks the result of changing an entry, which is allowed if may returns true for it. It
// returns the entry if it was changed, or nil.
func (m *model) changed(rt *rapid.T, id string, err error, may func(*modelEntry) bool) *modelEntry {
	rt.Helper()
	e, known := m.entries[id]
	switch {
	case !known:
		m.wantError(rt, err, outbox.ErrNotFound)
		return nil
	case !may(e):
		m.wantError(rt, err, outbox.ErrState)
		return nil
	}
	m.must(rt, err)
	return e
}

func (m *model) advance(rt *rapid.T) {
	id := m.id(rt)
	p := outbox.Progress{
		Step:   rapid.SampledFrom([]string{"", "update", "append"}).Draw(rt, "step"),
		At:     m.clock.now(),
		LeadID: rapid.SampledFrom([]string{"", "lead-2"}).Draw(rt, "lead"),
		Reason: rapid.SampledFrom([]string{"", "partly stored"}).Draw(rt, "reason"),
	}
	err := m.store.Advance(m.t.Context(), id, p)
	e := m.changed(rt, id, err, func(e *modelEntry) bool { return e.taken })
	if e == nil {
		return
	}
	e.Step, e.LeadID, e.Reason = p.Step, p.LeadID, p.Reason
	e.BegunAt, e.AmbiguousSince = p.At, time.Time{}
}

func (m *model) forget(rt *rapid.T) {
	key := knownKey{
		rapid.SampledFrom(modelAccounts).Draw(rt, "account"),
		rapid.SampledFrom(modelIdentifiers).Draw(rt, "identifier"),
	}
	m.must(rt, m.store.Forget(m.t.Context(), key.account, key.identifier))
	delete(m.known, key)
}

func (m *model) forgetBefore(rt *rapid.T) {
	before := m.clock.now().Add(-drawDuration(rt, 0))
	n, err := m.store.ForgetBefore(m.t.Context(), before, 100)
	m.must(rt, err)
	want, uncertain := 0, 0
	for key, id := range m.known {
		if !id.at.Before(before) {
			continue
		}
		if want++; m.mayBeForgotten(id) {
			uncertain++
		}
		delete(m.known, key)
	}
	if n > want || n < want-uncertain {
		rt.Fatalf("ForgetBefore forgot %d ids, want %d to %d", n, want-uncertain, want)
	}
}

func (m *model) mayBeForgotten(id knownID) bool { return m.forgot && id.gone }

func (m *model) flap(rt *rapid.T, flapper Flapper) {
	forgot, err := flapper.Flap()
	m.must(rt, err)
	m.forgot = m.forgot || forgot
}

func (m *model) settle(rt *rapid.T) {
	id := m.id(rt)
	s := outbox.Settlement{
		State:          rapid.SampledFrom(outbox.States()).Draw(rt, "state"),
		At:             m.clock.now(),
		DueAt:          m.clock.now().Add(drawDuration(rt, 0)),
		Step:           rapid.SampledFrom([]string{"", "append"}).Draw(rt, "step"),
		Reason:         rapid.SampledFrom([]string{"", "no answer"}).Draw(rt, "reason"),
		LeadID:         rapid.SampledFrom([]string{"", "lead-1"}).Draw(rt, "lead"),
		AmbiguousSince: rapid.SampledFrom([]time.Time{{}, start}).Draw(rt, "ambiguous"),
		FailingSince:   rapid.SampledFrom([]time.Time{{}, start}).Draw(rt, "failing"),
		Uncounted:      rapid.Bool().Draw(rt, "uncounted"),
		Lazy:           rapid.Bool().Draw(rt, "lazy"),
	}
	err := m.store.Settle(m.t.Context(), id, s)
	e := m.changed(rt, id, err, func(e *modelEntry) bool { return e.taken })
	if e == nil {
		return
	}
	e.taken = false
	e.State, e.Step, e.Reason, e.LeadID = s.State, s.Step, s.Reason, s.LeadID
	e.AmbiguousSince, e.FailingSince = s.AmbiguousSince, s.FailingSince
	if s.State == outbox.Delivered && s.LeadID != "" && e.Identifier != "" {
		m.known[knownKey{e.Account, e.Identifier}] = knownID{leadID: s.LeadID, at: s.At, entry: id}
	}
	e.DueAt, e.SettledAt = time.Time{}, s.At
	if s.State == outbox.Waiting {
		e.DueAt, e.SettledAt = s.DueAt, time.Time{}
	}
	if s.Uncounted {
		e.Attempts--
	}
}

func (m *model) retry(rt *rapid.T) {
	id := m.id(rt)
	at := m.clock.now().Add(drawDuration(rt, 0))
	err := m.store.Retry(m.t.Context(), id, at)
	e := m.changed(rt, id, err, func(e *modelEntry) bool { return !e.taken && e.State != outbox.Delivered })
	if e == nil {
		return
	}
	e.State, e.DueAt, e.SettledAt = outbox.Waiting, at, time.Time{}
	e.Attempts, e.FailingSince = 0, time.Time{}
}

func (m *model) erase(rt *rapid.T) {
	id := m.id(rt)
	err := m.store.Erase(m.t.Context(), id)
	if e := m.changed(rt, id, err, func(e *modelEntry) bool { return !e.taken }); e != nil {
		m.remove(id)
	}
}

func (m *model) remove(id string) {
	delete(m.entries, id)
	for key, known := range m.known {
		if known.entry == id {
			known.gone = true
			m.known[key] = known
		}
	}
}

func (m *model) retryFailed(rt *rapid.T) {
	now := m.clock.now()
	account := rapid.SampledFrom(modelAccounts).Draw(rt, "account")
	var failed []*modelEntry
	for _, e := range m.entries {
		if e.State == outbox.Waiting && !e.taken && e.Account == account && !e.FailingSince.IsZero() && e.DueAt.After(now) {
			failed = append(failed, e)
		}
	}
	n, err := m.store.RetryFailed(m.t.Context(), account, now, len(failed)+1)
	m.must(rt, err)
	if n != len(failed) {
		rt.Fatalf("RetryFailed changed %d entries, want %d", n, len(failed))
	}
	for _, e := range failed {
		e.DueAt = now
	}
}

func (m *model) expire(rt *rapid.T) {
	state := rapid.SampledFrom([]outbox.State{outbox.Delivered, outbox.Parked}).Draw(rt, "state")
	before := m.clock.now().Add(-drawDuration(rt, 0))
	var old []*modelEntry
	for _, e := range m.entries {
		if e.State == state && e.SettledAt.Before(before) {
			old = append(old, e)
		}
	}
	slices.SortFunc(old, func(a, b *modelEntry) int {
		return cmp.Or(a.SettledAt.Compare(b.SettledAt), strings.Compare(a.ID, b.ID))
	})
	limit := rapid.IntRange(0, 4).Draw(rt, "limit")
	old = old[:min(limit, len(old))]
	n, err := m.store.Expire(m.t.Context(), state, before, limit)
	m.must(rt, err)
	if n != len(old) {
		rt.Fatalf("Expire removed %d entries, want %d", n, len(old))
	}
	for _, e := range old {
		m.remove(e.ID)
	}
}

func (m *model) reopen(rt *rapid.T) {
	m.must(rt, m.store.Close())
	m.open(rt)
	m.abandonAttempts()
}

func (m *model) crash(rt *rapid.T) {
	_, err := m.store.List(m.t.Context(), outbox.Filter{}) // which makes durable what is lazy
	m.must(rt, err)
	m.must(rt, m.backend.Crash())
	m.open(rt)
	m.abandonAttempts()
}

// abandonAttempts makes taken entries due again, as opening the store does.
func (m *model) abandonAttempts() {
	for _, e := range m.entries {
		if !e.taken {
			continue
		}
		e.taken = false
		e.DueAt = m.clock.now()
		if e.AmbiguousSince.IsZero() {
			e.AmbiguousSince = e.BegunAt
		}
	}
}

// check compares everything that can be read.
func (m *model) check(rt *rapid.T) {
	for _, account := range append([]string{""}, modelAccounts...) {
		for _, state := range append([]outbox.State{""}, outbox.States()...) {
			m.checkList(rt, outbox.Filter{Account: account, State: state})
		}
	}
	m.checkCounts(rt)
	m.checkKnown(rt)
	for _, account := range modelAccounts {
		due := m.due(account)
		at, ok, err := m.store.NextDue(m.t.Context(), account)
		m.must(rt, err)
		if ok != (len(due) > 0) || ok && !at.Equal(due[0].DueAt) {
			rt.Fatalf("NextDue(%s) = %v, %v, but %d entries are due", account, at, ok, len(due))
		}
		m.checkAhead(rt, due)
	}
	for id, e := range m.entries {
		got, err := m.store.Get(m.t.Context(), id)
		m.must(rt, err)
		if diff := diffEntries(e.Entry, got); diff != "" {
			rt.Fatalf("Get (-want +got):\n%s", diff)
		}
	}
}

// checkAhead compares how many entries precede each of those that are due.
func (m *model) checkAhead(rt *rapid.T, due []*modelEntry) {
	for ahead, entry := range due {
		for n := range len(due) + 2 {
			got, err := m.store.Ahead(m.t.Context(), entry.Entry, n)
			m.must(rt, err)
			if got != (ahead >= n) {
				rt.Fatalf("Ahead(%s, %d) = %v, but %d of %d due entries precede it", entry.ID, n, got, ahead, len(due))
			}
		}
	}
}

func (m *model) checkList(rt *rapid.T, f outbox.Filter) {
	got, err := m.store.List(m.t.Context(), f)
	m.must(rt, err)
	var want []outbox.Entry
	for _, e := range m.entries {
		if (f.Account == "" || e.Account == f.Account) && (f.State == "" || e.State == f.State) {
			want = append(want, e.Entry)
		}
	}
	slices.SortFunc(want, func(a, b outbox.Entry) int { return strings.Compare(a.ID, b.ID) })
	if diff := diffEntries(want, got); diff != "" {
		rt.Fatalf("List(%+v) (-want +got):\n%s", f, diff)
	}
}

func (m *model) checkKnown(rt *rapid.T) {
	for _, account := range modelAccounts {
		for _, identifier := range modelIdentifiers {
			want, wantKnown := m.known[knownKey{account, identifier}]
			got, known, err := m.store.Recall(m.t.Context(), account, identifier)
			m.must(rt, err)
			if wantKnown && !known && m.mayBeForgotten(want) {
				continue
			}
			if known != wantKnown || got != want.leadID {
				rt.Fatalf("Recall(%s, %s) = %q, %v, want %q, %v", account, identifier, got, known, want.leadID, wantKnown)
			}
		}
	}
}

func (m *model) checkCounts(rt *rapid.T) {
	got, err := m.store.Counts(m.t.Context())
	m.must(rt, err)
	want := make(map[outbox.Count]bool)
	for _, account := range modelAccounts {
		for _, state := range outbox.States() {
			n := 0
			for _, e := range m.entries {
				if e.Account == account && e.State == state {
					n++
				}
			}
			if n > 0 {
				want[outbox.Count{Account: account, State: state, Entries: n}] = true
			}
		}
	}
	counted := make(map[outbox.Count]bool)
	for _, c := range got {
		counted[c] = true
	}
	if diff := gocmp.Diff(want, counted); diff != "" {
		rt.Fatalf("Counts (-want +got):\n%s", diff)
	}
}
