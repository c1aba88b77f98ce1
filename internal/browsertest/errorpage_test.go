package browsertest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// awkward is text that a page must escape: a textarea drops the leading line break, and the rest
// would end the textarea.
const awkward = "\n</textarea><script>window.injected = true</script>\n\"double\" 'single' & &amp; 🙂 नमस्ते {env.HOME}"

func TestErrorPageIsCorrectedAndSentAgain(t *testing.T) {
	t.Run("scripts off", func(t *testing.T) {
		s, b := startSite(t), openTab(t)
		b.withoutScripts()
		correctAndSendAgain(t, s, b)
	})
	// With scripts on, a script in the visitor's text could run.
	t.Run("scripts on", func(t *testing.T) {
		s, b := startSite(t), openTab(t)
		correctAndSendAgain(t, s, b)
	})
	t.Run("built-in page", func(t *testing.T) {
		s, b := startSite(t, "form enquiry", "form enquiry\nform_page /no-such-page"), openTab(t)
		correctAndSendAgain(t, s, b)
	})
}

func correctAndSendAgain(t *testing.T, s *site, b *tab) {
	t.Helper()
	s.keepOut("Anjali", "anjali", "81234 56789", "नमस्ते")
	b.open(s.pages + "/contact")
	b.do(
		chromedp.SendKeys(chromedp.CSS(byName("phone")), "12345"),
		chromedp.SendKeys(chromedp.CSS(byName("email")), "anjali at example.org"),
		chromedp.SendKeys(chromedp.CSS(byName("message")), awkward),
		chromedp.Click(chromedp.CSS(byName("interests")+`[value="Financing"]`)),
		chromedp.Click(chromedp.CSS(byName("interests")+`[value="Maintenance"]`)),
	)
	b.choose(byName("topics"), "Pricing", "Warranty")
	b.set(byName("visit_date"), "2027-01-15")
	typed := b.sends()

	b.witness.expect(s.pages+"/contact", http.StatusUnprocessableEntity)
	if status := b.press(submitButton); status != http.StatusUnprocessableEntity {
		t.Fatalf("invalid form: status %d", status)
	}
	if leads := s.leads(t); len(leads) > 0 {
		t.Errorf("an invalid form created %d leads", len(leads))
	}
	checkErrorPage(b, "name", "phone", "email", "consent")
	if diff := cmp.Diff(typed, b.sends()); diff != "" {
		t.Errorf("the page does not keep what was typed (-typed +kept):\n%s", diff)
	}
	if got := evaluate[string](b, `document.querySelector("textarea").value`); got != awkward {
		t.Errorf("the text area has %q, want %q", got, awkward)
	}

	b.fill(byName("name"), "Anjali Menon")
	b.fill(byName("phone"), "081234 56789")
	b.fill(byName("email"), "anjali@example.org")
	b.agree()
	began := time.Now()
	if status := b.press(submitButton); status != http.StatusOK || b.path() != "/thank-you" {
		t.Fatalf("after the corrected form: path %s, status %d", b.path(), status)
	}
	got := s.onlyLead(t)
	checkSubmittedAt(t, got.Fields, began)
	if diff := cmp.Diff(correctedEnquiry(s), withoutIDs(t, got)); diff != "" {
		t.Errorf("lead (-want +got):\n%s", diff)
	}
}

// The site's script shows the same errors as the server's page, and leaves the page only on
// success.
func TestEnhancedFormShowsTheSame(t *testing.T) {
	s, b := startSite(t), openTab(t)
	b.open(s.pages + "/contact")
	b.enhance()
	b.do(
		chromedp.SendKeys(chromedp.CSS(byName("phone")), "12345"),
		chromedp.SendKeys(chromedp.CSS(byName("message")), awkward),
	)
	for range 2 {
		b.witness.expect(s.pages+"/contact", http.StatusUnprocessableEntity)
		evaluate[any](b, `window.scrollTo(0, document.body.scrollHeight); document.activeElement.blur()`)
		b.do(chromedp.Click(chromedp.CSS(submitButton)))
		eventually(t, actionTimeout, "the summary to get the focus", func() bool {
			return see[bool](b, `document.activeElement.matches("`+summary+`")`)
		})
		checkErrorPage(b, "name", "phone", "consent")
		if got := evaluate[int](b, `document.querySelectorAll(".telecrm-error").length`); got != 3 {
			t.Errorf("%d messages for 3 errors", got)
		}
	}
	if got := evaluate[string](b, `document.getElementById("phone").getAttribute("aria-describedby")`); got != "phone-hint telecrm-error-1" {
		t.Errorf("the phone is described by %q", got)
	}
	b.set(byName("name"), "Anjali Menon")
	b.set(byName("phone"), "081234 56789")
	b.agree()
	b.do(chromedp.Click(chromedp.CSS(submitButton)))
	eventually(t, actionTimeout, "the thank-you page", func() bool { return b.path() == "/thank-you" },
		func() string { return see[string](b, `document.body.innerText.slice(0, 600)`) })
	if lead := s.onlyLead(t); lead.Fields["phone"] != "918123456789" {
		t.Errorf("the lead is %v", lead.Fields)
	}
}

// agree gives consent on the error page, with a checkbox or a text input.
func (b *tab) agree() {
	b.t.Helper()
	consent := byName("consent")
	if evaluate[string](b, "document.querySelector("+quote(consent)+").type") == "checkbox" {
		b.do(chromedp.Click(chromedp.CSS(consent)))
		return
	}
	b.fill(consent, "yes")
}

// correctedEnquiry returns the lead of a form that was sent, corrected and sent again.
func correctedEnquiry(s *site) sandbox.Lead {
	contactPage := s.pages + "/contact"
	return sandbox.Lead{
		Fields: map[string]any{
			"name":       "Anjali Menon",
			"phone":      "918123456789",
			"email":      "anjali@example.org",
			"rating":     json.Number("3"),
			"contact_by": "Phone",
			"interests":  []any{"Financing", "Maintenance"},
			"visit_date": millis(time.Date(2027, time.January, 15, 0, 0, 0, 0, kolkata)),
			"message":    strings.TrimSpace(awkward),
			"consent":    "yes",
			"source":     "Website",
			"page_url":   contactPage,
			"more":       "Page: contact\nTopics: Pricing, Warranty",
		},
		Actions: []sandbox.Action{{
			Type:   "1042",
			Fields: map[string]any{"note": strings.TrimSpace(awkward), "page": contactPage},
		}},
		Changes:    []sandbox.Change{},
		Remarks:    []sandbox.Remark{},
		NewOptions: []string{},
	}
}

// With an outbox, visitors do not notice that the CRM is down.
func TestVisitorIsThankedWhileTheCRMIsDown(t *testing.T) {
	s := startSite(t, crmURL, unreachableCRM)
	b := openTab(t)
	b.open(s.pages + "/contact")
	fillEnquiry(b)
	if status := b.press(submitButton); status != http.StatusOK || b.path() != "/thank-you" {
		t.Errorf("status %d at %s", status, b.path())
	}
}

const crmURL = "http://localhost:8081/autoupdate/v2"

func TestFormIsKeptWhileNothingCanBe(t *testing.T) {
	s := startSite(t, crmURL, unreachableCRM, "outbox sqlite example/outbox.db", "outbox off # example/outbox.db")
	s.keepOut("Anjali", "918123456789", "81234 56789", "anjali@example.org", "banyan")
	b := openTab(t)
	b.open(s.pages + "/contact")
	fillEnquiry(b)
	typed := b.sends()

	b.witness.expect(s.pages+"/contact", http.StatusServiceUnavailable)
	if status := b.press(submitButton); status != http.StatusServiceUnavailable {
		t.Fatalf("without a CRM: status %d", status)
	}
	checkErrorPage(b)
	if diff := cmp.Diff(typed, b.sends()); diff != "" {
		t.Errorf("the page does not keep what was typed (-typed +kept):\n%s", diff)
	}
	text := evaluate[string](b, `document.querySelector("`+summary+`").innerText`)
	for _, jargon := range []string{"CRM", "503", "upstream", "token", "dial"} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(jargon)) {
			t.Errorf("the page shows %q", jargon)
		}
	}
}

// summary selects the error summary of the visitor's own page and of the built-in page.
const summary = ":is(.telecrm-summary, .summary)"

// checkErrorPage expects an error page with errors about the given inputs, in this order, with
// links to them.
func checkErrorPage(b *tab, wrong ...string) {
	b.t.Helper()
	words := page.Shipped().For(evaluate[string](b, "document.documentElement.lang"))
	if got := evaluate[string](b, "document.title"); !strings.HasPrefix(got, words.Text(page.ErrorPrefix)+" ") {
		b.t.Errorf("the title is %q", got)
	}
	if !evaluate[bool](b, `document.activeElement.matches("`+summary+`")`) {
		b.t.Errorf("the focus is on %s, not on the summary", evaluate[string](b, "document.activeElement.outerHTML"))
	}
	if !evaluate[bool](b, `(box => box.top >= 0 && box.bottom <= innerHeight)(document.querySelector("`+summary+` h1, `+summary+` h2").getBoundingClientRect())`) {
		b.t.Error("the heading of the summary is not visible")
	}
	if got := evaluate[string](b, "String(window.injected)"); got != "undefined" {
		b.t.Errorf("a script in the visitor's text ran: %s", got)
	}
	if got := evaluate[[]string](b, `Array.from(document.querySelectorAll("[for], [aria-describedby], [aria-labelledby]"),
		e => ["for", "aria-describedby", "aria-labelledby"].map(name => e.getAttribute(name) || "").join(" ").split(" ")).flat()
		.filter(id => id && !document.getElementById(id))`); len(got) > 0 {
		b.t.Errorf("elements refer to missing ids: %q", got)
	}

	links := evaluate[[]string](b, `Array.from(document.querySelectorAll("`+summary+` a"), a => a.getAttribute("href"))`)
	focused := make([]string, 0, len(links))
	for _, link := range links {
		b.do(chromedp.Click(chromedp.CSS(summary + ` a[href="` + link + `"]`)))
		focused = append(focused, evaluate[string](b, "document.activeElement.name || document.activeElement.outerHTML"))
	}
	if diff := cmp.Diff(append([]string{}, wrong...), focused); diff != "" {
		b.t.Errorf("inputs that the summary links to (-want +focused):\n%s", diff)
	}
	invalid := evaluate[[]string](b, `Array.from(document.querySelectorAll('form [aria-invalid="true"]'), e => e.name)`)
	if diff := cmp.Diff(append([]string{}, wrong...), invalid); diff != "" {
		b.t.Errorf("controls marked as invalid (-want +marked):\n%s", diff)
	}
}
