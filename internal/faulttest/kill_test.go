//go:build linux

package faulttest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A Caddy that is killed at any moment does not lose a lead whose visitor was thanked.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills, rate := sized(5, 100), sized(100, 200)
	// The CRM answers some time after it acts, so that many kills fall in between.
	r := newRig(t, settings{latency: 30 * time.Millisecond})
	r.during(t, rate, func() {
		for range kills {
			pass(t, 100*time.Millisecond+rand.N(900*time.Millisecond))
			r.Kill()
			r.start(t)
		}
		pass(t, 500*time.Millisecond)
	})
	l := r.drain(t, sized(30*time.Second, 2*time.Minute))
	r.verify(t, l, true)
	if cut := count(l.posts, 0); cut < kills {
		t.Errorf("only %d posts were cut off by %d kills", cut, kills)
	}
	l.report(t, "kill -9 under load")
}
