package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// attributedSite is a running Caddy with a site that notes where its visitors came from: on
// localhost with TLS, and on example.com and www.example.com without.
type attributedSite struct {
	crm          *sandbox.Sandbox
	secure       string // URL without a path
	port         string // of the other hosts
	phonesPosted int
}

func startAttributedSite(t *testing.T) *attributedSite {
	t.Helper()
	caddyproc.LeaveOutIfShort(t)
	crm, err := sandbox.New(sandbox.Config{Token: secretToken, EnterpriseID: enterpriseID})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(crm)
	t.Cleanup(listener.Close)
	securePort := caddyproc.FreePort(t)
	s := &attributedSite{crm: crm, secure: "https://localhost:" + securePort, port: caddyproc.FreePort(t)}
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	err = os.WriteFile(config, []byte(strings.NewReplacer("SECURE", s.secure, "PORT", s.port, "<crm>", listener.URL, "DIR", dir).Replace(`{
	admin off
	skip_install_trust
	default_bind 127.0.0.1
	http_port `+caddyproc.FreePort(t)+`
	https_port `+securePort+`
	storage file_system DIR
	telecrm {
		check off
		account {
			token {env.TELECRM_TEST_TOKEN}
			enterprise_id `+enterpriseID+`
			base_url <crm>/autoupdate/v2
			country IN
			crm_rate 1000/s 1000
		}
		outbox sqlite DIR/outbox.db
	}
}

(site) {
	header Cache-Control "public, max-age=60"
	header Content-Type text/html
	redir /old /new?{query}
	telecrm /enquire {
		field phone
		set city {telecrm.first.utm_source}
		set company {telecrm.last.utm_source}
		set message {telecrm.last.channel}
		rate_limit off
		thank_you /thanks
	}
	respond <p>page
}

SECURE {
	tls internal
	telecrm_attribution
	import site
}

http://example.com:PORT, http://www.example.com:PORT {
	telecrm_attribution {
		cookie came_from example.com
	}
	import site
}

http://127.0.0.1:PORT {
	respond ready
}
`)), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	caddyproc.Start(t, path, config, dir, "http://127.0.0.1:"+s.port+"/", "TELECRM_TEST_TOKEN="+secretToken)
	s.awaitCertificate(t)
	return s
}

// awaitCertificate waits until Caddy has issued the certificate of localhost.
func (s *attributedSite) awaitCertificate(t *testing.T) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var conn *tls.Conn
		if conn, err = tls.Dial("tcp", strings.TrimPrefix(s.secure, "https://"), &tls.Config{InsecureSkipVerify: true}); err == nil {
			_ = conn.Close()
			return
		}
	}
	t.Fatal(err)
}

// visitor is a browser, as far as its requests tell.
type visitor struct {
	*http.Client

	site *attributedSite
}

// browse returns a visitor whose requests go through the transport. If it is nil, they go to the
// test's own Caddy, whatever the host.
func (s *attributedSite) browse(t *testing.T, through http.RoundTripper) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if through == nil {
		dialer := new(net.Dialer)
		transport := &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, _ := net.SplitHostPort(address)
				return dialer.DialContext(ctx, network, "127.0.0.1:"+port)
			},
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // Caddy's own authority
			ForceAttemptHTTP2: true,
		}
		t.Cleanup(transport.CloseIdleConnections)
		through = transport
	}
	return visitor{&http.Client{
		Jar: jar, Transport: through, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, s}
}

// reply is the head of an answer.
type reply struct {
	status int
	proto  int // the major version of HTTP
	header http.Header
}

func (v visitor) send(t *testing.T, method, address, referer, body string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Accept": "text/html", "Accept-Language": "en",
		"Accept-Encoding": "gzip", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none",
	} {
		r.Header.Set(name, value)
	}
	if referer != "" { // always a page of this site
		r.Header.Set("Referer", referer)
		r.Header.Set("Sec-Fetch-Site", "same-site")
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	answer, err := v.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.ProtoMajor, answer.Header}
}

// open opens a page and reports whether that is a touch. It checks that nothing else about the
// answer has changed.
func (v visitor) open(t *testing.T, address, referer string) (isTouch bool) {
	t.Helper()
	header := v.send(t, http.MethodGet, address, referer, "").header
	isTouch = header.Get("Set-Cookie") != ""
	want := "public, max-age=60"
	if isTouch {
		want = "private, max-age=60"
	}
	if header.Get("Cache-Control") != want || header.Get("Vary") != "" {
		t.Errorf("%s: got %v", address, header)
	}
	return isTouch
}

// lead posts the form of a page and returns the first source, the last one and the channel in the
// lead.
func (v visitor) lead(t *testing.T, host, page string) [3]any {
	t.Helper()
	v.site.phonesPosted++
	phone := fmt.Sprintf("081234567%02d", v.site.phonesPosted)
	answer := v.send(t, http.MethodPost, host+"/enquire", page, url.Values{"phone": {phone}}.Encode())
	if answer.status != http.StatusSeeOther {
		t.Fatalf("got status %d", answer.status)
	}
	for _, lead := range v.site.crm.Leads() {
		if lead.Fields["phone"] == "91"+phone[1:] {
			return [3]any{lead.Fields["city"], lead.Fields["company"], lead.Fields["message"]}
		}
	}
	t.Fatalf("no lead of %s", phone)
	return [3]any{}
}

// What a visitor's browser and a running Caddy do with the cookie: over HTTP/3 and HTTP/2, with
// redirects, two tabs, and two hosts of one site.
func TestAttributionOnTheWire(t *testing.T) {
	s := startAttributedSite(t)
	paid := "Paid Search"

	quick := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() { _ = quick.Close() })
	v := s.browse(t, quick)
	answer := v.send(t, http.MethodGet, s.secure+"/?utm_source=google&utm_medium=cpc", "", "")
	if cookie := answer.header.Get("Set-Cookie"); answer.proto != 3 || !strings.Contains(cookie, "; HttpOnly; SameSite=Lax; Secure") {
		t.Errorf("over HTTP/%d the cookie is %q", answer.proto, cookie)
	}
	if got, want := v.lead(t, s.secure, s.secure+"/contact"), [3]any{"google", "google", paid}; got != want {
		t.Errorf("over HTTP/3: got %v", got)
	}
	h2 := s.browse(t, nil)
	h2.Jar = v.Jar
	if got, want := h2.lead(t, s.secure, s.secure+"/contact"), [3]any{"google", "google", paid}; got != want {
		t.Errorf("over HTTP/2: got %v", got)
	}

	v = s.browse(t, nil)
	answer = v.send(t, http.MethodGet, s.secure+"/old?utm_source=google&utm_medium=cpc", "", "")
	if answer.status != http.StatusFound || answer.header.Get("Set-Cookie") == "" {
		t.Errorf("a redirect is not a touch: %d, %v", answer.status, answer.header)
	}

	tabs := s.browse(t, nil)
	if !tabs.open(t, s.secure+"/one?utm_source=one", "") || !tabs.open(t, s.secure+"/two?utm_source=two", "") || tabs.open(t, s.secure+"/next", s.secure+"/one?utm_source=one") {
		t.Error("a tab is not a touch, or going on in the first one is")
	}
	if got, want := tabs.lead(t, s.secure, s.secure+"/next"), [3]any{"one", "two", "Unassigned"}; got != want {
		t.Errorf("two tabs: got %v", got)
	}

	v = s.browse(t, nil)
	apex, www := "http://example.com:"+s.port, "http://www.example.com:"+s.port
	if !v.open(t, apex+"/?utm_source=google&utm_medium=cpc", "") || v.open(t, www+"/contact", apex+"/") {
		t.Error("the landing on the apex is not a touch, or the way to www is")
	}
	if got, want := v.lead(t, www, www+"/contact"), [3]any{"google", "google", paid}; got != want {
		t.Errorf("from the apex to www: got %v", got)
	}
}

// sharedCache is a cache between visitors and the site, as strict about what it may store as a CDN.
type sharedCache struct {
	http.RoundTripper

	stored map[string]http.Header
}

func (c *sharedCache) RoundTrip(r *http.Request) (*http.Response, error) {
	address := r.URL.String()
	if header, ok := c.stored[address]; ok && r.Method == http.MethodGet {
		return &http.Response{StatusCode: http.StatusOK, Header: header, Body: http.NoBody, Request: r}, nil
	}
	answer, err := c.RoundTripper.RoundTrip(r)
	if err == nil && r.Method == http.MethodGet && strings.Contains(answer.Header.Get("Cache-Control"), "public") {
		c.stored[address] = answer.Header.Clone()
	}
	return answer, err
}

// A cache in front of the site stores the same pages as without attribution, and never somebody's
// cookie.
func TestAttributionBehindACache(t *testing.T) {
	s := startAttributedSite(t)
	cache := &sharedCache{s.browse(t, nil).Transport, make(map[string]http.Header)}
	const ad = "/?utm_source=google&utm_medium=cpc"
	for range 2 { // visitors
		v := s.browse(t, cache)
		if !v.open(t, s.secure+ad, "") || v.open(t, s.secure+"/a", s.secure+ad) || v.open(t, s.secure+"/b", s.secure+"/a") {
			t.Error("the landing is not a touch, or another page is")
		}
		if got, want := v.lead(t, s.secure, s.secure+"/b"), [3]any{"google", "google", "Paid Search"}; got != want {
			t.Errorf("got %v", got)
		}
	}
	for address, header := range cache.stored {
		if header.Get("Set-Cookie") != "" || strings.HasSuffix(address, ad) {
			t.Errorf("the cache has stored %s: %v", address, header)
		}
	}
	if len(cache.stored) != 2 {
		t.Errorf("the cache has stored %d pages, want 2", len(cache.stored))
	}
}
