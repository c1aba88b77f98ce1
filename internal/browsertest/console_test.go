package browsertest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// consoleCaddyfile has an account that works and one with a wrong token.
const consoleCaddyfile = `{
	admin localhost:%[1]s {
		origins localhost:%[1]s ""
	}
	telecrm {
		check off
		account {
			token demo-token
			enterprise_id demo
			base_url http://localhost:%[3]s/autoupdate/v2
			country IN
			crm_rate 1000/s 1000
		}
		account north {
			token another-token
			enterprise_id demo
			base_url http://localhost:%[3]s/autoupdate/v2
			country IN
		}
		outbox sqlite %[4]s
	}
}
http://localhost:%[2]s {
	respond /thanks "Thank you"
	respond / "Hello"
	telecrm /callback {
		field name
		field phone
		set no_such_field something
		on_duplicate park
		rate_limit off
		dedupe off
		thank_you /thanks
	}
	telecrm /north {
		account north
		field name
		field phone
		rate_limit off
		dedupe off
		thank_you /thanks
	}
}
http://localhost:%[3]s {
	telecrm_sandbox {
		token demo-token
		enterprise_id demo
	}
}
`

// startConsole runs a site with an admin endpoint, and returns the address of the page for
// operators.
func startConsole(t *testing.T) (s *site, page string) {
	t.Helper()
	admin, pages, crm := caddyproc.FreePort(t), caddyproc.FreePort(t), caddyproc.FreePort(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf(consoleCaddyfile, admin, pages, crm, filepath.Join(dir, "outbox.db"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatalf("writing the Caddyfile: %v", err)
	}
	s = &site{pages: "http://localhost:" + pages, sandbox: "http://localhost:" + crm}
	s.Process = caddyproc.Start(t, binary, config, dir, s.pages)
	return s, "http://localhost:" + admin + "/telecrm/"
}

// awaitDecided waits until no lead of the account named default is waiting.
func awaitDecided(t *testing.T, page string) {
	t.Helper()
	eventually(t, actionTimeout, "the leads to be delivered or parked", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page+"leads?state=waiting&account=default", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == http.StatusOK && !strings.Contains(string(body), `"waiting"`)
	})
}

// An operator sees the parked leads and their reasons, retries one and discards another, without
// scripts.
func TestConsole(t *testing.T) {
	s, page := startConsole(t)
	s.keepOut("onerror")
	b := openTab(t)
	b.withoutScripts()
	b.open(page)
	checkLayout(b, "console-empty")
	for range 4 {
		s.postCallback(t, "+91 81234 56789")
	}
	resp, err := http.PostForm(s.pages+"/north", map[string][]string{"phone": {"+91 81234 56780"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	eventually(t, actionTimeout, "everything to be on the page", func() bool {
		b.open(page)
		text := see[string](b, "document.body.innerText")
		return strings.Contains(text, "On hold") && countParked(b) == 3 && strings.Contains(text, "no_such_field")
	})
	checkLayout(b, "console")
	if text := evaluate[string](b, "document.documentElement.outerHTML"); caddyproc.HasPhone(text) || strings.Contains(text, "onerror") {
		t.Errorf("the page shows what visitors sent:\n%s", text)
	}
	checkAccessible(b)

	if status := b.press(`form[action$="/retry"] button`); status != http.StatusOK || b.path() != "/telecrm/" {
		t.Errorf("after the retry: path %s, status %d", b.path(), status)
	}
	if got := evaluate[string](b, `document.querySelector("[role=status]").textContent`); !strings.Contains(got, "retried") {
		t.Errorf("the page says %q", got)
	}
	eventually(t, actionTimeout, "the retried lead to be parked again", func() bool {
		b.open(page)
		return countParked(b) == 3
	})

	if status := b.press(`form[action$="/discard"] button`); status != http.StatusOK || !strings.HasSuffix(b.path(), "/discard") {
		t.Fatalf("confirmation: path %s, status %d", b.path(), status)
	}
	checkLayout(b, "console-discard")
	if status := b.press("button.danger"); status != http.StatusOK || b.path() != "/telecrm/" || countParked(b) != 2 {
		t.Errorf("after the discard: path %s, status %d, %d parked leads", b.path(), status, countParked(b))
	}
	if status := b.press(`form[action$="/resume"] button`); status != http.StatusOK || b.path() != "/telecrm/" {
		t.Errorf("after resuming: path %s, status %d", b.path(), status)
	}

	// Another operator has discarded the lead in the meantime.
	gone := strings.TrimSuffix(page, "/") + "/page/leads/01900000-0000-7000-8000-000000000000/discard"
	b.witness.expect(gone, http.StatusNotFound)
	if status := b.load(chromedp.Navigate(gone)); status != http.StatusNotFound {
		t.Errorf("a discarded lead: status %d", status)
	}
	checkLayout(b, "console-problem")
}

// An operator finds a person's leads in all states with the keyboard alone, and retries one. The
// number that they look for is not in the address.
func TestConsoleFindsLeads(t *testing.T) {
	s, page := startConsole(t)
	s.keepOut("onerror")
	b := openTab(t)
	b.withoutScripts()
	for range 3 {
		s.postCallback(t, "+91 81234 56789")
	}
	for n := range 25 {
		s.postCallback(t, fmt.Sprintf("+91 81234 568%02d", n))
	}
	awaitDecided(t, page)
	b.open(page)
	if status := b.press(`nav a[href$="/page/leads"]`); status != http.StatusOK || b.path() != "/telecrm/page/leads" {
		t.Fatalf("the link: path %s, status %d", b.path(), status)
	}
	checkLayout(b, "console-leads")
	checkAccessible(b)
	if focus := evaluate[string](b, "document.activeElement.id"); focus != "identifier" {
		t.Errorf("the focus is on %q", focus)
	}
	if status := b.load(chromedp.KeyEvent("81234 56789\r")); status != http.StatusOK || caddyproc.HasPhone(evaluate[string](b, "location.href")) {
		t.Errorf("the search: address %s, status %d", evaluate[string](b, "location.href"), status)
	}
	found := func() int { return evaluate[int](b, `document.querySelectorAll("tbody tr").length`) }
	if n, states := found(), evaluate[[]string](b, `[...document.querySelectorAll("td .state")].map(s => s.textContent)`); n != 3 || strings.Join(states, ",") != "delivered,parked,parked" {
		t.Errorf("found %d leads: %q", n, states)
	}
	checkLayout(b, "console-leads-found")
	checkAccessible(b)

	if status := b.press(`form[action$="/retry"] button`); status != http.StatusOK || found() != 3 {
		t.Errorf("after the retry: status %d, %d leads", status, found())
	}
	if got := evaluate[string](b, `document.querySelector("[role=status]").textContent`); !strings.Contains(got, "retried") {
		t.Errorf("the page says %q", got)
	}

	// A mistake is explained above the form, which keeps what was typed.
	b.witness.expect(strings.TrimSuffix(page, "/")+"/page/leads", http.StatusBadRequest)
	b.set("#since", "yesterday")
	if status := b.press(`.search button`); status != http.StatusBadRequest || evaluate[string](b, `document.querySelector("#identifier").value`) != "81234 56789" {
		t.Errorf("a mistake: status %d", status)
	}
	checkLayout(b, "console-leads-mistake")
	checkAccessible(b)

	b.set("#since", "1h")
	b.set("#identifier", "")
	if status := b.press(`.search button`); status != http.StatusOK || found() != 20 {
		t.Errorf("all leads: status %d, %d on the first page", status, found())
	}
	if status := b.press(`button[name="after"].quiet-button`); status != http.StatusOK || found() != 8 {
		t.Errorf("the next page: status %d, %d leads", status, found())
	}
}

// Another site cannot make an operator's browser retry a lead.
func TestConsoleRefusesOtherSites(t *testing.T) {
	s, page := startConsole(t)
	s.postCallback(t, "+91 81234 56789")
	s.postCallback(t, "+91 81234 56789")
	b := openTab(t)
	eventually(t, actionTimeout, "the parked lead", func() bool {
		b.open(page)
		return countParked(b) == 1
	})
	target := evaluate[string](b, `document.querySelector('form[action$="/retry"]').action`)
	b.open(s.pages) // another origin, as its port differs
	b.witness.expect(target, http.StatusForbidden)
	// The error page does not name an icon, so the browser may request the default one.
	b.witness.expect(strings.TrimSuffix(page, "/telecrm/")+"/favicon.ico", http.StatusBadRequest)
	evaluate[bool](b, fmt.Sprintf(`(() => {
		const form = document.createElement("form"), button = document.createElement("button");
		form.method = "post";
		form.action = %s;
		button.type = "submit";
		button.textContent = "Win a prize";
		form.append(button);
		document.body.append(form);
		return true;
	})()`, quote(target)))
	if status := b.press(submitButton); status != http.StatusForbidden {
		t.Errorf("another site's post has status %d", status)
	}
	b.open(page)
	if n := countParked(b); n != 1 {
		t.Errorf("%d leads are parked", n)
	}
}

// The page refreshes itself, and the admin endpoint allows that.
func TestConsoleRefreshesItself(t *testing.T) {
	_, page := startConsole(t)
	b := openTab(t)
	b.open(page)
	refresh := evaluate[string](b, `document.querySelector('meta[http-equiv="refresh"]').content`)
	if refresh != "30; url=/telecrm/" {
		t.Errorf("refreshes as %q", refresh)
	}
	if status := b.press(`header a`); status != http.StatusOK || evaluate[int](b, `document.querySelectorAll('meta[http-equiv="refresh"]').length`) != 0 {
		t.Errorf("refreshing does not stop; status %d", status)
	}
	if status := b.press(`header a:last-of-type`); status != http.StatusOK || evaluate[int](b, `document.querySelectorAll('meta[http-equiv="refresh"]').length`) != 1 {
		t.Errorf("refreshing does not start again; status %d", status)
	}
}

func countParked(b *tab) int {
	return evaluate[int](b, `document.querySelectorAll('form[action$="/retry"]').length`)
}

// checkAccessible checks what people need to use the page without sight or without a mouse.
func checkAccessible(b *tab) {
	b.t.Helper()
	wrong := evaluate[[]string](b, `(() => {
		const wrong = [], all = selector => Array.from(document.querySelectorAll(selector));
		if (all("main").length !== 1 || all("h1").length !== 1) wrong.push("landmarks");
		for (const table of all("table")) {
			if (!table.caption?.textContent.trim()) wrong.push("a table without a caption");
			for (const th of table.querySelectorAll("th")) if (!th.scope) wrong.push("th without scope: " + th.textContent);
		}
		const names = all("button").map(button => button.textContent.trim());
		if (new Set(names).size !== names.length) wrong.push("buttons that sound alike: " + names);
		for (const section of all("section")) {
			if (!document.getElementById(section.getAttribute("aria-labelledby"))) wrong.push("a section without a name");
		}
		for (const svg of all("svg:not([aria-hidden])")) if (!svg.getAttribute("aria-label")) wrong.push("a picture without words");
		return wrong;
	})()`)
	for _, what := range wrong {
		b.t.Error(what)
	}
}
