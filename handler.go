package caddytelecrm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// outcome is what became of a submission, as logs and placeholders name it.
type outcome string

const (
	outcomeCreated     outcome = "created"     // the lead is in TeleCRM
	outcomeKnown       outcome = "known"       // TeleCRM has a lead with this identifier
	outcomeInvalid     outcome = "invalid"     // the visitor is asked to correct something
	outcomeRefused     outcome = "refused"     // TeleCRM will not take this lead
	outcomeUnavailable outcome = "unavailable" // TeleCRM took no lead, for now
	outcomeMalformed   outcome = "malformed"   // the body is broken
	outcomeTooLarge    outcome = "too_large"   // the body passes a limit
	outcomeNotAForm    outcome = "not_a_form"  // the body is no form at all
)

// submission is one visitor's post on its way through the handler.
type submission struct {
	id      string
	start   time.Time
	json    bool // answer in JSON
	repl    *caddy.Replacer
	posted  *form.Form // nil until read
	outcome outcome
	leadID  string
	sent    int // attempts to deliver
}

// ServeHTTP takes a form's POST and passes everything else on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method != http.MethodPost {
		return next.ServeHTTP(w, r)
	}
	ours, err := h.matches(r)
	if err != nil {
		return err
	}
	if !ours {
		return next.ServeHTTP(w, r)
	}

	s, err := h.begin(w, r)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	defer h.logSubmission(s)

	if err := h.readForm(w, r, s); err != nil {
		return h.answerUnreadable(w, r, s, err)
	}
	draft := h.mapping.lead(s.posted, s.expand)
	if len(draft.problems) > 0 {
		return h.answerInvalid(w, r, s, draft.problems)
	}
	h.logRemarks(s, draft.remarks)

	answer := h.deliver(r.Context(), s, draft.lead)
	switch answer.Verdict {
	case telecrm.Created, telecrm.Duplicate:
		return h.answerThanks(w, r, s)
	case telecrm.Rejected:
		return h.answerRefused(w, r, s)
	case telecrm.Hold, telecrm.Retry:
	}
	return h.answerUnavailable(w, r, s)
}

// matches reports whether the request is for this handler, as it is or as the
// visitor asked for it before an earlier handler rewrote the URI.
func (h *Handler) matches(r *http.Request) (bool, error) {
	if len(h.matchers) == 0 {
		return true, nil
	}
	matched, err := h.matchers.AnyMatchWithError(r)
	if matched || err != nil {
		return matched, err
	}
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil || original.URL.Path == r.URL.Path {
		return false, nil
	}
	asked := r.WithContext(r.Context())
	asked.URL, asked.RequestURI = original.URL, original.RequestURI
	return h.matchers.AnyMatchWithError(asked)
}

// begin gives the submission its id and sets what is the same whatever the
// answer will be.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) (*submission, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("making a submission id: %w", err)
	}
	s := &submission{
		id:    id.String(),
		start: time.Now(),
		json:  wantsJSON(r),
		repl:  r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer),
	}
	s.repl.Set("telecrm.id", s.id)
	s.repl.Set("telecrm.form", h.Form)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept, X-Requested-With")
	return s, nil
}

// settle notes what became of the submission.
func (s *submission) settle(o outcome) {
	s.outcome = o
	s.repl.Set("telecrm.outcome", string(o))
}

func (h *Handler) readForm(w http.ResponseWriter, r *http.Request, s *submission) error {
	// MaxBytesReader, beside the limit that form.Read keeps, has the server
	// close the connection instead of reading on.
	body := http.MaxBytesReader(w, r.Body, h.MaxBody)
	posted, err := form.Read(body, r.Header.Get("Content-Type"), h.limits)
	if err != nil {
		return fmt.Errorf("reading form: %w", err)
	}
	s.posted = posted
	return nil
}

// expand replaces the placeholders of an operator's template. What the visitor
// sent only ever comes in as the value of a placeholder, so placeholders in it
// stay text.
func (s *submission) expand(template string) string {
	expanded, err := s.repl.ReplaceFunc(template, func(key string, value any) (any, error) {
		if input, ok := strings.CutPrefix(key, formPlaceholder); ok {
			return strings.Join(s.posted.Values(input), ", "), nil
		}
		if name, ok := strings.CutPrefix(key, "query."); ok && value == nil {
			value, _ = s.repl.Get("http.request.uri.query." + name)
		}
		return value, nil
	})
	if err != nil {
		return ""
	}
	return expanded
}

// deliver sends the lead while the visitor waits, and notes what became of
// it. A visitor who leaves does not stop it.
func (h *Handler) deliver(ctx context.Context, s *submission, lead telecrm.Lead) telecrm.Answer {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(h.Budget))
	defer cancel()
	s.sent++
	answer := h.account.client.CreateLead(ctx, lead)
	log := h.logger.With(zap.String("form", h.Form), zap.String("id", s.id), zap.String("account", h.account.name))
	switch answer.Verdict {
	case telecrm.Created:
		s.settle(outcomeCreated)
		s.leadID = answer.LeadID
		s.repl.Set("telecrm.lead_id", answer.LeadID)
		if !answer.Confirmed() {
			log.Error("TeleCRM accepted the lead without naming it; look whether it is there", zap.Int("status", answer.Status))
		}
		h.logRemarks(s, losses(answer, lead))
	case telecrm.Duplicate:
		s.settle(outcomeKnown)
		log.Warn("TeleCRM already has a lead with this identifier; what was sent now was not stored")
	case telecrm.Rejected:
		s.settle(outcomeRefused)
		log.Warn("TeleCRM refused the lead", zap.String("reason", answer.Reason()))
	case telecrm.Hold:
		s.settle(outcomeUnavailable)
		log.Error("TeleCRM takes no lead from this account; check that the token is a Sync token and in its place, then the enterprise id, the base url and the subscription",
			zap.String("reason", answer.Reason()))
	case telecrm.Retry:
		s.settle(outcomeUnavailable)
		log.Error("the lead could not be delivered", zap.String("reason", answer.Reason()))
	}
	return answer
}

// logSubmission writes the one line that every submission gets.
func (h *Handler) logSubmission(s *submission) {
	fields := []zap.Field{
		zap.String("form", h.Form),
		zap.String("id", s.id),
		zap.String("outcome", string(s.outcome)),
		zap.String("lead_id", s.leadID),
		zap.Int("attempts", s.sent),
		zap.Duration("duration", time.Since(s.start)),
	}
	if s.posted != nil {
		if dropped := namesForLog(h.mapping.dropped(s.posted)); len(dropped) > 0 {
			fields = append(fields, zap.Strings("unmapped_inputs", dropped))
		}
		if files := namesForLog(s.posted.Files); len(files) > 0 {
			fields = append(fields, zap.Strings("skipped_files", files))
		}
	}
	h.logger.Info("submission", fields...)
}

func (h *Handler) logRemarks(s *submission, remarks []remark) {
	for _, r := range remarks {
		h.logger.Warn("a part of the lead was not stored as sent",
			zap.String("form", h.Form),
			zap.String("id", s.id),
			zap.String("field", r.field),
			zap.String("status", r.status),
			zap.String("remark", r.text))
	}
}

// errorStatus is the HTTP status and the outcome of a body that could not be
// read.
func errorStatus(err error) (int, outcome) {
	switch {
	case errors.Is(err, form.ErrTooLarge):
		return http.StatusRequestEntityTooLarge, outcomeTooLarge
	case errors.Is(err, form.ErrUnsupported):
		return http.StatusUnsupportedMediaType, outcomeNotAForm
	}
	return http.StatusBadRequest, outcomeMalformed
}
