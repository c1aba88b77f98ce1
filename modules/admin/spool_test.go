package admin

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// While the outbox cannot be used, the status says why and where leads are, a check covers the spool
// and says that the outbox is not checked, a backup is refused, and leads can be listed and erased.
// When the outbox is back, a backup contains everything.
func TestOutboxWithSpool(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "outbox.db")
	must(t, os.WriteFile(file, []byte(strings.Repeat("This is a letter. ", 100)), 0o600))
	d := openFor(t, &outboxes.SQLite{File: file})
	kept, erased := keep(t, d), keep(t, d)

	status, err := statusOf(t.Context(), []*dispatch.Dispatcher{d})
	must(t, err)
	one := status.Outboxes[0]
	if one.Spool == nil || one.Spool.Leads != 2 || one.Spool.Since.IsZero() || len(one.Spool.Files) != 1 || !strings.HasPrefix(one.Spool.Files[0], file+".spool-") {
		t.Fatalf("the spool is %+v", one.Spool)
	}
	for _, words := range []string{"not an outbox", "move it away", one.Spool.Files[0], "2 so far"} {
		if !strings.Contains(one.Trouble, words) {
			t.Errorf("the trouble %q does not say %q", one.Trouble, words)
		}
	}
	if n := one.Accounts[0].Waiting; n != 2 {
		t.Errorf("%d leads are waiting, want 2", n)
	}
	checked, err := checkOutbox(t.Context(), d)
	must(t, err)
	if len(checked) != 2 || !strings.Contains(checked[0].Unchecked, "not an outbox") || checked[1].Entries != 2 || checked[1].Resource != one.Spool.Files[0] {
		t.Errorf("checked %+v", checked)
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if _, err := backUp(t.Context(), d, copied); err == nil || !strings.Contains(err.Error(), "not an outbox") {
		t.Errorf("backing up: error %v", err)
	}
	if leads, err := listLeads(t.Context(), []*dispatch.Dispatcher{d}, outbox.Filter{Limit: 10}); err != nil || len(leads) != 2 {
		t.Errorf("%d leads are listed, error %v", len(leads), err)
	}
	must(t, d.Store.Erase(t.Context(), erased))
	err = outboxFailed(d.Store.Erase(t.Context(), erased), erased)
	if !strings.Contains(err.Error(), "may be in the outbox") {
		t.Errorf("a lead that may be in the outbox: %v", err)
	}
	if _, err := findIn(t.Context(), []*dispatch.Dispatcher{d}, erased); err == nil || !strings.Contains(err.Error(), "may be in the outbox") {
		t.Errorf("finding a lead that may be in the outbox: %v", err)
	}
	if note := noteOnOutbox([]*dispatch.Dispatcher{d}); !strings.Contains(note, "only leads in its spool are listed") {
		t.Errorf("the note of a list is %q", note)
	}

	must(t, os.Remove(file))
	await(t, func() bool {
		status, err = statusOf(context.Background(), []*dispatch.Dispatcher{d})
		return err == nil && status.Outboxes[0].Trouble == "" && status.Outboxes[0].Spool == nil
	})
	written, err := backUp(t.Context(), d, copied)
	must(t, err)
	if len(written.Files) != 1 || written.Files[0] != copied {
		t.Errorf("files of the backup: %v", written.Files)
	}
	wantLead(t, copied, kept)
}

// A backup while leads are still in a spool is restored with its spools.
func TestBackupWithSpool(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "outbox.db")
	first, err := sqlstore.Open(t.Context(), file, sqlstore.Options{})
	must(t, err)
	d := openFor(t, &outboxes.SQLite{File: file})
	id := keep(t, d)
	now := time.Now()
	_, err = d.Store.Take(t.Context(), "default", now, now, 1, nil) // so that it stays in the spool
	must(t, err)
	must(t, first.Close())
	await(t, func() bool { store, _ := d.Spooling(); return store.Status().Trouble == nil })

	copied := filepath.Join(t.TempDir(), "outbox.db")
	written, err := backUp(t.Context(), d, copied)
	must(t, err)
	if len(written.Files) != 2 || !strings.HasPrefix(written.Files[1], copied+".spool-") {
		t.Fatalf("files of the backup: %v", written.Files)
	}
	restored := openFor(t, &outboxes.SQLite{File: copied})
	await(t, func() bool { store, _ := restored.Spooling(); return len(store.Status().Spools) == 0 })
	if e, err := restored.Store.Get(t.Context(), id); err != nil || e.AmbiguousSince.IsZero() {
		t.Errorf("the lead of the spool is %+v, error %v", e, err)
	}
}

func openFor(t *testing.T, guest *outboxes.SQLite) *dispatch.Dispatcher {
	t.Helper()
	d, err := dispatch.Open(guest.File, guest, zap.NewNop())
	must(t, err)
	d.Adopt(guest, dispatch.Config{
		Delivery: delivery.Config{Logger: zap.NewNop()},
		Heir:     func(string) (delivery.Account, bool) { return delivery.Account{}, false },
	})
	t.Cleanup(func() {
		d.Release(guest)
		must(t, d.Close())
	})
	return d
}

func keep(t *testing.T, d *dispatch.Dispatcher) (id string) {
	t.Helper()
	now := time.Now()
	id = uuid.Must(uuid.NewV7()).String()
	must(t, d.Store.Append(t.Context(), outbox.Entry{ID: id, Account: "default", Payload: []byte("{}"), CreatedAt: now, DueAt: now}))
	return id
}

func wantLead(t *testing.T, file, id string) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), file, sqlstore.Options{})
	must(t, err)
	defer store.Close()
	_, err = store.Get(t.Context(), id)
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it has not happened after a minute")
		}
	}
}
