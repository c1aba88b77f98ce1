package dispatch

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// hungOutbox opens an outbox whose disk can be made to hang.
type hungOutbox struct {
	file string
	disk *disk
}

func (h *hungOutbox) Resource() (string, error) { return h.file, nil }

func newHungOutbox(t *testing.T) *hungOutbox {
	t.Helper()
	return &hungOutbox{filepath.Join(t.TempDir(), "outbox.db"), &disk{resumed: make(chan struct{})}}
}

// disk hangs while it is stopped.
type disk struct {
	stopped atomic.Bool
	resumed chan struct{}
}

func (d *disk) resume() {
	d.stopped.Store(false)
	close(d.resumed)
}

// wait returns an error once ctx ends, if the disk does not go on before.
func (d *disk) wait(ctx context.Context) error {
	if !d.stopped.Load() {
		return nil
	}
	select {
	case <-d.resumed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hungOutbox) Open(logger *zap.Logger) (outbox.Store, error) {
	_ = h.disk.wait(context.Background())
	store, err := sqlstore.Open(context.Background(), h.file, sqlstore.Options{Logger: logger})
	return &hungStore{store, h.disk}, err
}

// hungStore waits for the disk in every method that a config's start or end reaches.
type hungStore struct {
	outbox.Store
	disk *disk
}

func (s *hungStore) Counts(ctx context.Context) ([]outbox.Count, error) {
	if err := s.disk.wait(ctx); err != nil {
		return nil, err
	}
	return s.Store.Counts(ctx)
}

func (s *hungStore) NextDue(ctx context.Context, account string) (time.Time, bool, error) {
	// A read that was begun waits for the disk, whoever gives it up.
	if err := s.disk.wait(context.Background()); err != nil {
		return time.Time{}, false, err
	}
	return s.Store.NextDue(ctx, account)
}

func (s *hungStore) Close() error {
	_ = s.disk.wait(context.Background())
	return s.Store.Close()
}

// within fails the test unless f returns in time.
func within(t *testing.T, doing string, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s took more than %v while the outbox's disk hung", doing, limit)
	}
}

// open opens the outbox for a config.
func open(t *testing.T, guest *hungOutbox) *Dispatcher {
	t.Helper()
	d, err := Open(guest.file, guest, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// none is a config without accounts.
func none() Config {
	return Config{
		Delivery: delivery.Config{Logger: zap.NewNop()},
		Heir:     func(string) (delivery.Account, bool) { return delivery.Account{}, false },
	}
}

// hang returns a dispatcher whose outbox hangs from now on.
func hang(t *testing.T) (*Dispatcher, *hungOutbox) {
	t.Helper()
	guest := newHungOutbox(t)
	d := open(t, guest)
	d.Adopt("running", none())
	guest.disk.stopped.Store(true)
	return d, guest
}

// checkClosed fails the test unless the outbox has been closed once nothing else runs.
func checkClosed(t *testing.T, guest *hungOutbox) {
	t.Helper()
	synctest.Wait()
	store, err := sqlstore.Open(context.Background(), guest.file, sqlstore.Options{Logger: zap.NewNop()})
	if err != nil {
		t.Fatalf("the outbox was not closed: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// A reload does not wait for an outbox whose disk hangs: neither when the next config goes on with
// the outbox, nor when that config is given up.
func TestReloadWhileOutboxHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, guest := hang(t)
		var next *Dispatcher
		within(t, "starting the next config", 2*time.Second, func() {
			next = open(t, guest)
			next.Adopt("next", none())
		})
		within(t, "giving the next config up", 2*time.Second, func() {
			next.Release("next")
			if err := next.Close(); err != nil {
				t.Error(err)
			}
		})
		guest.disk.resume()
		running.Release("running")
		if err := running.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A config that leaves the outbox behind waits no longer than its patience, and says why the outbox
// could not be closed.
func TestLeavingAnOutboxThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, guest := hang(t)
		d.patience = 100 * time.Millisecond
		within(t, "leaving the outbox behind", 5*time.Second, func() {
			if err := d.Close(); err == nil || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("error %v", err)
			}
		})
		guest.disk.resume()
		checkClosed(t, guest)
	})
}

// A config with an outbox on a disk that hangs is refused, and what has been opened too late is
// closed.
func TestOpeningAnOutboxThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guest := newHungOutbox(t)
		guest.disk.stopped.Store(true)
		within(t, "opening the outbox", 5*time.Second, func() {
			if _, err := openWithin(guest, zap.NewNop(), 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "does not answer") {
				t.Errorf("error %v", err)
			}
		})
		guest.disk.resume()
		checkClosed(t, guest)
	})
}
