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
			return e.notSeen(ctx, *shown.Failure, reasonAppendUnsure)
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

// notSeen is what becomes of an entry whose lead cannot be looked at; for the
// given reason if it never can be.
func (e *errand) notSeen(ctx context.Context, failure telecrm.Answer, reason string) (outbox.Settlement, telecrm.Answer) {
	if failure.Verdict == telecrm.Missing {
		e.heard(failure)
		return e.gone(ctx, failure)
	}
	// Unless TeleCRM has just answered for this account, it may be all of it
	// that cannot be reached.
	if unreachable(failure) && (e.asked || failure.Verdict != telecrm.Hold) {
		return e.parked(reason), failure
	}
	e.heard(failure)
	return e.decide(failure)
}

// certainty is what TeleCRM shows of whether a request was carried out.
type certainty int

const (
	no certainty = iota
	yes
	unknown
)

// clockTolerance is how far a lead's created_on may lie before the attempt
// that made it: HTTP dates, by which the two clocks are compared, are whole
// seconds.
const clockTolerance = 2 * time.Second

// attemptBegan is when the ambiguous attempt began, at the earliest, by the
// clock of a server that shows that time.
func attemptBegan(since, serverTime, now time.Time) time.Time {
	if !serverTime.IsZero() {
		since = since.Add(serverTime.Sub(now))
	}
	return since.Add(-clockTolerance)
}

// own tells whether an earlier attempt created the one lead found: not if the
// lead is older than that attempt, and yes if it is not, unless another
// enquiry of the same person was delivered; then the lead itself must show
// what was sent. (https://docs.telecrm.in/sync-api/leads/pitfalls has nothing
// to tell it by.) If it is unknown, the settlement says why; if TeleCRM does
// not show the lead, the answer does.
func (e *errand) own(ctx context.Context, found telecrm.Found) (certainty, outbox.Settlement, *telecrm.Answer) {
	lead := found.Leads[0]
	if lead.CreatedOn.IsZero() {
		return unknown, e.parked(reasonUndated), nil
	}
	if lead.CreatedOn.Before(attemptBegan(e.entry.AmbiguousSince, found.ServerTime, e.now())) {
		return no, outbox.Settlement{}, nil
	}
	other, err := e.recall(ctx, e.entry.Account, e.entry.Identifier)
	if err == nil && other == "" {
		return yes, outbox.Settlement{}, nil
	}
	if lead.ID == "" {
		return unknown, e.parked(reasonCreateUnsure), nil
	}
	if s, err := e.next(ctx); err != nil {
		answer := unanswered(err)
		return unknown, s, &answer
	}
	shown := e.account.Client.GetLead(ctx, lead.ID)
	if !shown.OK() {
		s, answer := e.notSeen(ctx, *shown.Failure, reasonCreateUnsure)
		return unknown, s, &answer
	}
	result := e.shownIn(shown)
	if result == unknown {
		return unknown, e.parked(reasonCreateUnsure), nil
	}
	return result, outbox.Settlement{}, nil
}

// shownIn tells whether a lead shows what a create of the entry's would have
// made: its actions, or without any, no other value in any of its fields.
func (e *errand) shownIn(shown telecrm.Shown) certainty {
	if len(e.job.Actions) > 0 {
		return carriedOut(e.job.Actions, shown, e.entry.AmbiguousSince, e.now())
	}
	if telecrm.SimilarFields(e.job.Fields, shown.Fields) {
		return yes
	}
	return no
}

// carriedOut tells from a lead's timeline whether its actions were appended by
// a request that left at the time since.
func carriedOut(sent []telecrm.Action, shown telecrm.Shown, since, now time.Time) certainty {
	since = attemptBegan(since, shown.ServerTime, now)
	result := no
	for _, action := range shown.Actions {
		isOne := func(a telecrm.Action) bool { return telecrm.SameAction(a, action) }
		isAlike := func(a telecrm.Action) bool { return telecrm.SimilarAction(a, action) }
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
