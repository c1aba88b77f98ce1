package caddytelecrm

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/answer"
	"github.com/leadwire/caddy-telecrm/internal/metrics"
	"github.com/leadwire/caddy-telecrm/internal/report"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// deliver stores the lead in the outbox, which delivers it, or sends it to TeleCRM directly if the
// outbox is off or fails. It continues even if the visitor leaves.
func (h *Handler) deliver(ctx context.Context, s *submission, lead *delivery.Submission) (outcome string) {
	ctx = s.span.In(context.WithoutCancel(ctx))
	if h.app.KeepsLeads() {
		outcome, err := h.submit(ctx, s, lead)
		if err == nil {
			s.kept = true
			return outcome
		}
		if s.noteRepeat(err) {
			return outcomeRepeat
		}
		h.logger.Error("the outbox could not keep a lead; trying to send it at once",
			zap.String("form", h.Form), zap.String("id", s.ID), zap.Error(err))
	}
	return h.send(ctx, s, lead)
}

// verdictOf returns the verdict for the outcome of a delivery.
func (h *Handler) verdictOf(outcome string) verdict {
	switch outcome {
	case outcomeRefused:
		// TeleCRM refuses leads because of their identifier. If it does not come from an input, the
		// visitor has nothing to correct.
		if refused := h.mapping.IdentifierRefused(); refused != nil {
			return fail(outcome, answer.Failure{Status: http.StatusUnprocessableEntity, Problems: []*mapping.Problem{refused}})
		}
		fallthrough
	case outcomeUnavailable:
		return fail(outcome, answer.Failure{Status: http.StatusServiceUnavailable, Code: answer.CodeUnavailable, Note: h.Fallback})
	}
	return thank(outcome)
}

// submit adds the lead to the outbox and, with `deliver now`, waits for the result.
func (h *Handler) submit(ctx context.Context, s *submission, lead *delivery.Submission) (outcome string, err error) {
	d, err := h.app.dispatcher(ctx)
	if err != nil {
		return "", err
	}
	d.Attempts.Remember(s.span)
	wait := time.Duration(h.Budget)
	if h.Deliver == deliverLater {
		wait = 0
	}
	result, err := d.Engine.Submit(ctx, *lead, wait)
	if err != nil {
		return "", err
	}
	d.Tally.Accepted(s.ID)
	s.attempts = result.Attempts
	switch {
	case result.Answer.Verdict == telecrm.Duplicate:
		return outcomeKnown, nil
	case result.State == outbox.Delivered:
		s.leadID = result.LeadID
		if result.Answer.Verdict == telecrm.Accepted {
			return outcomeAccepted, nil
		}
		return outcomeCreated, nil
	case result.State == outbox.Parked && result.Answer.Verdict == telecrm.Rejected:
		return outcomeRefused, nil
	}
	return outcomeWaiting, nil
}

// send sends the lead once while the visitor waits.
func (h *Handler) send(ctx context.Context, s *submission, lead *delivery.Submission) (outcome string) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.Budget))
	defer cancel()
	log := h.logger.WithLazy(zap.String("form", h.Form), zap.String("id", s.ID), zap.String("account", h.account.Name()))
	settled, result, kept := h.app.sendOnce(ctx, h.account, *lead)
	if result.Status != 0 {
		s.attempts = 1
	}
	if kept {
		log.Info("the outbox has kept the lead after all")
		return outcomeWaiting
	}
	metrics.CountOnlyAttempt(h.account.Name(), settled)
	if settled.State == outbox.Delivered {
		h.account.Refusals.Accepted(h.Form)
		if result.Verdict == telecrm.Created {
			s.leadID = result.LeadID
			report.Unconfirmed(log, result)
		} else {
			log.Info("lead delivered", zap.String("note", settled.Reason))
		}
		h.app.reporter.Remarks(log, h.Form, result.Losses(lead.Lead))
		switch result.Verdict { //nolint:exhaustive // all others say that TeleCRM had the lead
		case telecrm.Created:
			return outcomeCreated
		case telecrm.Accepted:
			return outcomeAccepted
		}
		return outcomeKnown
	}
	switch result.Verdict {
	case telecrm.Duplicate:
		h.account.Refusals.Accepted(h.Form)
		log.Warn("TeleCRM already has a lead with this identifier; this one was not stored", zap.String("reason", settled.Reason))
		return outcomeKnown
	case telecrm.Rejected, telecrm.Missing:
		identifier, _ := lead.Fields[h.account.Identifier].(string)
		if !h.account.Refusals.ShowVisitor(h.Form, result.Reason(), identifier) {
			log.Error("TeleCRM refuses one lead after the other; check the identifier and the fields", zap.String("reason", result.Reason()))
			return outcomeUnavailable
		}
		log.Warn("TeleCRM refused the lead", zap.String("reason", result.Reason()))
		return outcomeRefused
	case telecrm.Hold:
		log.Error(report.HeldAdvice, zap.String("reason", result.Reason()))
	case telecrm.Retry, telecrm.Created, telecrm.Done, telecrm.Accepted:
		log.Error("the lead could not be delivered", zap.String("reason", result.Reason()))
	}
	return outcomeUnavailable
}

// park keeps a lead in the outbox without sending it.
func (a *App) park(ctx context.Context, s delivery.Submission, reason string) error {
	ctx = context.WithoutCancel(ctx)
	d, err := a.dispatcher(ctx)
	if err != nil {
		return err
	}
	if err := d.Engine.Park(ctx, s, reason); err != nil {
		return err
	}
	d.Tally.Accepted(s.ID)
	d.Tally.Settled(outbox.Parked)
	return nil
}

// supersede removes the first of two posts from the outbox after the second has been stored.
func (a *App) supersede(ctx context.Context, first string, second delivery.Submission) {
	if first == "" || !a.KeepsLeads() {
		return
	}
	d, err := a.dispatcher(ctx)
	if err != nil {
		return
	}
	log := a.logger.WithLazy(zap.String("form", second.Form), zap.String("id", first), zap.String("sent_again_as", second.ID))
	switch removed, err := d.Engine.Supersede(context.WithoutCancel(ctx), first, second.Account, second.Form); {
	case err != nil:
		log.Warn("removing a parked post that was sent again failed; it stays parked", zap.Error(err))
	case removed:
		log.Info("the visitor sent a parked post again; the first one is removed")
	}
}

// sendOnce sends a lead that is not in the outbox, at its account's pace. While the outbox is on,
// its engine controls the pace. sendOnce reports whether the outbox kept the lead after all and
// will deliver it.
func (a *App) sendOnce(ctx context.Context, acct *account.Account, s delivery.Submission) (_ outbox.Settlement, _ telecrm.Answer, kept bool) {
	described := acct.Delivery()
	sentAhead := func() {
		a.logger.Warn("a lead that is not in an outbox was sent ahead of its turn, faster than crm_rate; raise crm_rate if TeleCRM allows more, or use an outbox",
			zap.String("form", s.Form), zap.String("account", s.Account))
	}
	if a.KeepsLeads() {
		if d, err := a.dispatcher(ctx); err == nil {
			settled, answer, err := d.Engine.SendOnce(ctx, described, s, sentAhead)
			if kept = errors.Is(err, delivery.ErrKept); kept {
				d.Tally.Accepted(s.ID)
			}
			if kept || err == nil {
				return settled, answer, kept
			}
		}
	}
	settled, answer := delivery.SendOnce(ctx, described, acct.Pace, s, sentAhead, a.monitors[s.Account])
	return settled, answer, false
}
