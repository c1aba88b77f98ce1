package delivery

import (
	"context"
	"net/http"
	"slices"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// resolveDuplicate applies the duplicate policy after TeleCRM refused to create the lead because
// its identifier exists. After an attempt whose answer was lost, the existing lead may be the one
// that attempt created.
func (a *attempt) resolveDuplicate(ctx context.Context, duplicate telecrm.Answer) result {
	policy := a.job.OnDuplicate.Policy
	if policy == IgnoreDuplicate {
		return result{a.delivered(reasonIgnored, ""), duplicate}
	}
	var leadID string
	if !a.entry.AmbiguousSince.IsZero() {
		found, ended := a.search(ctx, duplicate)
		if ended != nil {
			return *ended
		}
		leadID = found.Leads[0].ID
		created, ended := a.createdLead(ctx, found, duplicate)
		if ended != nil {
			return *ended
		}
		if created {
			return result{a.delivered(reasonFoundAgain, leadID), duplicate}
		}
	}
	switch policy {
	case ParkDuplicate:
		return result{a.parked(reasonDuplicate), duplicate}
	case Upsert:
		if a.account.Async == nil {
			return a.missingToken(reasonNeedsAsync)
		}
		if ended := a.beginStep(ctx, stepUpsert, ""); ended != nil {
			return *ended
		}
		return a.upsert(ctx)
	case AppendActions, UpdateFields, IgnoreDuplicate:
	}
	return a.addToLead(ctx, duplicate, leadID)
}

// findLeadID returns the id of the existing lead: from the answer, from the outbox, or by a search.
// If it cannot be found, the result ends the attempt.
func (a *attempt) findLeadID(ctx context.Context, duplicate telecrm.Answer) (string, *result) {
	if duplicate.LeadID != "" {
		return duplicate.LeadID, nil
	}
	leadID, err := a.runner.recall(ctx, a.entry.Account, a.entry.Identifier)
	if err == nil && leadID != "" {
		return leadID, nil
	}
	found, ended := a.search(ctx, duplicate)
	if ended != nil {
		return "", ended
	}
	if found.Leads[0].ID == "" {
		return "", &result{a.parked(reasonNoLeadID), duplicate}
	}
	return found.Leads[0].ID, nil
}

// search finds the only lead with the identifier. If there is not exactly one, the result ends the
// attempt.
func (a *attempt) search(ctx context.Context, duplicate telecrm.Answer) (telecrm.Found, *result) {
	if ended := a.throttle(ctx); ended != nil {
		return telecrm.Found{}, ended
	}
	identifier, _ := a.job.Fields[a.account.Identifier].(string)
	found := a.account.Client.FindLeads(ctx, a.account.Identifier, a.account.IdentifierKind.Spellings(identifier))
	if !found.OK() {
		if readUnsupported(*found.Failure) {
			return found, &result{a.parked(reasonUnsearchable), duplicate}
		}
		a.observe(*found.Failure, 0)
		r := a.decide(*found.Failure)
		return found, &r
	}
	found.Leads = slices.DeleteFunc(found.Leads, func(lead telecrm.FoundLead) bool {
		return !a.account.IdentifierKind.Same(lead.Identifier, identifier)
	})
	switch {
	case len(found.Leads) == 0 && !found.More:
		return found, &result{a.findAgain(reasonNotFound), duplicate}
	case len(found.Leads) > 1 || found.More:
		return found, &result{a.parked(reasonSeveral), duplicate}
	}
	return found, nil
}

// findAgain settles an entry whose existing lead TeleCRM does not show. It is retried from its
// creation on, for up to [maxFindTime].
func (a *attempt) findAgain(reason string) outbox.Settlement {
	s := a.settlement(outbox.Waiting, reason)
	if a.entry.Step != stepFind {
		s.Step, s.FailingSince = stepFind, s.At
	}
	s.LeadID = ""
	scheduleRetry(&s, s.At, min(a.retryFor, maxFindTime))
	return s
}

// readUnsupported reports whether requests to read leads will always fail, although TeleCRM creates
// leads.
func readUnsupported(failure telecrm.Answer) bool {
	return failure.Verdict == telecrm.Rejected || failure.Status == http.StatusNotFound || failure.Status == http.StatusMethodNotAllowed
}
