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
	"github.com/leadwire/caddy-telecrm/internal/hostname"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// draft makes a lead from the post.
func (h *Handler) draft(s *submission) mapping.Draft {
	return h.mapping.Lead(s.posted, s.expander(s.posted, func(string, string) bool { return false }))
}

// expander returns a function that expands an operator's template. Placeholders for which blank
// returns true become empty. Typed text appears only as a placeholder's value, and placeholders
// within it are not expanded.
func (s *submission) expander(posted *form.Form, blank func(key, value string) bool) func(template string) string {
	value := func(key string, value any) any {
		if input, ok := strings.CutPrefix(key, mapping.FormPlaceholder); ok {
			return strings.Join(posted.Values(input), ", ")
		}
		// The Caddyfile's adapter writes the shorter name of a query's value as the longer one.
		if name, ok := strings.CutPrefix(strings.TrimPrefix(key, "http.request.uri."), "query."); ok {
			return strings.Join(form.Query(s.query, name), ",")
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

// fingerprint identifies the post's lead and host. Two posts with the same fingerprint are one
// enquiry. It maps the post a second time, without values that change with every request.
func (h *Handler) fingerprint(r *http.Request, s *submission) (guard.Fingerprint, error) {
	posted := h.withoutMoments(s.posted, s.start)
	draft := h.mapping.Lead(posted, s.expander(posted, func(key, value string) bool {
		isTyped := strings.HasPrefix(key, mapping.FormPlaceholder)
		return httpx.IsVolatile(key) || !isTyped && guard.IsMoment(value, s.start)
	}))
	texts := []string{hostname.Canonical(r.Host)}
	if h.screen.IsTrapped(s.screened(r)) { // the same post without the trap is not a repeat
		h.mapping.AddRaw(&draft, posted)
		texts = append(texts, "trapped")
	}
	lead, err := json.Marshal(draft.Lead)
	if err != nil {
		return guard.Fingerprint{}, fmt.Errorf("comparing the lead with earlier ones: %w", err)
	}
	return guard.FingerprintOf(append(texts, string(lead))...), nil
}

// withoutMoments returns the form without single-use inputs, and without the times that scripts
// fill in when the form is sent.
func (h *Handler) withoutMoments(posted *form.Form, now time.Time) *form.Form {
	typed := h.mapping.TypedNumbers()
	kept := &form.Form{Entries: make([]form.Entry, 0, len(posted.Entries)), Skipped: posted.Skipped}
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
