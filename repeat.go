package caddytelecrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// claim reserves the post's lead for this request, or tells what became of an
// earlier post of the same lead.
func (h *Handler) claim(r *http.Request, s *submission) (*guard.Claim, guard.Result, error) {
	if h.guards.repeats == nil {
		return nil, guard.Result{}, nil
	}
	lead, err := h.fingerprint(r, s)
	if err != nil {
		return nil, guard.Result{}, err
	}
	for {
		claim, earlier, err := h.guards.repeats.Claim(r.Context(), lead)
		if err != nil || earlier.ID == "" || !h.isRemoved(r.Context(), earlier) {
			return claim, earlier, err
		}
		if claim != nil {
			return claim, guard.Result{}, nil
		}
		h.guards.repeats.Forget(lead, earlier)
	}
}

// lookupPatience is how long a post that looks like a repeat waits for the
// outbox to say whether it still has the first one.
const lookupPatience = 2 * time.Second

// isRemoved reports whether an earlier post does not stand any more. Either it
// was kept in the outbox and is not there: an operator erased or discarded it,
// or it has expired. Or the visitor was asked about it and sent another in its
// place.
func (h *Handler) isRemoved(ctx context.Context, earlier guard.Result) bool {
	if earlier.Asked && h.guards.redeemed.Has(earlier.ID) {
		return true
	}
	if !earlier.Kept || !h.app.keepsLeads() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	if _, err := h.app.engine(ctx); err != nil {
		return false
	}
	_, err := h.app.pooled.store.Get(ctx, earlier.ID)
	return errors.Is(err, outbox.ErrNotFound)
}

// fingerprint stands for the lead that the post makes and the host it came
// to. Two posts with the same one are one enquiry. Values that differ from one
// request to the next by themselves are left out.
func (h *Handler) fingerprint(r *http.Request, s *submission) (guard.Fingerprint, error) {
	posted := h.steady(s.posted, s.start)
	draft := h.mapping.lead(posted, s.expander(posted, func(key, value string) bool {
		isTyped := strings.HasPrefix(key, formPlaceholder)
		return isVolatile(key) || !isTyped && isMoment(value, s.start)
	}))
	texts := []string{plainHost(r.Host)}
	if h.isTrapped(s) { // the same without the trap comes from a visitor
		draft.addRaw(h.mapping, posted)
		texts = append(texts, "trapped")
	}
	lead, err := json.Marshal(draft.lead)
	if err != nil {
		return guard.Fingerprint{}, fmt.Errorf("comparing the lead with earlier ones: %w", err)
	}
	return guard.FingerprintOf(append(texts, string(lead))...), nil
}

// steady returns the form without inputs that count once, and with the times
// blanked that scripts fill in when the visitor sends it.
func (h *Handler) steady(posted *form.Form, now time.Time) *form.Form {
	typed := h.mapping.typedNumbers()
	kept := &form.Form{Entries: make([]form.Entry, 0, len(posted.Entries))}
	for _, entry := range posted.Entries {
		if h.countsOnce(entry.Name) {
			continue
		}
		if !slices.Contains(typed, entry.Name) && isMoment(entry.Value, now) {
			entry.Value = ""
		}
		kept.Entries = append(kept.Entries, entry)
	}
	return kept
}

// typedNumbers lists the inputs whose digits are the visitor's, however much
// they look like a time.
func (m *mapping) typedNumbers() []string {
	var inputs []string
	for _, f := range m.allFields() {
		if f.Name == m.identifier || f.kind != fieldtype.Text && f.kind != fieldtype.Date {
			inputs = append(inputs, f.Input)
		}
	}
	for _, s := range m.settings {
		if s.Name == m.identifier {
			inputs = append(inputs, s.inputs...)
		}
	}
	return inputs
}

// isVolatile reports whether a placeholder has another value for every
// request, or at every moment.
func isVolatile(key string) bool {
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
	return strings.HasPrefix(key, "time.")
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

// How far a time in a form may be from now to be one that a script filled in.
const (
	oldestMoment = 24 * time.Hour
	momentSkew   = time.Minute
)

// isMoment reports whether text is the time at which a page was made or sent:
// a Unix time or an RFC 3339 time of the past day. People who name a time
// write neither.
func isMoment(text string, now time.Time) bool {
	at, ok := readMoment(strings.TrimSpace(text))
	return ok && now.Sub(at) < oldestMoment && at.Sub(now) < momentSkew
}

func readMoment(text string) (time.Time, bool) {
	if number, err := strconv.ParseUint(text, 10, 63); err == nil {
		switch len(text) {
		case len("1700000000"):
			return time.Unix(int64(number), 0), true
		case len("1700000000000"):
			return time.UnixMilli(int64(number)), true
		}
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}
