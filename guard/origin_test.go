package guard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/leadwire/caddy-telecrm/guard"
)

func newOrigins(t *testing.T, listed ...string) *guard.Origins {
	t.Helper()
	o, err := guard.NewOrigins(listed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func request(method string, header map[string]string) *http.Request {
	r := httptest.NewRequest(method, "https://www.example.com/enquire", nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return r
}

func TestOriginsThatMayPost(t *testing.T) {
	origins := newOrigins(t, "https://partner.example.org", "HTTPS://Shop.example.net:443/", "https://Bücher.example")
	for name, test := range map[string]struct {
		header  map[string]string
		allowed bool
		verdict guard.Verdict
	}{
		"a browser, same origin":       {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://www.example.com"}, true, guard.Welcome},
		"hidden by the page's policy":  {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, true, guard.Welcome},
		"typed or from a bookmark":     {map[string]string{"Sec-Fetch-Site": "none"}, true, guard.Welcome},
		"an old browser":               {map[string]string{"Origin": "https://www.example.com"}, true, guard.Welcome},
		"not a browser":                {nil, true, guard.Welcome},
		"old, hidden by the policy":    {map[string]string{"Origin": "null"}, true, guard.Doubtful},
		"another site":                 {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, false, guard.Welcome},
		"another site, hidden":         {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "null"}, false, guard.Welcome},
		"another site, old browser":    {map[string]string{"Origin": "https://evil.example"}, false, guard.Welcome},
		"a sister site":                {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://blog.example.com"}, false, guard.Welcome},
		"a name that begins like ours": {map[string]string{"Origin": "https://www.example.com.evil.example"}, false, guard.Welcome},
		"listed":                       {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://partner.example.org"}, true, guard.Welcome},
		"listed, but in clear":         {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://partner.example.org"}, false, guard.Welcome},
		"listed with the usual port":   {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.example.net"}, true, guard.Welcome},
		"listed in Unicode":            {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://xn--bcher-kva.example"}, true, guard.Welcome},
		"cross-site without an Origin": {map[string]string{"Sec-Fetch-Site": "cross-site"}, false, guard.Welcome},
	} {
		t.Run(name, func(t *testing.T) {
			allowed, signals := origins.Check(request(http.MethodPost, test.header))
			if allowed != test.allowed || signals.Verdict() != test.verdict {
				t.Errorf("allowed %v, verdict %v; want %v, %v", allowed, signals.Verdict(), test.allowed, test.verdict)
			}
		})
	}
}

func TestInvalidOrigins(t *testing.T) {
	for _, origin := range []string{
		"", "www.example.com", "null", "*", "https://", "ftp://www.example.com", "https://www.example.com/contact", "https://u:p@www.example.com",
		"https://www.example.com?x", "https://www.example.com#x", "https:// www.example.com",
	} {
		if _, err := guard.NewOrigins([]string{origin}, nil); err == nil {
			t.Errorf("%q is accepted as an origin", origin)
		}
	}
}

// Scripts of a listed origin may ask, post and read the response. Other origins get no CORS
// headers.
func TestListedOriginsMayReadAnswers(t *testing.T) {
	origins := newOrigins(t, "https://partner.example.org")
	for name, test := range map[string]struct {
		origin, method string
		isPreflight    bool
		shared         string
	}{
		"listed":             {"https://partner.example.org", http.MethodPost, true, "https://partner.example.org"},
		"for another method": {"https://partner.example.org", http.MethodDelete, false, "https://partner.example.org"},
		"not listed":         {"https://evil.example", http.MethodPost, false, ""},
		"none":               {"", http.MethodPost, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(http.MethodOptions, map[string]string{"Origin": test.origin, "Access-Control-Request-Method": test.method})
			if got := origins.IsPreflight(r); got != test.isPreflight {
				t.Errorf("a preflight: %v, want %v", got, test.isPreflight)
			}
			header := make(http.Header)
			origins.Share(header, r)
			if got := header.Get("Access-Control-Allow-Origin"); got != test.shared || header.Get("Vary") != "Origin" || header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("header %v, want it for %q", header, test.shared)
			}
		})
	}
	header := make(http.Header)
	newOrigins(t).Share(header, request(http.MethodPost, map[string]string{"Origin": "https://partner.example.org"}))
	if len(header) != 0 {
		t.Errorf("without any listed: header %v", header)
	}
}
