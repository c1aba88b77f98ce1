package caddytelecrm

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// hungOutbox opens an outbox whose disk can be made to hang.
type hungOutbox struct {
	BoltOutbox
	disk *disk
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
	store, err := h.BoltOutbox.Open(logger)
	return &hungStore{store, h.disk}, err
}

// hungStore waits for the disk in every method that a config's start or end
// reaches.
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

// hang returns a started app whose outbox hangs from now on.
func hang(t *testing.T) (h testHandler, guest *hungOutbox) {
	t.Helper()
	crm := newCRM(t)
	h = newHandler(t, crm.url, simpleBlock)
	guest = &hungOutbox{BoltOutbox{File: t.TempDir() + "/outbox.db"}, &disk{resumed: make(chan struct{})}}
	h.app.outbox, h.app.resource = guest, guest.File
	if err := h.app.Start(); err != nil {
		t.Fatal(err)
	}
	guest.disk.stopped.Store(true)
	return h, guest
}

// A reload does not wait for an outbox whose disk hangs: neither when the next
// config goes on with the outbox, nor when that config is given up.
func TestReloadWhileOutboxHangs(t *testing.T) {
	h, guest := hang(t)
	next := newHandler(t, newCRM(t).url, simpleBlock)
	next.app.outbox, next.app.resource = guest, guest.File
	within(t, "starting the next config", 2*time.Second, func() {
		if err := next.app.Start(); err != nil {
			t.Error(err)
		}
	})
	within(t, "giving the next config up", 2*time.Second, func() { _ = next.app.Cleanup() })
	guest.disk.resume()
	if err := h.app.Cleanup(); err != nil {
		t.Error(err)
	}
}

// A config that leaves the outbox behind waits for it no longer than it is
// given, and says why it could not be closed.
func TestLeavingAnOutboxThatHangs(t *testing.T) {
	h, guest := hang(t)
	h.app.pooled.patience = 100 * time.Millisecond
	within(t, "leaving the outbox behind", 5*time.Second, func() {
		if err := h.app.Cleanup(); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("error %v", err)
		}
	})
	guest.disk.resume()
	eventually(t, "closing of the outbox", func() bool {
		again, err := guest.BoltOutbox.Open(zap.NewNop())
		if err == nil {
			err = again.Close()
		}
		return err == nil
	})
}

// A config with an outbox on a disk that hangs is refused, and what has been
// opened too late is closed.
func TestOpeningAnOutboxThatHangs(t *testing.T) {
	guest := &hungOutbox{BoltOutbox{File: t.TempDir() + "/outbox.db"}, &disk{resumed: make(chan struct{})}}
	guest.disk.stopped.Store(true)
	within(t, "opening the outbox", 5*time.Second, func() {
		if _, err := openWithin(guest, zap.NewNop(), 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("error %v", err)
		}
	})
	guest.disk.resume()
	eventually(t, "closing of what was opened too late", func() bool {
		store, err := guest.BoltOutbox.Open(zap.NewNop())
		if err == nil {
			err = store.Close()
		}
		return err == nil
	})
}

// The status says that the outbox hangs, and how the accounts fare.
func TestStatusWhileOutboxHangs(t *testing.T) {
	h, guest := hang(t)
	within(t, "the status", statusPatience+2*time.Second, func() {
		status, err := statusOf(t.Context(), []openOutbox{{guest.File, h.app.pooled}})
		if err != nil {
			t.Error(err)
			return
		}
		one := status.Outboxes[0]
		if !strings.Contains(one.Trouble, "does not answer") || len(one.Accounts) != 1 || !one.Accounts[0].Configured {
			t.Errorf("status %+v", one)
		}
	})
	guest.disk.resume()
	if err := h.app.Cleanup(); err != nil {
		t.Error(err)
	}
}

// The status says what the outbox knows to be wrong with itself.
func TestStatusSaysWhatIsWrong(t *testing.T) {
	for err, want := range map[error]string{
		nil:                "",
		outbox.ErrFull:     "disk is full",
		context.Canceled:   "cannot be written",
		outbox.ErrNotFound: "cannot be written",
	} {
		if got := explainTrouble(err); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%v is explained as %q", err, got)
		}
	}
}
