// Package outboxtest tests implementations of [outbox.Store].
package outboxtest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Backend stores the entries of a store under test. At most one store is open on it at a time.
type Backend interface {
	// Open opens the store with the stored entries, of which there are none at first.
	Open() (outbox.Store, error)
	// Crash makes the next Open find what it would if the process had died now. The open store is
	// no longer used.
	Crash() error
}

// Flapper is a [Backend] in which a part of the store comes and goes.
type Flapper interface {
	// Flap changes which part of the open store can be used. If it reports true, the store may since
	// have forgotten the ids of leads whose entries were removed before.
	Flap() (forgot bool, err error)
}

// Sharer is a [Backend] whose stores several processes share, so that at most one attempt with an
// identifier is in flight, and a mark belongs to one entry.
type Sharer interface {
	Shared()
}

// Run tests an implementation. newBackend returns an empty backend whose stores read the time from
// now. The test cleans it up.
func Run(t *testing.T, newBackend func(t *testing.T, now func() time.Time) Backend) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *fixture){
		"Append":      testAppend,
		"Mark":        testMark,
		"Errors":      testErrors,
		"Adopt":       testAdopt,
		"Take":        testTake,
		"Busy":        testBusy,
		"Settle":      testSettle,
		"Lazy":        testLazy,
		"Advance":     testAdvance,
		"Recall":      testRecall,
		"Retry":       testRetry,
		"RetryFailed": testRetryFailed,
		"Expire":      testExpire,
		"Clock":       testClock,
		"List":        testList,
		"Search":      testSearch,
		"Activity":    testActivity,
		"Recover":     testRecover,
		"Context":     testContext,
		"Close":       testClose,
		"Concurrent":  testConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, newBackend))
		})
	}
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		testModel(t, newBackend)
	})
}

// RunModel runs only random operations.
func RunModel(t *testing.T, newBackend func(t *testing.T, now func() time.Time) Backend) {
	t.Helper()
	testModel(t, newBackend)
}

// start is the initial time of a test's clock. Stores may drop what is finer than a millisecond.
var start = time.Date(2026, time.March, 1, 12, 0, 0, 123_000_000, time.UTC)

// clock stands still until a test advances it.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(start.UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// fixture is a store under test.
type fixture struct {
	backend Backend
	store   outbox.Store
	clock   *clock
}

func newFixture(t *testing.T, newBackend func(*testing.T, func() time.Time) Backend) *fixture {
	t.Helper()
	f := &fixture{clock: newClock()}
	f.backend = newBackend(t, f.clock.now)
	f.open(t)
	t.Cleanup(func() {
		if err := f.store.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return f
}

func (f *fixture) open(t *testing.T) {
	t.Helper()
	var err error
	if f.store, err = f.backend.Open(); err != nil {
		t.Fatalf("opening the store: %v", err)
	}
}

func (f *fixture) reopen(t *testing.T) {
	t.Helper()
	must(t, f.store.Close())
	f.open(t)
}

func (f *fixture) crash(t *testing.T) {
	t.Helper()
	must(t, f.backend.Crash())
	f.open(t)
}

// append appends an entry that is due now, modified by change, and returns it as the store should.
func (f *fixture) append(t *testing.T, change ...func(*outbox.Entry)) outbox.Entry {
	t.Helper()
	e := outbox.Entry{
		ID:        newID(),
		Account:   "default",
		Form:      "/enquire",
		Payload:   []byte(`{"fields":{"name":"Asha Example"}}`),
		CreatedAt: f.clock.now(),
		State:     outbox.Waiting,
		DueAt:     f.clock.now(),
	}
	for _, c := range change {
		c(&e)
	}
	must(t, f.store.Append(t.Context(), e))
	if !e.BegunAt.IsZero() {
		e.Attempts = 1
	}
	return e
}

func (f *fixture) take(t *testing.T, limit int) []outbox.Entry {
	t.Helper()
	now := f.clock.now()
	entries, err := f.store.Take(t.Context(), "default", now, now, limit, nil)
	must(t, err)
	return entries
}

func (f *fixture) wantEntry(t *testing.T, want outbox.Entry) {
	t.Helper()
	got, err := f.store.Get(t.Context(), want.ID)
	must(t, err)
	if diff := diffEntries(want, got); diff != "" {
		t.Errorf("Get (-want +got):\n%s", diff)
	}
}

func (f *fixture) wantDue(t *testing.T, want time.Time) {
	t.Helper()
	got, ok, err := f.store.NextDue(t.Context(), "default")
	must(t, err)
	if ok != !want.IsZero() || !got.Equal(want) {
		t.Errorf("NextDue = %v, %v, want %v", got, ok, want)
	}
}

func (f *fixture) wantCounts(t *testing.T, want ...outbox.Count) {
	t.Helper()
	got, err := f.store.Counts(t.Context())
	must(t, err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Counts (-want +got):\n%s", diff)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want one wrapping %q", doing, err, want)
	}
}

// diffEntries compares entries exactly, except that nil and empty payloads are equal.
func diffEntries(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b time.Time) bool {
		return a.Equal(b) && a.Location().String() == b.Location().String()
	}))
}

func idsOf(entries []outbox.Entry) []string {
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}

func wantIDs(t *testing.T, doing string, got []outbox.Entry, want ...string) {
	t.Helper()
	if !slices.Equal(idsOf(got), want) {
		t.Errorf("%s: ids %v, want %v", doing, idsOf(got), want)
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// numberedID returns an id that sorts by n.
func numberedID(n int) string { return fmt.Sprintf("01920000-0000-7000-8000-%012x", n) }
