package outboxes_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
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
	forget(t)
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
		outboxes.FindLeft(t.Context(), "", zap.New(core))
		if n := log.FilterMessageSnippet("cannot be read").Len(); n != 1 {
			t.Errorf("log %v", log.All())
		}
		left := dispatch.LeftOutboxes()
		if len(left) != 2 || left[0].Resource != broken || left[0].Waiting != 2 || len(left[0].Spools) != 1 ||
			left[1].Resource != full || left[1].Waiting != 3 || len(left[1].Spools) != 0 {
			t.Errorf("left %+v", left)
		}
	}
	if n := notes(t); n != 3 {
		t.Errorf("%d notes, want all but that of the empty outbox", n)
	}
	// Its leads are moved to another outbox.
	must(t, os.Remove(full))
	outboxes.FindLeft(t.Context(), "", zap.NewNop())
	if left := dispatch.LeftOutboxes(); len(left) != 1 || left[0].Resource != broken {
		t.Errorf("left %+v", left)
	}
}

// unread is an outbox of an earlier config that cannot say what waits in it.
type unread struct{ outboxes.SQLite }

func (u *unread) Open(logger *zap.Logger) (outbox.Store, error) {
	store, err := u.SQLite.Open(logger)
	return countless{store}, err
}

type countless struct{ outbox.Store }

func (countless) Counts(context.Context) ([]outbox.Count, error) {
	return nil, errors.New("the disk hangs")
}

// An outbox of the config before is looked at when it has been closed. That of the config itself is not.
func TestLeftOutboxIsStillOpen(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	forget(t)
	before, own := filepath.Join(t.TempDir(), "before.db"), filepath.Join(t.TempDir(), "own.db")
	use(t, before, 2)
	use(t, own, 3)
	old, err := dispatch.Open(before, &unread{outboxes.SQLite{File: before}}, zap.NewNop())
	must(t, err)
	running, err := dispatch.Open(own, &outboxes.SQLite{File: own}, zap.NewNop())
	must(t, err)
	closing, closed := make(chan struct{}), make(chan error)
	go func() {
		<-closing
		closed <- old.Close()
	}()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			outboxes.FindLeft(t.Context(), own, zap.NewNop())
		}()
		time.Sleep(time.Minute)
		close(closing)
		must(t, <-closed)
		<-ended
	})
	if left := dispatch.LeftOutboxes(); len(left) != 1 || left[0].Resource != before || left[0].Waiting != 2 {
		t.Errorf("left %+v, want the outbox of the config before", left)
	}
	must(t, running.Close())
}

// forget takes all outboxes out of the list when the test ends.
func forget(t *testing.T) {
	t.Cleanup(func() {
		for _, l := range dispatch.LeftOutboxes() {
			dispatch.ReportLeft(adminapi.Left{Resource: l.Resource}, zap.NewNop())
		}
	})
}

// notes counts the notes of outboxes.
func notes(t *testing.T) int {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(os.Getenv("XDG_DATA_HOME"), "caddy", "telecrm", "outboxes", "*"))
	must(t, err)
	return len(all)
}

// An outbox whose disk is away is found when the disk is back. One that cannot be read any more stays in
// the list.
func TestLeftOutboxIsAway(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	forget(t)
	disk := filepath.Join(t.TempDir(), "disk")
	file := filepath.Join(disk, "outbox.db")
	use(t, file, 3)
	must(t, os.Rename(disk, disk+"-away"))
	outboxes.FindLeft(t.Context(), "", zap.NewNop())
	if left := dispatch.LeftOutboxes(); len(left) != 0 {
		t.Errorf("left %+v while the disk is away", left)
	}
	must(t, os.Rename(disk+"-away", disk))
	wantFound := func() {
		t.Helper()
		outboxes.FindLeft(t.Context(), "", zap.NewNop())
		if left := dispatch.LeftOutboxes(); len(left) != 1 || left[0].Resource != file || left[0].Waiting != 3 {
			t.Errorf("left %+v", left)
		}
	}
	wantFound()
	must(t, os.WriteFile(file, []byte(strings.Repeat("not an outbox ", 20)), 0o600))
	wantFound()
}

// An outbox that another process uses is looked at again until that process has closed it. Others are
// not looked at again, and an error of theirs is logged once.
func TestLeftOutboxIsUsed(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	forget(t)
	used, broken := filepath.Join(t.TempDir(), "used.db"), filepath.Join(t.TempDir(), "broken.db")
	use(t, broken, 0)
	must(t, os.WriteFile(broken, []byte(strings.Repeat("not an outbox ", 20)), 0o600))
	use(t, used, 2)
	other, err := (&outboxes.SQLite{File: used}).Open(zap.NewNop())
	must(t, err)
	synctest.Test(t, func(t *testing.T) {
		core, log := observer.New(zapcore.WarnLevel)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			outboxes.FindLeft(t.Context(), "", zap.New(core))
		}()
		time.Sleep(time.Hour)
		if left := dispatch.LeftOutboxes(); len(left) != 0 {
			t.Errorf("left %+v while another process uses it", left)
		}
		must(t, other.Close())
		<-ended
		if n := log.FilterMessageSnippet("cannot be read").Len(); n != 1 {
			t.Errorf("%d warnings of the outbox that cannot be read, want 1", n)
		}
	})
	if left := dispatch.LeftOutboxes(); len(left) != 1 || left[0].Resource != used || left[0].Waiting != 2 {
		t.Errorf("left %+v", left)
	}
}

// An outbox that a config opens while it is looked at is not reported, and is remembered for later
// processes.
func TestLeftOutboxIsOpened(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	forget(t)
	file := filepath.Join(t.TempDir(), "outbox.db")
	for i := range 40 {
		use(t, file, 0)
		ctx, cancel := context.WithCancel(t.Context())
		var looking sync.WaitGroup
		looking.Go(func() { outboxes.FindLeft(ctx, "", zap.NewNop()) })
		for range 10 * i {
			runtime.Gosched() // so that it is about to read the outbox, or has read it
		}
		d, err := dispatch.Open(file, &outboxes.SQLite{File: file}, zap.NewNop())
		must(t, err)
		cancel()
		looking.Wait()
		if n := notes(t); n != 1 {
			t.Errorf("%d notes of an outbox that is in use, want 1", n)
		}
		must(t, d.Close())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
