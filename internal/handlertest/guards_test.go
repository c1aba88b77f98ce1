package handlertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// serveFrom passes r to h as if it came from the client's address.
func (h testHandler) serveFrom(t *testing.T, client string, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, client)
	if err := h.ServeHTTP(w, r, &passed{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// A visitor who posts too often is asked to wait and keeps what they typed. Other visitors are not
// affected.
func TestRateLimit(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock+"rate_limit 2 1m\ndedupe off")
	for n := range 6 {
		w := h.serveFrom(t, "192.0.2.7", postForm(meera))
		if n < 2 {
			if w.Code != http.StatusSeeOther {
				t.Errorf("post %d: status %d", n+1, w.Code)
			}
			continue
		}
		wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 60 {
			t.Errorf("post %d: status %d, Retry-After %q", n+1, w.Code, w.Header().Get("Retry-After"))
		}
		if isFilled := strings.Contains(w.Body.String(), "Meera Iyer"); isFilled != (n < 4) {
			t.Errorf("post %d: page filled in: %v", n+1, isFilled)
		}
		if h.submission(t)["outcome"] != string(outcomeLimited) {
			t.Errorf("logged %v", h.submission(t))
		}
	}
	if w := h.serveFrom(t, "192.0.2.8", postForm(meera)); w.Code != http.StatusSeeOther {
		t.Errorf("another visitor: status %d", w.Code)
	}
}

// Visitors who correct mistakes are not limited by them once a post is accepted. They read how long
// to wait, which is what Retry-After says.
func TestRateLimitAfterMistakes(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock+"rate_limit 3 10m\ndedupe off")
	wrong := with(meera, "phone", "12")
	for n, step := range []struct {
		values url.Values
		status int
	}{
		{wrong, 422},
		{wrong, 422},
		{meera, 303}, // two mistakes are given back
		{wrong, 422},
		{meera, 303},
		{wrong, 422},
		{wrong, 429},
		{meera, 429}, // a mistake counts until a post is accepted
	} {
		w := h.serveFrom(t, "192.0.2.7", postForm(step.values))
		if w.Code != step.status {
			t.Fatalf("post %d: status %d, want %d", n+1, w.Code, step.status)
		}
		if w.Code == http.StatusTooManyRequests && !strings.Contains(w.Body.String(), "Please wait <bdi>10</bdi> minutes,") {
			t.Errorf("post %d: Retry-After %q, the page says:\n%s", n+1, w.Header().Get("Retry-After"), w.Body)
		}
	}
	for n := range 5 {
		if w, limited := h.serveFrom(t, "192.0.2.8", postForm(wrong)), n >= 3; (w.Code == http.StatusTooManyRequests) != limited {
			t.Errorf("mistake %d alone: status %d", n+1, w.Code)
		}
	}
}

// Posts from other sites are refused unless the site is listed. Scripts of a listed site may read
// every answer.
func TestOrigins(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock+"origins https://partner.example.org")
	for _, test := range []struct {
		origin, site string
		status       int
		shared       bool
	}{
		{"https://www.example.com", "same-origin", http.StatusOK, false},
		{"https://partner.example.org", "cross-site", http.StatusOK, true},
		{"https://evil.example", "cross-site", http.StatusForbidden, false},
		{"https://blog.example.com", "same-site", http.StatusForbidden, false},
	} {
		r := postForm(with(meera, "message", test.origin))
		r.Header.Set("Origin", test.origin)
		r.Header.Set("Sec-Fetch-Site", test.site)
		r.Header.Set("Accept", "application/json")
		w := h.mustServe(t, r)
		if w.Code != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.origin, w.Code, test.status, w.Body)
		}
		if shared := w.Header().Get("Access-Control-Allow-Origin") == test.origin; shared != test.shared {
			t.Errorf("%s: header %v", test.origin, w.Header())
		}
	}
	r := postForm(nil)
	r.Method = http.MethodOptions
	r.Header.Set("Origin", "https://partner.example.org")
	r.Header.Set("Access-Control-Request-Method", http.MethodPost)
	w, next, err := h.serve(r)
	if err != nil || next.requests != 0 || w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("preflight: passed on %d times, status %d, header %v, error %v", next.requests, w.Code, w.Header(), err)
	}
	r.Header.Set("Origin", "https://evil.example")
	if w, next, _ = h.serve(r); next.requests != 1 || len(w.Header()) != 0 {
		t.Errorf("preflight of an unlisted origin: passed on %d times, header %v", next.requests, w.Header())
	}
	if n := len(crm.Leads()); n != 1 {
		t.Errorf("%d leads, want 1: all posts are from one person", n)
	}
}

// The operator chooses the names of the traps.
func TestHoneypot(t *testing.T) {
	const (
		accepted = http.StatusSeeOther
		again    = http.StatusUnprocessableEntity
	)
	for name, test := range map[string]struct {
		words, input string
		status       int
	}{
		"default trap":    {"", "_honeypot", again},
		"operator's trap": {"honeypot leave_empty hp7", "hp7", again},
		"default trap replaced by the operator's": {"honeypot leave_empty hp7", "_gotcha", accepted},
		"off": {"honeypot off", "_gotcha", accepted},
	} {
		t.Run(name, func(t *testing.T) {
			// Without an outbox the visitor is asked.
			h := newHandler(t, newCRM(t).url, guardedBlock+"unmapped more\n"+test.words)
			if w := h.mustServe(t, postForm(with(meera, test.input, "x"))); w.Code != test.status {
				t.Errorf("filled in: status %d, want %d", w.Code, test.status)
			}
			if w := h.mustServe(t, postForm(with(with(meera, test.input, " "), "message", "Hello"))); w.Code != accepted {
				t.Errorf("left empty: status %d", w.Code)
			}
		})
	}
	for _, words := range []string{"honeypot off x", "honeypot name", "rate_limit 0 1m", "rate_limit 10", "rate_limit 10 0s", "rate_limit many 1m", "rate_limit on", "dedupe 0s", "dedupe soon", "origins www.example.com"} {
		if _, err := newRig("http://localhost:1", guardedBlock+words).provision(t); err == nil || !strings.Contains(err.Error(), strings.Fields(words)[0]) {
			t.Errorf("%s: error %v", words, err)
		}
	}
}

// All leads of a partner's program get in, although it sends hundreds from one address and does not
// confirm any.
func TestProgramsThatPostOften(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock+"rate_limit off")
	withOutbox(t, h)
	for n := range 300 {
		r := postForm(url.Values{"name": {"Ravi Menon"}, "phone": {fmt.Sprintf("+1 201 555 %04d", n)}, "message": {fmt.Sprint("Please call, number ", n)}})
		r.Header.Set("User-Agent", "Go-http-client/1.1")
		if w := h.serveFrom(t, "192.0.2.7", r); w.Code != http.StatusSeeOther {
			t.Fatalf("post %d: status %d, %v", n+1, w.Code, h.submission(t))
		}
	}
}

// The rate limit is lifted for the addresses that the operator names, and for no others.
func TestRateLimitExceptions(t *testing.T) {
	t.Setenv("TELECRM_TEST_OFFICE", "198.51.100.7")
	h := newHandler(t, newCRM(t).url, guardedBlock+`dedupe off
	rate_limit 2 1m {
		except 203.0.113.0/24 2001:db8::/32
		except {env.TELECRM_TEST_OFFICE} ::ffff:192.0.2.64/122 private_ranges
	}`)
	for client, isUnlimited := range map[string]bool{
		"203.0.113.9": true, "203.0.113.255": true, "::ffff:203.0.113.10": true, "2001:db8:ffff::1": true, "198.51.100.7": true, "192.0.2.65": true, "10.1.2.3": true, "fd00::1": true,
		"203.0.114.9": false, "2001:db9::1": false, "198.51.100.8": false, "192.0.2.1": false, "8.8.8.8": false,
	} {
		limited := 0
		for range 5 {
			if w := h.serveFrom(t, client, postForm(meera)); w.Code == http.StatusTooManyRequests {
				limited++
			}
		}
		if (limited == 0) != isUnlimited {
			t.Errorf("%s: %d of 5 posts limited, want unlimited %v", client, limited, isUnlimited)
		}
	}
}

// What the Caddyfile's parser cannot know is checked with the config, as it is for JSON.
func TestInvalidRateLimitExceptions(t *testing.T) {
	t.Setenv("TELECRM_TEST_OFFICE", "the office")
	for except, want := range map[string]string{
		"{env.TELECRM_TEST_OFFICE}":  "must be an address or a network, got ",
		"{env.TELECRM_TEST_NOT_SET}": "except: the environment variable TELECRM_TEST_NOT_SET is not set",
	} {
		if _, err := newRig("http://localhost:1", guardedBlock+"rate_limit 2 1m {\nexcept "+except+"\n}").provision(t); err == nil || !strings.Contains(err.Error(), "rate_limit_except: "+want) {
			t.Errorf("%s: error %v", except, err)
		}
	}
	for _, except := range []string{"10.0.0.0/33", "10.0.0", "localhost", "10.0.0.1-10.0.0.9", "*"} {
		if _, err := newRig("http://localhost:1", guardedBlock+"rate_limit 2 1m {\nexcept "+except+"\n}").provision(t); err == nil || !strings.Contains(err.Error(), "except: must be an address or a network, got \""+except) {
			t.Errorf("%s: error %v", except, err)
		}
	}
}
