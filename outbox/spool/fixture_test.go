package spool_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// site is the place of an outbox and its spools. Each store that is opened on it is like a process.
type site struct {
	dir  string
	now  func() time.Time
	away atomic.Bool // the primary cannot be opened
	log  *observer.ObservedLogs
	// wrap may replace the primary.
	wrap func(outbox.Store) outbox.Store
	// wrapSpool may replace a spool.
	wrapSpool func(spool.Spool) spool.Spool
	// places are the prefixes of spools, if not only beside the file.
	places []string
}

var errAway = errors.New("the file is not an outbox")

func (s *site) file() string { return filepath.Join(s.dir, "outbox.db") }

func (s *site) options() spool.Options {
	core, log := observer.New(zapcore.InfoLevel)
	s.log = log
	if s.places == nil {
		s.places = []string{s.file() + ".spool-"}
	}
	return spool.Options{
		Name: s.file(),
		Open: func(ctx context.Context) (outbox.Store, error) {
			if s.away.Load() {
				return nil, errAway
			}
			store, err := openFile(ctx, s.file(), s.now)
			if err != nil || s.wrap == nil {
				return store, err
			}
			return s.wrap(store), nil
		},
		OpenSpool: func(ctx context.Context, file string) (spool.Spool, error) {
			opened, err := openFile(ctx, file, s.now)
			if err != nil || s.wrapSpool == nil {
				return opened, err
			}
			return s.wrapSpool(opened), nil
		},
		Prefixes: func() []string { return s.places },
		Logger:   zap.New(core),
		Now:      s.now,
		Patience: 20 * time.Second, // the machine may be busy
		Retry:    time.Millisecond,
		MaxRetry: 5 * time.Millisecond,
	}
}

// openFile opens a database. A nil pointer must not become an interface.
func openFile(ctx context.Context, file string, now func() time.Time) (spool.Spool, error) {
	store, err := sqlstore.Open(ctx, file, sqlstore.Options{Now: now, LockTimeout: time.Millisecond, Reserve: 1 << 10})
	if err != nil {
		return nil, err
	}
	return store, nil
}

func (s *site) open(t *testing.T) *spool.Store {
	t.Helper()
	if s.now == nil {
		s.now = time.Now
	}
	store := spool.Open(t.Context(), s.options())
	t.Cleanup(func() {
		_ = store.Close()
		if t.Failed() {
			for _, line := range s.log.All() {
				t.Log(line.Level, line.Message, line.ContextMap())
			}
		}
	})
	return store
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until holds returns true.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after a minute", what)
		}
	}
}

func newEntry() outbox.Entry {
	now := time.Now()
	return outbox.Entry{
		ID: uuid.Must(uuid.NewV7()).String(), Account: "default", Form: "/enquire", Identifier: "918123456789",
		Payload: []byte(`{"fields":{"name":"Asha Example"}}`), CreatedAt: now, DueAt: now,
	}
}

func spools(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	must(t, err)
	return files
}
