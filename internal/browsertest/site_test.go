package browsertest

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	stopTimeout  = 10 * time.Second
	pollInterval = 20 * time.Millisecond
)

// unreachableCRM is an address at which nothing listens. Port 1 belongs to an obsolete service.
const unreachableCRM = "http://localhost:1/autoupdate/v2"

// site is a running demo: the pages, and the sandbox that stands in for TeleCRM.
type site struct {
	*caddyproc.Process
	pages   string   // URL without a path
	sandbox string   // URL without a path
	private []string // texts that must not be in the log
}

// startSite runs the demo on free ports until the test ends. Edits are pairs of old and new text in
// the Caddyfile.
func startSite(t *testing.T, edits ...string) *site {
	t.Helper()
	pages, crm := caddyproc.FreePort(t), caddyproc.FreePort(t)
	s := &site{pages: "http://localhost:" + pages, sandbox: "http://localhost:" + crm}
	s.Process = caddyproc.Start(t, binary, demoConfig(t, edits, pages, crm), t.TempDir(), s.pages)
	t.Cleanup(func() {
		s.Stop(t)
		s.checkLog(t)
		if t.Failed() {
			log := s.Log()
			t.Logf("the end of the site's log:\n%s", log[max(0, len(log)-4000):])
		}
	})
	s.Await(t, s.sandbox)
	return s
}

// keepOut makes the test fail if the log contains one of the texts.
func (s *site) keepOut(texts ...string) { s.private = append(s.private, texts...) }

func (s *site) checkLog(t *testing.T) {
	t.Helper()
	text := s.Log()
	if caddyproc.HasPhone(text) {
		t.Errorf("the site's log contains a phone number:\n%s", text)
	}
	for _, private := range s.private {
		if strings.Contains(text, private) {
			t.Errorf("the site's log contains visitor text, %q:\n%s", private, text)
		}
	}
}

// demoConfig writes a copy of Caddyfile.example with other ports and another outbox, without a rate
// limit, and without the admin endpoint, whose port is fixed.
func demoConfig(t *testing.T, edits []string, pages, crm string) string {
	t.Helper()
	example, err := os.ReadFile(filepath.Join("..", "..", "Caddyfile.example"))
	if err != nil {
		t.Fatalf("reading the example: %v", err)
	}
	text := string(example)
	const outbox = "example/outbox.db"
	for _, old := range []string{"\n{\n", "8080", "8081", outbox} {
		if !strings.Contains(text, old) {
			t.Fatalf("Caddyfile.example: %q not found", old)
		}
	}
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("Caddyfile.example: %q not found, cannot edit it", edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	// A test sends more posts per minute than a visitor.
	text = strings.ReplaceAll(text, "thank_you /thank-you\n", "thank_you /thank-you\n\t\trate_limit off\n")
	text = strings.Replace(text, "\n{\n", "\n{\n\tadmin off\n", 1)
	text = strings.NewReplacer("8080", pages, "8081", crm, outbox, filepath.Join(t.TempDir(), "outbox.db")).Replace(text)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatalf("writing the Caddyfile: %v", err)
	}
	return config
}

// leads returns the leads in the sandbox.
func (s *site) leads(t *testing.T) []sandbox.Lead {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.sandbox+"/leads.json", nil)
	if err != nil {
		t.Fatalf("asking for the leads: %v", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("asking for the leads: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	decoder := json.NewDecoder(resp.Body)
	decoder.UseNumber() // so that 4 and 4.0 differ
	decoder.DisallowUnknownFields()
	var leads []sandbox.Lead
	if err := decoder.Decode(&leads); err != nil {
		t.Fatalf("reading the leads: %v", err)
	}
	return leads
}

// onlyLead returns the only lead in the sandbox.
func (s *site) onlyLead(t *testing.T) sandbox.Lead {
	t.Helper()
	leads := s.leads(t)
	if len(leads) != 1 {
		t.Fatalf("the sandbox has %d leads, want 1; the site's log:\n%s", len(leads), s.Log())
	}
	return leads[0]
}

// eventually polls until ok returns true. On a timeout it prints details.
func eventually(t *testing.T, timeout time.Duration, what string, ok func() bool, details ...func() string) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			var more strings.Builder
			for _, detail := range details {
				more.WriteString("\n" + detail())
			}
			t.Fatalf("timeout after %v waiting for %s%s", timeout, what, &more)
		}
	}
}
