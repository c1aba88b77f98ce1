package httpx

import (
	"net/http"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/attribution"
)

// IsVolatile reports whether a placeholder's value changes with every request or over time. Where a
// visitor came from does too: they may post again from another page, or after another touch.
func IsVolatile(key string) bool {
	if header, ok := strings.CutPrefix(key, "http.request.header."); ok {
		return slices.Contains(requestIDHeaders(), http.CanonicalHeaderKey(header))
	}
	switch key {
	case "telecrm.id", "http.request.uuid", "http.vars.uuid", "http.vars.trace_id", "http.vars.span_id",
		"http.request.duration", "http.request.duration_ms", "http.time_until_shutdown", "http.shutting_down",
		"http.request.remote", "http.request.remote.port", "http.request.tls.resumed",
		"http.request.body", "http.request.body_base64":
		return true
	}
	return strings.HasPrefix(key, "time.") || attribution.IsPlaceholder(key)
}

// IsReferer reports whether a placeholder's value is the Referer.
func IsReferer(key string) bool {
	header, ok := strings.CutPrefix(key, "http.request.header.")
	return ok && http.CanonicalHeaderKey(header) == "Referer"
}

// requestIDHeaders lists the headers in which proxies number requests.
func requestIDHeaders() []string {
	return []string{
		"X-Request-Id", "X-Correlation-Id", "X-Request-Start", "Request-Id",
		"Traceparent", "Tracestate", "X-B3-Traceid", "X-B3-Spanid", "B3",
		"Cf-Ray", "X-Amzn-Trace-Id", "X-Amz-Cf-Id", "X-Cloud-Trace-Context", "X-Vercel-Id", "Fly-Request-Id",
		"Date", "Age", "Content-Length", "Content-Type",
	}
}
