package cli

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// The status names the machines that share an outbox, and what keeps their database from cleaning up.
func TestStatusOfFleet(t *testing.T) {
	e := newEndpoint(t)
	fleet := &adminapi.Fleet{Nodes: []adminapi.Node{{Name: "web-1", Self: true}, {Name: "web-2\x1b[2J", InFlight: 3}}, DeadRows: 50000, OpenSeconds: 59}
	e.status = adminapi.Status{Outboxes: []adminapi.Outbox{{Resource: "postgres db.example:5432/leads telecrm", Fleet: fleet}}}
	out, _, err := e.run(t, "status")
	if err != nil || !strings.Contains(out, "\nNodes: web-1 (this one), web-2") || !strings.Contains(out, " with 3 leads in flight\n") ||
		strings.Contains(out, "\x1b") || strings.Contains(out, "transaction") {
		t.Errorf("error %v, printed\n%s", err, out)
	}
	fleet.OpenSeconds = 3720
	if out, _, err = e.run(t, "status"); err != nil || !strings.Contains(out, "A transaction has been open in the database for 1h2m0s, so it cannot clean up 50,000 dead rows.") {
		t.Errorf("error %v, printed\n%s", err, out)
	}
}
