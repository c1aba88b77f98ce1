//go:build linux

package sqlstore_test

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
	"github.com/leadwire/caddy-telecrm/outbox/outboxtest"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func init() { roles["fill"] = fill }

// fill appends while a limit keeps its files from growing, and in some rounds from being written at
// their current length. Writes then fail as they do on a full disk. It appends again without the
// limit.
func fill(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	store, err := open(path, sqlstore.Options{})
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

func fillUpTo(store *sqlstore.Store, limit uint64) error {
	if err := limitFiles(limit); err != nil {
		return err
	}
	accepted, refused := appendUntilFull(store)
	if len(refused) == 0 {
		return errors.New("no entry was refused")
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

// appendUntilFull appends entries until five are refused.
func appendUntilFull(store *sqlstore.Store) (accepted, refused []outbox.Entry) {
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

func wantOnly(store *sqlstore.Store, there, not []outbox.Entry) error {
	for _, e := range there {
		if _, err := store.Get(context.Background(), e.ID); err != nil {
			return fmt.Errorf("getting an accepted entry: %w", err)
		}
	}
	for _, e := range not {
		if _, err := store.Get(context.Background(), e.ID); !errors.Is(err, outbox.ErrNotFound) {
			return fmt.Errorf("getting a refused entry: error %w, want ErrNotFound", err)
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
		t.Errorf("counts %v, but %d entries listed", counts, len(listAll(t, store)))
	}
}
