package postgres_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/move"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
	"github.com/leadwire/caddy-telecrm/postgres"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
)

// A move from SQLite to PostgreSQL that is interrupted at any moment goes on where it was, and so
// does the way back. Nothing is lost or doubled.
func TestMove(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, "fsync=off")
	o := &postgres.Outbox{DSN: server.DSN(), Spool: filepath.Join(t.TempDir(), "spool")}
	if err := o.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "outbox.db"), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const leads = 700
	for range leads {
		if err := db.Append(t.Context(), lead()); err != nil {
			t.Fatal(err)
		}
	}
	want := list(t, db)
	to, err := o.OpenToMove(t.Context(), zap.NewNop(), false)
	if err != nil {
		t.Fatal(err)
	}
	interrupt := func(from, to outbox.Store) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := move.All(ctx, from, to, func(n int) {
			if n >= 300 {
				cancel()
			}
		}); !errors.Is(err, context.Canceled) {
			t.Fatalf("an interrupted move: error %v", err)
		}
		if _, err := move.All(t.Context(), from, to, func(int) {}); err != nil {
			t.Fatal(err)
		}
		if left := list(t, from); len(left) > 0 {
			t.Errorf("%d leads are left", len(left))
		}
		same(t, want, list(t, to))
	}
	interrupt(db, to)
	if _, err := o.OpenToMove(t.Context(), zap.NewNop(), true); !errors.Is(err, outbox.ErrInUse) {
		t.Errorf("moving away from a database that is in use: error %v", err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	from, err := o.OpenToMove(t.Context(), zap.NewNop(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	interrupt(from, db)
}

func list(t *testing.T, s outbox.Store) []outbox.Entry {
	t.Helper()
	entries, err := s.List(t.Context(), outbox.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func same(t *testing.T, want, got []outbox.Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d leads, want %d", len(got), len(want))
	}
	for i, e := range got {
		w := want[i]
		if e.ID != w.ID || e.State != w.State || string(e.Payload) != string(w.Payload) || e.DueAt.Sub(w.DueAt).Abs() > time.Millisecond {
			t.Fatalf("lead %d is %+v, want %+v", i, e, w)
		}
	}
}
