package handlertest

import (
	"net/http"
	"strings"
	"testing"
)

// siteForm is a form's handler for site blocks.
const siteForm = `
	telecrm /contact {
		field name
		field phone
		rate_limit off
		dedupe off
		thank_you /thanks
	}
`

// A host is the same site however it is written.
func TestHostsAreComparedAsBrowsersDo(t *testing.T) {
	s := newSite(t, newCRM(t), ":80 {\n"+siteForm+"}")
	for _, test := range []struct{ host, origin string }{
		{"WWW.Example.com", "https://www.example.com"},
		{"WWW.EXAMPLE.COM", "http://www.example.com"},
		{"www.example.com.", "https://www.example.com"},
		{"www.example.com", "https://www.example.com."},
		{"www.example.com:443", "https://www.example.com"},
		{"www.example.com:80", "http://www.example.com"},
		{"Www.Example.com.:443", "https://www.example.com"},
		{"WWW.example.com:8443", "https://www.example.com:8443"},
		{"xn--MNCHEN-3ya.example", "https://xn--mnchen-3ya.example"},
		{"[2001:DB8::7]:8080", "http://[2001:db8::7]:8080"},
		{"192.0.2.7:443", "https://192.0.2.7"},
	} {
		if w := s.do(postTo("http://localhost/contact", meera, "Host: "+test.host, "Origin: "+test.origin)); w.Code != http.StatusSeeOther {
			t.Errorf("host %s, origin %s: status %d, want 303", test.host, test.origin, w.Code)
		}
	}
	for _, test := range []struct{ host, origin string }{
		{"WWW.Example.com", "https://example.com"},
		{"WWW.Example.com", "https://www.example.com:8443"},
		{"www.example.com:8443", "https://www.example.com"},
		{"www.example.com", "https://www.example.com.evil.example"},
		{"www.example.com", "https://wwwxexample.com"},
		{"XN--mnchen-3ya.example", "https://munchen.example"},
	} {
		if w := s.do(postTo("http://localhost/contact", meera, "Host: "+test.host, "Origin: "+test.origin)); w.Code != http.StatusForbidden {
			t.Errorf("host %s, origin %s: status %d, want 403", test.host, test.origin, w.Code)
		}
	}
}

// The Referer of a host that is written otherwise names the page.
func TestOwnPageIsFoundHoweverTheHostIsWritten(t *testing.T) {
	dir := pagesIn(t, map[string]string{"kontakt.html": `<!DOCTYPE html><title>Ours</title><form method="post" action="/contact"><input name="name"><input name="phone"></form>`})
	s := newSite(t, newCRM(t), ":80 {\nroot "+dir+"\n"+siteForm+"try_files {path}.html\nfile_server\n}")
	for _, test := range []struct{ host, referer string }{
		{"www.example.com", "https://www.example.com/kontakt"},
		{"WWW.Example.com", "https://www.example.com/kontakt"},
		{"www.example.com.", "https://www.example.com/kontakt"},
		{"www.example.com:443", "https://www.example.com/kontakt"},
		{"XN--MNCHEN-3YA.example", "https://xn--mnchen-3ya.example/kontakt"},
	} {
		w := s.do(postTo("http://localhost/contact", with(meera, "phone", "12"), "Host: "+test.host, "Referer: "+test.referer, "Sec-Fetch-Site: same-origin"))
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Ours</title>") {
			t.Errorf("host %s: status %d, page %.200s", test.host, w.Code, w.Body)
		}
	}
}
