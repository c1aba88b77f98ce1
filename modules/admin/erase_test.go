package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

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
