package delivery

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// known goes on when TeleCRM has a lead with this identifier. After an attempt
// whose answer was lost that may be the entry's own.
func (e *errand) known(ctx context.Context, duplicate telecrm.Answer) (outbox.Settlement, telecrm.Answer) {
	if e.job.OnDuplicate.Policy == IgnoreDuplicate {
		return e.delivered(reasonIgnored, ""), duplicate
	}
	var leadID string
	if !e.entry.AmbiguousSince.IsZero() {
		found, s, answer := e.search(ctx, duplicate)
		if answer != nil {
			return s, *answer
		}
		leadID = found.Leads[0].ID
		own, s, answer := e.own(ctx, found)
		switch {
		case answer != nil:
			return s, *answer
		case own == yes:
			return e.delivered(reasonFoundAgain, leadID), duplicate
		case own == unknown:
			return s, duplicate
		}
	}
	switch e.job.OnDuplicate.Policy {
	case ParkDuplicate:
		return e.parked(reasonDuplicate), duplicate
	case Upsert:
		if e.account.Async == nil {
			return e.stranded(reasonNeedsAsync)
		}
		if s, err := e.step(ctx, stepUpsert, ""); err != nil {
			return s, unanswered(err)
		}
		return e.upsert(ctx)
	case AppendActions, UpdateFields, IgnoreDuplicate:
	}
	return e.add(ctx, duplicate, leadID)
}

// delivered and parked settle the entry with nothing left to be done. What was
// in doubt about a parked one is for a person to decide: if it is tried again,
// that is what they want.
func (e *errand) delivered(reason, leadID string) outbox.Settlement {
	return outbox.Settlement{State: outbox.Delivered, At: e.now(), Reason: reason, LeadID: leadID}
}

func (e *errand) parked(reason string) outbox.Settlement {
	return outbox.Settlement{State: outbox.Parked, At: e.now(), Reason: reason}
}

// add adds what the policy says to the lead that is there.
func (e *errand) add(ctx context.Context, duplicate telecrm.Answer, leadID string) (outbox.Settlement, telecrm.Answer) {
	fields, locked := e.job.update(e.account.Identifier, e.locked)
	for _, name := range locked {
		e.remarks = append(e.remarks, telecrm.Remark{Field: "fields." + name, Status: "NOT_SENT", Text: "the workspace does not let it change after the lead was created"})
	}
	if len(fields) == 0 && len(e.job.Actions) == 0 {
		if e.acted {
			return e.delivered(reasonAddedBefore, leadID), duplicate
		}
		return e.parked(reasonNothingToAdd), duplicate
	}
	if leadID == "" {
		var s outbox.Settlement
		var answer *telecrm.Answer
		if leadID, s, answer = e.whose(ctx, duplicate); answer != nil {
			return s, *answer
		}
	}
	if len(fields) > 0 {
		return e.update(ctx, fields, leadID)
	}
	return e.append(ctx, leadID)
}

// whose finds the id of the lead that has the identifier. If it cannot be told
// it returns what becomes of the entry and the answer that says so.
func (e *errand) whose(ctx context.Context, duplicate telecrm.Answer) (string, outbox.Settlement, *telecrm.Answer) {
	if duplicate.LeadID != "" {
		return duplicate.LeadID, outbox.Settlement{}, nil
	}
	leadID, err := e.recall(ctx, e.entry.Account, e.entry.Identifier)
	if err == nil && leadID != "" {
		return leadID, outbox.Settlement{}, nil
	}
	found, s, answer := e.search(ctx, duplicate)
	if answer != nil {
		return "", s, answer
	}
	if found.Leads[0].ID == "" {
		return "", e.parked(reasonNameless), &duplicate
	}
	return found.Leads[0].ID, outbox.Settlement{}, nil
}

// search looks for the one lead that has the identifier. If there is not
// exactly one, it returns what becomes of the entry, and the answer that says
// so.
func (e *errand) search(ctx context.Context, duplicate telecrm.Answer) (telecrm.Found, outbox.Settlement, *telecrm.Answer) {
	if s, err := e.next(ctx); err != nil {
		answer := unanswered(err)
		return telecrm.Found{}, s, &answer
	}
	identifier, _ := e.job.Fields[e.account.Identifier].(string)
	found := e.account.Client.FindLeads(ctx, e.account.Identifier, e.account.IdentifierKind.Spellings(identifier))
	if !found.OK() {
		if unreachable(*found.Failure) {
			return found, e.parked(reasonUnsearchable), &duplicate
		}
		e.heard(*found.Failure)
		s, answer := e.decide(*found.Failure)
		return found, s, &answer
	}
	found.Leads = slices.DeleteFunc(found.Leads, func(lead telecrm.FoundLead) bool {
		return !e.account.IdentifierKind.Same(lead.Identifier, identifier)
	})
	switch {
	case len(found.Leads) == 0 && !found.More:
		return found, e.notShown(reasonNotFound), &duplicate
	case len(found.Leads) > 1 || found.More:
		return found, e.parked(reasonSeveral), &duplicate
	}
	return found, outbox.Settlement{}, nil
}

// unreachable reports whether a request for a lead will never work, although
// creating one does.
func unreachable(failure telecrm.Answer) bool {
	return failure.Verdict == telecrm.Rejected || failure.Status == http.StatusNotFound || failure.Status == http.StatusMethodNotAllowed
}

// notShown has the entry tried again, from its creation on, because TeleCRM
// says that it has the lead and does not show it; for [longestLook] and no
// longer.
func (e *errand) notShown(reason string) outbox.Settlement {
	s := e.settlement(outbox.Waiting, reason)
	if e.entry.Step != stepFind {
		s.Step, s.FailingSince = stepFind, s.At
	}
	s.LeadID = ""
	again(&s, s.At, min(e.retryFor, longestLook))
	return s
}

// gone has the entry tried again when the lead that was to be added to has
// been deleted: it is created then, or another has the identifier.
func (e *errand) gone(ctx context.Context, missing telecrm.Answer) (outbox.Settlement, telecrm.Answer) {
	if err := e.forget(ctx, e.entry.Account, e.entry.Identifier); err != nil {
		missing.Err = err
	}
	s := e.notShown(reasonGone)
	s.AmbiguousSince = time.Time{} // of what was asked of the lead that is gone
	return s, missing
}

// update sets fields of the lead that is there.
func (e *errand) update(ctx context.Context, fields map[string]any, leadID string) (outbox.Settlement, telecrm.Answer) {
	if s, err := e.step(ctx, stepUpdate, leadID); err != nil {
		return s, unanswered(err)
	}
	answer := e.account.Client.UpdateLead(ctx, leadID, fields)
	e.heard(answer)
	switch answer.Verdict {
	case telecrm.Done:
	case telecrm.Rejected:
		// One value can have the whole update refused
		// (https://docs.telecrm.in/sync-api/leads/update). What the visitor
		// wants is in the actions.
		if len(e.job.Actions) == 0 && !e.acted {
			return e.parked(reasonUpdateRefused), answer
		}
		e.entry.Reason = reasonUpdateRefused
		e.remarks = append(e.remarks, telecrm.Remark{Field: "fields", Status: "REFUSED", Text: reasonUpdateRefused})
	case telecrm.Missing:
		return e.gone(ctx, answer)
	case telecrm.Retry, telecrm.Hold, telecrm.Created, telecrm.Duplicate, telecrm.Accepted:
		return e.decide(answer)
	}
	if len(e.job.Actions) == 0 {
		return e.delivered(e.added(), leadID), answer
	}
	e.remarks = append(e.remarks, answer.Remarks...)
	return e.append(ctx, leadID)
}

// append appends the actions to the lead that is there.
func (e *errand) append(ctx context.Context, leadID string) (outbox.Settlement, telecrm.Answer) {
	if s, err := e.step(ctx, stepAppend, leadID); err != nil {
		return s, unanswered(err)
	}
	answer := e.account.Client.AppendActions(ctx, leadID, e.job.Actions)
	e.heard(answer)
	if answer.Verdict == telecrm.Done {
		return e.delivered(e.added(), leadID), answer
	}
	if answer.Verdict == telecrm.Missing {
		return e.gone(ctx, answer)
	}
	return e.decide(answer)
}

// added is the note of an entry of which something was added to a lead.
func (e *errand) added() string {
	if e.entry.Reason == reasonUpdateRefused {
		return reasonUpdateRefused
	}
	return reasonAdded
}
