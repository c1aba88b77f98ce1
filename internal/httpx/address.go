// Package httpx provides the HTTP functions that Caddy and net/http leave to handlers.
package httpx

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// OriginalURL returns the URL that the client asked for, before a handler rewrote it.
func OriginalURL(r *http.Request) *url.URL {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		return original.URL
	}
	return r.URL
}

// PostedURI returns the path and query that the visitor's browser posted to.
func PostedURI(r *http.Request) string { return LocalURI(OriginalURL(r)) }

// RefererBefore returns the Referer of a post, or the address of page if the Referer is that of the
// error page, which was shown in its place under the address posted to.
func RefererBefore(r *http.Request, page *url.URL) string {
	referer, err := url.Parse(r.Referer())
	if err != nil || !strings.EqualFold(referer.Host, r.Host) || referer.Path != OriginalURL(r).Path {
		return r.Referer()
	}
	return referer.Scheme + "://" + referer.Host + LocalURI(page)
}

// LocalURI returns the path and query of an untrusted address. The result always stays on this
// site: "//host" would lead to another one.
func LocalURI(address *url.URL) string {
	local := url.URL{Path: "/" + strings.TrimLeft(address.Path, `/\`), RawQuery: address.RawQuery}
	return local.String()
}
