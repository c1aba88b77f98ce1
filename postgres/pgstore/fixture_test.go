package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// fleet is a schema that several nodes share.
type fleet struct {
	server *pgtest.Server
	schema string
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	return &fleet{server(t), pgtest.Schema(t)}
}

// join opens the store as another node.
func (f *fleet) join(t *testing.T, name string) *pgstore.Store {
	t.Helper()
	return f.joinAt(t, name, f.server.DSN())
}

func (f *fleet) joinAt(t *testing.T, name, dsn string) *pgstore.Store {
	t.Helper()
	store, err := pgstore.Open(t.Context(), address(t, dsn), pgstore.Options{Schema: f.schema, Node: name, PoolSize: 4})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// endLease makes the database end the lease of a node.
func (f *fleet) endLease(t *testing.T, name string) {
	t.Helper()
	must(t, f.server.Exec(t.Context(), fmt.Sprintf("UPDATE %s.nodes SET leased_until = clock_timestamp() WHERE name = '%s'",
		pgx.Identifier{f.schema}.Sanitize(), name)))
}

// lead returns an entry that is due.
func lead(change ...func(*outbox.Entry)) outbox.Entry {
	e := outbox.Entry{
		ID: uuid.Must(uuid.NewV7()).String(), Account: "default", Form: "/enquire", Payload: []byte("{}"),
		CreatedAt: time.Now(), DueAt: time.Now(),
	}
	for _, c := range change {
		c(&e)
	}
	return e
}

// begun makes an entry taken by the node that appends it.
func begun(e *outbox.Entry) { e.BegunAt = e.CreatedAt }

func take(t *testing.T, s *pgstore.Store, limit int) []outbox.Entry {
	t.Helper()
	now := time.Now()
	taken, err := s.Take(t.Context(), "default", now.Add(time.Hour), now, limit, nil) // what was postponed too
	must(t, err)
	return taken
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want one wrapping %q", doing, err, want)
	}
}

func get(t *testing.T, s outbox.Store, id string) outbox.Entry {
	t.Helper()
	e, err := s.Get(context.WithoutCancel(t.Context()), id)
	must(t, err)
	return e
}
