package delivery

import (
	"context"
	"maps"
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

// own tells whether the one lead found is what an earlier attempt created. The
// lead must show what was sent: when it was created proves nothing, because
// somebody else may have created it since the attempt began. A lead from before
// can show only what was added to it: by an attempt past the outbox, of which a
// crash has left no record. If it is unknown, the
// settlement says why; if TeleCRM does not show the lead, the answer does.
func (e *errand) own(ctx context.Context, found telecrm.Found) (certainty, outbox.Settlement, *telecrm.Answer) {
	lead := found.Leads[0]
	undated := lead.CreatedOn.IsZero()
	older := !undated && lead.CreatedOn.Before(attemptBegan(e.entry.AmbiguousSince, found.ServerTime, e.now()))
	if older && len(e.job.Actions) == 0 {
		return no, outbox.Settlement{}, nil
	}
	shown, s, answer := e.look(ctx, lead)
	if answer != nil {
		return unknown, s, answer
	}
	switch result := e.shownIn(shown); {
	case older:
		e.skipActions(shown)
		return no, outbox.Settlement{}, nil
	case result == unknown:
		return unknown, e.parked(reasonCreateUnsure), nil
	case result == yes && undated && len(e.job.Actions) == 0:
		return unknown, e.parked(reasonUndated), nil
	default:
		return result, outbox.Settlement{}, nil
	}
}

// look reads the lead that was found, or takes what the search has shown of it
// if it has no id to read it by. If TeleCRM does not show it, look returns what
// becomes of the entry and the answer that says so.
func (e *errand) look(ctx context.Context, lead telecrm.FoundLead) (telecrm.Shown, outbox.Settlement, *telecrm.Answer) {
	if lead.ID == "" {
		return telecrm.Shown{Fields: lead.Fields, MoreActions: true}, outbox.Settlement{}, nil
	}
	if s, err := e.next(ctx); err != nil {
		answer := unanswered(err)
		return telecrm.Shown{}, s, &answer
	}
	shown := e.account.Client.GetLead(ctx, lead.ID)
	if !shown.OK() {
		s, answer := e.notSeen(ctx, *shown.Failure, reasonCreateUnsure)
		return telecrm.Shown{}, s, &answer
	}
	return shown, outbox.Settlement{}, nil
}

// shownIn tells whether a lead shows what a create of the entry's would have
// made: every value of its fields, and its actions. Without actions anything
// less is somebody else's lead; the duplicate policy does no harm if it is not.
// With them it would append them a second time, so that a lead that shows them
// all beside other values is in doubt.
func (e *errand) shownIn(shown telecrm.Shown) certainty {
	complete := telecrm.SameFields(e.provenBy(), shown.Fields)
	if len(e.job.Actions) == 0 {
		if complete {
			return yes
		}
		return no
	}
	result := carriedOut(e.job.Actions, shown, e.entry.AmbiguousSince, e.now())
	if result == yes && !complete {
		return unknown
	}
	return result
}

// skipActions leaves out the actions if a lead from before shows them all.
func (e *errand) skipActions(shown telecrm.Shown) {
	if carriedOut(e.job.Actions, shown, e.entry.AmbiguousSince, e.now()) == yes {
		e.job.Actions, e.acted = nil, true
	}
}

// provenBy returns the fields by which a lead is known to be the entry's own:
// not the identifier, which every lead found has, and not those that people and
// rules of the workspace change as soon as a lead is there.
func (e *errand) provenBy() map[string]any {
	fields := maps.Clone(e.job.Fields)
	for _, name := range []string{e.account.Identifier, "status", "assignee"} {
		delete(fields, name)
	}
	return fields
}

// carriedOut tells from a lead's timeline whether all actions sent were stored
// by a request that left at the time since. Each needs an entry of its own.
func carriedOut(sent []telecrm.Action, shown telecrm.Shown, since, now time.Time) certainty {
	since = attemptBegan(since, shown.ServerTime, now)
	recent := func(a telecrm.ShownAction) bool { return !a.CreatedOn.Before(since) }
	rest, missing, doubt := slices.Clone(shown.Actions), 0, shown.MoreActions
	for _, action := range richestFirst(sent) {
		ours := func(a telecrm.ShownAction) bool { return recent(a) && telecrm.SameAction(action, a) }
		if i := slices.IndexFunc(rest, ours); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			continue
		}
		missing++
		doubt = doubt || slices.ContainsFunc(rest, func(a telecrm.ShownAction) bool {
			undated := a.CreatedOn.IsZero() && telecrm.SameAction(action, a) // of an earlier enquiry, perhaps
			return undated || recent(a) && telecrm.SimilarAction(action, a)  // ours, perhaps, of which something was left out
		})
	}
	switch {
	case missing == 0:
		return yes
	case doubt || missing < len(sent):
		return unknown
	}
	return no
}

// richestFirst puts the actions with the most values first, so that one with
// few does not claim the entry of another.
func richestFirst(actions []telecrm.Action) []telecrm.Action {
	return slices.SortedStableFunc(slices.Values(actions), func(a, b telecrm.Action) int {
		return len(b.Fields) - len(a.Fields)
	})
}
