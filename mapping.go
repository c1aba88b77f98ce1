package caddytelecrm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// draft makes a lead of the post. A post with a filled-in trap gets what was typed, as it is, into
// fields that it does not fit.
func (h *Handler) draft(s *submission) mapping.Draft {
	return h.mapping.Lead(s.posted, s.expander(s.posted, func(string, string) bool { return false }))
}

// expander returns a function that replaces the placeholders of an operator's template, and removes
// those that blank reports true for. What the visitor typed only ever comes in as the value of a
// placeholder: placeholders in it are not expanded.
func (s *submission) expander(posted *form.Form, blank func(key, value string) bool) func(template string) string {
	value := func(key string, value any) any {
		if input, ok := strings.CutPrefix(key, mapping.FormPlaceholder); ok {
			return strings.Join(posted.Values(input), ", ")
		}
		if name, ok := strings.CutPrefix(key, "query."); ok && value == nil {
			value, _ = s.Repl.Get("http.request.uri.query." + name)
		}
		return value
	}
	return func(template string) string {
		expanded, err := s.Repl.ReplaceFunc(template, func(key string, known any) (any, error) {
			found := value(key, known)
			if blank(key, caddy.ToString(found)) {
				return "", nil
			}
			return found, nil
		})
		if err != nil {
			return ""
		}
		return expanded
	}
}

// fingerprint identifies the lead that the post makes and the host it came to. Two posts with the
// same one are one enquiry. It leaves out values that differ from one request to the next by
// themselves.
func (h *Handler) fingerprint(r *http.Request, s *submission) (guard.Fingerprint, error) {
	posted := h.withoutMoments(s.posted, s.start)
	draft := h.mapping.Lead(posted, s.expander(posted, func(key, value string) bool {
		isTyped := strings.HasPrefix(key, mapping.FormPlaceholder)
		return httpx.IsVolatile(key) || !isTyped && guard.IsMoment(value, s.start)
	}))
	texts := []string{httpx.PlainHost(r.Host)}
	if h.screen.IsTrapped(s.screened(r)) { // the same without the trap comes from a visitor
		h.mapping.AddRaw(&draft, posted)
		texts = append(texts, "trapped")
	}
	lead, err := json.Marshal(draft.Lead)
	if err != nil {
		return guard.Fingerprint{}, fmt.Errorf("comparing the lead with earlier ones: %w", err)
	}
	return guard.FingerprintOf(append(texts, string(lead))...), nil
}

// withoutMoments returns the form without inputs that count once, and without the times that
// scripts fill in when the visitor sends it.
func (h *Handler) withoutMoments(posted *form.Form, now time.Time) *form.Form {
	typed := h.mapping.TypedNumbers()
	kept := &form.Form{Entries: make([]form.Entry, 0, len(posted.Entries))}
	for _, entry := range posted.Entries {
		if h.responder.CountsOnce(entry.Name) {
			continue
		}
		if !slices.Contains(typed, entry.Name) && guard.IsMoment(entry.Value, now) {
			entry.Value = ""
		}
		kept.Entries = append(kept.Entries, entry)
	}
	return kept
}
