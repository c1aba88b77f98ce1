package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// Front-end libraries get HTML, even if the site adds a header to all requests of its scripts.
func TestLibraryOf(t *testing.T) {
	for name, test := range map[string]struct {
		headers []string // name, value, …
		want    httpx.Library
	}{
		"browser":           {nil, httpx.NoLibrary},
		"XMLHttpRequest":    {[]string{"X-Requested-With", "XMLHttpRequest"}, httpx.NoLibrary},
		"htmx":              {[]string{"HX-Request", "true"}, httpx.HTMX},
		"htmx boost":        {[]string{"HX-Request", "true", "HX-Boosted", "true"}, httpx.HTMX},
		"htmx, other value": {[]string{"HX-Request", "yes"}, httpx.NoLibrary},
		"htmx's others":     {[]string{"HX-Boosted", "true", "HX-Target", "x"}, httpx.NoLibrary},
		"Unpoly":            {[]string{"X-Up-Version", "3.14.3", "X-Up-Target", "form"}, httpx.Unpoly},
		"Alpine AJAX":       {[]string{"X-Alpine-Request", "true", "X-Alpine-Target", "form"}, httpx.AlpineAJAX},
		"Turbo":             {[]string{"Accept", "text/vnd.turbo-stream.html, text/html, application/xhtml+xml"}, httpx.Turbo},
		"Turbo Frame":       {[]string{"Turbo-Frame", "form", "Accept", "text/html, application/xhtml+xml"}, httpx.Turbo},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			for i := 0; i < len(test.headers); i += 2 {
				r.Header.Set(test.headers[i], test.headers[i+1])
			}
			if got := httpx.LibraryOf(r); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if test.want == httpx.NoLibrary {
				return
			}
			r.Header.Set("X-Requested-With", "XMLHttpRequest")
			r.Header.Set("Content-Type", "application/json")
			if httpx.WantsJSON(r) {
				t.Error("the answer is JSON")
			}
			r.Header.Set("Accept", "application/json")
			r.Header.Set("Turbo-Frame", "form")
			if !httpx.WantsJSON(r) {
				t.Error("the answer is not the JSON that the script asks for")
			}
		})
	}
}

// The page that the visitor is on is one of this site, or unknown.
func TestCurrentPage(t *testing.T) {
	const site = "https://www.example.com"
	for name, test := range map[string]struct{ htmx, referer, want string }{
		"Referer":               {"", site + "/contact?a=b", "/contact?a=b"},
		"htmx":                  {site + "/contact?a=b#c", "", "/contact?a=b"},
		"htmx before Referer":   {site + "/contact", site + "/", "/contact"},
		"htmx on another site":  {"https://evil.example/contact", site + "/", "/"},
		"htmx with a port":      {site + ":8443/contact", "", ""},
		"htmx with a user":      {"https://www.example.com@evil.example/", "", ""},
		"htmx with two slashes": {site + "//evil.example/x", "", "/evil.example/x"},
		"htmx with backslashes": {site + `/\evil.example`, "", "/evil.example"},
		"htmx with a script":    {"javascript:alert(1)", "", ""},
		"htmx with a path":      {"/contact", "", ""},
		"htmx without a scheme": {"//www.example.com/contact", "", ""},
		"htmx with a line":      {site + "/\r\nX: y", "", ""},
		"htmx with a long page": {site + "/" + strings.Repeat("x", 4096), site + "/contact", "/contact"},
		"neither":               {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			noOther := func(*http.Request, string) bool { return false }
			r := httptest.NewRequest(http.MethodPost, site+"/enquire", nil)
			r.Header["Referer"] = []string{test.referer}
			if test.htmx != "" {
				r.Header.Set("Hx-Request", "true")
				r.Header["Hx-Current-Url"] = []string{test.htmx}
			}
			if got := httpx.CurrentPage(r, noOther); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if r.Header.Del("Hx-Request"); test.referer == "" && httpx.CurrentPage(r, noOther) != "" {
				t.Error("the header counts without htmx")
			}
		})
	}
}
