package httpx_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// Visitors behind an unlisted proxy do not count as one visitor, and clients cannot choose their
// own address.
func TestClientAddress(t *testing.T) {
	for name, test := range map[string]struct {
		client, remote, forwarded string
		want                      string
	}{
		"visitor":                                {"192.0.2.7", "192.0.2.7:1234", "", "192.0.2.7"},
		"visitor claiming a proxy":               {"192.0.2.7", "192.0.2.7:1234", "198.51.100.9", "192.0.2.7"},
		"trusted proxy":                          {"198.51.100.9", "10.0.0.1:1234", "198.51.100.9", "198.51.100.9"},
		"unlisted proxy":                         {"10.0.0.1", "10.0.0.1:1234", "198.51.100.9", "invalid IP"},
		"unlisted proxy on localhost":            {"127.0.0.1", "127.0.0.1:1234", "198.51.100.9", "invalid IP"},
		"unlisted proxy on IPv6 localhost":       {"::1", "[::1]:1234", "198.51.100.9", "invalid IP"},
		"client on localhost":                    {"127.0.0.1", "127.0.0.1:1234", "", "127.0.0.1"},
		"private network":                        {"10.0.0.1", "10.0.0.1:1234", "", "10.0.0.1"},
		"private network behind a trusted proxy": {"10.0.0.9", "10.0.0.1:1234", "10.0.0.9", "10.0.0.9"},
		"Unix socket":                            {"@", "@", "", "invalid IP"},
		"no address":                             {"", "", "", "invalid IP"},
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
