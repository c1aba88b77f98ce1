package browsertest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hostile is what somebody might type to take over the page of whoever reads it.
const hostile = `</h2><img src=x onerror="window.injected = true"><script>window.injected = true</script>{{.}}`

func TestSandboxPageShowsALeadAsItArrives(t *testing.T) {
	s := startSite(t)
	b := openTab(t)
	b.open(s.sandbox)
	eventually(t, actionTimeout, "the page to listen", func() bool {
		return evaluate[string](b, `document.getElementById("state").textContent`) == "Live"
	})
	evaluate[bool](b, "window.notReloaded = true")

	s.postCallback(t, "+91 81234 56789")
	eventually(t, actionTimeout, "the lead to arrive", func() bool { return countLeads(b) == 1 })
	if got := evaluate[string](b, "String(window.notReloaded)"); got != "true" {
		t.Error("the page was loaded anew for the lead")
	}
	if got := evaluate[string](b, `document.getElementById("news").textContent`); got != "New lead: "+hostile {
		t.Errorf("a screen reader hears %q", got)
	}
	live := shownLeads(b)

	b.withoutScripts()
	b.open(s.sandbox)
	reloaded := shownLeads(b)
	if diff := cmp.Diff(live, reloaded); diff != "" {
		t.Errorf("the page shows something else after a reload without scripts (-live +reloaded):\n%s", diff)
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
		t.Fatalf("posting the form led to status %d", resp.StatusCode)
	}
}

func countLeads(b *tab) int {
	return evaluate[int](b, `document.querySelectorAll("#leads > li").length`)
}

// shownLeads returns the text of the leads on the sandbox's page, after a look at whether text is all they are.
func shownLeads(b *tab) []string {
	b.t.Helper()
	if got := evaluate[string](b, "String(window.injected)"); got != "undefined" {
		b.t.Errorf("a script from the visitor's text has run: %s", got)
	}
	if got := evaluate[int](b, `document.querySelectorAll("#leads :is(script, img)").length`); got != 0 {
		b.t.Errorf("%d elements from the visitor's text are on the page", got)
	}
	if got := evaluate[string](b, `document.querySelector("#leads h2").textContent`); got != hostile {
		b.t.Errorf("the lead's title is %q, not %q", got, hostile)
	}
	return evaluate[[]string](b, `Array.from(document.querySelectorAll("#leads > li"), li => li.innerText)`)
}
