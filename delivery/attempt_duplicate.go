package delivery

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// resolveDuplicate goes on when TeleCRM has a lead with this identifier. After an attempt
// whose answer was lost that may be the entry's own.
func (a *attempt) resolveDuplicate(ctx context.Context, duplicate telecrm.Answer) (outbox.Settlement, telecrm.Answer) {
	if a.job.OnDuplicate.Policy == IgnoreDuplicate {
		return a.delivered(reasonIgnored, ""), duplicate
	}
	var leadID string
	if !a.entry.AmbiguousSince.IsZero() {
		found, s, answer := a.search(ctx, duplicate)
		if answer != nil {
			return s, *answer
		}
		leadID = found.Leads[0].ID
		own, s, answer := a.createdLead(ctx, found)
		switch {
		case answer != nil:
			return s, *answer
		case own == present:
			return a.delivered(reasonFoundAgain, leadID), duplicate
		case own == inconclusive:
			return s, duplicate
		}
	}
	switch a.job.OnDuplicate.Policy {
	case ParkDuplicate:
		return a.parked(reasonDuplicate), duplicate
	case Upsert:
		if a.account.Async == nil {
			return a.missingToken(reasonNeedsAsync)
		}
		if s, err := a.beginStep(ctx, stepUpsert, ""); err != nil {
			return s, noAnswer(err)
		}
		return a.upsert(ctx)
	case AppendActions, UpdateFields, IgnoreDuplicate:
	}
	return a.addToLead(ctx, duplicate, leadID)
}

// delivered and parked settle the entry with nothing left to be done. What was
// in doubt about a parked one is for a person to decide: if it is tried again,
// that is what they want.
func (a *attempt) delivered(reason, leadID string) outbox.Settlement {
	return outbox.Settlement{State: outbox.Delivered, At: a.now(), Reason: reason, LeadID: leadID}
}

func (a *attempt) parked(reason string) outbox.Settlement {
	return outbox.Settlement{State: outbox.Parked, At: a.now(), Reason: reason}
}

// addToLead adds what the policy says to the lead that is there.
func (a *attempt) addToLead(ctx context.Context, duplicate telecrm.Answer, leadID string) (outbox.Settlement, telecrm.Answer) {
	fields, locked := a.job.update(a.account.Identifier, a.locked)
	for _, name := range locked {
		a.remarks = append(a.remarks, telecrm.Remark{Field: "fields." + name, Status: "NOT_SENT", Text: "the workspace does not let it change after the lead was created"})
	}
	if len(fields) == 0 && len(a.job.Actions) == 0 {
		if a.actionsFound {
			return a.delivered(reasonAddedBefore, leadID), duplicate
		}
		return a.parked(reasonNothingToAdd), duplicate
	}
	if leadID == "" {
		var s outbox.Settlement
		var answer *telecrm.Answer
		if leadID, s, answer = a.findLeadID(ctx, duplicate); answer != nil {
			return s, *answer
		}
	}
	if len(fields) > 0 {
		return a.updateLead(ctx, fields, leadID)
	}
	return a.appendActions(ctx, leadID)
}

// findLeadID finds the id of the lead that has the identifier. If it cannot be told
// it returns what becomes of the entry and the answer that says so.
func (a *attempt) findLeadID(ctx context.Context, duplicate telecrm.Answer) (string, outbox.Settlement, *telecrm.Answer) {
	if duplicate.LeadID != "" {
		return duplicate.LeadID, outbox.Settlement{}, nil
	}
	leadID, err := a.recall(ctx, a.entry.Account, a.entry.Identifier)
	if err == nil && leadID != "" {
		return leadID, outbox.Settlement{}, nil
	}
	found, s, answer := a.search(ctx, duplicate)
	if answer != nil {
		return "", s, answer
	}
	if found.Leads[0].ID == "" {
		return "", a.parked(reasonNoLeadID), &duplicate
	}
	return found.Leads[0].ID, outbox.Settlement{}, nil
}

// search looks for the one lead that has the identifier. If there is not
// exactly one, it returns what becomes of the entry, and the answer that says
// so.
func (a *attempt) search(ctx context.Context, duplicate telecrm.Answer) (telecrm.Found, outbox.Settlement, *telecrm.Answer) {
	if s, err := a.throttle(ctx); err != nil {
		answer := noAnswer(err)
		return telecrm.Found{}, s, &answer
	}
	identifier, _ := a.job.Fields[a.account.Identifier].(string)
	found := a.account.Client.FindLeads(ctx, a.account.Identifier, a.account.IdentifierKind.Spellings(identifier))
	if !found.OK() {
		if readUnsupported(*found.Failure) {
			return found, a.parked(reasonUnsearchable), &duplicate
		}
		a.observe(*found.Failure)
		s, answer := a.decide(*found.Failure)
		return found, s, &answer
	}
	found.Leads = slices.DeleteFunc(found.Leads, func(lead telecrm.FoundLead) bool {
		return !a.account.IdentifierKind.Same(lead.Identifier, identifier)
	})
	switch {
	case len(found.Leads) == 0 && !found.More:
		return found, a.searchAgain(reasonNotFound), &duplicate
	case len(found.Leads) > 1 || found.More:
		return found, a.parked(reasonSeveral), &duplicate
	}
	return found, outbox.Settlement{}, nil
}

// readUnsupported reports whether a request for a lead will never work, although
// creating one does.
func readUnsupported(failure telecrm.Answer) bool {
	return failure.Verdict == telecrm.Rejected || failure.Status == http.StatusNotFound || failure.Status == http.StatusMethodNotAllowed
}

// searchAgain has the entry tried again, from its creation on, because TeleCRM
// says that it has the lead and does not show it; for [longestLook] and no
// longer.
func (a *attempt) searchAgain(reason string) outbox.Settlement {
	s := a.settlement(outbox.Waiting, reason)
	if a.entry.Step != stepFind {
		s.Step, s.FailingSince = stepFind, s.At
	}
	s.LeadID = ""
	scheduleRetry(&s, s.At, min(a.retryFor, maxSearchTime))
	return s
}

// leadDeleted has the entry tried again when the lead that was to be added to has
// been deleted: it is created then, or another has the identifier.
func (a *attempt) leadDeleted(ctx context.Context, missing telecrm.Answer) (outbox.Settlement, telecrm.Answer) {
	if err := a.forget(ctx, a.entry.Account, a.entry.Identifier); err != nil {
		missing.Err = err
	}
	s := a.searchAgain(reasonDeleted)
	s.AmbiguousSince = time.Time{} // of what was asked of the lead that is gone
	return s, missing
}

// updateLead sets fields of the lead that is there.
func (a *attempt) updateLead(ctx context.Context, fields map[string]any, leadID string) (outbox.Settlement, telecrm.Answer) {
	if s, err := a.beginStep(ctx, stepUpdate, leadID); err != nil {
		return s, noAnswer(err)
	}
	answer := a.account.Client.UpdateLead(ctx, leadID, fields)
	a.observe(answer)
	switch answer.Verdict {
	case telecrm.Done:
	case telecrm.Rejected:
		// One value can have the whole update refused
		// (https://docs.telecrm.in/sync-api/leads/update). What the visitor
		// wants is in the actions.
		if len(a.job.Actions) == 0 && !a.actionsFound {
			return a.parked(reasonUpdateRefused), answer
		}
		a.entry.Reason = reasonUpdateRefused
		a.remarks = append(a.remarks, telecrm.Remark{Field: "fields", Status: "REFUSED", Text: reasonUpdateRefused})
	case telecrm.Missing:
		return a.leadDeleted(ctx, answer)
	case telecrm.Retry, telecrm.Hold, telecrm.Created, telecrm.Duplicate, telecrm.Accepted:
		return a.decide(answer)
	}
	if len(a.job.Actions) == 0 {
		return a.delivered(a.addedReason(), leadID), answer
	}
	a.remarks = append(a.remarks, answer.Remarks...)
	return a.appendActions(ctx, leadID)
}

// appendActions appends the actions to the lead that is there.
func (a *attempt) appendActions(ctx context.Context, leadID string) (outbox.Settlement, telecrm.Answer) {
	if s, err := a.beginStep(ctx, stepAppend, leadID); err != nil {
		return s, noAnswer(err)
	}
	answer := a.account.Client.AppendActions(ctx, leadID, a.job.Actions)
	a.observe(answer)
	if answer.Verdict == telecrm.Done {
		return a.delivered(a.addedReason(), leadID), answer
	}
	if answer.Verdict == telecrm.Missing {
		return a.leadDeleted(ctx, answer)
	}
	return a.decide(answer)
}

// addedReason is the note of an entry of which something was added to a lead.
func (a *attempt) addedReason() string {
	if a.entry.Reason == reasonUpdateRefused {
		return reasonUpdateRefused
	}
	return reasonAdded
}
