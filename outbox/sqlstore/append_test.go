package sqlstore_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// An append is repeated after a commit that failed. If that commit turns out to be durable, the
// entry is there once, and its attempt goes on.
func TestAppendAfterADurableFailure(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]time.Time{"waiting": {}, "taken": time.Now()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "outbox.db")
			store := openAt(t, path)
			e := newEntry()
			e.BegunAt = begun
			must(t, store.AppendAgain(t.Context(), e, false))
			if err := store.Append(t.Context(), e); !errors.Is(err, outbox.ErrExists) {
				t.Errorf("another append of the same id: got error %v", err)
			}
			if begun.IsZero() {
				taken, err := store.Take(t.Context(), "default", time.Now(), time.Now(), 10, func(string) bool { return false })
				if must(t, err); len(taken) != 1 {
					t.Fatalf("%d entries are due, want 1", len(taken))
				}
			}
			must(t, store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered}))
			counts, err := store.Counts(t.Context())
			must(t, err)
			if len(counts) != 1 || counts[0] != (outbox.Count{Account: "default", State: outbox.Delivered, Entries: 1}) {
				t.Errorf("got %v", counts)
			}
			report, err := store.Check(t.Context(), true)
			if must(t, err); len(report.Problems) > 0 || report.Missing > 0 || len(report.Damaged) > 0 {
				t.Errorf("got %+v", report)
			}
		})
	}
}

// The same holds if the file is found damaged in between, which gives all rows other numbers.
func TestAppendAfterARepair(t *testing.T) {
	t.Parallel()
	store := openAt(t, filepath.Join(t.TempDir(), "outbox.db"))
	mustAppend(t, store)
	parked := newEntry()
	parked.State, parked.SettledAt = outbox.Parked, time.Now()
	must(t, errors.Join(store.Append(t.Context(), parked), store.Erase(t.Context(), parked.ID)))
	appendMany(t, store, 59)
	e := newEntry()
	e.BegunAt = time.Now()
	must(t, store.AppendAgain(t.Context(), e, true))
	appendMany(t, store, 60)
	must(t, store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered}))
	counts, err := store.Counts(t.Context())
	must(t, err)
	want := []outbox.Count{
		{Account: "default", State: outbox.Waiting, Entries: 120}, {Account: "default", State: outbox.Delivered, Entries: 1},
	}
	if !slices.Equal(counts, want) {
		t.Errorf("%v, want %v", counts, want)
	}
	report, err := store.Check(t.Context(), true)
	must(t, err)
	if len(report.Problems)+len(report.Damaged)+report.Missing != 0 {
		t.Errorf("%+v, want no damage", report)
	}
	if seen := useUp(t, t, store); len(seen) != 120 {
		t.Errorf("%d entries are taken, want 120", len(seen))
	}
}
