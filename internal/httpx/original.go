// Package httpx reads of HTTP requests what Caddy and net/http leave to handlers.
package httpx

import (
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// OriginalURL returns the URL that the client asked for, before a handler rewrote it.
func OriginalURL(r *http.Request) *url.URL {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		return original.URL
	}
	return r.URL
}
