package caddytelecrm

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/answer"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/internal/logline"
	"github.com/leadwire/caddy-telecrm/internal/screen"
	"github.com/leadwire/caddy-telecrm/internal/tracing"
	"github.com/leadwire/caddy-telecrm/internal/trial"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The outcomes of a submission, as logs, metrics and placeholders name them.
const (
	outcomeCreated     = "created"     // the lead is in TeleCRM
	outcomeKnown       = "known"       // TeleCRM has a lead with this identifier
	outcomeAccepted    = "accepted"    // the Async API has the lead, and never says what it did with it
	outcomeWaiting     = "waiting"     // the lead is in the outbox, on its way to TeleCRM
	outcomeRepeat      = "repeat"      // it repeats an accepted post
	outcomeInvalid     = "invalid"     // the visitor is asked to correct something
	outcomeAsked       = "asked"       // possible spam: parked, and the visitor is asked to send it again
	outcomeUnproven    = "unproven"    // the challenge was not passed, and the form requires it
	outcomeAside       = "aside"       // suspected spam: parked, and the visitor is thanked
	outcomeForeign     = "foreign"     // a page of another site posted it
	outcomeLimited     = "limited"     // too many posts from one address
	outcomeRefused     = "refused"     // TeleCRM refuses this lead
	outcomeUnavailable = "unavailable" // the lead could not be kept anywhere
	outcomeMalformed   = "malformed"   // the body is broken
	outcomeTooLarge    = "too_large"   // the body exceeds a limit
	outcomeNotAForm    = "not_a_form"  // the body is not a form
)

func outcomes() []string {
	return []string{
		outcomeCreated, outcomeKnown, outcomeAccepted, outcomeWaiting, outcomeRepeat, outcomeInvalid, outcomeAsked, outcomeUnproven,
		outcomeAside, outcomeForeign, outcomeLimited, outcomeRefused,
		outcomeUnavailable, outcomeMalformed, outcomeTooLarge, outcomeNotAForm,
	}
}

// submission is one visitor's post on its way through the handler.
type submission struct {
	answer.Post

	start   time.Time
	query   string // of the URL, as sent
	referer string // of the page with the form, if an error page was shown in its place
	body    *httpx.BodyClock
	span    tracing.Submission
	posted  *form.Form     // nil until read
	offers  mapping.Offers // of the page, if something was wrong
	seal    guard.Seal     // the post's trap and stamp
	counted guard.Pass     // how the post counts toward the rate limit
	outcome string

	isVolatile bool // the lead has values that change with every request
	attempts   int
	kept       bool // in the outbox
	leadID     string

	// For the log:
	repeats     string   // id of the submission that this one repeats
	spamSignals string   // why it is suspected spam
	reason      string   // why the body could not be read
	wrong       []string // inputs that the visitor is asked to correct
}

// screened returns the post in the form that the screen judges.
func (s *submission) screened(r *http.Request) screen.Post {
	return screen.Post{Post: &s.Post, Request: r, At: s.start, Form: s.posted, Seal: s.seal}
}

// verdict is the outcome for operators and the answer for the visitor.
type verdict struct {
	outcome string
	failure *answer.Failure // nil if the visitor is thanked
	unread  bool            // the body has not been read
}

func thank(outcome string) verdict { return verdict{outcome: outcome} }

func fail(outcome string, f answer.Failure) verdict {
	f.Outcome = outcome
	return verdict{outcome: outcome, failure: &f}
}

// ServeHTTP handles a form's POST and passes on all other requests.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.Method != http.MethodPost {
		return h.serveOther(w, r, next)
	}
	ours, err := h.matcher.Matches(r)
	if err != nil {
		return err
	}
	if !ours {
		err := next.ServeHTTP(w, r)
		h.app.missed.Note(h.logger, r, h.Form, err)
		return err
	}
	if httpx.ValidationOf(r) != httpx.NoValidation {
		return h.check(w, r)
	}
	s, err := h.begin(w, r)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	if record := trial.Of(r.Context()); record != nil {
		h.try(w, r, s, record)
		return nil
	}
	defer h.conclude(r, s)
	v := h.process(w, r, s)
	h.recount(r, s, v)
	s.settle(v.outcome)
	switch {
	case v.failure == nil:
		return h.responder.Thanks(w, r, &s.Post, cmp.Or(s.repeats, s.ID))
	case v.unread:
		return h.turnAway(w, r, s, *v.failure)
	}
	return h.responder.Fail(w, r, &s.Post, *v.failure)
}

// serveOther passes on a request that is not a POST, unless it prepares one: a CORS preflight, or a
// widget that fetches a challenge.
func (h *Handler) serveOther(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.origins.IsPreflight(r) {
		ours, err := h.matcher.Matches(r)
		if err != nil {
			return err
		}
		if ours {
			h.origins.Allow(w, r)
			return nil
		}
	}
	issues, err := h.challenge.Issues(r, h.matcher.Matches)
	if err != nil {
		return err
	}
	if issues {
		// Scripts of unlisted origins cannot read it because they do not get CORS headers.
		w.Header().Set("Cache-Control", "no-store")
		h.origins.Share(w.Header(), r)
		return answer.JSON(w, http.StatusOK, h.challenge.Issue())
	}
	return h.protector.Serve(w, r, next)
}

// begin assigns the submission's id, and sets the placeholders and headers that all answers share.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) (*submission, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("making a submission id: %w", err)
	}
	s := h.receive(w, r)
	s.ID = id.String()
	s.Repl.Set("telecrm.id", s.ID)
	s.Repl.Set("telecrm.form", h.Form)
	s.span = tracing.StartSubmission(r.Context(), s.ID, h.Form, h.account.Name())
	return s, nil
}

// receive starts the clock on a post's body and sets the headers that all answers share.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request) *submission {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", answer.Vary)
	h.origins.Share(w.Header(), r)
	return &submission{
		Post:  answer.Post{JSON: httpx.WantsJSON(r), Repl: r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)},
		start: h.now(),
		query: r.URL.RawQuery,
		body:  httpx.StartBodyClock(w, r, h.bodyPatience),
	}
}

// check answers a request that only wants the form checked, while the visitor fills it in. It is
// not a submission: nothing is kept, counted as a post, challenged or logged.
func (h *Handler) check(w http.ResponseWriter, r *http.Request) error {
	s := h.receive(w, r)
	s.IsDraft = true
	if mayPost, _ := h.origins.Check(r); !mayPost {
		return h.responder.Checked(w, r, &s.Post, answer.Failure{Status: http.StatusForbidden, Code: answer.CodeForeign})
	}
	if pass := h.screen.CountCheck(r); pass.Wait > 0 {
		return h.responder.Checked(w, r, &s.Post, tooMany(w, pass))
	}
	if err := h.readForm(w, r, s); err != nil {
		return h.responder.Checked(w, r, &s.Post, *h.unreadable(w, s, err).failure)
	}
	if h.screen.IsTrapped(s.screened(r)) { // a correction would teach spammers
		return h.responder.Checked(w, r, &s.Post, answer.Failure{})
	}
	draft := h.draft(r, s)
	if len(draft.Problems) == 0 {
		return h.responder.Checked(w, r, &s.Post, answer.Failure{})
	}
	return h.responder.Checked(w, r, &s.Post, answer.Failure{Status: http.StatusUnprocessableEntity, Problems: draft.Problems})
}

// process reads and judges the post, delivers its lead, and returns the verdict. To judge the post
// it may fetch the page with the form, wait for an earlier post of the same lead, and ask the
// challenge's service.
func (h *Handler) process(w http.ResponseWriter, r *http.Request, s *submission) verdict {
	mayPost, signals := h.origins.Check(r)
	if !mayPost {
		v := fail(outcomeForeign, answer.Failure{Status: http.StatusForbidden, Code: answer.CodeForeign})
		v.unread = true
		return v
	}
	if s.counted = h.screen.Count(r); s.counted.Wait > 0 {
		return h.limit(w, r, s, s.counted)
	}
	if err := h.readForm(w, r, s); err != nil {
		return h.unreadable(w, s, err)
	}
	post := s.screened(r)
	var draft mapping.Draft
	if h.screen.IsTrapped(post) && h.app.KeepsLeads() {
		// It will be parked as it is. A correction would teach spammers.
		draft = h.lead(s)
		h.mapping.AddRaw(&draft, s.posted)
	} else {
		draft = h.draft(r, s)
		h.notes.Judged(draft.Problems)
		if len(draft.Problems) > 0 {
			s.noteWrong(draft.Problems)
			return fail(outcomeInvalid, answer.Failure{Status: http.StatusUnprocessableEntity, Problems: draft.Problems})
		}
	}

	lead := h.submission(s, draft.Lead)
	values, err := h.fingerprint(r, s, lead)
	if err != nil {
		s.reason = err.Error()
		return h.verdictOf(outcomeUnavailable)
	}
	claim, earlier, err := h.claim(r, values)
	if err != nil { // usually the visitor left while the first post was in flight
		s.reason = fmt.Sprintf("looking for an earlier post of the same lead: %v", err)
		return h.verdictOf(outcomeUnavailable)
	}
	if earlier.ID != "" && !earlier.Asked {
		s.repeats = earlier.ID
		return thank(outcomeRepeat)
	}
	lead.Mark = h.mark(markAccepted, values)
	defer claim.End(guard.Result{}) // unless it has ended with a result: then the lead may be posted again

	opinion := signals.And(h.screen.Signals(post))
	if opinion.Verdict() != guard.Unwanted {
		passed := h.challenge.Verify(r.Context(), h.origins.PageHost(r), s.posted, cmp.Or(lead.Mark.Key, s.ID))
		if passed.Refuse {
			return fail(outcomeUnproven, answer.Failure{Status: http.StatusUnprocessableEntity, Code: answer.CodeChallenge, Note: h.Fallback})
		}
		opinion = opinion.And(passed.Signals)
	}
	if opinion.Verdict() == guard.Unwanted && h.app.KeepsLeads() {
		return h.parkSpam(r, s, lead, claim, opinion)
	}
	about := h.screen.Enquiry(r, lead.Lead)
	first, isConfirmed := h.screen.Redeem(post, about, values)
	if opinion.Verdict() != guard.Welcome && !isConfirmed {
		return h.askAgain(w, r, s, asking{lead, about, values, claim, earlier}, opinion)
	}

	v := h.verdictOf(h.deliver(r.Context(), s, lead))
	if v.outcome == outcomeRepeat {
		claim.End(s.repeated())
		h.memory.Redeemed.Return(first)
		return v
	}
	if len(draft.Remarks) > 0 {
		h.app.reporter.Remarks(h.logger.With(zap.String("form", h.Form), zap.String("id", s.ID)), h.Form, draft.Remarks)
	}
	if v.failure != nil {
		h.memory.Redeemed.Return(first)
		h.unmark(r.Context(), s, lead)
		return v
	}
	claim.End(guard.Result{ID: s.ID, Kept: s.kept})
	if isConfirmed {
		h.app.supersede(r.Context(), first, *lead)
	}
	return v
}

// recount does not count mistakes that the visitor has corrected.
func (h *Handler) recount(r *http.Request, s *submission, v verdict) {
	switch v.outcome {
	case outcomeInvalid, outcomeAsked, outcomeUnproven, outcomeRefused, outcomeTooLarge:
		h.screen.Mistaken(r, s.counted)
	case outcomeCreated, outcomeKnown, outcomeAccepted, outcomeWaiting:
		h.screen.Corrected(r, s.counted)
	}
}

// limit asks the visitor to wait. It reads the form to return their page filled in, unless they
// keep posting.
func (h *Handler) limit(w http.ResponseWriter, r *http.Request, s *submission, pass guard.Pass) verdict {
	v := fail(outcomeLimited, tooMany(w, pass))
	if httpx.IsUnlistedProxy(r) {
		s.reason = "if Caddy is behind a proxy that trusted_proxies does not list, all visitors have the proxy's address"
	}
	if v.unread = pass.Flood; v.unread {
		return v
	}
	if err := h.readForm(w, r, s); err != nil {
		s.reason = cmp.Or(s.reason, err.Error())
	}
	return v
}

// tooMany says how long the visitor must wait, in the failure and in the header.
func tooMany(w http.ResponseWriter, pass guard.Pass) answer.Failure {
	wait := max(1, int(math.Ceil(pass.Wait.Seconds())))
	w.Header().Set("Retry-After", strconv.Itoa(wait))
	return answer.Failure{
		Status: http.StatusTooManyRequests, Code: answer.CodeTooMany,
		Detail: page.Detail{Wait: time.Duration(wait) * time.Second},
	}
}

// parkSpam parks suspected spam for a person to look at. The visitor is thanked as for any other
// post, because an error would teach spammers.
func (h *Handler) parkSpam(r *http.Request, s *submission, lead *delivery.Submission, claim *guard.Claim, opinion guard.Opinion) verdict {
	s.spamSignals = opinion.Reasons()
	err := h.app.park(r.Context(), *lead, "suspected spam: "+s.spamSignals)
	if s.noteRepeat(err) {
		claim.End(s.repeated())
		return thank(outcomeRepeat)
	}
	if err != nil {
		h.logger.Error("keeping suspected spam failed",
			zap.String("form", h.Form), zap.String("id", s.ID), zap.Error(err))
		return h.verdictOf(outcomeUnavailable)
	}
	claim.End(guard.Result{ID: s.ID, Kept: true})
	return thank(outcomeAside)
}

// asking is what a visitor is asked to send again.
type asking struct {
	lead    *delivery.Submission
	about   guard.Enquiry
	values  guard.Fingerprint
	claim   *guard.Claim
	earlier guard.Result // of an equal post
}

// askAgain shows the visitor's page again and asks them to resend it. Programs that only post do
// not resend. The post is parked in case the visitor does not either.
func (h *Handler) askAgain(w http.ResponseWriter, r *http.Request, s *submission, a asking, opinion guard.Opinion) verdict {
	s.spamSignals = opinion.Reasons()
	asked := guard.Result{ID: a.earlier.ID, Kept: a.earlier.Kept, Asked: true}
	if !asked.Kept {
		asked.ID = s.ID
		parked := *a.lead
		parked.Mark = h.mark(markAsked, a.values)
		err := h.app.park(r.Context(), parked, "possible spam: "+s.spamSignals+"; the visitor was asked to send it again")
		if repeat, is := errors.AsType[*outbox.RepeatError](err); is { // another machine asked
			asked.ID, err = repeat.ID, nil
		}
		asked.Kept = err == nil
		if err != nil && h.app.KeepsLeads() {
			h.logger.Warn("keeping possible spam failed; the visitor is asked to send it again",
				zap.String("form", h.Form), zap.String("id", s.ID), zap.Error(err))
		}
	}
	a.claim.End(asked)
	confirmation := h.screen.Ask(asked.ID, a.about, a.values)
	if !h.responder.ShowsPage(&s.Post) {
		answer.SetConfirmation(w, r, confirmation)
	}
	return fail(outcomeAsked, answer.Failure{Status: http.StatusUnprocessableEntity, Code: answer.CodeConfirm, Confirm: confirmation})
}

// submission is what the engine delivers.
func (h *Handler) submission(s *submission, lead telecrm.Lead) *delivery.Submission {
	lead.Fields = h.account.Fields.Spell(lead.Fields)
	return &delivery.Submission{
		ID:      s.ID,
		Account: h.account.Name(),
		Form:    h.Form,
		Job:     delivery.Job{Lead: lead, OnDuplicate: h.duplicates, Optional: h.mapping.Optional(lead)},
	}
}

// turnAway refuses a post without reading its form. Like the server, it first reads the rest of a
// short body, so that a slow client does not hold an answer in memory. Timed-out clients get a bare
// status.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, s *submission, f answer.Failure) error {
	if r.ContentLength > httpx.MaxUnread {
		return h.responder.Fail(w, r, &s.Post, f)
	}
	ended, err := s.body.Drain()
	if err != nil {
		s.reason = cmp.Or(s.reason, fmt.Sprintf("reading the rest of the body: %v", err))
		httpx.CloseConnection(w, r)
		w.WriteHeader(f.Status)
		return nil
	}
	if ended { // otherwise the server reads on, with the deadline in force
		s.body.Stop()
	}
	return h.responder.Fail(w, r, &s.Post, f)
}

// settle sets the outcome and its placeholders.
func (s *submission) settle(outcome string) {
	s.outcome = outcome
	s.Repl.Set("telecrm.outcome", outcome)
	if s.leadID != "" {
		s.Repl.Set("telecrm.lead_id", s.leadID)
	}
}

// noteWrong records for the log the inputs that the visitor is asked to correct.
func (s *submission) noteWrong(problems []*mapping.Problem) {
	for _, p := range problems {
		s.wrong = append(s.wrong, form.LoggableNames([]string{p.Input})[0]+" "+string(p.Code))
	}
}

// conclude reports the outcome of a submission in the metrics, its span, the access log and the
// log.
func (h *Handler) conclude(r *http.Request, s *submission) {
	took := h.now().Sub(s.start)
	h.meter.Count(s.outcome, took)
	s.span.End(tracing.Result{Outcome: s.outcome, Attempts: s.attempts, LeadID: s.leadID, Failed: s.outcome == outcomeUnavailable})
	if access, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		access.Add(zap.String("telecrm_id", s.ID))
		if s.leadID != "" {
			access.Add(zap.String("telecrm_lead_id", s.leadID))
		}
	}
	if entry := h.logger.Check(zap.InfoLevel, "submission"); entry != nil {
		entry.Write(h.logLine(s, took).Fields()...)
	}
}

func (h *Handler) logLine(s *submission, took time.Duration) logline.Submission {
	line := logline.Submission{
		Form: h.Form, ID: s.ID, Outcome: s.outcome, Attempts: s.attempts, Took: took,
		LeadID: s.leadID, Reason: s.reason, Repeats: s.repeats, SpamSignals: s.spamSignals, Wrong: s.wrong,
	}
	if s.Typed != nil {
		line.Skipped = s.Typed.SkippedNames()
	}
	if s.posted != nil {
		line.Unmapped, line.Files = h.mapping.Dropped(s.posted), s.posted.Files
	}
	return line
}
