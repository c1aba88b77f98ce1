package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/outboxtest"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	outboxtest.Run(t, func(t *testing.T, now func() time.Time) outboxtest.Backend {
		return &backend{dir: t.TempDir(), now: now}
	})
}

// backend simulates a crash by continuing with a copy of the file, its log and its lock.
type backend struct {
	dir     string
	crashes int
	now     func() time.Time
	store   *sqlstore.Store
}

func (b *backend) path() string {
	return filepath.Join(b.dir, fmt.Sprintf("after-%d-crashes.db", b.crashes))
}

func (b *backend) Open() (outbox.Store, error) {
	store, err := sqlstore.Open(context.Background(), b.path(), sqlstore.Options{Now: b.now})
	b.store = store
	return store, err
}

func (b *backend) Crash() error {
	from := b.path()
	b.crashes++
	if err := copyDatabase(from, b.path()); err != nil {
		return err
	}
	return b.store.Close()
}

// copyDatabase copies the files that a crash leaves behind. It copies the log first, because SQLite
// removes changes from the log only after they are in the file.
func copyDatabase(from, to string) error {
	for _, suffix := range []string{"-wal", "", ".lock"} {
		content, err := os.ReadFile(from + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := errors.Join(err, os.WriteFile(to+suffix, content, 0o600)); err != nil {
			return err
		}
	}
	return nil
}
