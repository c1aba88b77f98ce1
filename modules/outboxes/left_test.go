package outboxes_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// use opens an outbox, as a config does, and leaves entries in it.
func use(t *testing.T, file string, entries int) {
	t.Helper()
	store, err := (&outboxes.SQLite{File: file}).Open(zap.NewNop())
	must(t, err)
	for range entries {
		must(t, store.Append(t.Context(), outbox.Entry{
			ID: uuid.Must(uuid.NewV7()).String(), Account: "default", Form: "/enquire", Payload: []byte("{}"),
			CreatedAt: time.Now(), DueAt: time.Now(),
		}))
	}
	must(t, store.Close())
}

// Outboxes of earlier processes are looked at until nothing waits in them. One that cannot be read is
// not taken for an empty one.
func TestFindLeft(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	dir := t.TempDir()
	full, empty, gone, broken := filepath.Join(dir, "full.db"), filepath.Join(dir, "empty.db"), filepath.Join(dir, "gone.db"), filepath.Join(dir, "broken.db")
	use(t, full, 3)
	use(t, empty, 0)
	use(t, gone, 1)
	must(t, os.Remove(gone))
	must(t, os.WriteFile(broken, []byte(strings.Repeat("not an outbox ", 20)), 0o600))
	use(t, broken, 2) // in a spool
	for range 2 {
		core, log := observer.New(zapcore.WarnLevel)
		outboxes.FindLeft(t.Context(), zap.New(core))
		if n := log.FilterMessageSnippet("cannot be read").Len(); n != 1 {
			t.Errorf("log %v", log.All())
		}
		left := dispatch.LeftOutboxes()
		if len(left) != 2 || left[0].Resource != broken || left[0].Waiting != 2 || len(left[0].Spools) != 1 ||
			left[1].Resource != full || left[1].Waiting != 3 || len(left[1].Spools) != 0 {
			t.Errorf("left %+v", left)
		}
	}
	if notes, err := filepath.Glob(filepath.Join(os.Getenv("XDG_DATA_HOME"), "caddy", "telecrm", "outboxes", "*")); err != nil || len(notes) != 2 {
		t.Errorf("notes %v, error %v, want two", notes, err)
	}
	// Its leads are moved to another outbox.
	must(t, os.Remove(full))
	outboxes.FindLeft(t.Context(), zap.NewNop())
	if left := dispatch.LeftOutboxes(); len(left) != 1 || left[0].Resource != broken {
		t.Errorf("left %+v", left)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
