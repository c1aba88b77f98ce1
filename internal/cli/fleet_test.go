package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// The status names the machines that share an outbox, and what keeps their database from cleaning up.
func TestStatusOfFleet(t *testing.T) {
	e := newEndpoint(t)
	fleet := &adminapi.Fleet{Nodes: []adminapi.Node{{Name: "web-1", Self: true}, {Name: "web-2\x1b[2J", InFlight: 3, Spooled: 12}}, DeadRows: 50000, OpenSeconds: 59}
	e.status = adminapi.Status{Outboxes: []adminapi.Outbox{{Resource: "postgres db.example:5432/leads telecrm", Fleet: fleet}}}
	out, _, err := e.run(t, "status")
	if err != nil || !strings.Contains(out, "\nNodes: web-1 (this one); web-2") || !strings.Contains(out, " with 3 leads in flight, keeps 12 leads in its spool\n") ||
		strings.Contains(out, "\x1b") || strings.Contains(out, "transaction") {
		t.Errorf("error %v, printed\n%s", err, out)
	}
	fleet.OpenSeconds = 3720
	if out, _, err = e.run(t, "status"); err != nil || !strings.Contains(out, "A transaction has been open in the database for 1h2m0s, so it cannot clean up 50,000 dead rows.") {
		t.Errorf("error %v, printed\n%s", err, out)
	}
}

// The status says which settings the machines do not agree on, also if it is brief.
func TestStatusOfDisagreement(t *testing.T) {
	e := newEndpoint(t)
	values := []outbox.Variant{{Value: "3600/h 5", Nodes: []string{"web-1", "web-3"}}, {Value: "60/h 5", Nodes: []string{"web-2\x1b[2J"}}}
	fleet := &adminapi.Fleet{Disagreements: []outbox.Disagreement{{Account: "default", Setting: "crm_rate", Values: values}}}
	e.status = adminapi.Status{Outboxes: []adminapi.Outbox{{Resource: "postgres db.example:5432/leads telecrm", Fleet: fleet}}}
	const want = "crm_rate of account default: 3600/h 5 on web-1 and web-3, 60/h 5 on web-2"
	for _, args := range [][]string{{"status"}, {"status", "--quiet"}} {
		if out, _, err := e.run(t, args...); err != nil || !strings.Contains(out, want) || strings.Contains(out, "\x1b") {
			t.Errorf("%v: error %v, printed\n%s", args, err, out)
		}
	}
	if out, _, err := e.run(t, "status", "--json"); err != nil || !strings.Contains(out, `"disagreements"`) || !strings.Contains(out, `"web-3"`) {
		t.Errorf("error %v, printed\n%s", err, out)
	}
}

// A lead in flight is listed and shown with the machine that has it.
func TestLeadInFlight(t *testing.T) {
	e := newEndpoint(t)
	lead := adminapi.Lead{ID: "01900000-0000-7000-8000-000000000001", State: outbox.Waiting, Account: "default", Form: "/enquire", Node: "web-2\x1b[2J"}
	e.leads = []adminapi.Lead{lead}
	answer, err := json.Marshal(lead)
	if err != nil {
		t.Fatal(err)
	}
	e.answers = []string{string(answer)}
	for _, args := range [][]string{{"leads", "list"}, {"leads", "show", lead.ID}} {
		out, _, err := e.run(t, args...)
		if err != nil || !strings.Contains(strings.Join(strings.Fields(out), " "), "in flight on web-2") || strings.Contains(out, "\x1b") {
			t.Errorf("%v: error %v, printed\n%s", args, err, out)
		}
	}
}
