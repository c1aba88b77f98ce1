package bolt_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/bolt"
	"github.com/leadwire/caddy-telecrm/outbox/outboxtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	outboxtest.Run(t, func(t *testing.T, now func() time.Time) outboxtest.Backend {
		return &backend{dir: t.TempDir(), now: now}
	})
}

// backend crashes by going on with a copy of the file and its journal.
type backend struct {
	dir     string
	crashes int
	now     func() time.Time
	store   *bolt.Store
}

func (b *backend) path() string {
	return filepath.Join(b.dir, fmt.Sprintf("after-%d-crashes.db", b.crashes))
}

func (b *backend) Open() (outbox.Store, error) {
	store, err := bolt.Open(b.path(), bolt.Options{Now: b.now})
	b.store = store
	return store, err
}

func (b *backend) Crash() error {
	image, err := os.ReadFile(b.path())
	if err != nil {
		return err
	}
	journal, err := os.ReadFile(b.path() + ".journal")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := b.store.Close(); err != nil {
		return err
	}
	b.crashes++
	return errors.Join(
		os.WriteFile(b.path(), image, 0o600),
		os.WriteFile(b.path()+".journal", journal, 0o600))
}
