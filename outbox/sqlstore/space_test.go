package sqlstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}

// deliverAll takes n entries in batches and delivers them lazily.
func deliverAll(t *testing.T, store *sqlstore.Store, n int) {
	t.Helper()
	now := time.Now()
	for n > 0 {
		entries, err := store.Take(t.Context(), "default", now, now, min(n, 500), nil)
		must(t, err)
		if len(entries) == 0 {
			t.Fatalf("no entry is due, want %d more", n)
		}
		for _, e := range entries {
			must(t, store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: now, LeadID: "lead-1", Lazy: true}))
		}
		n -= len(entries)
	}
}

// Compact shrinks a file that is mostly free, and does not change a full one. Other operations can
// run at the same time.
func TestCompact(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	const entries = 2000
	appendSized(t, store, entries, 5000)
	must(t, store.Checkpoint())
	before := sizeOf(t, path)
	must(t, store.Compact(t.Context()))
	if after := sizeOf(t, path); after != before {
		t.Errorf("a full file changed from %d to %d bytes", before, after)
	}
	deliverAll(t, store, entries-100)
	_, err := store.Expire(t.Context(), outbox.Delivered, time.Now().Add(time.Hour), entries)
	must(t, err)
	left := listAll(t, store)

	compacted := make(chan struct{})
	var others sync.WaitGroup
	var took []time.Duration
	others.Go(func() {
		for {
			begun := time.Now()
			mustAppend(t, store)
			took = append(took, time.Since(begun))
			select {
			case <-compacted:
				return
			default:
			}
		}
	})
	must(t, store.Compact(t.Context()))
	close(compacted)
	others.Wait()
	slices.Sort(took)
	t.Logf("%d appends during Compact, the slowest took %v", len(took), took[len(took)-1])
	deadline := time.Now().Add(time.Minute)
	for sizeOf(t, path) > before/4 {
		if time.Now().After(deadline) {
			t.Fatalf("the file shrank from %d to only %d bytes", before, sizeOf(t, path))
		}
		time.Sleep(10 * time.Millisecond)
	}
	if again := listAll(t, store); len(left) != 100 || len(again) != 100+len(took) {
		t.Errorf("%d entries before, %d entries after %d appends", len(left), len(again), len(took))
	}
	report, err := store.Check(t.Context(), true)
	if err != nil || len(report.Problems)+len(report.Damaged)+report.Missing > 0 {
		t.Errorf("after compacting: %+v, error %v", report, err)
	}
}

// The log does not grow with the number of entries that are written.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	longest := int64(0)
	for range 10 {
		appendSized(t, store, 100, 30_000)
		longest = max(longest, sizeOf(t, path+"-wal"))
	}
	if file := sizeOf(t, path); longest > 12<<20 || file < 15<<20 {
		t.Errorf("the log grew to %d bytes, and the file to %d", longest, file)
	}
}

// A backup is a complete outbox, even if entries are appended while it is made.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := openAt(t, filepath.Join(dir, "outbox.db"))
	withHistory(t, store)
	before := dump(t, store)
	var others sync.WaitGroup
	others.Go(func() { appendMany(t, store, 2000) })
	file := filepath.Join(dir, "backup.db")
	must(t, store.Backup(t.Context(), file))
	others.Wait()
	wantMode(t, file, 0o600)
	if err := store.Backup(t.Context(), file); !errors.Is(err, os.ErrExist) {
		t.Errorf("backup to an existing file: error %v, want one wrapping ErrExist", err)
	}
	if report, err := store.Check(t.Context(), true); err != nil || report.Entries != len(before)+2000 {
		t.Errorf("Check = %+v, %v", report, err)
	}

	restored, log := openObserved(t, file)
	report, err := restored.Check(t.Context(), true)
	must(t, err)
	if len(report.Problems)+len(report.Damaged)+report.Missing > 0 || report.Entries < len(before) {
		t.Errorf("the backup is incomplete: %+v", report)
	}
	after := dump(t, restored)
	for id, state := range before {
		if after[id] != state {
			t.Errorf("entry %s is %q in the backup, want %q", id, after[id], state)
		}
	}
	if log.Len() != 0 {
		t.Errorf("log %v, want none", log.All())
	}
	mustAppend(t, restored)
}

// A lead that is delivered at the first attempt takes one commit. Its settlement shares the commit
// of another lead, or gets its own if there is none.
func TestCommitsPerLead(t *testing.T) {
	t.Parallel()
	store := openAt(t, filepath.Join(t.TempDir(), "outbox.db"))
	deliver := func() {
		e := newEntry()
		e.BegunAt = e.CreatedAt
		if err := errors.Join(store.Append(t.Context(), e),
			store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: e.CreatedAt, LeadID: "lead-1", Lazy: true})); err != nil {
			t.Error(err)
		}
	}
	before := store.Commits()
	const leads = 200
	for range leads {
		deliver()
	}
	if n := store.Commits() - before; n > leads+leads/10 {
		t.Errorf("%d commits for %d leads in a row", n, leads)
	}
	before = store.Commits()
	deliver()
	deadline := time.Now().Add(time.Minute)
	for store.Commits() < before+2 {
		if time.Now().After(deadline) {
			t.Fatal("the last settlement is not committed")
		}
		time.Sleep(time.Millisecond)
	}
}
