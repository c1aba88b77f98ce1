package pgstore_test

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// A node knows how far the database's clock is ahead of its machine's, and leases hold nevertheless.
func TestSkew(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	if skew := f.join(t, "in step").Skew(); skew != 0 {
		t.Errorf("skew %v of a machine whose clock is in step", skew)
	}
	for name, ahead := range map[string]time.Duration{"ahead": 5 * time.Minute, "behind": -5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := pgstore.Options{Schema: f.schema, Node: name, PoolSize: 4}.OnMachine(func() time.Time { return time.Now().Add(ahead) })
			s, err := pgstore.Open(t.Context(), address(t, f.server.DSN()), opts)
			must(t, err)
			t.Cleanup(func() { _ = s.Close() })
			if skew := s.Skew(); (skew + ahead).Abs() > 2*time.Second {
				t.Errorf("skew %v, want %v", skew, -ahead)
			}
			e := lead(begun)
			must(t, s.Append(t.Context(), e))
			must(t, s.Keep(t.Context()))
			if until, leased := s.LeasedUntil(e.ID); !leased || time.Until(until) < 50*time.Second {
				t.Errorf("leased until %v: %v", until, leased)
			}
			must(t, s.Close())
			released := get(t, f.join(t, "next to "+name), e.ID)
			if due := time.Until(released.DueAt).Abs(); due > time.Minute {
				t.Errorf("released, and due in %v", due)
			}
		})
	}
}
