package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// While the outbox cannot be used, a person's leads in the spool are erased, and the answer says that
// those in the outbox are not.
func TestEraseWhileAway(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "outbox.db")
	must(t, os.WriteFile(file, []byte(strings.Repeat("This is a letter. ", 100)), 0o600))
	d := openFor(t, &outboxes.SQLite{File: file})
	const person = "918123456789"
	id := uuid.Must(uuid.NewV7()).String()
	must(t, d.Store.Append(t.Context(), outbox.Entry{ID: id, Account: "default", Identifier: person, Payload: []byte("{}"), CreatedAt: time.Now(), DueAt: time.Now()}))
	open := []*dispatch.Dispatcher{d}
	erased, err := erasePerson(t.Context(), open, []string{person}, "")
	if err == nil || !strings.Contains(err.Error(), "the leads in it are not erased") || erased.Erased != 1 {
		t.Errorf("erased %+v, error %v", erased, err)
	}
	must(t, os.Remove(file))
	await(t, func() bool {
		erased, err = erasePerson(t.Context(), open, []string{person}, "")
		return err == nil
	})
	if erased.Erased != 0 || erased.Note != "" {
		t.Errorf("erased %+v", erased)
	}
}

// The answer names the files on this machine that were not searched: an outbox that the config does
// not use any more, also if nothing waits in it, and copies that were set aside.
func TestEraseNamesWhatItDoesNotSearch(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	folder := t.TempDir()
	earlier, file := filepath.Join(folder, "earlier.db"), filepath.Join(folder, "outbox.db")
	const person = "918123456789"
	before, err := (&outboxes.SQLite{File: earlier}).Open(zap.NewNop())
	must(t, err)
	id := uuid.Must(uuid.NewV7()).String()
	must(t, before.Append(t.Context(), outbox.Entry{ID: id, Account: "default", Identifier: person, Payload: []byte("{}"), CreatedAt: time.Now(), DueAt: time.Now()}))
	_, err = before.Take(t.Context(), "default", time.Now(), time.Now(), 1, nil)
	must(t, err)
	must(t, before.Settle(t.Context(), id, outbox.Settlement{State: outbox.Parked, At: time.Now(), Reason: "x"}))
	must(t, before.Close())
	outboxes.FindLeft(t.Context(), "", zap.NewNop())

	d := openFor(t, &outboxes.SQLite{File: file})
	keep(t, d)
	copies := []string{file + ".damaged-20260102-030405", file + ".replaced-20260102-030405-2", file + ".spool-" + uuid.NewString() + ".damaged-20260102-030405"}
	for _, name := range append(copies, copies[0]+"-wal", filepath.Join(folder, "other.db.damaged-20260102-030405")) {
		must(t, os.WriteFile(name, nil, 0o600))
	}
	erased, err := erasePerson(t.Context(), []*dispatch.Dispatcher{d}, []string{person}, "")
	must(t, err)
	for _, name := range append(copies, earlier) {
		if strings.Count(erased.Note, name) != 1 {
			t.Errorf("the note does not name %s once:\n%s", name, erased.Note)
		}
	}
	for _, name := range []string{"-wal", "other.db", file + ","} {
		if strings.Contains(erased.Note, name) {
			t.Errorf("the note names %s:\n%s", name, erased.Note)
		}
	}
}
