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

	"github.com/leadwire/caddy-telecrm/outbox"
)

// withoutRows creates an outbox with an index that lacks all rows but the last. Its pages are intact.
func withoutRows(t *testing.T, index string) (path string, entries []outbox.Entry) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	withHistory(t, store)
	entries = listAll(t, store)
	must(t, store.Close())
	const lacking = "iif(instr(sql, 'WHERE'), replace(sql, 'WHERE', 'WHERE seq > 150 AND'), sql || ' WHERE seq > 150')"
	alter(t, path, fmt.Sprintf(`CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = '%[1]s';
		PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = %[2]s WHERE name = '%[1]s'`, index, lacking))
	alter(t, path, "REINDEX "+index)
	alter(t, path, fmt.Sprintf(`PRAGMA writable_schema = 1;
		UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = '%s'; DROP TABLE kept`, index))
	return path, entries
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

// A time in the far future at the beginning of the index of due entries does not hide those behind it.
func TestWrongTimeInTheIndexHidesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 20)
	now := time.Now()
	first, err := store.Take(t.Context(), "default", now, now, 1, nil)
	must(t, err)
	must(t, store.Settle(t.Context(), first[0].ID, outbox.Settlement{State: outbox.Waiting, At: now, DueAt: now.Add(-time.Hour)}))
	must(t, store.Close())

	content, err := os.ReadFile(path)
	must(t, err)
	id := uuid.MustParse(first[0].ID)
	due := binary.BigEndian.AppendUint64(nil, uint64(now.Add(-time.Hour).UnixMilli()))[2:] // SQLite stores it in six bytes
	at := bytes.Index(content, slices.Concat([]byte("default"), due, id[:]))
	if at < 0 {
		t.Fatal("the key of the entry that is due first was not found")
	}
	content[at+len("default")] ^= 0x40
	must(t, os.WriteFile(path, content, 0o600))

	store, log := openObserved(t, path)
	next, waits, err := store.NextDue(t.Context(), "default")
	must(t, err)
	if !waits || next.After(now) {
		t.Errorf("an entry waits: %t, and is due at %v", waits, next)
	}
	if taken, err := store.Take(t.Context(), "default", now, now, 20, nil); err != nil || len(taken) != 20 {
		t.Errorf("%d entries are taken, error %v", len(taken), err)
	}
	if log.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
		t.Errorf("log %v, want one error", log.All())
	}
}
