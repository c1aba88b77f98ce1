package answer

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// Where a browser would go that follows what the visitor's page says it was.
func TestFormPageStaysOnTheSite(t *testing.T) {
	responder := &Responder{IsSameSite: func(*http.Request, string) bool { return false }}
	check := func(t interface{ Fatalf(string, ...any) }, carried, referer, posted string) {
		r := httptest.NewRequest(http.MethodPost, "https://www.example.com/enquire", nil)
		r.URL.Path = posted
		r.Header.Set("Referer", referer)
		for _, entries := range [][]form.Entry{nil, {{Name: formPageInput, Value: carried}}} {
			for _, address := range []string{responder.formPage(r, &form.Form{Entries: entries}), httpx.PostedURI(r)} {
				if address == "" {
					continue
				}
				// Browsers take a backslash for a slash, and two of either at the start for another
				// host.
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
