package pgstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/outboxtest"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	s := server(t)
	conform(t, s, s.DSN())
}

// A pooler gives each transaction another session.
func TestConformanceBehindPooler(t *testing.T) {
	t.Parallel()
	s := server(t)
	conform(t, s, s.Bounce(t).DSN())
}

func conform(t *testing.T, s *pgtest.Server, dsn string) {
	t.Helper()
	outboxtest.Run(t, func(t *testing.T, now func() time.Time) outboxtest.Backend {
		t.Helper()
		return &backend{server: s, address: address(t, dsn), schema: pgtest.Schema(t), now: now}
	})
}

// backend is a schema. After a crash, the lease of the process has ended.
type backend struct {
	server  *pgtest.Server
	address pgstore.Address
	schema  string
	now     func() time.Time
	store   *pgstore.Store
}

func (b *backend) Open() (outbox.Store, error) {
	store, err := pgstore.Open(context.Background(), b.address, pgstore.Options{Schema: b.schema, Now: b.now, PoolSize: 4})
	if err != nil {
		return nil, err // a nil pointer must not become an interface
	}
	b.store = store
	return store, nil
}

func (b *backend) Crash() error {
	if err := b.store.Die(); err != nil {
		return err
	}
	return b.server.Exec(context.Background(),
		fmt.Sprintf("UPDATE %s.nodes SET leased_until = clock_timestamp()", pgx.Identifier{b.schema}.Sanitize()))
}

func (*backend) Shared() {}
