package httpx_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// Visitors behind a proxy that Caddy is not told of do not count as one, and no client chooses its
// own address.
func TestClientAddress(t *testing.T) {
	for name, test := range map[string]struct {
		client, remote, forwarded string
		want                      string
	}{
		"a visitor":                     {"192.0.2.7", "192.0.2.7:1234", "", "192.0.2.7"},
		"a visitor who claims a proxy":  {"192.0.2.7", "192.0.2.7:1234", "198.51.100.9", "192.0.2.7"},
		"through a trusted proxy":       {"198.51.100.9", "10.0.0.1:1234", "198.51.100.9", "198.51.100.9"},
		"through an unknown proxy":      {"10.0.0.1", "10.0.0.1:1234", "198.51.100.9", "invalid IP"},
		"through one on this machine":   {"127.0.0.1", "127.0.0.1:1234", "198.51.100.9", "invalid IP"},
		"through one by IPv6":           {"::1", "[::1]:1234", "198.51.100.9", "invalid IP"},
		"somebody on this machine":      {"127.0.0.1", "127.0.0.1:1234", "", "127.0.0.1"},
		"an office's own network":       {"10.0.0.1", "10.0.0.1:1234", "", "10.0.0.1"},
		"a trusted proxy's own network": {"10.0.0.9", "10.0.0.1:1234", "10.0.0.9", "10.0.0.9"},
		"a socket":                      {"@", "@", "", "invalid IP"},
		"nobody":                        {"", "", "", "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.RemoteAddr = test.remote
			if test.forwarded != "" {
				r.Header.Set("X-Forwarded-For", test.forwarded)
			}
			r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, make(map[string]any)))
			if test.client != "" {
				caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, test.client)
			}
			if got := httpx.ClientAddress(r).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestHostname(t *testing.T) {
	for host, want := range map[string]string{
		"www.example.com": "www.example.com", "www.example.com:8443": "www.example.com", "[::1]:8080": "::1", "[::1]": "::1", "": "",
	} {
		if got := httpx.Hostname(&http.Request{Host: host}); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
