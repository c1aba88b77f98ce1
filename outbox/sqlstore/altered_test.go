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

// openObserved opens an outbox whose log can be read.
func openObserved(t *testing.T, path string) (*sqlstore.Store, *observer.ObservedLogs) {
	t.Helper()
	core, log := observer.New(zap.WarnLevel)
	store, err := open(path, sqlstore.Options{Logger: zap.New(core)})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store, log
}

// alter runs a statement on the file of a store that is closed.
func alter(t *testing.T, path, statement string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), statement, args...)
	must(t, errors.Join(err, db.Close()))
}

// TestAltered: an entry that is not what was written, in whatever part that is delivered, is not
// handed out, and is named.
func TestAltered(t *testing.T) {
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
				t.Errorf("%d entries taken, want the one that was not altered", len(taken))
			}
			got, err := store.Get(t.Context(), altered.ID)
			must(t, err)
			if got.State != outbox.Parked || !strings.Contains(got.Reason, "damaged") {
				t.Errorf("it is %s because of %q", got.State, got.Reason)
			}
			if err := store.Retry(t.Context(), altered.ID, now); !errors.Is(err, outbox.ErrState) {
				t.Errorf("retrying it: error %v, want one wrapping ErrState", err)
			}
			if named := log.FilterField(zap.String("id", altered.ID)); named.Len() != 1 {
				t.Errorf("it was named %d times, want once: %v", named.Len(), log.All())
			}
			must(t, store.Close())
			store, log = openObserved(t, path)
			parked, err := store.List(t.Context(), outbox.Filter{State: outbox.Parked})
			must(t, err)
			if len(parked) != 1 || log.Len() != 0 {
				t.Errorf("after reopening %d are parked, and the log says %v", len(parked), log.All())
			}
			must(t, store.Erase(t.Context(), altered.ID))
		})
	}
}

// TestGone: entries that were not removed, and are not there, are counted.
func TestGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 20)
	erased := listAll(t, store)[0]
	must(t, errors.Join(store.Erase(t.Context(), erased.ID), store.Close()))
	alter(t, path, "DELETE FROM entries WHERE seq IN (5, 20)")
	store, log := openObserved(t, path)
	if gone := log.FilterField(zap.Int64("entries", 2)); gone.Len() != 1 || log.Len() != 1 {
		t.Errorf("the log says %v, want that two entries are gone", log.All())
	}
	mustAppend(t, store)
	must(t, store.Close())
	if _, log = openObserved(t, path); log.Len() != 0 {
		t.Errorf("they are gone again: %v", log.All())
	}
}

// TestLogRemoved: commits that were acknowledged, and are gone with the log of a process that died,
// are counted; the rest may have been delivered.
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
		t.Errorf("the log says %v, want that seven entries are gone", log.All())
	}
	for _, e := range listAll(t, store) {
		if e.AmbiguousSince.IsZero() {
			t.Error("an entry that may have been delivered does not say so")
		}
	}
	must(t, store.Close())
	if _, log = openObserved(t, crashed); log.Len() != 0 {
		t.Errorf("it is said again: %v", log.All())
	}
}

// TestFileRemoved: a file that is gone is not taken for a first start.
func TestFileRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 7)
	must(t, store.Close())
	must(t, os.Remove(path))
	store, log := openObserved(t, path)
	if log.FilterField(zap.Int64("entries", 7)).Len() != 1 || log.Len() != 1 {
		t.Errorf("the log says %v, want that seven entries are gone", log.All())
	}
	mustAppend(t, store)
}

// TestErasedIsGone: the values of what was erased are in none of the files.
func TestErasedIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 50)
	e := newEntry()
	e.Identifier, e.Payload = "12015550123", []byte(strings.Repeat("a value to be erased", 500))
	must(t, store.Append(t.Context(), e))
	appendMany(t, store, 50)
	if !inFiles(t, path, e.Identifier) || !inFiles(t, path, "a value to be erased") {
		t.Fatal("the values are not in the files, before they are erased")
	}
	must(t, store.Erase(t.Context(), e.ID))
	deadline := time.Now().Add(20 * time.Second)
	for inFiles(t, path, e.Identifier) || inFiles(t, path, "value to be erased") {
		if time.Now().After(deadline) {
			t.Fatal("the values are in the files still")
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

// TestBegunIsNotCutShort: a method whose context ends says what became of what it had begun.
func TestBegunIsNotCutShort(t *testing.T) {
	t.Parallel()
	store := openAt(t, filepath.Join(t.TempDir(), "outbox.db"))
	mustAppend(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	now := time.Now()
	late := make(chan error)
	taken, err := store.Take(ctx, "default", now, now, 1, func(string) bool {
		// An append that waits for its turn is given up.
		waiting, giveUp := context.WithCancel(context.Background())
		go func() {
			giveUp()
			late <- store.Append(waiting, newEntry())
		}()
		if err := <-late; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v of one not begun, want that it was canceled", err)
		}
		cancel()
		return false
	})
	if err != nil || len(taken) != 1 {
		t.Errorf("%d entries taken, error %v, want the one that was begun with", len(taken), err)
	}
	if n := len(listAll(t, store)); n != 1 {
		t.Errorf("%d entries, want 1: what was given up is there", n)
	}
}
