//go:build linux

package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/bolt"
	"github.com/leadwire/caddy-telecrm/outbox/outboxtest"
)

func init() { roles["fill"] = fill }

// fill appends while its files may not grow, or not be written as far as they
// have grown, which fails where a full disk does; and again when they may.
func fill(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	store, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	for _, limit := range []uint64{100 << 10, 64 << 10, 8 << 10, 4 << 10, 1 << 20, 17 << 20} {
		if err := fillUpTo(store, limit); err != nil {
			return fmt.Errorf("with files limited to %d bytes: %w", limit, err)
		}
	}
	return nil
}

func fillUpTo(store *bolt.Store, limit uint64) error {
	if err := limitFiles(limit); err != nil {
		return err
	}
	accepted, refused := appendUntilFull(store)
	if len(refused) == 0 {
		return errors.New("nothing was refused")
	}
	if err := wantOnly(store, accepted, refused); err != nil {
		return fmt.Errorf("while full: %w", err)
	}
	if err := limitFiles(math.MaxInt64); err != nil {
		return err
	}
	for _, e := range refused {
		if err := store.Append(context.Background(), e); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
	}
	return wantOnly(store, append(accepted, refused...), nil)
}

func limitFiles(size uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: math.MaxUint64})
}

// appendUntilFull goes on a bit after the first that is refused.
func appendUntilFull(store *bolt.Store) (accepted, refused []outbox.Entry) {
	for range 2000 {
		e := newEntry()
		e.Payload = make([]byte, 20_000)
		if err := store.Append(context.Background(), e); err != nil {
			refused = append(refused, e)
		} else {
			accepted = append(accepted, e)
		}
		if len(refused) == 5 {
			break
		}
	}
	return accepted, refused
}

func wantOnly(store *bolt.Store, there, not []outbox.Entry) error {
	for _, e := range there {
		if _, err := store.Get(context.Background(), e.ID); err != nil {
			return fmt.Errorf("one that was accepted: %w", err)
		}
	}
	for _, e := range not {
		if _, err := store.Get(context.Background(), e.ID); !errors.Is(err, outbox.ErrNotFound) {
			return fmt.Errorf("one that was refused: error %w", err)
		}
	}
	_, err := store.List(context.Background(), outbox.Filter{})
	return err
}

func TestConformanceOnFullDisk(t *testing.T) {
	t.Parallel()
	outboxtest.RunOnFullDisk(t, func(_ *testing.T, dir string, now func() time.Time) outboxtest.Backend {
		return &backend{dir: dir, now: now}
	})
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	c := startChild(t, "fill", path)
	must(t, c.Wait())
	wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")
	store := openAt(t, path)
	counts, err := store.Counts(t.Context())
	must(t, err)
	if len(counts) != 1 || counts[0].Entries != len(listAll(t, store)) || counts[0].Entries < 30 {
		t.Errorf("counts %v, and %d entries", counts, len(listAll(t, store)))
	}
}

// TestMapFails: bbolt has no file mapped any more when it could not map a
// larger one.
func TestMapFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 10)
	before := dump(t, store)
	store.SetMapFlags(syscall.MAP_HUGETLB) // which a file on a disk cannot have
	e := newEntry()
	e.Payload = make([]byte, 1<<20)
	must(t, store.Append(t.Context(), e)) // the journal has it
	if err := store.Checkpoint(); err == nil {
		t.Fatal("the file grew, though it cannot be mapped")
	}
	if after := dump(t, store); len(after) != len(before)+1 {
		t.Errorf("%d entries before, %d after one more", len(before), len(after))
	}
	must(t, store.Checkpoint())

	// What the journal has no room for is in the file, or is refused.
	before = dump(t, store)
	store.SetMapFlags(syscall.MAP_HUGETLB)
	e = newEntry()
	e.Payload = make([]byte, 40<<20)
	if err := store.Append(t.Context(), e); err == nil {
		t.Fatal("the file grew, though it cannot be mapped")
	}
	if after := dump(t, store); len(after) != len(before) {
		t.Errorf("%d entries before, %d after", len(before), len(after))
	}
	must(t, store.Append(t.Context(), e))
}
