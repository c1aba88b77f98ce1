package browsertest

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// demoEnterprise is the workspace of Caddyfile.example.
const demoEnterprise = "66aa00bb11cc22dd33ee44ff"

// hostile is text that an attacker might type to take over the page that shows it.
const hostile = `</h2><img src=x onerror="window.injected = true"><script>window.injected = true</script>{{.}}`

func TestSandboxPageShowsALeadAsItArrives(t *testing.T) {
	s := startSite(t)
	b := openTab(t)
	b.open(s.sandbox)
	eventually(t, actionTimeout, "the page to listen", func() bool {
		return see[string](b, `document.getElementById("state").textContent`) == "Live"
	})
	evaluate[bool](b, "window.notReloaded = true")

	s.postCallback(t, "+91 81234 56789")
	eventually(t, actionTimeout, "the lead to arrive", func() bool { return countLeads(b) == 1 })
	if got := evaluate[string](b, "String(window.notReloaded)"); got != "true" {
		t.Error("the page was reloaded for the lead")
	}
	if got := evaluate[string](b, `document.getElementById("news").textContent`); got != "New lead: "+hostile {
		t.Errorf("the status for screen readers is %q", got)
	}

	s.updateLead(t, s.onlyLead(t).ID, `{"fields":{"city":"Pune"}}`)
	eventually(t, actionTimeout, "the change to arrive", func() bool {
		return see[string](b, `document.getElementById("news").textContent`) == "Lead changed: "+hostile
	})
	live := shownLeads(b)
	if len(live) != 1 || !strings.Contains(live[0], "Pune") {
		t.Errorf("after the change the page shows the leads %q", live)
	}

	b.withoutScripts()
	b.open(s.sandbox)
	reloaded := shownLeads(b)
	if diff := cmp.Diff(live, reloaded); diff != "" {
		t.Errorf("page after a reload without scripts (-live +reloaded):\n%s", diff)
	}
	if len(reloaded) != 1 || !strings.Contains(reloaded[0], "918123456789") {
		t.Errorf("the page shows the leads %q", reloaded)
	}
}

// postCallback sends the form on the home page, with hostile as the name.
func (s *site) postCallback(t *testing.T, phone string) {
	t.Helper()
	values := url.Values{"name": {hostile}, "phone": {phone}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.pages+"/callback", strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatalf("posting the form: %v", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("posting the form: %v", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("posting the form: status %d", resp.StatusCode)
	}
}

// updateLead updates a lead with the demo's token.
func (s *site) updateLead(t *testing.T, id, body string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join("..", "..", "example", "sandbox-token.txt"))
	if err != nil {
		t.Fatalf("reading the demo's token: %v", err)
	}
	target := s.sandbox + "/autoupdate/v2/enterprise/" + demoEnterprise + "/lead/" + id
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatalf("updating the lead: %v", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("updating the lead: %v", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("updating the lead: status %d", resp.StatusCode)
	}
}

func countLeads(b *tab) int {
	return evaluate[int](b, `document.querySelectorAll("#leads > li").length`)
}

// shownLeads returns the text of the leads on the sandbox's page, and checks that they contain only
// text.
func shownLeads(b *tab) []string {
	b.t.Helper()
	if got := evaluate[string](b, "String(window.injected)"); got != "undefined" {
		b.t.Errorf("a script in the visitor's text ran: %s", got)
	}
	if got := evaluate[int](b, `document.querySelectorAll("#leads :is(script, img)").length`); got != 0 {
		b.t.Errorf("%d elements from the visitor's text are on the page", got)
	}
	if got := evaluate[string](b, `document.querySelector("#leads h2").textContent`); got != hostile {
		b.t.Errorf("the lead's title is %q, not %q", got, hostile)
	}
	return evaluate[[]string](b, `Array.from(document.querySelectorAll("#leads > li"), li => li.innerText)`)
}
