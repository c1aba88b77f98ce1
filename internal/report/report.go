// Package report tells operators what became of leads and accounts: in the log, in the metrics, on
// the operators' page and as events.
package report

import (
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/internal/metrics"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Names of the events. Their data contains ids, names from the config, counts, and the same reasons
// as in the log, but nothing that a visitor typed.
const (
	eventDelivered = "telecrm_lead_delivered"
	eventParked    = "telecrm_lead_parked"
	eventHeld      = "telecrm_account_held"
	eventResumed   = "telecrm_account_resumed"
)

// Reporter reports on the leads and accounts of one config.
type Reporter struct {
	Logger *zap.Logger
	// Outlet emits the events.
	Outlet *dispatch.Outlet
	// Forms has the fields of each form, by its name.
	Forms map[string]metrics.FieldLabels
	// Tokens removes the tokens of all accounts from a text.
	Tokens func() *telecrm.Redactor
	// Dispatcher is the open outbox; nil if the outbox is off.
	Dispatcher *dispatch.Dispatcher
}

// Settled reports the result of an attempt.
func (r *Reporter) Settled(attempt delivery.Report) {
	entry, settlement := attempt.Entry, attempt.Settlement
	metrics.CountAttempt(entry.Account, settlement, attempt.Answer)
	r.Dispatcher.Tally.Settled(settlement.State)
	log := r.Logger.WithLazy(
		zap.String("account", entry.Account),
		zap.String("form", entry.Form),
		zap.String("id", entry.ID),
		zap.Int("attempts", entry.Attempts))
	reason := settlement.Reason
	switch settlement.State {
	case outbox.Delivered:
		note := zap.Skip()
		if reason != "" {
			note = zap.String("note", reason)
		}
		log.Info("lead delivered", zap.String("lead_id", settlement.LeadID), note)
		Unconfirmed(log, attempt.Answer)
		r.Remarks(log, entry.Form, attempt.Losses)
		for _, loss := range attempt.Losses {
			r.Dispatcher.Tally.Remarked(entry.Form, r.Forms[entry.Form].Of(loss.Field))
		}
		r.announce(eventDelivered, attempt)
	case outbox.Parked:
		log.Warn("lead parked", zap.String("reason", reason))
		r.announce(eventParked, attempt)
	case outbox.Waiting:
		log.Info("lead waiting", zap.String("reason", reason), zap.String("next_attempt", settlement.DueAt.UTC().Format(time.RFC3339)))
	}
}

// announce emits an event about the lead of an attempt.
func (r *Reporter) announce(event string, attempt delivery.Report) {
	r.Dispatcher.Announce(r.Outlet, event, func() map[string]any {
		about := map[string]any{
			"id": attempt.Entry.ID, "account": attempt.Entry.Account, "form": attempt.Entry.Form,
			"reason": attempt.Settlement.Reason, "attempts": attempt.Entry.Attempts,
		}
		if event == eventDelivered {
			about["lead_id"] = attempt.Settlement.LeadID
		}
		return about
	})
}

// Unconfirmed logs that TeleCRM accepted a lead without returning its id.
func Unconfirmed(log *zap.Logger, answer telecrm.Answer) {
	if answer.Verdict == telecrm.Created && !answer.Confirmed() {
		log.Error("TeleCRM accepted the lead without returning its id; check that it is there", zap.Int("status", answer.Status))
	}
}

// Remarks logs and counts the parts of a form's lead that were not stored as sent.
func (r *Reporter) Remarks(log *zap.Logger, form string, remarks []telecrm.Remark) {
	if len(remarks) == 0 {
		return
	}
	tokens := r.Tokens()
	for _, remark := range remarks {
		log.Warn("a part of the lead was not stored as sent",
			zap.String("field", tokens.Redact(remark.Field)),
			zap.String("status", tokens.Redact(remark.Status)),
			zap.String("remark", tokens.Redact(remark.Text)))
	}
	metrics.CountRemarks(form, r.Forms[form], remarks)
}
