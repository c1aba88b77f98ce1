package sqlstore_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// What waits in an outbox is counted without opening it, and only while nobody uses it.
func TestCountWaiting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "outbox.db")
	wantError := func(want error) {
		t.Helper()
		if n, err := sqlstore.CountWaiting(t.Context(), path); !errors.Is(err, want) {
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
	if n, err := sqlstore.CountWaiting(t.Context(), path); n != 3 || err != nil {
		t.Errorf("%d entries, error %v, want 3", n, err)
	}
	if after := content(t, filepath.Dir(path)); !maps.Equal(before, after) {
		t.Error("the files have changed")
	}
	must(t, os.WriteFile(path, []byte("not an outbox, but a text that is longer than SQLite's header: "+path), 0o600))
	if n, err := sqlstore.CountWaiting(t.Context(), path); err == nil {
		t.Errorf("%d entries in a file that is not an outbox", n)
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
