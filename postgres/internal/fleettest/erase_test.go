//go:build linux

package fleettest

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// The leads in the spool of a machine that cannot reach the database are erased from another machine:
// a person, and a lead by its id. They do not come back when the spool moves, and others do.
func TestErasedElsewhere(t *testing.T) {
	f := newFleet(t, 2, noStandby)
	first, second := f.nodes[0], f.nodes[1]
	proxy := pgtest.NewProxy(t, f.server.Address())
	second.Stop(t)
	second.start(t, strings.Replace(f.dsn, f.server.Address(), proxy.Address(), 1))
	for range 1000 {
		f.crm.Inject(sandbox.Faults()[sandbox.FaultBadGatewayHTML])
	}
	proxy.Refuse(true)
	f.await(t, "partition", second.isAway)
	people := map[string]string{"Asha Example": "+918123456789", "Meera Example": "+918123456780", "Ravi Example": "+918123456781"}
	ids := make(map[string]string)
	for name, phone := range people {
		second.post(t, name, phone)
		out, err := second.telecrm(t, "leads", "list", "--identifier", phone)
		if lines := strings.Split(out, "\n"); err == nil && len(lines) > 1 {
			ids[name], _, _ = strings.Cut(lines[1], " ")
		}
	}
	if out, err := first.telecrm(t, "leads", "erase", "--identifier", people["Asha Example"]); err != nil || !strings.Contains(out, "0 leads erased") {
		t.Errorf("erasing a person: error %v\n%s", err, out)
	}
	if out, err := first.telecrm(t, "leads", "discard", ids["Meera Example"]); err == nil || !strings.Contains(out, "if it is in the spool of another machine, it is removed") {
		t.Errorf("discarding a lead: error %v\n%s", err, out)
	}
	if out, err := second.telecrm(t, "leads", "erase", "--identifier", "+918123456782"); err == nil || !strings.Contains(out, "the outbox cannot be used at present") {
		t.Errorf("erasing a person without the database: error %v\n%s", err, out)
	}
	proxy.Refuse(false)
	f.await(t, "lead that moved", func() bool {
		out, err := first.telecrm(t, "leads", "show", ids["Ravi Example"])
		return err == nil && strings.Contains(out, "Ravi Example")
	})
	f.await(t, "end of the spool", func() bool { return !strings.Contains(second.get(t, "/telecrm/status"), `"spool":`) })
	if out, err := first.telecrm(t, "leads", "list"); err != nil || strings.Contains(out, ids["Asha Example"]) || strings.Contains(out, ids["Meera Example"]) {
		t.Errorf("error %v, the leads are\n%s", err, out)
	}
	f.crm.Reset()
	f.await(t, "delivered lead", func() bool {
		_, _ = first.telecrm(t, "accounts", "resume", "default")
		return len(f.crm.Leads()) > 0
	})
	for _, lead := range f.crm.Leads() {
		if name := lead.Fields["name"]; name != "Ravi Example" {
			t.Errorf("the lead of %v is in TeleCRM", name)
		}
	}
}
