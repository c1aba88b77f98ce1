package caddytelecrm

import (
	"net/http"
	"strings"

	"github.com/leadwire/caddy-telecrm/challenge"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/screen"
	"github.com/leadwire/caddy-telecrm/internal/tracing"
	"github.com/leadwire/caddy-telecrm/internal/trial"
)

// try judges a post as process does, and records how. It neither keeps, counts nor sends anything,
// and asks no service.
func (h *Handler) try(w http.ResponseWriter, r *http.Request, s *submission, record *trial.Record) {
	defer s.span.End(tracing.Result{})
	record.Form = h.Form
	mayPost, signals := h.origins.Check(r)
	record.Add("origins", trial.Passed(mayPost), signals.Reasons())
	recordSetting(record, "rate_limit", h.RateLimit)
	if err := h.readForm(w, r, s); err != nil {
		record.Outcome, record.Reason, record.Posted = trial.Outcome(h.unreadable(w, s, err).outcome), err.Error(), s.Typed
		return
	}
	record.Posted = s.posted
	if record.Seal && h.protector != nil {
		s.seal.Stamps, s.seal.TrapSent = []string{h.protector.Hidden()[0].Value}, true
	}
	post := s.screened(r)
	isTrapped := h.screen.IsTrapped(post) && h.app.KeepsLeads()
	if isTrapped {
		record.Draft = h.lead(s)
		h.mapping.AddRaw(&record.Draft, s.posted)
	} else {
		record.Draft = h.draft(r, s)
	}
	signals = append(signals, h.screen.Signals(post)...)
	h.recordTraps(record, post)
	recordSetting(record, "dedupe", h.Dedupe)
	passed := h.recordChallenge(record, s)
	if signals.Verdict() != guard.Unwanted {
		signals = append(signals, passed.Signals...)
	}
	record.Signals = signals
	switch verdict := signals.Verdict(); {
	case !mayPost:
		record.Outcome = outcomeForeign
	case !isTrapped && len(record.Draft.Problems) > 0:
		record.Outcome = outcomeInvalid
	case verdict != guard.Unwanted && passed.Refuse:
		record.Outcome = outcomeUnproven
	case verdict == guard.Unwanted && h.app.KeepsLeads():
		record.Outcome = outcomeAside
	case verdict != guard.Welcome:
		record.Outcome = outcomeAsked
	default:
		record.Outcome = trial.Sent
	}
}

// recordSetting records a guard that depends on other posts.
func recordSetting(record *trial.Record, name, setting string) {
	if setting == off {
		record.Add(name, trial.Off, "")
		return
	}
	record.Add(name, trial.NotTried, setting)
}

// recordTraps records the guards against programs that fill in everything, or have not seen the page.
func (h *Handler) recordTraps(record *trial.Record, post screen.Post) {
	if len(h.traps) == 0 {
		record.Add("honeypot", trial.Off, "")
	} else {
		record.Add("honeypot", trial.Passed(!h.screen.IsTrapped(post)), strings.Join(h.traps, " "))
	}
	if h.protector == nil {
		record.Add("protect", trial.Off, "")
		return
	}
	signals := h.protector.Signals(post.Seal, post.At)
	record.Add("protect", trial.Passed(len(signals) == 0), signals.Reasons())
}

// recordChallenge records the challenge.
func (h *Handler) recordChallenge(record *trial.Record, s *submission) challenge.Result {
	if h.challenge == nil {
		record.Add("challenge", trial.Off, "")
		return challenge.Result{}
	}
	answered, passed := h.challenge.Try(s.posted)
	if answered {
		record.Add("challenge", trial.NotTried, h.Challenge.Kind+": the answer is not verified")
	} else {
		record.Add("challenge", trial.Fails, h.Challenge.Kind+": not answered; the widget on the page does that")
	}
	return passed
}
