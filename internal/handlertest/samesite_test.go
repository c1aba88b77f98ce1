package handlertest

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// The hosts of one site block are one site. Those of two are not.
func TestHostsOfASiteBlock(t *testing.T) {
	t.Setenv("TELECRM_TEST_DOMAIN", "example.com")
	const (
		taken   = http.StatusSeeOther
		refused = http.StatusForbidden
	)
	for name, test := range map[string]struct {
		blocks, host, origin, site string
		want                       int
	}{
		"apex to www":                 {"http://example.com, http://www.example.com {%s}", "www.example.com", "https://example.com", "same-site", taken},
		"www to apex":                 {"http://example.com, http://www.example.com {%s}", "example.com", "https://www.example.com", "same-site", taken},
		"an old browser":              {"http://example.com, http://www.example.com {%s}", "www.example.com", "https://example.com", "", taken},
		"two domains":                 {"http://example.com, http://example.org {%s}", "example.org", "https://example.com", "cross-site", taken},
		"capitals":                    {"http://Example.com, http://WWW.example.com {%s}", "WWW.Example.com", "https://example.com", "same-site", taken},
		"an IDN":                      {"http://münchen.example, http://www.münchen.example {%s}", "www.xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example", "same-site", taken},
		"a port":                      {"http://example.com:8080, http://www.example.com:8080 {%s}", "www.example.com:8080", "http://example.com:8080", "same-site", taken},
		"a wildcard":                  {"http://*.example.com {%s}", "www.example.com", "https://shop.example.com", "same-site", taken},
		"a wildcard and its apex":     {"http://example.com, http://*.example.com {%s}", "www.example.com", "https://example.com", "same-site", taken},
		"a placeholder":               {"http://{$TELECRM_TEST_DOMAIN}, http://www.{$TELECRM_TEST_DOMAIN} {%s}", "www.example.com", "https://example.com", "same-site", taken},
		"a placeholder at run time":   {"http:// {\n@ours host {env.TELECRM_TEST_DOMAIN} www.{env.TELECRM_TEST_DOMAIN}\nhandle @ours {%s}\n}", "www.example.com", "https://example.com", "same-site", taken},
		"a host matcher":              {"http:// {\n@ours host example.com www.example.com\nhandle @ours {%s}\n}", "www.example.com", "https://example.com", "same-site", taken},
		"a host matcher in a block":   {"http://example.com, http://www.example.com {\n@www host www.example.com\nhandle @www {%s}\n}", "www.example.com", "https://example.com", "same-site", taken},
		"in route and handle_path":    {"http://example.com, http://www.example.com {\nroute {\nhandle_path /x/* {%s}\nhandle {%s}\n}\n}", "www.example.com", "https://example.com", "same-site", taken},
		"in a named route":            {"&(form) {%s}\nhttp://example.com, http://www.example.com {\ninvoke form\n}", "www.example.com", "https://example.com", "same-site", taken},
		"four labels for three":       {"http://*.example.com {%s}", "www.example.com", "https://a.b.example.com", "same-site", refused},
		"not in the block":            {"http://example.com, http://www.example.com {%s}", "www.example.com", "https://blog.example.com", "same-site", refused},
		"a block of its own":          {"http://www.example.com {%s}\nhttp://example.com {\nrespond ok\n}", "www.example.com", "https://example.com", "same-site", refused},
		"a block with the same form":  {"http://www.example.com {%s}\nhttp://example.com {%s}", "www.example.com", "https://example.com", "same-site", refused},
		"a block, the same route":     {"&(form) {%s}\nhttp://example.com {\ninvoke form\n}\nhttp://www.example.com {\ninvoke form\n}", "www.example.com", "https://example.com", "same-site", refused},
		"any host":                    {"http:// {%s}", "www.example.com", "https://example.com", "same-site", refused},
		"a wildcard for all":          {"http://*.com {%s}", "www.com", "https://example.com", "same-site", refused},
		"another port":                {"http://example.com, http://www.example.com {%s}", "www.example.com", "https://example.com:8443", "same-site", refused},
		"the name as a part":          {"http://example.com, http://www.example.com {%s}", "www.example.com", "https://example.com.evil.example", "cross-site", refused},
		"hidden":                      {"http://example.com, http://www.example.com {%s}", "www.example.com", "null", "same-site", refused},
		"a host whose page is listed": {"http://example.com, http://www.example.com {%s}", "www.example.com", "https://evil.example", "cross-site", refused},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, newCRM(t), strings.ReplaceAll(test.blocks, "%s", "\n"+siteForm))
			r := postTo("http://localhost/contact", meera, "Host: "+test.host, "Origin: "+test.origin)
			if test.site != "" {
				r.Header.Set("Sec-Fetch-Site", test.site)
			}
			r.Header.Set("Accept", "text/html")
			w := s.do(r)
			if w.Code != test.want {
				t.Errorf("status %d, want %d: %.200s", w.Code, test.want, w.Body)
			}
			shared := w.Header().Get("Access-Control-Allow-Origin")
			if want := map[int]string{taken: test.origin}[test.want]; shared != want {
				t.Errorf("shared with %q, want %q", shared, want)
			}
		})
	}
}

// A page in clear is not a page of the same site, if the browser says so.
func TestPagesInClearAreOfAnotherSite(t *testing.T) {
	s := newSite(t, newCRM(t), "http://example.com, http://www.example.com {\n"+siteForm+"}")
	r := postTo("http://localhost/contact", meera, "Host: www.example.com", "Origin: http://example.com", "Sec-Fetch-Site: cross-site")
	r.TLS = new(tls.ConnectionState)
	if w := s.do(r); w.Code != http.StatusForbidden {
		t.Errorf("status %d, want 403", w.Code)
	}
}

// A form on one host that posts to the other is protected, checked and shown again as any other.
func TestPageOnAnotherHostOfTheSite(t *testing.T) {
	dir := pagesIn(t, map[string]string{"landing.html": `<!DOCTYPE html><title>Ours</title><form method="post" action="https://www.example.com/contact"><input name="name"><input name="phone"></form>`})
	s := newSite(t, newCRM(t), "http://example.com, http://www.example.com {\nroot "+dir+"\n"+strings.Replace(siteForm, "field name", "protect\nfield name", 1)+"try_files {path}.html\nfile_server\n}")
	page := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/landing", nil)
	page.Header.Set("Accept", "text/html")
	if w := s.do(page); !strings.Contains(w.Body.String(), `name="_stamp"`) {
		t.Errorf("the form is not protected: %s", w.Body)
	}
	for _, referer := range []string{"https://example.com/landing", "https://EXAMPLE.com/landing"} {
		w := s.do(postTo("http://www.example.com/contact", with(meera, "phone", "12"), "Origin: https://example.com", "Referer: "+referer, "Sec-Fetch-Site: same-site"))
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Ours</title>") {
			t.Errorf("status %d, page %.200s", w.Code, w.Body)
		}
	}
	w := s.do(postTo("http://www.example.com/contact", with(meera, "phone", "12"), "Origin: https://evil.example", "Referer: https://evil.example/landing"))
	if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "Ours</title>") {
		t.Errorf("from another site: status %d, page %.200s", w.Code, w.Body)
	}
	preflight := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "http://www.example.com/contact", nil)
	preflight.Header.Set("Origin", "https://example.com")
	preflight.Header.Set("Access-Control-Request-Method", http.MethodPost)
	if w := s.do(preflight); w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "https://example.com" {
		t.Errorf("preflight: status %d, header %v", w.Code, w.Header())
	}
}

// The config in JSON has host matchers too.
func TestHostsOfARouteInJSON(t *testing.T) {
	crm := newCRM(t)
	t.Setenv("TELECRM_TEST_TOKEN", testToken)
	s := startSite(t, fmt.Appendf(nil, `{"apps": {
		"telecrm": {"check": "off", "outbox": {"store": "off"}, "accounts": {"default": {"token": "{env.TELECRM_TEST_TOKEN}", "enterprise_id": "%s", "base_url": "%s", "country": "IN"}}},
		"http": {"servers": {"site": {"listen": [":8080"], "automatic_https": {"disable": true}, "routes": [{
			"match": [{"host": ["example.com", "www.example.com"]}, {"host": ["example.org"]}],
			"handle": [{"handler": "telecrm", "match": [{"path": ["/contact"]}], "fields": [{"name": "name"}, {"name": "phone"}], "thank_you": "/thanks"}]
		}]}}}
	}}`, testEnterprise, crm.url))
	for origin, want := range map[string]int{"https://example.com": http.StatusSeeOther, "https://example.org": http.StatusForbidden} {
		if w := s.do(postTo("http://www.example.com/contact", meera, "Origin: "+origin, "Sec-Fetch-Site: cross-site")); w.Code != want {
			t.Errorf("from %s: status %d, want %d", origin, w.Code, want)
		}
	}
}
