package admin

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// hangingOutbox is an outbox whose counts cannot be read until resumed is closed.
type hangingOutbox struct {
	outboxes.SQLite
	resumed chan struct{}
}

func (h *hangingOutbox) Open(logger *zap.Logger) (outbox.Store, error) {
	store, err := h.SQLite.Open(logger)
	return &hangingStore{store, h.resumed}, err
}

type hangingStore struct {
	outbox.Store
	resumed chan struct{}
}

func (s *hangingStore) Counts(ctx context.Context) ([]outbox.Count, error) {
	select {
	case <-s.resumed:
		return s.Store.Counts(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// The status says that the outbox hangs, and what the engine knows of the accounts.
func TestStatusWhileOutboxHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guest := &hangingOutbox{outboxes.SQLite{File: filepath.Join(t.TempDir(), "outbox.db")}, make(chan struct{})}
		d, err := dispatch.Open(guest.File, guest, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		d.Adopt(guest, dispatch.Config{
			Delivery: delivery.Config{Logger: zap.NewNop(), Accounts: []delivery.Account{{Name: "default", Rate: 1, Burst: 1}}},
			Heir:     func(string) (delivery.Account, bool) { return delivery.Account{}, false },
		})
		began := time.Now()
		status, err := statusOf(t.Context(), []*dispatch.Dispatcher{d})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != statusPatience {
			t.Errorf("the status took %v, want %v", took, statusPatience)
		}
		one := status.Outboxes[0]
		if !strings.Contains(one.Trouble, "does not answer") || len(one.Accounts) != 1 || !one.Accounts[0].Configured {
			t.Errorf("status %+v", one)
		}
		close(guest.resumed)
		d.Release(guest)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
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
