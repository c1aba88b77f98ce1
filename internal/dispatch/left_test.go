package dispatch

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// An outbox that a config has opened since its leads were counted is not reported.
func TestUsedOutboxIsNotLeft(t *testing.T) {
	guest := newHungOutbox(t)
	d := open(t, guest)
	ReportLeft(adminapi.Left{Resource: guest.file, Since: time.Now(), Waiting: 3}, zap.NewNop())
	if left := LeftOutboxes(); len(left) != 0 {
		t.Errorf("left %+v, but it is in use", left)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// sharedOutbox is an outbox that other machines use too, with spools on this machine.
type sharedOutbox struct {
	dir  string
	away atomic.Bool
}

func (o *sharedOutbox) Resource() (string, error) { return "shared " + o.dir, nil }

func (o *sharedOutbox) Open(*zap.Logger) (outbox.Store, error) {
	return spool.Open(context.Background(), spool.Options{
		Open: func(ctx context.Context) (outbox.Store, error) {
			store, err := sqlstore.Open(ctx, filepath.Join(o.dir, "shared.db"), sqlstore.Options{})
			return &sharedStore{store, &o.away}, err
		},
		OpenSpool: func(ctx context.Context, file string) (spool.Spool, error) {
			return sqlstore.Open(ctx, file, sqlstore.Options{})
		},
		Prefixes: func() []string { return []string{filepath.Join(o.dir, "spool-")} },
	}), nil
}

// sharedStore is on another machine, which is away while the network is cut.
type sharedStore struct {
	*sqlstore.Store

	away *atomic.Bool
}

var _ outbox.Shared = (*sharedStore)(nil)

var errCut = errors.New("the network is cut")

func (s *sharedStore) Health() error {
	if s.away.Load() {
		return errCut
	}
	return nil
}

func (*sharedStore) IsShared() bool                                          { return true }
func (*sharedStore) Skew() time.Duration                                     { return 0 }
func (*sharedStore) LeasedUntil(string) (until time.Time, leased bool)       { return until, false }
func (*sharedStore) Fleet(context.Context) (outbox.Fleet, error)             { return outbox.Fleet{}, nil }
func (*sharedStore) Mark(context.Context, outbox.Mark, string) (bool, error) { return true, nil }
func (*sharedStore) Unmark(context.Context, outbox.Mark, string) error       { return nil }
func (*sharedStore) Lend(context.Context, outbox.LoanRequest) (outbox.Loan, error) {
	return outbox.Loan{}, errCut
}

func (*sharedStore) Publish(context.Context, string, outbox.AccountState) (bool, error) {
	return false, errCut
}

// Other machines deliver what is in an outbox that they share, but not what is in a spool of this one.
func TestSpoolOfSharedOutboxIsLeft(t *testing.T) {
	guest := &sharedOutbox{dir: t.TempDir()}
	resource, _ := guest.Resource()
	keep := func(away bool, entries int) {
		t.Helper()
		d, err := Open(resource, guest, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		guest.away.Store(away)
		for range entries {
			if err := d.Store.Append(t.Context(), outbox.Entry{
				ID: uuid.Must(uuid.NewV7()).String(), Account: "default", Form: "/enquire", Payload: []byte("{}"),
				CreatedAt: time.Now(), DueAt: time.Now(),
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	keep(false, 2)
	if left := LeftOutboxes(); len(left) != 0 {
		t.Errorf("left %+v, but other machines deliver them", left)
	}
	keep(true, 3)
	left := LeftOutboxes()
	if len(left) != 1 || left[0].Resource != resource || left[0].Waiting != 3 || len(left[0].Spools) != 1 {
		t.Errorf("left %+v, want the 3 leads in the spool", left)
	}
	ReportLeft(adminapi.Left{Resource: resource}, zap.NewNop())
}
