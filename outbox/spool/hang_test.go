package spool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
)

// While every disk hangs, the store opens within some seconds, and says that the disk does not
// answer.
func TestDisksHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		prefix := t.TempDir() + "/outbox.db.spool-"
		resumed := make(chan struct{})
		failed := errors.New("too late")
		began := time.Now()
		store := spool.Open(t.Context(), spool.Options{
			Open:      func(context.Context) (outbox.Store, error) { <-resumed; return nil, failed },
			OpenSpool: func(context.Context, string) (spool.Spool, error) { <-resumed; return nil, failed },
			Prefixes:  func() []string { <-resumed; return []string{prefix} },
		})
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("opening took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := store.Append(ctx, newEntry()); err == nil {
			t.Error("appending while every disk hangs: no error")
		}
		if err := store.Health(); !errors.Is(err, outbox.ErrAway) {
			t.Errorf("health %v", err)
		}
		close(resumed)
		must(t, store.Close())
	})
}
