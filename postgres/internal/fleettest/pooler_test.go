//go:build linux

package fleettest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Behind a PgBouncer that pools transactions, nodes and a server that are killed lose and double
// nothing.
func TestBehindPooler(t *testing.T) {
	f := newFleet(t, 3, noStandby)
	f.dsn = f.server.Bounce(t).DSN()
	for _, n := range f.nodes {
		n.Stop(t)
		n.start(t, f.dsn)
	}
	f.during(t, sized(40, 100), func() {
		for range sized(2, 20) {
			time.Sleep(500*time.Millisecond + rand.N(500*time.Millisecond))
			n := f.nodes[rand.IntN(len(f.nodes))]
			n.Kill()
			n.start(t, f.dsn)
			time.Sleep(500 * time.Millisecond)
			if err := f.server.Kill(); err != nil {
				t.Error(err)
			}
			time.Sleep(rand.N(time.Second))
			if err := f.server.Start(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
	})
	f.verify(t, 3*lease+sized(2*time.Minute, 5*time.Minute))
}
