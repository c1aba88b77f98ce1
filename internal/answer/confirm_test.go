package answer_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/answer"
)

// Browsers send the cookie with a confirmation over HTTPS only, if the visitor uses it, also where a
// trusted proxy ends it.
func TestConfirmationCookieIsSecure(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		isTLS, isTrusted bool
		proto            string
		want             bool
	}{
		"HTTPS":                   {isTLS: true, want: true},
		"HTTP":                    {},
		"trusted proxy, HTTPS":    {isTrusted: true, proto: "https", want: true},
		"trusted proxy, HTTP":     {isTrusted: true, proto: "http"},
		"somebody who says HTTPS": {proto: "https"},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://www.example.com/contact", nil)
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.TrustedProxyVarKey: test.isTrusted}))
		if test.proto != "" {
			r.Header.Set("X-Forwarded-Proto", test.proto)
		}
		if test.isTLS {
			r.TLS = new(tls.ConnectionState)
		}
		w := httptest.NewRecorder()
		answer.SetConfirmation(w, r, "confirmation")
		cookie := w.Header().Get("Set-Cookie")
		if got := strings.Contains(cookie, "; Secure"); got != test.want || !strings.Contains(cookie, "; HttpOnly") {
			t.Errorf("%s: got %q", name, cookie)
		}
	}
}
