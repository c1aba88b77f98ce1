package pgstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// A read that takes too long ends on the server too, also behind a pooler.
func TestCanceledRead(t *testing.T) {
	t.Parallel()
	main := server(t)
	for name, dsn := range map[string]string{"direct": main.DSN(), "pooler": main.Bounce(t).DSN()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			s, err := pgstore.Open(t.Context(), address(t, dsn), pgstore.Options{Schema: f.schema, PoolSize: 4, ReadTimeout: 500 * time.Millisecond})
			must(t, err)
			defer func() { must(t, s.Close()) }()
			conn, err := pgx.Connect(t.Context(), f.server.DSN())
			must(t, err)
			defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
			tx, err := conn.Begin(t.Context())
			must(t, err)
			_, err = tx.Exec(t.Context(), "LOCK TABLE "+pgx.Identifier{f.schema, "entries"}.Sanitize())
			must(t, err)
			if _, err := s.Counts(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer in time") {
				t.Fatalf("counting leads of a locked table: error %v", err)
			}
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
				var waiting int
				must(t, tx.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%'||$1||'%'", f.schema).Scan(&waiting))
				if waiting == 0 {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d reads are waiting on the server", waiting)
				}
			}
		})
	}
}
