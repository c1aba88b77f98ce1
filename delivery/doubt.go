package delivery

import (
	"context"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// resume goes on with a lead that is there. If the answer to the entry's step
// was lost, it looks at the lead first, so that nothing is done twice.
func (e *errand) resume(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	leadID := e.entry.LeadID
	fields, _ := e.job.update(e.account.Identifier, e.locked)
	toUpdate := e.entry.Step == stepUpdate && len(fields) > 0
	if !e.entry.AmbiguousSince.IsZero() {
		shown := e.account.Client.GetLead(ctx, leadID)
		if !shown.OK() {
			return e.notSeen(ctx, *shown.Failure)
		}
		e.asked = true
		switch {
		case toUpdate:
			toUpdate = !telecrm.SameFields(fields, shown.Fields)
		case e.entry.Step == stepAppend:
			switch carriedOut(e.job.Actions, shown, e.entry.AmbiguousSince, e.now()) {
			case yes:
				return e.delivered(reasonAddedBefore, leadID), telecrm.Answer{Verdict: telecrm.Done, LeadID: leadID}
			case unknown:
				return e.parked(reasonAppendUnsure), telecrm.Answer{Verdict: telecrm.Done, LeadID: leadID}
			case no:
			}
		}
	}
	switch {
	case toUpdate:
		return e.update(ctx, fields, leadID)
	case len(e.job.Actions) > 0:
		return e.append(ctx, leadID)
	}
	return e.delivered(reasonAdded, leadID), telecrm.Answer{Verdict: telecrm.Done, LeadID: leadID}
}

// notSeen is what becomes of an entry whose lead cannot be looked at.
func (e *errand) notSeen(ctx context.Context, failure telecrm.Answer) (outbox.Settlement, telecrm.Answer) {
	if failure.Verdict == telecrm.Missing {
		e.heard(failure)
		return e.gone(ctx, failure)
	}
	if unreachable(failure) {
		return e.parked(reasonAppendUnsure), failure
	}
	e.heard(failure)
	return e.decide(failure)
}

// certainty is what a lead's timeline says about a request.
type certainty int

const (
	no certainty = iota
	yes
	unknown
)

// carriedOut tells from a lead's timeline whether its actions were appended by
// a request that left at the time since.
func carriedOut(sent []telecrm.Action, shown telecrm.Shown, since, now time.Time) certainty {
	if !shown.ServerTime.IsZero() {
		since = since.Add(shown.ServerTime.Sub(now))
	}
	since = since.Add(-clockTolerance)
	result := no
	for _, action := range shown.Actions {
		isOne := func(a telecrm.Action) bool { return telecrm.SameAction(a, action) }
		isAlike := func(a telecrm.Action) bool { return a.Type == action.Type }
		recent := !action.CreatedOn.Before(since)
		switch {
		case slices.ContainsFunc(sent, isOne) && !action.CreatedOn.IsZero():
			if recent {
				return yes
			}
		case slices.ContainsFunc(sent, isOne):
			result = unknown // of an earlier enquiry, perhaps
		case slices.ContainsFunc(sent, isAlike) && recent:
			result = unknown // ours, perhaps, of which something was left out
		}
	}
	if result == no && shown.MoreActions {
		return unknown
	}
	return result
}
