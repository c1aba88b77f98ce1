package spool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/outboxtest"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
)

// The store passes all tests of an outbox while the primary cannot be opened, and when it can.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]bool{"away": true, "open": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outboxtest.Run(t, func(t *testing.T, now func() time.Time) outboxtest.Backend {
				t.Helper()
				return newBackend(t, now, away)
			})
		})
	}
}

// The store does what it should while the primary is away, and all entries are in the primary when
// it is back, with attempts in flight at any moment.
func TestModelOfReturn(t *testing.T) {
	t.Parallel()
	outboxtest.RunModel(t, func(t *testing.T, now func() time.Time) outboxtest.Backend {
		t.Helper()
		return &returning{newBackend(t, now, true)}
	})
}

// backend simulates a crash by continuing with a copy of all files.
type backend struct {
	t       *testing.T
	dir     string
	crashes int
	site    *site
	store   *spool.Store
}

func newBackend(t *testing.T, now func() time.Time, away bool) *backend {
	t.Helper()
	dir := t.TempDir()
	b := &backend{t: t, dir: dir, site: &site{dir: filepath.Join(dir, "0"), now: now}}
	b.site.away.Store(away)
	return b
}

func (b *backend) Open() (outbox.Store, error) {
	b.store = b.site.open(b.t)
	return b.store, nil
}

func (b *backend) Crash() error {
	from := b.site.dir
	b.crashes++
	b.site.dir = filepath.Join(b.dir, strconv.Itoa(b.crashes))
	if err := os.Mkdir(b.site.dir, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	// Entries move from spools to the primary, and changes from a log to its file.
	slices.SortStableFunc(files, func(a, b os.DirEntry) int { return copyOrder(a.Name()) - copyOrder(b.Name()) })
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "-shm") || strings.HasSuffix(f.Name(), ".reserve") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(from, f.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // it has been removed meanwhile
		}
		if err = errors.Join(err, os.WriteFile(filepath.Join(b.site.dir, f.Name()), content, 0o600)); err != nil {
			return err
		}
	}
	return b.store.Close()
}

func copyOrder(name string) (order int) {
	if !strings.Contains(name, ".spool-") {
		order += 2
	}
	if !strings.HasSuffix(name, "-wal") {
		order++
	}
	return order
}

// returning is a backend whose primary comes back. Its stores wait for the moves after each change.
type returning struct{ *backend }

func (r *returning) Open() (outbox.Store, error) {
	store, err := r.backend.Open()
	return &settling{store.(*spool.Store), r}, errors.Join(err, r.settle())
}

func (r *returning) Flap() (forgot bool, err error) {
	r.site.away.Store(false)
	return true, r.settle()
}

// settle waits until the primary is open, if it is not away, and until everything has moved.
func (r *returning) settle() error {
	if r.site.away.Load() {
		return nil
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		quiet, err := r.store.Quiet(context.Background())
		if err != nil || quiet && r.store.Status().Trouble == nil {
			return err
		}
	}
	return errors.New("the entries have not moved")
}

// settling waits for the moves that a change causes.
type settling struct {
	*spool.Store
	backend *returning
}

func (s *settling) Settle(ctx context.Context, id string, settlement outbox.Settlement) error {
	return errors.Join(s.Store.Settle(ctx, id, settlement), s.backend.settle())
}

func (s *settling) Adopt(ctx context.Context, entries []outbox.Adoption) error {
	return errors.Join(s.Store.Adopt(ctx, entries), s.backend.settle())
}
