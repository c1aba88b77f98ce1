//go:build unix

package sqlstore_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// Files of an open outbox are damaged, removed or replaced. Each method must work afterwards.
func TestDamagedWhileOpen(t *testing.T) {
	t.Parallel()
	asks := map[string]func(*testing.T, *sqlstore.Store) error{
		"Append": func(t *testing.T, s *sqlstore.Store) error { return s.Append(t.Context(), newEntry()) },
		"Take": func(t *testing.T, s *sqlstore.Store) error {
			_, err := s.Take(t.Context(), "default", farFuture, time.Now(), 5, nil)
			return err
		},
		"List": func(t *testing.T, s *sqlstore.Store) error {
			_, err := s.List(t.Context(), outbox.Filter{})
			return err
		},
		"NextDue": func(t *testing.T, s *sqlstore.Store) error {
			_, _, err := s.NextDue(t.Context(), "default")
			return err
		},
		"Counts":  func(t *testing.T, s *sqlstore.Store) error { _, err := s.Counts(t.Context()); return err },
		"Compact": func(t *testing.T, s *sqlstore.Store) error { return s.Compact(t.Context()) },
		"Close":   func(_ *testing.T, s *sqlstore.Store) error { return s.Close() },
	}
	harms := map[string]struct {
		do   func(*testing.T, string)
		keep bool // all entries must be kept
	}{
		"truncated to nothing":    {func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, false},
		"truncated to a page":     {func(t *testing.T, path string) { must(t, os.Truncate(path, 4096)) }, false},
		"truncated in the middle": {func(t *testing.T, path string) { must(t, os.Truncate(path, 50_000)) }, false},
		"overwritten":             {scribble, false},
		"removed":                 {func(t *testing.T, path string) { must(t, os.Remove(path)) }, true},
		"replaced": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".other", []byte("another"), 0o600))
			must(t, os.Rename(path+".other", path))
		}, true},
		"log removed": {func(t *testing.T, path string) { must(t, os.Remove(path+"-wal")) }, true},
		"log replaced": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".other", []byte("another"), 0o600))
			must(t, os.Rename(path+".other", path+"-wal"))
		}, true},
		"log truncated": {func(t *testing.T, path string) { must(t, os.Truncate(path+"-wal", 100)) }, false},
		"both removed": {func(t *testing.T, path string) {
			must(t, errors.Join(os.Remove(path), os.Remove(path+"-wal")))
		}, true},
		"folder removed": {func(t *testing.T, path string) { must(t, os.RemoveAll(filepath.Dir(path))) }, true},
	}
	for harmName, harm := range harms {
		for askName, ask := range asks {
			t.Run(harmName+"/"+askName, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "telecrm", "outbox.db")
				store, log := openObserved(t, path)
				appendMany(t, store, 150)
				must(t, store.Checkpoint())
				appendMany(t, store, 50)
				before := listAll(t, store)
				harm.do(t, path)
				must(t, ask(t, store))
				if askName != "Close" {
					must(t, store.Append(t.Context(), newEntry()))
				}
				must(t, store.Close())
				// SQLite does not read cached pages again until the next start.
				store, later := openObserved(t, path)
				after := dump(t, store)
				if askName != "Close" && len(after) == 0 {
					t.Error("the entry appended after the damage is lost")
				}
				lost := 0
				for _, e := range before {
					if _, there := after[e.ID]; !there {
						lost++
					}
				}
				if harm.keep && lost > 0 {
					t.Errorf("%d of %d entries are lost", lost, len(before))
				}
				logged := log.FilterLevelExact(zapcore.ErrorLevel).Len() + later.FilterLevelExact(zapcore.ErrorLevel).Len()
				// A log that is in the file already can be truncated without harm.
				if harmless := harmName == "log truncated" && lost == 0; logged == 0 && askName != "Close" && !harmless {
					t.Error("no error was logged")
				}
			})
		}
	}
}

func scribble(t *testing.T, path string) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	defer file.Close()
	info, err := file.Stat()
	must(t, err)
	noise := make([]byte, info.Size())
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	_, err = file.WriteAt(noise, 0)
	must(t, err)
}

// If the file is found damaged while attempts are in flight, this process does not take their
// entries again, and can settle them.
func TestTakenStaysTaken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store, _ := openObserved(t, path)
	appendMany(t, store, 20)
	taken, err := store.Take(t.Context(), "default", farFuture, time.Now(), 10, nil)
	must(t, err)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteAt(make([]byte, 2*4096), 0) // the first two pages
	must(t, errors.Join(err, file.Close()))

	rest, err := store.Take(t.Context(), "default", farFuture, time.Now(), 100, nil)
	must(t, err)
	if len(rest) != 10 {
		t.Errorf("%d entries taken, want the 10 that were not taken before", len(rest))
	}
	for _, e := range taken {
		must(t, store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now()}))
	}
}

// The folder and the lock are removed, and another process creates its own. The first store then
// refuses changes until the other process has closed the outbox.
func TestLostLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "telecrm", "outbox.db")
	store, _ := openObserved(t, path)
	must(t, os.RemoveAll(filepath.Dir(path)))
	other := startChild(t, "hold", path)
	if !other.lines.Scan() {
		t.Fatal("the other process did not open the outbox")
	}
	if err := store.Append(t.Context(), newEntry()); !errors.Is(err, outbox.ErrInUse) {
		t.Errorf("error %v, want one wrapping ErrInUse", err)
	}
	other.stop()
	must(t, other.Wait())
	must(t, store.Append(t.Context(), newEntry()))
}

// Readers that open the file after it was replaced do not find an outbox. That must not make the
// store give up what its open connections still have.
func TestReplacedWhileMany(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store, _ := openObserved(t, path)
	appendMany(t, store, 300)
	must(t, store.Checkpoint())
	before := listAll(t, store)
	for range 5 {
		must(t, os.WriteFile(path+".other", []byte("This is not an outbox. It never was."), 0o600))
		must(t, os.Rename(path+".other", path))
		var readers sync.WaitGroup
		for range 16 {
			readers.Go(func() {
				if _, err := store.List(t.Context(), outbox.Filter{}); err != nil {
					t.Error(err)
				}
			})
		}
		must(t, store.Append(t.Context(), newEntry()))
		readers.Wait()
	}
	after := dump(t, store)
	for _, e := range before {
		if _, there := after[e.ID]; !there {
			t.Fatalf("%d entries are left, want all %d and 5 more", len(after), len(before))
		}
	}
}
