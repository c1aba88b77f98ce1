package attributionhandler_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/seam"
	"github.com/leadwire/caddy-telecrm/modules/attributionhandler"
)

const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

func TestMain(m *testing.M) {
	storage, err := os.MkdirTemp("", "caddy-telecrm")
	if err != nil {
		panic(err)
	}
	caddy.DefaultStorage.Path = storage
	code := m.Run()
	_ = os.RemoveAll(storage)
	os.Exit(code)
}

// load provisions the handler that block, the inside of a telecrm_attribution directive, describes.
func load(t testing.TB, block string) *attributionhandler.Handler {
	t.Helper()
	h := new(attributionhandler.Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("telecrm_attribution {\n" + block + "\n}")); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {
		BaseLog: caddy.BaseLog{Level: "ERROR"},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	if err := h.Provision(seam.With(ctx, seam.Seam{Now: func() time.Time { return now }})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	if err := h.Validate(); err != nil {
		t.Fatal(err)
	}
	return h
}

// navigation is a request of a browser for a page.
func navigation(address string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	r.Header.Set("User-Agent", chrome)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return r
}

// answer passes r to h and then to the site's own handler.
func answer(t testing.TB, h *attributionhandler.Handler, r *http.Request, site func(http.ResponseWriter, *http.Request) error) http.Header {
	t.Helper()
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	if err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(site)); err != nil {
		t.Fatal(err)
	}
	return w.Result().Header
}

func page(header map[string]string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for name, value := range header {
			w.Header().Set(name, value)
		}
		_, err := io.WriteString(w, "<p>A page")
		return err
	}
}

// The answer to a touch sets the cookie, beside those of the site, and must not be stored by a
// shared cache. Every other answer stays as it is.
func TestAnswerToATouch(t *testing.T) {
	h := load(t, "")
	const landing = "https://www.example.com/?utm_source=ad"
	for before, want := range map[string]string{
		"": "private", "public, max-age=600": "private, max-age=600", "max-age=600, s-maxage=86400": "private, max-age=600",
		"no-store": "private, no-store", `no-cache="a, b", PUBLIC`: `private, no-cache="a, b"`, "private": "private",
	} {
		site := page(map[string]string{
			"Cache-Control": before, "Set-Cookie": "site=1", "CDN-Cache-Control": "max-age=60", "Cloudflare-CDN-Cache-Control": "max-age=60",
			"Surrogate-Control": "max-age=60", "ETag": `"a"`,
		})
		header := answer(t, h, navigation(landing), site)
		cookies := header.Values("Set-Cookie")
		if len(cookies) != 2 || cookies[0] != "site=1" || !strings.HasPrefix(cookies[1], "telecrm_attribution=1.") {
			t.Errorf("got cookies %q", cookies)
		}
		if got := header.Get("Cache-Control"); got != want {
			t.Errorf("%q became %q, want %q", before, got, want)
		}
		for _, name := range []string{"CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control", "Vary"} {
			if got := header.Get(name); got != "" {
				t.Errorf("%s: %s", name, got)
			}
		}
		if header.Get("ETag") != `"a"` {
			t.Error("the entity tag is lost")
		}
		again := navigation("https://www.example.com/other")
		again.Header.Set("Cookie", cookies[1])
		header = answer(t, h, again, site)
		if len(header.Values("Set-Cookie")) != 1 || header.Get("Cache-Control") != before || header.Get("CDN-Cache-Control") == "" || header.Get("Vary") != "" {
			t.Errorf("the answer to another page has changed: %v", header)
		}
	}
}

func TestOnlyPagesAreTouched(t *testing.T) {
	h := load(t, "")
	for name, test := range map[string]struct {
		site func(http.ResponseWriter, *http.Request) error
		want bool
	}{
		"a page": {page(nil), true},
		"a redirect": {func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Location", "/en/")
			w.WriteHeader(http.StatusFound)
			return nil
		}, true},
		"a page that has not changed": {func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusNotModified); return nil }, true},
		"a page in pieces": {func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/html")
			return http.NewResponseController(w).Flush()
		}, true},
		"a copied page": {func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/html")
			_, err := io.Copy(w, strings.NewReader("<p>A page"))
			return err
		}, true},
		"a file": {page(map[string]string{"Content-Type": "application/pdf"}), false},
	} {
		header := answer(t, h, navigation("https://www.example.com/?utm_source=ad"), test.site)
		if got := header.Get("Set-Cookie") != ""; got != test.want {
			t.Errorf("%s: sets the cookie: %v", name, got)
		}
		if got := header.Get("Cache-Control") == "private"; got != test.want {
			t.Errorf("%s: is private: %v", name, got)
		}
	}
}

// The cookie is for HTTPS alone where the visitor uses it, which a trusted proxy may say.
func TestSecureCookie(t *testing.T) {
	h := load(t, "")
	for name, test := range map[string]struct {
		change func(*http.Request)
		want   bool
	}{
		"HTTPS": {func(r *http.Request) { r.TLS = new(tls.ConnectionState) }, true},
		"HTTP":  {func(r *http.Request) { r.TLS = nil }, false},
		"a trusted proxy": {func(r *http.Request) {
			r.TLS = nil
			r.Header.Set("X-Forwarded-Proto", "https")
			caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
		}, true},
		"another proxy": {func(r *http.Request) { r.TLS = nil; r.Header.Set("X-Forwarded-Proto", "https") }, false},
	} {
		w := httptest.NewRecorder()
		r := caddyhttp.PrepareRequest(navigation("https://www.example.com/?utm_source=ad"), caddy.NewReplacer(), w, nil)
		test.change(r)
		if err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(page(nil))); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(w.Header().Get("Set-Cookie"), "; Secure"); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Placeholders have their values on every request, and text of the visitor in them is not expanded.
func TestPlaceholders(t *testing.T) {
	t.Setenv("ATTRIBUTION_TEST", "leaked")
	h := load(t, "")
	read := func(template string) (got string) {
		answer(t, h, navigation("https://www.example.com/a?utm_source=%7Benv.ATTRIBUTION_TEST%7D"), func(_ http.ResponseWriter, r *http.Request) error {
			got = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).ReplaceAll(template, "-")
			return nil
		})
		return got
	}
	for template, want := range map[string]string{
		"{telecrm.first.utm_source}": "{env.ATTRIBUTION_TEST}", "{telecrm.last.landing}": "/a", "{telecrm.visits}": "1",
		"{telecrm.first.time}": "2026-03-04T05:06:07Z", "{telecrm.first.gclid}": "-", "{telecrm.id}": "-",
	} {
		if got := read(template); got != want {
			t.Errorf("%s: got %q, want %q", template, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for block, want := range map[string]string{
		"cookie": "takes: <name> [<domain>]", "cookie a=b": `got "a=b"`, "cookie a .example.com": "without a dot", "days 0": "days",
		"params referrer": "is taken", "params *": "must be the name", "params": "takes the names", "consent yes": "takes: cookie <name>",
		`consent cookie "a b"`: "must name a cookie", "touch each": "known words are: first, last, both", "url on": "takes: off",
		"ignore_referrers pay": "must be a domain", "cooky a": "did you mean cookie?",
	} {
		err := new(attributionhandler.Handler).UnmarshalCaddyfile(caddyfile.NewTestDispenser("telecrm_attribution {\n" + block + "\n}"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want one with %q", block, err, want)
		}
	}
}

// A request that is not a touch costs at most two allocations.
func TestPassThroughAllocations(t *testing.T) {
	h := load(t, "consent cookie agreed yes")
	r := navigation("https://www.example.com/page?page=2&sort=price")
	r.Header.Set("Referer", "https://www.example.com/list?page=1")
	r.Header.Set("Cookie", "session=0123456789abcdef; agreed=yes; telecrm_attribution=1.x.y")
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	w := httptest.NewRecorder()
	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, w, nil)
	fresh := *repl
	got := testing.AllocsPerRun(100, func() {
		*repl = fresh // each request has its own
		if err := h.ServeHTTP(w, r, next); err != nil {
			t.Fatal(err)
		}
	})
	if got > 2 {
		t.Errorf("got %v allocations", got)
	}
}

// BenchmarkPassThrough measures a request that is not a touch.
func BenchmarkPassThrough(b *testing.B) {
	for name, block := range map[string]string{"plain": "", "consent": "consent cookie agreed yes"} {
		h := load(b, block)
		for visitor, cookies := range map[string]string{"new": "session=0123456789abcdef", "known": "session=0123456789abcdef; agreed=yes; telecrm_attribution=1.x.y"} {
			b.Run(name+"/"+visitor, func(b *testing.B) {
				r := navigation("https://www.example.com/page?page=2&sort=price")
				r.Header.Set("Referer", "https://www.example.com/list?page=1")
				r.Header.Set("Cookie", cookies)
				next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
				w := httptest.NewRecorder()
				repl := caddy.NewReplacer()
				r = caddyhttp.PrepareRequest(r, repl, w, nil)
				fresh := *repl
				b.ReportAllocs()
				for b.Loop() {
					*repl = fresh // each request has its own
					if err := h.ServeHTTP(w, r, next); err != nil {
						b.Fatal(err)
					}
				}
				if w.Header().Get("Set-Cookie") != "" {
					b.Error("it is a touch")
				}
			})
		}
	}
}
