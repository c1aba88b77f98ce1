package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

func init() {
	caddy.RegisterModule(eventRecorder{})
	caddy.RegisterModule(execStandIn{})
}

// execStandIn stands in for the exec handler, which is a separate plugin, so that Caddyfiles with
// it load.
type execStandIn struct {
	Args []string `json:"args,omitempty"`
}

func (execStandIn) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.exec", New: func() caddy.Module { return new(execStandIn) }}
}

func (e *execStandIn) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		e.Args = d.RemainingArgs()
	}
	return nil
}

func (*execStandIn) Handle(context.Context, caddy.Event) error { return nil }

// The documented events are those that the tests check.
func TestDocumentedEvents(t *testing.T) {
	var documented []string
	for _, match := range regexp.MustCompile("(?m)^\\| `(telecrm_[a-z_]+)` \\| `").FindAllStringSubmatch(read(t, "docs/monitoring.md"), -1) {
		documented = append(documented, match[1])
	}
	if diff := cmp.Diff(documentedEvents, documented); diff != "" {
		t.Errorf("events (-known +documented):\n%s", diff)
	}
}

// eventRecorder is an event handler that records events and can be slow.
type eventRecorder struct {
	// As identifies the config.
	As string `json:"as,omitempty"`
}

func (eventRecorder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.test_recorder", New: func() caddy.Module { return new(eventRecorder) }}
}

func (r *eventRecorder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		d.Args(&r.As)
	}
	return nil
}

// recorded holds the events of the running test.
var recorded events

type events struct {
	mu   sync.Mutex
	list []recordedEvent
	gate chan struct{} // handlers block until it is closed; nil if they do not block
}

type recordedEvent struct {
	as, name, origin string
	data             map[string]any
}

func (e *events) reset(gate chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list, e.gate = nil, gate
}

func (e *events) all() []recordedEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// await waits for an event with that name, ignoring the first mark events.
func (e *events) await(t *testing.T, name string, mark int) recordedEvent {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, event := range e.all()[mark:] {
			if event.name == name {
				return event
			}
		}
	}
	t.Fatalf("no event %s: %v", name, e.all())
	return recordedEvent{}
}

func (r *eventRecorder) Handle(_ context.Context, e caddy.Event) error {
	recorded.mu.Lock()
	recorded.list = append(recorded.list, recordedEvent{r.As, e.Name(), string(e.Origin().CaddyModule().ID), e.Data})
	gate := recorded.gate
	recorded.mu.Unlock()
	if gate != nil {
		<-gate
	}
	return nil
}

func subscribe(as string) string {
	var b strings.Builder
	b.WriteString("events {\n")
	for _, name := range documentedEvents {
		fmt.Fprintf(&b, "on %s test_recorder %s\n", name, as)
	}
	return b.String() + "}"
}

var documentedEvents = []string{"telecrm_lead_delivered", "telecrm_lead_parked", "telecrm_account_held", "telecrm_account_resumed"}

// Events contain ids, names and reasons, but nothing about the visitor.
func TestEvents(t *testing.T) {
	recorded.reset(nil)
	p := newInProcess(t)
	p.mustLoad(t, enquiry, subscribe("first"))
	faults := sandbox.Faults()

	p.post(t, "/contact", ravi)
	delivered := recorded.await(t, "telecrm_lead_delivered", 0)
	leadID := p.crm.Leads()[0].ID
	checkEvent(t, delivered, map[string]any{
		"id": "", "account": "default", "form": "/contact", "lead_id": leadID, "reason": "", "attempts": 1,
	})
	p.crm.Inject(faults[sandbox.FaultInvalidLead])
	p.post(t, "/contact", url.Values{"name": {"Zenobia Quartermaine"}, "phone": {"081234 56780"}})
	checkEvent(t, recorded.await(t, "telecrm_lead_parked", 0), map[string]any{
		"id": "", "account": "default", "form": "/contact", "reason": "HTTP 400 INVALID_LEAD", "attempts": 1,
	})
	p.crm.Inject(faults[sandbox.FaultUnauthorizedToken])
	p.post(t, "/contact", url.Values{"name": {"Zenobia Quartermaine"}, "phone": {"081234 56781"}})
	checkEvent(t, recorded.await(t, "telecrm_account_held", 0), map[string]any{
		"account": "default", "reason": "HTTP 401 NOT_AUTHORIZED",
	})

	// A changed CRM address is tried at once, and the new config gets the events.
	mark := len(recorded.all())
	p.crmHost = strings.Replace(p.crmHost, "127.0.0.1", "localhost", 1)
	p.mustLoad(t, enquiry, subscribe("second"))
	checkEvent(t, recorded.await(t, "telecrm_account_resumed", mark), map[string]any{"account": "default"})
	recorded.await(t, "telecrm_lead_delivered", mark)
	for i, event := range recorded.all() {
		if want := map[bool]string{true: "first", false: "second"}[i < mark]; event.as != want {
			t.Errorf("%s was handled by the %s config, want the %s config", event.name, event.as, want)
		}
		text, err := json.Marshal(event.data)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{secretToken, "Quartermaine", "8123456"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("found %q in %s %s", secret, event.name, text)
			}
		}
	}
}

func checkEvent(t *testing.T, got recordedEvent, want map[string]any) {
	t.Helper()
	if got.origin != "telecrm" {
		t.Errorf("%s: got origin %q", got.name, got.origin)
	}
	data := maps.Clone(got.data)
	if _, wanted := want["id"]; wanted && len(fmt.Sprint(data["id"])) == 36 {
		data["id"] = ""
	}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Errorf("%s (-want +got):\n%s", got.name, diff)
	}
}

// After a rejected reload, the running config still handles the events.
func TestEventsAfterRejectedReload(t *testing.T) {
	recorded.reset(nil)
	p := newInProcess(t)
	p.mustLoad(t, enquiry, subscribe("running"))
	// The port of another site is taken, so the apps fail to start, in random order.
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for i := range 6 {
		site := fmt.Sprintf("%s\nrespond /%d 204\n}\nhttp://%s {\nbind 127.0.0.1", enquiry, i, taken.Addr())
		if err := p.load(site, subscribe("rejected")); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Fatalf("loading the config: %v", err)
		}
	}
	p.post(t, "/contact", ravi)
	if event := recorded.await(t, "telecrm_lead_delivered", 0); event.as != "running" {
		t.Errorf("handled by the %s config", event.as)
	}
}

// A blocked event handler delays neither visitors nor deliveries, and no event is lost.
func TestSlowEventHandler(t *testing.T) {
	gate := make(chan struct{})
	recorded.reset(gate)
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	p := newInProcess(t)
	p.mustLoad(t, enquiry, subscribe("slow"))
	const visitors = 20
	for i := range visitors {
		got := p.post(t, "/contact", url.Values{"phone": {fmt.Sprintf("081234567%02d", i)}})
		if got.status != http.StatusSeeOther {
			t.Fatalf("status %d", got.status)
		}
	}
	for deadline := time.Now().Add(patience); len(p.crm.Leads()) < visitors; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d leads were delivered", len(p.crm.Leads()), visitors)
		}
	}
	eventuallyTrue(t, "the first event", func() bool { return len(recorded.all()) > 0 })
	if n := len(recorded.all()); n != 1 {
		t.Errorf("%d events before the first was handled, want 1", n)
	}
	open()
	for deadline := time.Now().Add(patience); len(recorded.all()) < visitors; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d events were handled", len(recorded.all()), visitors)
		}
	}
}
