package delivery

import (
	"context"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// addToLead adds to the existing lead as the policy says. leadID is empty if it is not known yet.
func (a *attempt) addToLead(ctx context.Context, duplicate telecrm.Answer, leadID string) result {
	fields, locked := a.job.update(a.account.Identifier, a.locked)
	for _, name := range locked {
		a.remarks = append(a.remarks, telecrm.Remark{Field: "fields." + name, Status: "NOT_SENT", Text: "the workspace does not allow changes to it once the lead exists"})
	}
	if len(fields) == 0 && len(a.job.Actions) == 0 {
		if a.actionsFound {
			return result{a.delivered(reasonAddedBefore, leadID), duplicate}
		}
		return result{a.parked(reasonNothingToAdd), duplicate}
	}
	if leadID == "" {
		var ended *result
		if leadID, ended = a.findLeadID(ctx, duplicate); ended != nil {
			return *ended
		}
	}
	if len(fields) > 0 {
		return a.updateLead(ctx, fields, leadID)
	}
	return a.appendActions(ctx, leadID)
}

// resumeExisting continues with the existing lead from the recorded step. If the answer to that
// step was lost, it reads the lead first, so that nothing is done twice.
func (a *attempt) resumeExisting(ctx context.Context) result {
	leadID := a.entry.LeadID
	fields, _ := a.job.update(a.account.Identifier, a.locked)
	toUpdate := a.entry.Step == stepUpdate && len(fields) > 0
	if !a.entry.AmbiguousSince.IsZero() {
		shown := a.account.Client.GetLead(ctx, leadID)
		if !shown.OK() {
			return a.leadUnreadable(ctx, *shown.Failure, reasonAppendUncertain)
		}
		a.sent = true
		switch {
		case toUpdate:
			toUpdate = !telecrm.SameFields(fields, shown.Fields)
		case a.entry.Step == stepAppend:
			switch findActions(a.job.Actions, shown, a.entry.AmbiguousSince, a.now()) {
			case present:
				return a.done(a.delivered(reasonAddedBefore, leadID))
			case inconclusive:
				return a.done(a.parked(reasonAppendUncertain))
			case absent:
			}
		}
	}
	switch {
	case toUpdate:
		return a.updateLead(ctx, fields, leadID)
	case len(a.job.Actions) > 0:
		return a.appendActions(ctx, leadID)
	}
	return a.done(a.delivered(reasonAdded, leadID))
}

// done settles an entry whose step needs no request.
func (a *attempt) done(s outbox.Settlement) result {
	return result{s, telecrm.Answer{Verdict: telecrm.Done, LeadID: a.entry.LeadID}}
}

// updateLead sets fields of the existing lead, and then appends the actions.
func (a *attempt) updateLead(ctx context.Context, fields map[string]any, leadID string) result {
	if ended := a.beginStep(ctx, stepUpdate, leadID); ended != nil {
		return *ended
	}
	answer := a.account.Client.UpdateLead(ctx, leadID, fields)
	a.observe(answer, 0)
	switch answer.Verdict {
	case telecrm.Done:
	case telecrm.Rejected:
		// TeleCRM refuses the whole update for one value
		// (https://docs.telecrm.in/sync-api/leads/update). The visitor's message is in the actions.
		if len(a.job.Actions) == 0 && !a.actionsFound {
			return result{a.parked(reasonUpdateRefused), answer}
		}
		a.entry.Reason = reasonUpdateRefused
		a.remarks = append(a.remarks, telecrm.Remark{Field: "fields", Status: "REFUSED", Text: reasonUpdateRefused})
	case telecrm.Missing:
		return a.leadDeleted(ctx, answer)
	case telecrm.Retry, telecrm.Hold, telecrm.Created, telecrm.Duplicate, telecrm.Accepted:
		return a.decide(answer)
	}
	if len(a.job.Actions) == 0 {
		return result{a.delivered(a.addedReason(), leadID), answer}
	}
	a.remarks = append(a.remarks, answer.Remarks...)
	return a.appendActions(ctx, leadID)
}

// appendActions appends the actions to the existing lead.
func (a *attempt) appendActions(ctx context.Context, leadID string) result {
	if ended := a.beginStep(ctx, stepAppend, leadID); ended != nil {
		return *ended
	}
	answer := a.account.Client.AppendActions(ctx, leadID, a.job.Actions)
	a.observe(answer, 0)
	switch answer.Verdict {
	case telecrm.Done:
		return result{a.delivered(a.addedReason(), leadID), answer}
	case telecrm.Missing:
		return a.leadDeleted(ctx, answer)
	case telecrm.Rejected, telecrm.Retry, telecrm.Hold, telecrm.Created, telecrm.Duplicate, telecrm.Accepted:
	}
	return a.decide(answer)
}

// addedReason returns the reason of a delivered entry that was added to an existing lead.
func (a *attempt) addedReason() string {
	if a.entry.Reason == reasonUpdateRefused {
		return reasonUpdateRefused
	}
	return reasonAdded
}

// leadDeleted settles an entry whose existing lead was deleted. It is retried from its creation on.
func (a *attempt) leadDeleted(ctx context.Context, missing telecrm.Answer) result {
	if err := a.runner.forget(ctx, a.entry.Account, a.entry.Identifier); err != nil {
		missing.Err = err
	}
	s := a.findAgain(reasonDeleted)
	s.AmbiguousSince = time.Time{} // it was about the deleted lead
	return result{s, missing}
}

// leadUnreadable settles an entry whose existing lead cannot be read. If it never can be, the entry
// is parked for the reason.
func (a *attempt) leadUnreadable(ctx context.Context, failure telecrm.Answer, reason string) result {
	if failure.Verdict == telecrm.Missing {
		a.observe(failure, 0)
		return a.leadDeleted(ctx, failure)
	}
	// A hold may be about the whole account, unless TeleCRM has just answered for it.
	if readUnsupported(failure) && (a.sent || failure.Verdict != telecrm.Hold) {
		return result{a.parked(reason), failure}
	}
	a.observe(failure, 0)
	return a.decide(failure)
}
