package pgtest_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
)

// While the standby is stopped, no commit on the primary ends.
func TestStoppedStandby(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	standby := primary.Standby(t)
	if err := primary.Exec(t.Context(), "CREATE TABLE probe (n INT)"); err != nil {
		t.Fatal(err)
	}
	if err := standby.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := primary.Exec(ctx, "INSERT INTO probe VALUES (1)"); err == nil {
		t.Error("a commit has not waited for the standby")
	}
	if err := standby.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := primary.Exec(ctx, "INSERT INTO probe VALUES (2)"); err != nil {
		t.Errorf("committing after the standby goes on: %v", err)
	}
}
