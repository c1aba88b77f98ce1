package httpx

import "testing"

// Placeholders whose value changes with every request are volatile.
func TestVolatilePlaceholders(t *testing.T) {
	for _, key := range []string{"time.now", "time.now.year", "telecrm.id", "http.request.uuid", "http.vars.trace_id", "http.request.header.cf-ray"} {
		if !IsVolatile(key) {
			t.Errorf("%s: got not volatile", key)
		}
	}
	for _, key := range []string{"telecrm.form", "query.course", "http.request.header.Referer", "http.request.uri", "http.vars.city", "timezone"} {
		if IsVolatile(key) {
			t.Errorf("%s: got volatile", key)
		}
	}
}
