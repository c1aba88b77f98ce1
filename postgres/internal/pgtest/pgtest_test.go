package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
)

// While the standby receives nothing, no commit on the primary ends.
func TestStalledStandby(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	network := pgtest.NewProxy(t, primary.Address())
	primary.Standby(t, network.Address())
	if err := primary.Exec(t.Context(), "CREATE TABLE probe (n INT)"); err != nil {
		t.Fatal(err)
	}
	network.Stall(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := primary.Exec(ctx, "INSERT INTO probe VALUES (1)"); err == nil {
		t.Error("a commit has not waited for the standby")
	}
	network.Stall(false)
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := primary.Exec(ctx, "INSERT INTO probe VALUES (2)"); err != nil {
		t.Errorf("committing when the standby receives again: %v", err)
	}
}
