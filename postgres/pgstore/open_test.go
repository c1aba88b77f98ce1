package pgstore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// Many nodes create the schema at once.
func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			a := address(t, f.server.DSN())
			s, err := pgstore.Open(t.Context(), a, pgstore.Options{Schema: f.schema, Node: fmt.Sprint(i), PoolSize: 2})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
}

// A schema of a later version can be used as long as that version says so. A node that is open
// notices when it no longer can.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s := f.join(t, "old")
	upgrade := func(version, oldest int) {
		t.Helper()
		must(t, f.server.Exec(t.Context(), fmt.Sprintf("UPDATE %s.ledger SET version = %d, oldest = %d",
			pgx.Identifier{f.schema}.Sanitize(), version, oldest)))
	}
	upgrade(pgstore.Version+1, pgstore.Version)
	must(t, s.Keep(t.Context()))
	must(t, f.join(t, "also old").Append(t.Context(), lead()))
	upgrade(pgstore.Version+2, pgstore.Version+2)
	wantError(t, "renewing the lease", s.Keep(t.Context()), outbox.ErrNewer)
	_, err := pgstore.Open(t.Context(), address(t, f.server.DSN()), pgstore.Options{Schema: f.schema})
	wantError(t, "opening", err, outbox.ErrNewer)
}

// Servers that would lose leads, and roles without rights, are refused with what to do.
func TestUnsuitableServers(t *testing.T) {
	t.Parallel()
	s := server(t)
	for name, test := range map[string]struct{ setup, want string }{
		"hasty":    {"ALTER ROLE %s SET synchronous_commit = off", "synchronous_commit is off or local"},
		"local":    {"ALTER ROLE %s SET synchronous_commit = local", "synchronous_commit is off or local"},
		"readonly": {"ALTER ROLE %s SET default_transaction_read_only = on", "standby or read-only"},
		"weak":     {"REVOKE CREATE ON DATABASE postgres FROM %s", "grant the role the rights"},
		"nologin":  {"ALTER ROLE %s NOLOGIN", "check the user and the password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role := pgtest.Schema(t)
			must(t, s.Exec(t.Context(), fmt.Sprintf("CREATE ROLE %s LOGIN; "+test.setup, role, role)))
			dsn := strings.Replace(s.DSN(), "postgres@", role+":hunter2@", 1)
			_, err := pgstore.Open(t.Context(), address(t, dsn), pgstore.Options{Schema: role})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// A role that does not own the database can use a schema that was made for it.
func TestOwnSchema(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	role := pgtest.Schema(t)
	must(t, f.server.Exec(t.Context(), fmt.Sprintf("CREATE ROLE %[1]s LOGIN; CREATE SCHEMA %[2]s AUTHORIZATION %[1]s", role, f.schema)))
	s := f.joinAt(t, "a", strings.Replace(f.server.DSN(), "postgres@", role+"@", 1))
	must(t, s.Append(t.Context(), lead()))
}

// No error contains a part of the DSN that is secret.
func TestParseDSN(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"", "postgres://u:hunter2@", "hunter2", "postgres://u:hunter2@db.example/x?sslmode=hunter2",
		"postgres://u:hunter2@db.example:port/x", "postgres://u:hunter2@/", "host=db.example password=hunter2 port=hunter2",
		"postgres://u:hunter2@db.example/x?sslrootcert=/hunter2", "postgres://u:hunter2%zz@db.example/x",
	} {
		_, err := pgstore.ParseDSN(dsn)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseDSN(%q): error %v", dsn, err)
		}
	}
}

// A connection to another machine is verified unless the DSN says otherwise.
func TestTLS(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]bool{
		"postgres://u:p@db.example/leads":                                 true,
		"postgres://u:p@db.example/leads?application_name=x":              true,
		"host=db.example user=u dbname=leads":                             true,
		"postgres://u:p@db.example/leads?sslmode=verify-full":             true,
		"postgres://u:p@db.example/leads?sslmode=require":                 false,
		"postgres://u:p@db.example/leads?sslmode=prefer":                  false,
		"postgres://u:p@db.example/leads?sslmode=disable":                 false,
		"postgres://u:p@10.0.0.7/leads?sslmode=disable":                   false,
		"postgres://u:p@localhost/leads":                                  true,
		"postgres://u:p@[::1]:5433/leads":                                 true,
		"postgres:///leads?host=/run/postgresql":                          true,
		"postgres://u:p@localhost,db.example/leads":                       true,
		"postgres://u:p@localhost,db.example/leads?sslmode=disable":       false,
		"host=127.0.0.1,db2.example user=u dbname=leads sslmode='prefer'": false,
	} {
		a, err := pgstore.ParseDSN(dsn)
		if err != nil {
			t.Errorf("ParseDSN(%q): %v", dsn, err)
			continue
		}
		if a.IsVerified() != want {
			t.Errorf("%q is verified: %v, want %v", dsn, a.IsVerified(), want)
		}
		if name := a.String(); strings.Contains(name, "u:p") || !strings.HasSuffix(name, "/leads") {
			t.Errorf("%q is called %q", dsn, name)
		}
	}
}
