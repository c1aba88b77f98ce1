package sqlstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// A damaged entry is still damaged after another store has adopted it, and replaces no intact one.
func TestAdoptDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := filepath.Join(dir, "from.db")
	first, altered, intact := openAt(t, from), newEntry(), newEntry()
	must(t, errors.Join(first.Append(t.Context(), altered), first.Append(t.Context(), intact), first.Close()))
	alter(t, from, "UPDATE entries SET payload = ?", []byte("another"))

	first, second := openAt(t, from), openAt(t, filepath.Join(dir, "to.db"))
	must(t, second.Append(t.Context(), intact))
	entries, err := first.List(t.Context(), outbox.Filter{})
	must(t, err)
	must(t, second.Adopt(t.Context(), []outbox.Adoption{{Entry: entries[0]}, {Entry: entries[1]}}))
	must(t, second.Close())
	second = openAt(t, filepath.Join(dir, "to.db"))
	now := time.Now()
	taken, err := second.Take(t.Context(), "default", now, now, 10, nil)
	must(t, err)
	if len(taken) != 1 || taken[0].ID != intact.ID || string(taken[0].Payload) != string(payload) {
		t.Errorf("%d entries were taken, want only the intact one: %+v", len(taken), taken)
	}
	got, err := second.Get(t.Context(), altered.ID)
	must(t, err)
	if got.State != outbox.Parked || !strings.Contains(got.Reason, "damaged") {
		t.Errorf("the altered entry is %s with reason %q, want parked as damaged", got.State, got.Reason)
	}
	if n, err := second.Expire(t.Context(), outbox.Parked, now.Add(time.Hour), 10); err != nil || n != 1 {
		t.Errorf("%d damaged entries expired, error %v; want 1", n, err)
	}
	// The intact version in the first store replaces a damaged one.
	must(t, errors.Join(first.Erase(t.Context(), altered.ID), second.Adopt(t.Context(), []outbox.Adoption{{Entry: altered}})))
	must(t, first.Adopt(t.Context(), []outbox.Adoption{{Entry: intact}}))
	got, err = first.Get(t.Context(), intact.ID)
	must(t, err)
	if got.State != outbox.Waiting || string(got.Payload) != string(payload) {
		t.Errorf("the intact version did not replace the damaged one: %+v", got)
	}
}

// Remove leaves no file, and a process that waited for the removed lock file gets a new one.
func TestRemove(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	mustAppend(t, store)
	opened := make(chan error, 1)
	go func() {
		next, err := open(path, sqlstore.Options{LockTimeout: time.Minute})
		if err == nil {
			if _, statErr := os.Stat(path + ".lock"); statErr != nil {
				err = statErr
			}
			err = errors.Join(err, next.Remove())
		}
		opened <- err
	}()
	must(t, store.Remove())
	must(t, <-opened)
	wantFiles(t, filepath.Dir(path))
}
