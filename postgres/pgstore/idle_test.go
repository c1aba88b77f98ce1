package pgstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// A node that stops or is cut off while it takes leads does not keep them from the others.
func TestStoppedInTransaction(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	stopped, err := pgstore.Open(t.Context(), address(t, f.server.DSN()), pgstore.Options{Schema: f.schema, Node: "a", PoolSize: 4, Lease: 5 * time.Second})
	must(t, err)
	other := f.join(t, "b")
	e := lead()
	e.Identifier = "918123456789"
	must(t, stopped.Append(t.Context(), e))
	locked, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		now := time.Now()
		taken, err := stopped.Take(context.WithoutCancel(t.Context()), "default", now, now, 10, func(string) bool {
			close(locked)
			<-goOn
			return false
		})
		if err == nil && len(taken) > 0 {
			err = fmt.Errorf("%d leads were taken", len(taken))
		}
		ended <- err
	}()
	<-locked
	for deadline := time.Now().Add(time.Minute); len(take(t, other, 10)) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("the lead is kept from node b")
			break
		}
	}
	close(goOn)
	if err := <-ended; err == nil {
		t.Error("node a has gone on with its transaction")
	}
	must(t, stopped.Close())
}
