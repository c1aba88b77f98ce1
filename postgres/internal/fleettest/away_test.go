//go:build linux

package fleettest

import (
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
)

// While the database is away for long, all nodes keep and deliver leads from their spools, and what is
// left moves when it is back.
func TestServerAway(t *testing.T) {
	f := newFleet(t, 3, noStandby)
	f.during(t, sized(40, 50), func() {
		time.Sleep(time.Second)
		if err := f.server.Kill(); err != nil {
			t.Error(err)
		}
		time.Sleep(sized(6*time.Second, 10*time.Minute))
		if err := f.server.Start(); err != nil {
			t.Error(err)
		}
		time.Sleep(sized(2*time.Second, 30*time.Second))
	})
	f.verify(t, 3*lease+sized(2*time.Minute, 5*time.Minute))
}

// A node whose network loses all packets to the database, without an error, thanks its visitors and
// delivers from its spool. The other nodes decide the leads that it had in flight.
func TestPartition(t *testing.T) {
	f := newFleet(t, 3, noStandby)
	n := f.nodes[0]
	network := pgtest.NewProxy(t, f.server.Address())
	n.Stop(t)
	n.start(t, strings.Replace(f.dsn, f.server.Address(), network.Address(), 1))
	f.during(t, sized(40, 100), func() {
		time.Sleep(2 * time.Second)
		network.Stall(true)
		time.Sleep(sized(2*lease, 2*time.Minute))
		network.Stall(false)
		time.Sleep(sized(2*time.Second, 30*time.Second))
	})
	f.verify(t, 3*lease+sized(2*time.Minute, 5*time.Minute))
}
