package caddytelecrm

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/form"
)

// Inputs that tell other form services where to send the visitor decide
// nothing here: the target is the operator's, whatever was posted.
func TestPostedTargetsAreIgnored(t *testing.T) {
	for _, input := range []string{"_next", "redirect", "_redirect", "next", "redirectUrl", "thank_you", "_form_page", "return_to"} {
		for _, target := range []string{"https://evil.example/", "//evil.example", `\\evil.example`, "/thanks?id=1", "javascript:alert(1)", "/\r\nSet-Cookie: a=b"} {
			h := newHandler(t, newCRM(t).url, simpleBlock)
			r := postForm(with(meera, input, target))
			r.URL.RawQuery = url.Values{input: {target}}.Encode()
			r.Header.Set("Referer", target)
			w := h.mustServe(t, r)
			want := "/thanks?id=" + h.submission(t)["id"].(string)
			if w.Code != http.StatusSeeOther || w.Header().Get("Location") != want || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s=%s: status %d to %q", input, target, w.Code, w.Header().Get("Location"))
			}
		}
	}
}

// Where a browser would go that follows what the visitor's page says it was.
func TestFormPageStaysOnTheSite(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, carried, referer, posted string) {
		r := httptest.NewRequest(http.MethodPost, "https://www.example.com/enquire", nil)
		r.URL.Path = posted
		r.Header.Set("Referer", referer)
		for _, entries := range [][]form.Entry{nil, {{Name: formPageInput, Value: carried}}} {
			for _, address := range []string{formPage(r, &form.Form{Entries: entries}), postedURI(r)} {
				if address == "" {
					continue
				}
				// Browsers take a backslash for a slash, and two of either at
				// the start for another host.
				local := strings.HasPrefix(address, "/") && !strings.HasPrefix(strings.ReplaceAll(address, `\`, "/"), "//")
				at, err := url.Parse(address)
				if !local || err != nil || at.Host != "" || at.Scheme != "" || strings.ContainsAny(address, "\r\n\t\x00") {
					t.Fatalf("from %q, %q and %q: %q", carried, referer, posted, address)
				}
			}
		}
	}
	for _, hostile := range []string{
		"//evil.example", `\\evil.example`, `/\evil.example`, `\/evil.example/x`, "///evil.example", "https://evil.example/x", "https:evil.example",
		"javascript:alert(1)", "/%5Cevil.example", "/%2Fevil.example", "/\t/evil.example", "/\r\nLocation: //evil.example", "https://www.example.com//evil.example",
		"https://www.example.com@evil.example/", "https://www.example.com:443//evil.example", "", "/", "//", "?x", "#x",
	} {
		check(t, hostile, hostile, hostile)
		check(t, hostile, "https://www.example.com/"+hostile, "/"+hostile)
	}
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`(https?:)?[/\\%@.:a-z5cCfF2\t\r\n]{0,12}(evil\.example)?[/\\?#a]{0,3}`)
		check(t, part.Draw(t, "carried"), part.Draw(t, "referer"), "/"+part.Draw(t, "posted"))
	})
}

// What goes into a header is the operator's, but for the names of inputs,
// which cannot break out of it.
func TestErrorRedirectKeepsToItsTarget(t *testing.T) {
	h := newHandler(t, newCRM(t).url, `
		field phone "te&l=1#x //evil"
		errors redirect /contact?wrong={telecrm.error.fields}
		thank_you /thanks
	`)
	w := h.mustServe(t, postForm(url.Values{"te&l=1#x //evil": {"12\r\nSet-Cookie: a=b"}, "next\r\nX: y": {"\r\nX: y"}}))
	if got := w.Header().Get("Location"); got != "/contact?wrong=te%26l%3D1%23x+%2F%2Fevil" || len(w.Header()["X"]) > 0 {
		t.Errorf("to %q with %v", got, w.Header())
	}
}
