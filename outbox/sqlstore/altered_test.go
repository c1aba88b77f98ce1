package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// openObserved opens an outbox and returns its log.
func openObserved(t *testing.T, path string) (*sqlstore.Store, *observer.ObservedLogs) {
	t.Helper()
	core, log := observer.New(zap.WarnLevel)
	store, err := open(path, sqlstore.Options{Logger: zap.New(core)})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store, log
}

// alter runs a statement on the file of a closed store.
func alter(t *testing.T, path, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), statement, args...)
	must(t, errors.Join(err, db.Close()))
}

// An entry is parked and never taken if any of its checked fields is altered in the file. The log
// names it once.
func TestAlteredRow(t *testing.T) {
	t.Parallel()
	for column, value := range map[string]any{
		"payload": []byte("another"), "identifier": "918123456780", "account": "default", "form": "/other", "step": "append",
		"lead_id": "lead-2", "attempts": 1, "reason": "another", "state": 3, "created_at": 12345, "crc": "text", "settled_at": 5,
		"begun_at": 6, "ambiguous_since": 7, "failing_since": 8,
	} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "outbox.db")
			store := openAt(t, path)
			altered, other := newEntry(), newEntry()
			if column == "account" {
				altered.Account = "north"
			}
			must(t, errors.Join(store.Append(t.Context(), altered), store.Append(t.Context(), other), store.Close()))
			alter(t, path, "UPDATE entries SET "+column+" = ? WHERE seq = 1", value)

			store, log := openObserved(t, path)
			now := time.Now()
			taken, err := store.Take(t.Context(), "default", now, now, 10, nil)
			must(t, err)
			if len(taken) != 1 || taken[0].ID != other.ID {
				t.Errorf("%d entries taken, want only the intact one", len(taken))
			}
			got, err := store.Get(t.Context(), altered.ID)
			must(t, err)
			if got.State != outbox.Parked || !strings.Contains(got.Reason, "damaged") {
				t.Errorf("altered entry is %s with reason %q, want parked as damaged", got.State, got.Reason)
			}
			if err := store.Retry(t.Context(), altered.ID, now); !errors.Is(err, outbox.ErrState) {
				t.Errorf("retrying the altered entry: error %v, want one wrapping ErrState", err)
			}
			if named := log.FilterField(zap.String("id", altered.ID)); named.Len() != 1 {
				t.Errorf("the log names the entry %d times, want once: %v", named.Len(), log.All())
			}
			must(t, store.Close())
			store, log = openObserved(t, path)
			parked, err := store.List(t.Context(), outbox.Filter{State: outbox.Parked})
			must(t, err)
			if len(parked) != 1 || log.Len() != 0 {
				t.Errorf("after reopening: %d entries parked, want 1; log %v, want none", len(parked), log.All())
			}
			must(t, store.Erase(t.Context(), altered.ID))
		})
	}
}

// The row of an attempt in flight is removed from the file, or its payload is altered. Settling the
// attempt does not bring the row back, and does not make the payload look intact.
func TestAlteredDuringAttempt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	mustAppend(t, store)
	mustAppend(t, store)
	now := time.Now()
	taken, err := store.Take(t.Context(), "default", now, now, 2, nil)
	must(t, err)
	alter(t, path, "DELETE FROM entries WHERE seq = 1")
	alter(t, path, "UPDATE entries SET payload = 'another' WHERE seq = 2")
	retry := outbox.Settlement{State: outbox.Waiting, At: now, DueAt: now}
	if err := store.Settle(t.Context(), taken[0].ID, retry); !errors.Is(err, outbox.ErrNotFound) {
		t.Errorf("settling a removed entry: error %v, want one wrapping ErrNotFound", err)
	}
	must(t, store.Settle(t.Context(), taken[1].ID, retry))
	if again, err := store.Take(t.Context(), "default", now, now, 2, nil); err != nil || len(again) != 0 {
		t.Errorf("%d entries taken again, error %v, want none", len(again), err)
	}
}

// Missing entries are logged once, with their number.
func TestMissingEntries(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 20)
	erased := listAll(t, store)[0]
	must(t, errors.Join(store.Erase(t.Context(), erased.ID), store.Close()))
	alter(t, path, "DELETE FROM entries WHERE seq IN (SELECT seq FROM entries ORDER BY seq LIMIT 2 OFFSET 4)")
	store, log := openObserved(t, path)
	if gone := log.FilterField(zap.Int64("entries", 2)); gone.Len() != 1 || log.Len() != 1 {
		t.Errorf("log %v, want two missing entries", log.All())
	}
	mustAppend(t, store)
	must(t, store.Close())
	if _, log = openObserved(t, path); log.Len() != 0 {
		t.Errorf("missing entries are logged again: %v", log.All())
	}
}

// If a process crashes and its log is removed, the lost entries are logged with their number. The
// other entries become ambiguous.
func TestLogRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, crashed := filepath.Join(dir, "outbox.db"), filepath.Join(dir, "crashed.db")
	store := openAt(t, path)
	mustAppend(t, store)
	must(t, store.Close())
	store = openAt(t, path)
	appendMany(t, store, 7)
	must(t, copyDatabase(path, crashed))
	must(t, os.Remove(crashed+"-wal"))
	store, log := openObserved(t, crashed)
	if gone := log.FilterField(zap.Int64("entries", 7)).FilterLevelExact(zapcore.ErrorLevel); gone.Len() != 1 || log.Len() != 1 {
		t.Errorf("log %v, want seven missing entries", log.All())
	}
	for _, e := range listAll(t, store) {
		if e.AmbiguousSince.IsZero() {
			t.Error("an entry that may have been delivered is not ambiguous")
		}
	}
	must(t, store.Close())
	if _, log = openObserved(t, crashed); log.Len() != 0 {
		t.Errorf("the lost entries are logged again: %v", log.All())
	}
}

// The log reports the lost entries if the file is removed. The store does not treat this as a first
// start.
func TestFileRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 7)
	must(t, store.Close())
	must(t, os.Remove(path))
	store, log := openObserved(t, path)
	if log.FilterField(zap.Int64("entries", 7)).Len() != 1 || log.Len() != 1 {
		t.Errorf("log %v, want seven missing entries", log.All())
	}
	mustAppend(t, store)
}

// Erased values disappear from the file and its log.
func TestEraseOverwritesValues(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 50)
	e := newEntry()
	e.Identifier, e.Payload = "12015550123", []byte(strings.Repeat("a value to be erased", 500))
	must(t, store.Append(t.Context(), e))
	appendMany(t, store, 50)
	if !inFiles(t, path, e.Identifier) || !inFiles(t, path, "a value to be erased") {
		t.Fatal("the values are not in the files before they are erased")
	}
	must(t, store.Erase(t.Context(), e.ID))
	deadline := time.Now().Add(time.Minute)
	for inFiles(t, path, e.Identifier) || inFiles(t, path, "value to be erased") {
		if time.Now().After(deadline) {
			t.Fatal("the erased values are still in the files")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func inFiles(t *testing.T, path, value string) bool {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(value)) {
			return true
		}
	}
	return false
}

// A method whose context ends returns the result of an operation that has started. An operation
// that is still waiting is canceled.
func TestStartedOperationIsNotCanceled(t *testing.T) {
	t.Parallel()
	store := openAt(t, filepath.Join(t.TempDir(), "outbox.db"))
	mustAppend(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	now := time.Now()
	late := make(chan error)
	taken, err := store.Take(ctx, "default", now, now, 1, func(string) bool {
		// Cancel an append that is still waiting.
		waiting, giveUp := context.WithCancel(context.Background())
		go func() {
			giveUp()
			late <- store.Append(waiting, newEntry())
		}()
		if err := <-late; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting append: error %v, want context.Canceled", err)
		}
		cancel()
		return false
	})
	if err != nil || len(taken) != 1 {
		t.Errorf("%d entries taken, error %v, want 1 entry and no error", len(taken), err)
	}
	if n := len(listAll(t, store)); n != 1 {
		t.Errorf("%d entries, want 1: the canceled append was stored", n)
	}
}
