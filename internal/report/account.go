package report

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// HeldAdvice lists what to check if TeleCRM refuses an account's leads, the easiest first.
const HeldAdvice = "TeleCRM does not accept leads from this account; check the token and its type (Sync or Async), the enterprise id, base_url and the subscription, in this order; if leads are refused (400), check the identifier and the fields"

// Held reports that an account is on hold.
func (r *Reporter) Held(account, reason string) {
	r.Logger.Error(HeldAdvice+"; the account is on hold, and its leads are kept and retried automatically",
		zap.String("account", account), zap.String("reason", reason), r.waiting(account))
	r.Dispatcher.Announce(r.Outlet, eventHeld, func() map[string]any { return map[string]any{"account": account, "reason": reason} })
}

// Resumed reports that an account is no longer on hold.
func (r *Reporter) Resumed(recovery delivery.Recovery) {
	r.Logger.Info("TeleCRM accepts leads from this account again; all waiting leads are sent now",
		zap.String("account", recovery.Account), lasted(recovery), due(recovery))
	r.Dispatcher.Announce(r.Outlet, eventResumed, func() map[string]any { return map[string]any{"account": recovery.Account} })
}

// troubleMessages say what is wrong with an account, by its condition.
var troubleMessages = map[delivery.Condition]string{
	delivery.Slow:    "leads are sent to TeleCRM later than they come; they are kept, and sent as fast as possible",
	delivery.Paused:  "TeleCRM has asked to wait; leads are kept, and sent after that",
	delivery.Failing: "TeleCRM does not answer as it should; leads are kept, and retried automatically",
}

// Troubled reports that an account's leads are not sent as usual. If the outbox is off, they are not
// kept.
func (r *Reporter) Troubled(t delivery.Trouble) {
	message, waiting := troubleMessages[t.Condition], zap.Skip()
	if r.Dispatcher == nil {
		message = "TeleCRM does not take leads as it should, and the outbox is off: visitors are asked to try again later"
	} else {
		waiting = r.waiting(t.Account)
	}
	r.Logger.Warn(message,
		zap.String("account", t.Account), zap.String("state", string(t.Condition)), zap.String("reason", t.Reason),
		zap.String("since", t.Since.UTC().Format(time.RFC3339)), waiting)
}

// Recovered reports that an account's leads are sent as usual again.
func (r *Reporter) Recovered(recovery delivery.Recovery) {
	r.Logger.Info("leads are sent to TeleCRM as usual again",
		zap.String("account", recovery.Account), zap.String("was", string(recovery.Condition)), lasted(recovery), due(recovery))
}

// Orphaned reports leads whose account is not in the config.
func (r *Reporter) Orphaned(account string, entries int) {
	r.Logger.Warn("leads are waiting for an account that is not in the config; they are kept until it is back",
		zap.String("account", account), zap.Int("entries", entries))
}

// lasted is the log field with the length of an incident.
func lasted(r delivery.Recovery) zap.Field {
	return zap.String("lasted", r.Lasted.Round(time.Second).String())
}

// due is the log field with the number of leads that go now, if it is known.
func due(r delivery.Recovery) zap.Field {
	if r.Due < 0 {
		return zap.Skip()
	}
	return zap.Int("due", r.Due)
}

// countPatience is how long a log line waits for the number of waiting leads.
const countPatience = time.Second

// waiting is the log field with the number of the account's waiting leads. It is left out if the
// outbox does not answer at once.
func (r *Reporter) waiting(account string) zap.Field {
	ctx, cancel := context.WithTimeout(context.Background(), countPatience)
	defer cancel()
	counts, err := r.Dispatcher.Store.Counts(ctx)
	if err != nil {
		return zap.Skip()
	}
	n := 0
	for _, count := range counts {
		if count.Account == account && count.State == outbox.Waiting {
			n = count.Entries
		}
	}
	return zap.Int("waiting", n)
}
