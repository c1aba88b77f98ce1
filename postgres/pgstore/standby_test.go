package pgstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
)

// These LIKE patterns match the statements that tests wait for.
const (
	insertProbe = "INSERT INTO probe%"
	insertEntry = "%INSERT INTO%.entries%"
)

// missStandby lets commits of the server wait for a standby that does not exist, until the function
// that it returns is called.
func missStandby(t *testing.T, primary *pgtest.Server) (found func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	name := func(standby string) {
		must(t, primary.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '"+standby+"'"))
		must(t, primary.Exec(ctx, "SELECT pg_reload_conf()"))
	}
	must(t, primary.Exec(ctx, "CREATE TABLE probe (n INT)"))
	name("missing")
	for waits := false; !waits; { // the setting takes effect a little later
		probe, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- primary.Exec(probe, "INSERT INTO probe VALUES (1)") }()
		waits = awaitsStandby(t, primary, insertProbe, ended)
		cancel()
	}
	return func() { name("") }
}

// awaitsStandby returns true once a session with such a statement waits for the standby, and false
// if something ends before.
func awaitsStandby(t *testing.T, primary *pgtest.Server, pattern string, ended <-chan error) bool {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), primary.DSN())
	must(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var waiting int
		must(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE $1", pattern).Scan(&waiting))
		if waiting > 0 {
			return true
		}
		select {
		case <-ended:
			return false
		default:
		}
	}
	t.Fatal("it neither waits for the standby nor ends")
	return false
}
