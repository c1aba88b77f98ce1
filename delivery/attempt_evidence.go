package delivery

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// resumeStep goes on with a lead that is there. If the answer to the entry's step
// was lost, it looks at the lead first, so that nothing is done twice.
func (a *attempt) resumeStep(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
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
				return a.delivered(reasonAddedBefore, leadID), telecrm.Answer{Verdict: telecrm.Done, LeadID: leadID}
			case inconclusive:
				return a.parked(reasonAppendUncertain), telecrm.Answer{Verdict: telecrm.Done, LeadID: leadID}
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
	return a.delivered(reasonAdded, leadID), telecrm.Answer{Verdict: telecrm.Done, LeadID: leadID}
}

// leadUnreadable is what becomes of an entry whose lead cannot be looked at; for the
// given reason if it never can be.
func (a *attempt) leadUnreadable(ctx context.Context, failure telecrm.Answer, reason string) (outbox.Settlement, telecrm.Answer) {
	if failure.Verdict == telecrm.Missing {
		a.observe(failure)
		return a.leadDeleted(ctx, failure)
	}
	// Unless TeleCRM has just answered for this account, it may be all of it
	// that cannot be reached.
	if readUnsupported(failure) && (a.sent || failure.Verdict != telecrm.Hold) {
		return a.parked(reason), failure
	}
	a.observe(failure)
	return a.decide(failure)
}

// evidence is what TeleCRM shows of whether a request was carried out.
type evidence int

const (
	absent evidence = iota
	present
	inconclusive
)

// dateResolution is how far a lead's created_on may lie before the attempt
// that made it: HTTP dates, by which the two clocks are compared, are whole
// seconds.
const dateResolution = 2 * time.Second

// earliestTime is when the ambiguous attempt began, at the earliest, by the
// clock of a server that shows that time.
func earliestTime(since, serverTime, now time.Time) time.Time {
	if !serverTime.IsZero() {
		since = since.Add(serverTime.Sub(now))
	}
	return since.Add(-dateResolution)
}

// createdLead tells whether the one lead found is what an earlier attempt created. The
// lead must show what was sent: when it was created proves nothing, because
// somebody else may have created it since the attempt began. A lead from before
// can show only what was added to it: by an attempt past the outbox, of which a
// crash has left no record. If it is unknown, the
// settlement says why; if TeleCRM does not show the lead, the answer does.
func (a *attempt) createdLead(ctx context.Context, found telecrm.Found) (evidence, outbox.Settlement, *telecrm.Answer) {
	lead := found.Leads[0]
	undated := lead.CreatedOn.IsZero()
	older := !undated && lead.CreatedOn.Before(earliestTime(a.entry.AmbiguousSince, found.ServerTime, a.now()))
	if older && len(a.job.Actions) == 0 {
		return absent, outbox.Settlement{}, nil
	}
	shown, s, answer := a.readLead(ctx, lead)
	if answer != nil {
		return inconclusive, s, answer
	}
	switch result := a.compareLead(shown); {
	case older:
		a.dropFoundActions(shown)
		return absent, outbox.Settlement{}, nil
	case result == inconclusive:
		return inconclusive, a.parked(reasonCreateUncertain), nil
	case result == present && undated && len(a.job.Actions) == 0:
		return inconclusive, a.parked(reasonUndated), nil
	default:
		return result, outbox.Settlement{}, nil
	}
}

// readLead reads the lead that was found, or takes what the search has shown of it
// if it has no id to read it by. If TeleCRM does not show it, look returns what
// becomes of the entry and the answer that says so.
func (a *attempt) readLead(ctx context.Context, lead telecrm.FoundLead) (telecrm.Shown, outbox.Settlement, *telecrm.Answer) {
	if lead.ID == "" {
		return telecrm.Shown{Fields: lead.Fields, MoreActions: true}, outbox.Settlement{}, nil
	}
	if s, err := a.throttle(ctx); err != nil {
		answer := noAnswer(err)
		return telecrm.Shown{}, s, &answer
	}
	shown := a.account.Client.GetLead(ctx, lead.ID)
	if !shown.OK() {
		s, answer := a.leadUnreadable(ctx, *shown.Failure, reasonCreateUncertain)
		return telecrm.Shown{}, s, &answer
	}
	return shown, outbox.Settlement{}, nil
}

// compareLead tells whether a lead shows what a create of the entry's would have
// made: every value of its fields, and its actions. Without actions anything
// less is somebody else's lead; the duplicate policy does no harm if it is not.
// With them it would append them a second time, so that a lead that shows them
// all beside other values is in doubt.
func (a *attempt) compareLead(shown telecrm.Shown) evidence {
	complete := telecrm.SameFields(a.comparableFields(), shown.Fields)
	if len(a.job.Actions) == 0 {
		if complete {
			return present
		}
		return absent
	}
	result := findActions(a.job.Actions, shown, a.entry.AmbiguousSince, a.now())
	if result == present && !complete {
		return inconclusive
	}
	return result
}

// dropFoundActions leaves out the actions if a lead from before shows them all.
func (a *attempt) dropFoundActions(shown telecrm.Shown) {
	if findActions(a.job.Actions, shown, a.entry.AmbiguousSince, a.now()) == present {
		a.job.Actions, a.actionsFound = nil, true
	}
}

// comparableFields returns the fields by which a lead is known to be the entry's own:
// not the identifier, which every lead found has, and not those that people and
// rules of the workspace change as soon as a lead is there.
func (a *attempt) comparableFields() map[string]any {
	fields := maps.Clone(a.job.Fields)
	for _, name := range []string{a.account.Identifier, "status", "assignee"} {
		delete(fields, name)
	}
	return fields
}

// findActions tells from a lead's timeline whether all actions sent were stored
// by a request that left at the time since. Each needs an entry of its own.
func findActions(sent []telecrm.Action, shown telecrm.Shown, since, now time.Time) evidence {
	since = earliestTime(since, shown.ServerTime, now)
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
		return present
	case doubt || missing < len(sent):
		return inconclusive
	}
	return absent
}

// richestFirst puts the actions with the most values first, so that one with
// few does not claim the entry of another.
func richestFirst(actions []telecrm.Action) []telecrm.Action {
	return slices.SortedStableFunc(slices.Values(actions), func(a, b telecrm.Action) int {
		return len(b.Fields) - len(a.Fields)
	})
}
