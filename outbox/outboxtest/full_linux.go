package outboxtest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// RunOnFullDisk tests an implementation on a full disk. newBackend returns an empty backend that
// keeps everything in dir. The test must be allowed to mount a file system.
func RunOnFullDisk(t *testing.T, newBackend func(t *testing.T, dir string, now func() time.Time) Backend) {
	t.Helper()
	for name, filler := range map[string]string{"FilledByItself": "", "FilledByOthers": "filler"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := mountSmallDisk(t)
			f := newFixture(t, func(t *testing.T, now func() time.Time) Backend {
				t.Helper()
				return newBackend(t, dir, now)
			})
			for range 100 {
				f.append(t)
			}
			if filler != "" {
				filler = filepath.Join(dir, filler)
				fillDisk(t, filler)
			}
			testFull(t, f, func() { _ = os.Remove(filler) })
		})
	}
}

func mountSmallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

func fillDisk(t *testing.T, filler string) {
	t.Helper()
	file, err := os.Create(filler)
	must(t, err)
	defer func() { _ = file.Close() }()
	if _, err := io.Copy(file, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
}

// zeros reads zeros forever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// testFull appends until the store refuses. Everything else must go on working: entries can be
// delivered, also by the next process. Then the disk has room again.
func testFull(t *testing.T, f *fixture, free func()) {
	t.Helper()
	kept := 100
	for ; f.tryAppend(t) == nil; kept++ {
		continue
	}
	wantError(t, "appending on a full disk", f.tryAppend(t), outbox.ErrFull)
	wantError(t, "health on a full disk", f.store.Health(), outbox.ErrFull)
	f.drain(t, kept/2)
	f.reopen(t)
	f.drain(t, kept-kept/2)
	f.wantDue(t, time.Time{})

	free()
	deadline := time.Now().Add(20 * time.Second)
	for f.tryAppend(t) != nil {
		if time.Now().After(deadline) {
			t.Fatalf("%d entries were removed, but none is accepted", kept)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := f.store.Health(); err != nil {
		t.Errorf("health after the disk has room: %v", err)
	}
}

// tryAppend appends a large entry. It returns an error only if the disk is full.
func (f *fixture) tryAppend(t *testing.T) error {
	t.Helper()
	err := f.store.Append(t.Context(), outbox.Entry{
		ID: newID(), Account: "default", Identifier: newID(), Payload: make([]byte, 2000),
		CreatedAt: f.clock.now(), DueAt: f.clock.now(),
	})
	if err != nil && !errors.Is(err, outbox.ErrFull) {
		t.Fatalf("appending: %v", err)
	}
	return err
}

// drain delivers n entries in two steps each and removes them, as the engine does while the disk is
// full.
func (f *fixture) drain(t *testing.T, n int) {
	t.Helper()
	for n > 0 {
		taken := f.take(t, min(n, 50))
		if len(taken) == 0 {
			t.Fatalf("nothing is due, but %d entries are waiting", n)
		}
		n -= len(taken)
		f.clock.advance(time.Second)
		for _, e := range taken {
			must(t, f.store.Advance(t.Context(), e.ID, outbox.Progress{Step: "append", At: f.clock.now(), LeadID: newID()}))
			must(t, f.store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: f.clock.now(), LeadID: newID()}))
		}
		f.clock.advance(time.Second)
		_, err := f.store.Expire(t.Context(), outbox.Delivered, f.clock.now(), 1000)
		must(t, err)
	}
}
