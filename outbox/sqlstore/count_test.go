package sqlstore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// What is in an outbox is counted without opening it, and only while nobody uses it.
func TestCountClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "outbox.db")
	wantError := func(want error) {
		t.Helper()
		if n, _, err := sqlstore.CountClosed(t.Context(), path); !errors.Is(err, want) {
			t.Errorf("%d entries, error %v, want %v", n, err, want)
		}
	}
	wantError(fs.ErrNotExist)
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of an outbox that does not exist: %v", err)
	}
	store := openAt(t, path)
	appendMany(t, store, 4)
	now := time.Now()
	taken, err := store.Take(t.Context(), "default", now, now, 2, nil)
	must(t, err)
	must(t, store.Settle(t.Context(), taken[0].ID, outbox.Settlement{State: outbox.Delivered, At: now, LeadID: "lead"}))
	wantError(outbox.ErrInUse)
	must(t, store.Close())
	must(t, os.Remove(path+".lock"))
	before := content(t, filepath.Dir(path))
	if n, waiting, err := sqlstore.CountClosed(t.Context(), path); n != 4 || waiting != 3 || err != nil {
		t.Errorf("%d entries, %d waiting, error %v, want 4 and 3", n, waiting, err)
	}
	if after := content(t, filepath.Dir(path)); !maps.Equal(before, after) {
		t.Error("the files have changed")
	}
	must(t, os.WriteFile(path, []byte("not an outbox, but a text that is longer than SQLite's header: "+path), 0o600))
	if n, _, err := sqlstore.CountClosed(t.Context(), path); err == nil {
		t.Errorf("%d entries in a file that is not an outbox", n)
	}
}

// Counting does not change the files of a killed process, so the next process can still carry over the
// entries behind damage. It returns an error if opening would repair the outbox first.
func TestCountClosedAfterKill(t *testing.T) {
	t.Parallel()
	const entries = 20
	for name, c := range map[string]struct {
		harm func(*testing.T, string)
		kept int // at least
		err  bool
	}{
		"nothing": {func(*testing.T, string) {}, entries, false},
		"a flipped bit in the log": {func(t *testing.T, path string) {
			log, err := os.ReadFile(path + "-wal")
			must(t, err)
			log[len(log)/2] ^= 1
			must(t, os.WriteFile(path+"-wal", log, 0o600))
		}, entries - 1, true},
		"an empty file":  {func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, entries, true},
		"a missing file": {func(t *testing.T, path string) { must(t, os.Remove(path)) }, entries, true},
		"an interrupted replacement": {func(t *testing.T, path string) {
			store := openAt(t, path)
			must(t, errors.Join(store.Close(), os.Rename(path, path+".restore")))
		}, entries, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killed, path := filepath.Join(t.TempDir(), "outbox.db"), filepath.Join(t.TempDir(), "outbox.db")
			store := openAt(t, killed)
			for range entries {
				mustAppend(t, store)
			}
			must(t, copyDatabase(killed, path))
			c.harm(t, path)
			before := content(t, filepath.Dir(path))
			n, _, err := sqlstore.CountClosed(t.Context(), path)
			if c.err && (err == nil || errors.Is(err, fs.ErrNotExist)) || !c.err && (n != entries || err != nil) {
				t.Errorf("%d entries, error %v", n, err)
			}
			after := content(t, filepath.Dir(path))
			delete(after, path+"-shm")
			if !maps.Equal(before, after) {
				t.Error("the files have changed")
			}
			store = openAt(t, path)
			if n := len(listAll(t, store)); n < c.kept {
				t.Errorf("%d of %d entries are kept, want at least %d", n, entries, c.kept)
			}
		})
	}
}

// A flipped bit anywhere in the log of a killed process prevents neither counting nor opening, also if
// the log has leads that are longer than a page.
func TestDamagedLogWithLongEntries(t *testing.T) {
	t.Parallel()
	const entries = 5
	dir := t.TempDir()
	running, killed := filepath.Join(dir, "running.db"), filepath.Join(dir, "killed.db")
	store := openAt(t, running)
	for range entries {
		mustAppendSized(t, store, 10_000)
	}
	for range entries {
		now := time.Now()
		_, err := store.Take(t.Context(), "default", now, now, 1, nil)
		must(t, err)
	}
	must(t, copyDatabase(running, killed))
	log, err := os.ReadFile(killed + "-wal")
	must(t, err)
	const frame = 24 + pageSize
	for at := 100; at < len(log); at += 3 * frame {
		path := filepath.Join(dir, fmt.Sprintf("flipped-%d.db", at))
		must(t, copyDatabase(killed, path))
		harmed := slices.Clone(log)
		harmed[at] ^= 1
		must(t, os.WriteFile(path+"-wal", harmed, 0o600))
		_, _, _ = sqlstore.CountClosed(t.Context(), path)
		store, err := open(path, sqlstore.Options{})
		must(t, err)
		if n := len(listAll(t, store)); n < entries-1 {
			t.Errorf("byte %d: %d of %d entries are kept", at, n, entries)
		}
		must(t, store.Close())
	}
}

// content returns the files of a folder with what is in them.
func content(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	must(t, err)
	all := make(map[string]string)
	for _, file := range files {
		b, err := os.ReadFile(file)
		must(t, err)
		all[file] = string(b)
	}
	return all
}
