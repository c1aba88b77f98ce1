package browsertest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// startAttributedSite runs the demo with telecrm_attribution, whose block has the given lines, and a
// workspace with fields for some of the values.
func startAttributedSite(t *testing.T, lines string) *site {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "sandbox", "default-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	fields := schema["fields"].([]any)
	for _, name := range []string{"first_utm_source", "first_gclid", "first_referrer", "first_landing", "first_channel", "last_utm_source", "last_channel"} {
		fields = append(fields, map[string]any{"api_name": name, "type": "TEXT"})
	}
	schema["fields"] = fields
	if content, err = json.Marshal(schema); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return startSite(t,
		"telecrm_sandbox {", "telecrm_sandbox {\n\t\tschema "+file,
		"\ttelecrm /callback {", "\ttelecrm_attribution {\n"+lines+"\n}\n\ttelecrm /callback {\n\t\tattribution")
}

// arrive opens the page as a link on another page does.
func (b *tab) arrive(address, referrer string) {
	b.t.Helper()
	status := b.load(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		result, err := cdp.Call(ctx, t, page.Navigate, page.NavigateParams{URL: address, Referrer: referrer})
		if err == nil && result.ErrorText != "" {
			return &chromedp.LoadError{ErrorText: result.ErrorText}
		}
		return err
	}))
	if status != http.StatusOK {
		b.t.Fatalf("%s answered with status %d", address, status)
	}
}

// callBack asks to be called back on the home page, and returns the attribution in the lead.
func (b *tab) callBack(s *site) map[string]any {
	b.t.Helper()
	const form = `form[action="/callback"] `
	b.fill(form+`[name="name"]`, "Anjali Menon")
	b.fill(form+`[name="phone"]`, "081234 56789")
	if status := b.press(form + `button[type="submit"]`); status != http.StatusOK || b.path() != "/thank-you" {
		b.t.Fatalf("after the form: path %s, status %d", b.path(), status)
	}
	values := make(map[string]any)
	for name, value := range s.onlyLead(b.t).Fields {
		if strings.HasPrefix(name, "first_") || strings.HasPrefix(name, "last_") {
			values[name] = value
		}
	}
	return values
}

// A visitor whose browser runs no scripts comes from an ad, reads three pages, comes back without a
// link, and sends the form.
func TestAttributionWithoutScripts(t *testing.T) {
	s := startAttributedSite(t, "")
	s.keepOut("Anjali", "918123456789", "Cj0KCQ", "summer")
	b := openTab(t)
	b.withoutScripts()
	b.arrive(s.pages+"/contact?utm_source=google&utm_medium=cpc&utm_campaign=summer&gclid=Cj0KCQ-_x", "http://ads.example/click?id=7")
	for _, link := range []string{"a.brand", `a.button[href="/contact"]`, "a.brand"} {
		if status := b.press(link); status != http.StatusOK {
			t.Fatalf("%s: status %d", link, status)
		}
	}
	b.open(s.pages + "/")
	want := map[string]any{
		"first_utm_source": "google", "first_gclid": "Cj0KCQ-_x", "first_referrer": "http://ads.example/", "first_landing": "/contact",
		"first_channel": "Paid Search", "last_utm_source": "google", "last_channel": "Paid Search",
	}
	if diff := cmp.Diff(want, b.callBack(s)); diff != "" {
		t.Error(diff)
	}
}

// Without consent the browser gets no cookie, and the page with the form counts.
func TestAttributionWithoutConsent(t *testing.T) {
	s := startAttributedSite(t, "consent cookie agreed yes")
	b := openTab(t)
	b.withoutScripts()
	b.arrive(s.pages+"/?utm_source=letter&utm_medium=email", "")
	if cookies := call(b, network.GetCookies, network.GetCookiesParams{}).Cookies; len(cookies) > 0 {
		t.Errorf("got the cookie %s", cookies[0].Name)
	}
	want := map[string]any{"first_utm_source": "letter", "first_landing": "/", "first_channel": "Email", "last_utm_source": "letter", "last_channel": "Email"}
	if diff := cmp.Diff(want, b.callBack(s)); diff != "" {
		t.Error(diff)
	}
}
