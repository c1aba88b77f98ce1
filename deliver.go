package caddytelecrm

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// deliver makes the lead safe: in the outbox, from where it goes to TeleCRM,
// or, if the outbox does not work or is off, in TeleCRM itself. A visitor who
// leaves does not stop it.
func (h *Handler) deliver(ctx context.Context, s *submission, lead telecrm.Lead) outcome {
	ctx = s.traced(context.WithoutCancel(ctx))
	if h.app.keepsLeads() {
		result, err := h.submit(ctx, s, lead)
		if err == nil {
			s.kept = true
			s.settle(result)
			return result
		}
		h.logger.Error("the outbox could not keep a lead; trying to send it at once",
			zap.String("form", h.Form), zap.String("id", s.id), zap.Error(err))
	}
	result := h.send(ctx, s, lead)
	s.settle(result)
	return result
}

// submit journals the lead and, if the form is to deliver now, waits for what
// becomes of it.
func (h *Handler) submit(ctx context.Context, s *submission, lead telecrm.Lead) (outcome, error) {
	engine, err := h.app.engine(ctx)
	if err != nil {
		return "", err
	}
	h.app.pooled.traces.remember(s.span)
	wait := time.Duration(h.Budget)
	if h.Deliver == deliverLater {
		wait = 0
	}
	result, err := engine.Submit(ctx, h.submission(s, lead), wait)
	if err != nil {
		return "", err
	}
	h.app.pooled.tally.Accepted()
	switch {
	case result.Answer.Verdict == telecrm.Duplicate:
		s.sent = 1
		return outcomeKnown, nil
	case result.State == outbox.Delivered:
		s.sent, s.leadID = 1, result.LeadID
		if result.Answer.Verdict == telecrm.Accepted {
			return outcomeAccepted, nil
		}
		return outcomeCreated, nil
	case result.State == outbox.Parked && result.Answer.Verdict == telecrm.Rejected:
		s.sent = 1
		return outcomeRefused, nil
	}
	return outcomeWaiting, nil
}

// submission is what the outbox, or TeleCRM itself, is given.
func (h *Handler) submission(s *submission, lead telecrm.Lead) delivery.Submission {
	return delivery.Submission{
		ID:      s.id,
		Account: h.account.name(),
		Form:    h.Form,
		Job:     delivery.Job{Lead: lead, OnDuplicate: h.duplicates},
	}
}

// send sends the lead while the visitor waits, once.
func (h *Handler) send(ctx context.Context, s *submission, lead telecrm.Lead) outcome {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.Budget))
	defer cancel()
	log := h.logger.WithLazy(zap.String("form", h.Form), zap.String("id", s.id), zap.String("account", h.account.name()))
	settled, answer, kept := h.sendOnce(ctx, h.submission(s, lead))
	if answer.Status != 0 {
		s.sent = 1
	}
	if kept {
		h.app.pooled.tally.Accepted()
		log.Info("the outbox has kept the lead after all")
		return outcomeWaiting
	}
	meters.sentOnce(h.account.name(), settled)
	if settled.State == outbox.Delivered {
		h.account.blames.Taken(h.Form)
	}
	switch {
	case settled.State == outbox.Delivered && answer.Verdict == telecrm.Created:
		s.leadID = answer.LeadID
		h.app.logCreated(log, h.Form, answer, lead)
		return outcomeCreated
	case settled.State == outbox.Delivered:
		log.Info("lead delivered", zap.String("note", settled.Reason))
		h.app.remarkOn(log, h.Form, answer.Losses(lead))
		if answer.Verdict == telecrm.Accepted {
			return outcomeAccepted
		}
		return outcomeKnown
	}
	switch answer.Verdict {
	case telecrm.Duplicate:
		h.account.blames.Taken(h.Form)
		log.Warn("TeleCRM already has a lead with this identifier; what was sent now was not stored", zap.String("reason", settled.Reason))
		return outcomeKnown
	case telecrm.Rejected, telecrm.Missing:
		identifier, _ := lead.Fields[h.account.identifier].(string)
		if !h.account.blames.Refused(h.Form, answer.Reason(), identifier) {
			log.Error("TeleCRM refuses one lead after the other; check the identifier and the fields", zap.String("reason", answer.Reason()))
			return outcomeUnavailable
		}
		log.Warn("TeleCRM refused the lead", zap.String("reason", answer.Reason()))
		return outcomeRefused
	case telecrm.Hold:
		log.Error(heldAdvice, zap.String("reason", answer.Reason()))
	case telecrm.Retry, telecrm.Created, telecrm.Done, telecrm.Accepted:
		log.Error("the lead could not be delivered", zap.String("reason", answer.Reason()))
	}
	return outcomeUnavailable
}

// sendOnce sends the lead at the pace of its account, which is the outbox's
// to keep while there is one. It reports whether the outbox has kept the lead
// after all, and will deliver it.
func (h *Handler) sendOnce(ctx context.Context, s delivery.Submission) (_ outbox.Settlement, _ telecrm.Answer, kept bool) {
	described := h.account.delivery()
	if h.app.keepsLeads() {
		if engine, err := h.app.engine(ctx); err == nil {
			settled, answer, err := engine.SendOnce(ctx, described, s, h.sentAhead)
			if kept = errors.Is(err, delivery.ErrKept); kept || err == nil {
				return settled, answer, kept
			}
		}
	}
	settled, answer := delivery.SendOnce(ctx, described, h.account.pace, s, h.sentAhead)
	return settled, answer, false
}

// sentAhead tells operators that their pace is not kept.
func (h *Handler) sentAhead() {
	h.logger.Warn("a lead that no outbox keeps was sent ahead of its turn under crm_rate; raise it if TeleCRM allows more, or keep leads in an outbox",
		zap.String("form", h.Form), zap.String("account", h.account.name()))
}

// heldAdvice names the suspects in the order of how easy they are to rule
// out.
const heldAdvice = "TeleCRM takes no lead from this account; check that each token is of the right type (Sync or Async) and in its place, then the enterprise id, the base url and the subscription; if it refuses one lead after the other (400), the identifier and the fields"

// logCreated warns about what of a created lead TeleCRM did not store.
func (a *App) logCreated(log *zap.Logger, form string, answer telecrm.Answer, lead telecrm.Lead) {
	if !answer.Confirmed() {
		log.Error("TeleCRM accepted the lead without naming it; look whether it is there", zap.Int("status", answer.Status))
	}
	a.remarkOn(log, form, answer.Losses(lead))
}

// startPatience is how long a request that arrives before the app has started
// waits for it.
const startPatience = 5 * time.Second

// engine returns the engine that delivers from the outbox. Caddy starts apps
// in no particular order, so a request may be here before it is.
func (a *App) engine(ctx context.Context) (*delivery.Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	select {
	case <-a.started:
	case <-ctx.Done():
		return nil, errors.New("waiting for the outbox: it has not been opened yet")
	}
	if a.pooled == nil {
		return nil, errors.New("the outbox could not be opened")
	}
	return a.pooled.engine, nil
}

// deliveryConfig is what the engine is to work by.
func (a *App) deliveryConfig() delivery.Config {
	config := delivery.Config{
		RetryFor:      time.Duration(a.RetryFor),
		KeepDelivered: time.Duration(a.Keep.Delivered),
		KeepParked:    time.Duration(a.Keep.Parked),
		Logger:        a.logger,
		Hooks: delivery.Hooks{
			Attempt:  a.traceAttempt,
			Settled:  a.settled,
			Held:     a.held,
			Resumed:  a.resumed,
			Orphaned: a.logOrphaned,
		},
	}
	for _, acct := range a.allAccounts() {
		config.Accounts = append(config.Accounts, a.described(acct))
	}
	return config
}

// described returns what the account's leads are delivered by.
func (a *App) described(acct *account) delivery.Account {
	described := acct.delivery()
	described.Updates = a.updates[acct.key]
	return described
}

// settled tells operators what became of an attempt.
func (a *App) settled(entry outbox.Entry, s outbox.Settlement, answer telecrm.Answer) {
	meters.attempted(entry.Account, s, answer)
	a.logSettled(entry, s, answer)
	a.announceSettled(entry, s)
}

// logSettled writes the line about an attempt.
func (a *App) logSettled(entry outbox.Entry, s outbox.Settlement, answer telecrm.Answer) {
	a.tallySettled(entry, s, answer)
	log := a.logger.WithLazy(
		zap.String("account", entry.Account),
		zap.String("form", entry.Form),
		zap.String("id", entry.ID),
		zap.Int("attempts", entry.Attempts))
	switch s.State {
	case outbox.Delivered:
		note := zap.Skip()
		if s.Reason != "" {
			note = zap.String("note", s.Reason)
		}
		log.Info("lead delivered", zap.String("lead_id", s.LeadID), note)
		job, err := delivery.DecodeJob(entry.Payload)
		if err != nil {
			log.Error("reading back a delivered lead", zap.Error(err))
		}
		if answer.Verdict == telecrm.Created {
			a.logCreated(log, entry.Form, answer, job.Lead)
			return
		}
		a.remarkOn(log, entry.Form, answer.Losses(job.Lead))
	case outbox.Parked:
		log.Warn("lead parked", zap.String("reason", s.Reason))
	case outbox.Waiting:
		log.Info("lead waits", zap.String("reason", s.Reason), zap.Time("next_attempt", s.DueAt))
	}
}

func (a *App) held(account, reason string) {
	a.logger.Error(heldAdvice+"; everything is kept and tried again by itself",
		zap.String("account", account), zap.String("reason", reason))
	a.announce(eventHeld, map[string]any{"account": account, "reason": reason})
}

func (a *App) resumed(account string) {
	a.logger.Info("TeleCRM takes leads from this account again", zap.String("account", account))
	a.announce(eventResumed, map[string]any{"account": account})
}

func (a *App) logOrphaned(account string, entries int) {
	a.logger.Warn("leads wait for an account that is not in the config; they stay until it is again",
		zap.String("account", account), zap.Int("entries", entries))
}
