package sqlstore_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// withoutRows creates an outbox with an index that lacks all rows but the last. Its pages are intact.
func withoutRows(t *testing.T, index string) (path string, entries []outbox.Entry) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	withHistory(t, store)
	entries = listAll(t, store)
	must(t, store.Close())
	removeRows(t, path, index)
	return path, entries
}

// removeRows removes all rows but the last from an index of a closed outbox.
func removeRows(t *testing.T, path, index string) {
	t.Helper()
	const lacking = "iif(instr(sql, 'WHERE'), replace(sql, 'WHERE', 'WHERE seq > 150 AND'), sql || ' WHERE seq > 150')"
	alter(t, path, fmt.Sprintf(`CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = '%[1]s';
		PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = %[2]s WHERE name = '%[1]s'`, index, lacking))
	alter(t, path, "REINDEX "+index)
	alter(t, path, fmt.Sprintf(`PRAGMA writable_schema = 1;
		UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = '%s'; DROP TABLE kept`, index))
}

// Entries that the index of due entries lacks are delivered all the same.
func TestDueEntriesAreNotHidden(t *testing.T) {
	t.Parallel()
	path, entries := withoutRows(t, "entries_due")
	store, log := openObserved(t, path)
	seen := useUp(t, t, store)
	for _, e := range entries {
		if _, ok := seen[e.ID]; e.State == outbox.Waiting && !ok {
			t.Errorf("entry %s is hidden", e.ID)
		}
	}
	if log.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
		t.Errorf("log %v, want one error", log.All())
	}
}

// The periodic check finds an index that lacks rows, and the file is replaced.
func TestInspectFindsIncompleteIndices(t *testing.T) {
	t.Parallel()
	for _, index := range []string{"entries_id", "entries_list", "entries_due", "entries_settled"} {
		t.Run(index, func(t *testing.T) {
			t.Parallel()
			path, entries := withoutRows(t, index)
			store, log := openObserved(t, path)
			must(t, store.Inspect(t.Context()))
			report, err := store.Check(t.Context(), true)
			must(t, err)
			if len(report.Problems)+len(report.Damaged)+report.Missing != 0 || report.Entries != len(entries) {
				t.Errorf("after the repair: %+v, want %d entries and no damage", report, len(entries))
			}
			if got := len(listAll(t, store)); got != len(entries) {
				t.Errorf("%d entries are listed, want %d", got, len(entries))
			}
			if log.FilterLevelExact(zapcore.ErrorLevel).Len() == 0 {
				t.Errorf("log %v, want an error", log.All())
			}
		})
	}
}

// Entries that were in flight when the process was killed are sent later, even if the index that finds
// them lacks them.
func TestHiddenAttemptsAreReleased(t *testing.T) {
	t.Parallel()
	path, killed := filepath.Join(t.TempDir(), "outbox.db"), filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 20)
	now := time.Now()
	taken, err := store.Take(t.Context(), "default", now, now, 10, nil)
	must(t, err)
	must(t, copyDatabase(path, killed))
	removeRows(t, killed, "entries_list")
	store, _ = openObserved(t, killed)
	again, err := store.Take(t.Context(), "default", now, now, 5, nil)
	must(t, err)
	must(t, store.Inspect(t.Context()))
	seen := useUp(t, t, store)
	for _, e := range taken {
		if got, ok := seen[e.ID]; !ok || got.AmbiguousSince.IsZero() {
			t.Errorf("entry %s is not released as an ambiguous one: %+v", e.ID, got)
		}
	}
	for _, e := range again {
		if _, ok := seen[e.ID]; ok {
			t.Errorf("entry %s is taken twice", e.ID)
		}
	}
	if len(seen) != 15 {
		t.Errorf("%d entries are taken, want all but the 5 in flight", len(seen))
	}
}

// A flipped bit in a key of the index of due entries hides no entry, and parks none.
func TestFlippedBitsInTheIndexHideNothing(t *testing.T) {
	t.Parallel()
	const entries = 20
	dir := t.TempDir()
	path := filepath.Join(dir, "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, entries)
	now := time.Now()
	taken, err := store.Take(t.Context(), "default", now, now, entries, nil)
	must(t, err)
	var keys [][]byte
	for i, e := range taken {
		due := now.Add(-time.Duration(i+1) * time.Minute)
		must(t, store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Waiting, At: now, DueAt: due}))
		id := uuid.MustParse(e.ID)
		keys = append(keys, slices.Concat([]byte("default"), binary.BigEndian.AppendUint64(nil, uint64(due.UnixMilli()))[2:], id[:])) // SQLite stores the time in six bytes
	}
	must(t, store.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		key := keys[rapid.IntRange(0, entries-1).Draw(rt, "entry")]
		at := bytes.Index(content, key)
		if at < 0 {
			rt.Fatal("the key was not found")
		}
		harmed := slices.Clone(content)
		harmed[at+rapid.IntRange(0, len(key)-1).Draw(rt, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		folder := filepath.Join(dir, fmt.Sprint(n))
		must(t, os.Mkdir(folder, 0o700))
		defer os.RemoveAll(folder)
		path := filepath.Join(folder, "outbox.db")
		if err := os.WriteFile(path, harmed, 0o600); err != nil {
			rt.Fatal(err)
		}
		store, err := open(path, sqlstore.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer store.Close()
		seen := make(map[string]bool)
		for range 2 * entries {
			next, waits, err := store.NextDue(t.Context(), "default")
			if err != nil {
				rt.Fatal(err)
			}
			if !waits || next.After(now) {
				break
			}
			found, err := store.Take(t.Context(), "default", now, now, 3, nil)
			if err != nil {
				rt.Fatal(err)
			}
			for _, e := range found {
				seen[e.ID] = true
			}
		}
		if len(seen) != entries {
			rt.Errorf("%d of %d entries were taken", len(seen), entries)
		}
	})
}
