package pgstore_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// shared is the server of most tests, each of which has a schema of its own. It need not survive a
// power failure.
var shared *pgtest.Server

func TestMain(m *testing.M) {
	// Each step of the model is some 40 round trips. More checks are for whoever asks for them.
	_ = flag.Set("rapid.checks", "20")
	flag.Parse()
	os.Exit(func() int {
		var err error
		shared, err = pgtest.New("fsync=off", "max_connections=400", "full_page_writes=off", "shared_buffers=64MB")
		if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") == "" {
			fmt.Println(err)
			shared = nil
			return m.Run()
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer func() {
			if err := shared.Remove(); err != nil {
				fmt.Println("stopping PostgreSQL:", err)
			}
		}()
		return m.Run()
	}())
}

// server returns the shared server.
func server(t testing.TB) *pgtest.Server {
	t.Helper()
	if shared == nil {
		t.Skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
	}
	return shared
}

func address(t testing.TB, dsn string) pgstore.Address {
	t.Helper()
	a, err := pgstore.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
