package caddytelecrm

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/attribution"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/answer"
	"github.com/leadwire/caddy-telecrm/internal/hostname"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/internal/notes"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

// readForm reads the body and removes the page's trap and stamp from it.
func (h *Handler) readForm(w http.ResponseWriter, r *http.Request, s *submission) error {
	posted, err := form.Read(s.body, r.Header.Get("Content-Type"), h.limits, func(posted *form.Form) string {
		return h.responder.PageCharset(r, &s.Post, posted)
	})
	s.Typed = posted
	if posted != nil {
		h.inspect(r, s)
	}
	if err != nil {
		if errors.Is(err, form.ErrTooLarge) {
			httpx.DiscardRest(w, r, h.MaxBody)
		}
		return fmt.Errorf("reading form: %w", err)
	}
	s.body.Stop()
	s.posted = posted
	return nil
}

// inspect takes out of the form what the module's own pages have added to it, and warns the operator
// about what would be lost.
func (h *Handler) inspect(r *http.Request, s *submission) {
	if page := answer.CarriedPage(s.Typed); page != nil {
		s.referer = httpx.RefererBefore(r, page)
		caddyhttp.SetVar(r.Context(), attribution.FormPageVar, attribution.FormPage{URL: page})
	}
	h.notes.Charset(s.Typed.Charset)
	s.seal = h.protector.TakeSeal(r, s.Typed)
	h.notes.Secrets(form.LoggableNames(h.mapping.Withheld(s.Typed)))
	if _, known := s.Repl.Get("telecrm.visits"); h.Attribution != nil && !known {
		h.notes.Unattributed()
	}
}

// unreadable tells the visitor that the form did not arrive intact, and returns the parts that did.
func (h *Handler) unreadable(w http.ResponseWriter, s *submission, err error) verdict {
	s.reason = err.Error()
	var problems []*mapping.Problem
	if s.Typed != nil {
		problems = h.mapping.TooLong(s.Typed, h.limits.Characters)
		s.noteWrong(problems)
	}
	switch {
	case errors.Is(err, form.ErrTooLarge):
		return fail(outcomeTooLarge, answer.Failure{
			Status: http.StatusRequestEntityTooLarge, Code: answer.CodeTooLarge, Problems: problems,
			Detail: page.Detail{HasFile: s.Typed != nil && s.Typed.Cut && len(s.Typed.Files) > 0},
		})
	case errors.Is(err, form.ErrUnsupported):
		w.Header().Set("Accept-Post", "application/x-www-form-urlencoded, multipart/form-data, application/json")
		return fail(outcomeNotAForm, answer.Failure{Status: http.StatusUnsupportedMediaType, Code: answer.CodeNotAForm, Problems: problems})
	}
	return fail(outcomeMalformed, answer.Failure{Status: http.StatusBadRequest, Code: answer.CodeMalformed, Problems: problems})
}

// lead makes a lead from the post, and notes whether it has values that change with every request.
func (h *Handler) lead(s *submission) mapping.Draft {
	return h.mapping.Lead(s.posted, s.expander(s.posted, func(key, value string) bool {
		s.isVolatile = s.isVolatile || s.changes(key, value)
		return false
	}), s.offers)
}

// changes reports whether a placeholder's value changes with every request.
func (s *submission) changes(key, value string) bool {
	isTyped := strings.HasPrefix(key, mapping.FormPlaceholder)
	return value != "" && (httpx.IsVolatile(key) || !isTyped && guard.IsMoment(value, s.start))
}

// draft makes a lead from the post. If something is wrong with it, draft reads the page with the
// form: an answer that the page offers is not the visitor's mistake but the config's.
func (h *Handler) draft(r *http.Request, s *submission) mapping.Draft {
	draft := h.lead(s)
	if len(draft.Problems) == 0 {
		return draft
	}
	inputs := h.responder.Inputs(r, &s.Post)
	if len(inputs) == 0 {
		return draft
	}
	h.notes.Compare(notes.Comparison{Mapping: h.mapping, Inputs: inputs, Posted: s.posted, IsOther: func(input string) bool {
		return h.needs(input) || slices.Contains(h.traps, input)
	}})
	s.offers = notes.Offers(inputs)
	return h.lead(s)
}

// expander returns a function that expands an operator's template. Placeholders for which blank
// returns true become empty. Typed text appears only as a placeholder's value, and placeholders
// within it are not expanded.
func (s *submission) expander(posted *form.Form, blank func(key, value string) bool) func(template string) string {
	value := func(key string, value any) any {
		if input, ok := strings.CutPrefix(key, mapping.FormPlaceholder); ok {
			return strings.Join(posted.Values(input), ", ")
		}
		if s.referer != "" && httpx.IsReferer(key) {
			return s.referer
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
// enquiry. If the lead has values that change with every request, fingerprint maps the post again
// without them.
func (h *Handler) fingerprint(r *http.Request, s *submission, lead *delivery.Submission) (guard.Fingerprint, error) {
	isTrapped := h.screen.IsTrapped(s.screened(r))
	if posted := h.withoutMoments(s.posted, s.start); s.isVolatile || posted != s.posted {
		draft := h.mapping.Lead(posted, s.expander(posted, s.changes), s.offers)
		if isTrapped {
			h.mapping.AddRaw(&draft, posted)
		}
		lead = h.submission(s, draft.Lead)
	}
	payload, err := lead.Payload()
	if err != nil {
		return guard.Fingerprint{}, fmt.Errorf("comparing the lead with earlier ones: %w", err)
	}
	texts := []string{hostname.Canonical(r.Host), string(payload)}
	if isTrapped { // the same post without the trap is not a repeat
		texts = append(texts, "trapped")
	}
	return guard.FingerprintOf(texts...), nil
}

// withoutMoments returns the form without single-use inputs, and without the times that scripts
// fill in when the form is sent. If it has neither, withoutMoments returns the form itself.
func (h *Handler) withoutMoments(posted *form.Form, now time.Time) *form.Form {
	isMoment := func(entry form.Entry) bool {
		return !h.mapping.IsTypedNumber(entry.Name) && guard.IsMoment(entry.Value, now)
	}
	isOnce := func(entry form.Entry) bool { return h.responder.CountsOnce(entry.Name) }
	if !slices.ContainsFunc(posted.Entries, func(e form.Entry) bool { return isOnce(e) || isMoment(e) }) {
		return posted
	}
	kept := &form.Form{Entries: slices.DeleteFunc(slices.Clone(posted.Entries), isOnce), Skipped: posted.Skipped}
	for i, entry := range kept.Entries {
		if isMoment(entry) {
			kept.Entries[i].Value = ""
		}
	}
	return kept
}
