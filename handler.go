package caddytelecrm

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// outcome is what became of a submission, as logs and placeholders name it.
type outcome string

const (
	outcomeCreated     outcome = "created"     // the lead is in TeleCRM
	outcomeKnown       outcome = "known"       // TeleCRM has a lead with this identifier
	outcomeAccepted    outcome = "accepted"    // the Async API has the lead, and does not say what becomes of it
	outcomeWaiting     outcome = "waiting"     // the lead is in the outbox, on its way to TeleCRM
	outcomeRepeat      outcome = "repeat"      // it repeats a post that was taken
	outcomeInvalid     outcome = "invalid"     // the visitor is asked to correct something
	outcomeAsked       outcome = "asked"       // it may be junk: kept aside, and the visitor is asked to send it again
	outcomeUnproven    outcome = "unproven"    // the challenge was not passed, and nothing is taken before it is
	outcomeAside       outcome = "aside"       // it looks like junk: kept aside, and thanked for
	outcomeForeign     outcome = "foreign"     // a page of another site posts here
	outcomeLimited     outcome = "limited"     // too many from one address
	outcomeRefused     outcome = "refused"     // TeleCRM will not take this lead
	outcomeUnavailable outcome = "unavailable" // the lead could be kept nowhere
	outcomeMalformed   outcome = "malformed"   // the body is broken
	outcomeTooLarge    outcome = "too_large"   // the body passes a limit
	outcomeNotAForm    outcome = "not_a_form"  // the body is no form at all
)

// outcomes returns all outcomes.
func outcomes() []outcome {
	return []outcome{
		outcomeCreated, outcomeKnown, outcomeAccepted, outcomeWaiting, outcomeRepeat, outcomeInvalid, outcomeAsked, outcomeUnproven,
		outcomeAside, outcomeForeign, outcomeLimited, outcomeRefused,
		outcomeUnavailable, outcomeMalformed, outcomeTooLarge, outcomeNotAForm,
	}
}

// submission is one visitor's post on its way through the handler.
type submission struct {
	id      string
	start   time.Time
	json    bool // answer in JSON
	repl    *caddy.Replacer
	clock   *httpx.BodyClock
	posted  *form.Form // nil until read
	typed   *form.Form // what to show again: posted, or what could be read of it; may be nil
	secrets []string   // inputs that the page says are for passwords and the like
	seal    guard.Seal // what it had of the page's trap and stamp
	outcome outcome
	leadID  string
	repeats string                 // the submission that this one repeats
	pages   map[string]fetchedPage // by address, what the site answered
	signals guard.Opinion          // what its headers say
	signs   string                 // why it may be junk
	sent    int                    // attempts to deliver
	kept    bool                   // in the outbox
	reason  string                 // why the body could not be read
	wrong   []string               // what the visitor is asked to correct
	span    trace.Span             // nil outside of Caddy's tracing
}

// ServeHTTP takes a form's POST and passes everything else on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method != http.MethodPost {
		return h.serveOther(w, r, next)
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
	defer h.conclude(r, s)
	s.clock = httpx.StartBodyClock(w, r, h.bodyPatience)

	if !h.mayPost(r, s) {
		return h.answerForeign(w, r, s)
	}
	if pass := h.pace(r); pass.Wait > 0 {
		return h.answerLimited(w, r, s, pass)
	}
	if err := h.readForm(w, r, s); err != nil {
		return h.answerUnreadable(w, r, s, err)
	}
	draft := h.mapping.lead(s.posted, s.expand)
	if h.isTrapped(s) && h.app.keepsLeads() {
		draft.addRaw(h.mapping, s.posted)
	} else if len(draft.problems) > 0 {
		return h.answerInvalid(w, r, s, draft.problems)
	}
	return h.take(w, r, s, draft)
}

// take keeps a post that there is nothing to correct in, unless it repeats
// another, and thanks for it or asks about it.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, s *submission, draft draft) error {
	claim, earlier, err := h.claim(r, s)
	if err != nil { // most often the visitor left while the first post was being answered
		return caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("looking for an earlier post of the same lead: %w", err))
	}
	if earlier.ID != "" && !earlier.Asked {
		s.repeats = earlier.ID
		s.settle(outcomeRepeat)
		return h.answerThanks(w, r, s)
	}
	defer claim.End(guard.Result{})

	signals := h.judge(r, s)
	if signals.Verdict() != guard.Unwanted {
		passed := h.challenged(r.Context(), r, s.posted)
		if passed.Refuse {
			return h.answerUnproven(w, r, s)
		}
		signals = append(signals, passed.Signals...)
	}
	verdict := signals.Verdict()
	if verdict == guard.Unwanted && h.app.keepsLeads() {
		return h.setAside(w, r, s, draft.lead, claim, signals)
	}
	first, isConfirmed := h.redeem(r, s, draft.lead, earlier)
	if verdict != guard.Welcome && !isConfirmed {
		return h.askAgain(w, r, s, draft.lead, claim, earlier, signals)
	}

	h.app.remarkOn(h.logger.WithLazy(zap.String("form", h.Form), zap.String("id", s.id)), h.Form, draft.remarks)
	switch h.deliver(r.Context(), s, draft.lead) { //nolint:exhaustive // all others are good news
	case outcomeRefused:
		h.guards.redeemed.Return(first)
		return h.answerRefused(w, r, s)
	case outcomeUnavailable:
		h.guards.redeemed.Return(first)
		return h.answerUnavailable(w, r, s)
	}
	claim.End(guard.Result{ID: s.id, Kept: s.kept})
	if isConfirmed {
		h.supersede(r.Context(), s, first)
	}
	return h.answerThanks(w, r, s)
}

// mayPost reports whether the page that posts is one that may, and notes what
// the header says of who posts. Scripts, and programs that ask for JSON as they
// do, need not look like a browser.
func (h *Handler) mayPost(r *http.Request, s *submission) (allowed bool) {
	allowed, s.signals = h.guards.origins.Check(r)
	if !s.json {
		s.signals = append(s.signals, guard.SenderOf(r).Signals()...)
	}
	return allowed
}

// serveOther passes a request on that is no POST, unless it prepares for one:
// a browser asks if a script may post, or a widget fetches a challenge.
func (h *Handler) serveOther(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.guards.origins.IsPreflight(r) {
		ours, err := h.matches(r)
		if err != nil {
			return err
		}
		if ours {
			h.guards.origins.Allow(w, r)
			return nil
		}
	}
	fetches, err := h.fetchesChallenge(r)
	if err != nil {
		return err
	}
	if fetches {
		return h.serveChallenge(w, r)
	}
	return h.passOn(w, r, next)
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
	original := httpx.OriginalURL(r)
	if original.Path == r.URL.Path {
		return false, nil
	}
	asked := r.WithContext(r.Context())
	asked.URL, asked.RequestURI = original, original.RequestURI()
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
		json:  httpx.WantsJSON(r),
		repl:  r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer),
	}
	s.repl.Set("telecrm.id", s.id)
	s.repl.Set("telecrm.form", h.Form)
	h.trace(r.Context(), s)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept, X-Requested-With")
	h.guards.origins.Share(w.Header(), r)
	return s, nil
}

// settle notes what became of the submission.
func (s *submission) settle(o outcome) {
	s.outcome = o
	s.repl.Set("telecrm.outcome", string(o))
	if s.leadID != "" {
		s.repl.Set("telecrm.lead_id", s.leadID)
	}
}

func (h *Handler) readForm(w http.ResponseWriter, r *http.Request, s *submission) error {
	posted, err := form.Read(s.clock, r.Header.Get("Content-Type"), h.limits, func(posted *form.Form) string {
		return h.charsetOfPage(r, s, posted)
	})
	s.typed = posted
	if posted != nil {
		h.noteCharset(posted)
		s.seal = h.takeSeal(r, posted)
	}
	if err != nil {
		if errors.Is(err, form.ErrTooLarge) {
			httpx.DiscardRest(w, r, h.MaxBody)
		}
		return fmt.Errorf("reading form: %w", err)
	}
	s.clock.Stop()
	s.posted = posted
	return nil
}

// expand replaces the placeholders of an operator's template.
func (s *submission) expand(template string) string {
	return s.expander(s.posted, func(string, string) bool { return false })(template)
}

// expander returns a function that replaces the placeholders of an operator's
// template; those that blank reports true for, it removes. What the visitor
// sent only ever comes in as the value of a placeholder, so placeholders in it
// stay text.
func (s *submission) expander(posted *form.Form, blank func(key, value string) bool) func(template string) string {
	value := func(key string, value any) any {
		if input, ok := strings.CutPrefix(key, formPlaceholder); ok {
			return strings.Join(posted.Values(input), ", ")
		}
		if name, ok := strings.CutPrefix(key, "query."); ok && value == nil {
			value, _ = s.repl.Get("http.request.uri.query." + name)
		}
		return value
	}
	return func(template string) string {
		expanded, err := s.repl.ReplaceFunc(template, func(key string, known any) (any, error) {
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

// conclude tells operators what became of a submission: in metrics, in its
// span, on the access log and in its own line.
func (h *Handler) conclude(r *http.Request, s *submission) {
	h.meter.count(s.outcome, time.Since(s.start))
	s.endSpan()
	if access, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		access.Add(zap.String("telecrm_id", s.id))
		if s.leadID != "" {
			access.Add(zap.String("telecrm_lead_id", s.leadID))
		}
	}
	h.logSubmission(s)
}

// logSubmission writes the one line that every submission gets.
func (h *Handler) logSubmission(s *submission) {
	entry := h.logger.Check(zap.InfoLevel, "submission")
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("form", h.Form),
		zap.String("id", s.id),
		zap.String("outcome", string(s.outcome)),
		zap.Int("attempts", s.sent),
		zap.Duration("duration", time.Since(s.start)),
	}
	if s.leadID != "" {
		fields = append(fields, zap.String("lead_id", s.leadID))
	}
	if s.reason != "" {
		fields = append(fields, zap.String("reason", s.reason))
	}
	if s.repeats != "" {
		fields = append(fields, zap.String("repeats", s.repeats))
	}
	if s.signs != "" {
		fields = append(fields, zap.String("spam_signals", s.signs))
	}
	if len(s.wrong) > 0 {
		fields = append(fields, zap.Strings("wrong", s.wrong))
	}
	if s.posted != nil {
		if dropped := namesForLog(h.mapping.dropped(s.posted)); len(dropped) > 0 {
			fields = append(fields, zap.Strings("unmapped_inputs", dropped))
		}
		if files := namesForLog(s.posted.Files); len(files) > 0 {
			fields = append(fields, zap.Strings("skipped_files", files))
		}
	}
	entry.Write(fields...)
}

// turnAway refuses a post without reading its form. Like the server would, it first reads the rest of
// a short body: so the answer is made for those who have sent theirs, and does not lie in memory once
// for each of many slow senders. A body that is too slow gets a bare status.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, s *submission, f failure) error {
	if r.ContentLength > httpx.MaxUnread {
		return h.answerFailure(w, r, s, f)
	}
	ended, err := s.clock.Drain()
	if err != nil {
		s.reason = cmp.Or(s.reason, fmt.Sprintf("reading the rest of the body: %v", err))
		w.Header().Set("Connection", "close")
		w.WriteHeader(f.status)
		return nil
	}
	if ended { // or the server reads on before it answers, and is timed
		s.clock.Stop()
	}
	return h.answerFailure(w, r, s, f)
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
