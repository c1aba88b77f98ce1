package httpx

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// IsSecure reports whether the visitor's browser uses HTTPS. A proxy listed in `trusted_proxies`
// may say so.
func IsSecure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	isTrusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	scheme, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return isTrusted && strings.EqualFold(strings.TrimSpace(scheme), "https")
}
