package delivery

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// evidence says whether an existing lead shows that an earlier request succeeded although its
// answer was lost.
type evidence int

const (
	absent evidence = iota
	present
	inconclusive
)

// createdLead reports whether an earlier attempt created the lead that a search found. The lead
// must show what was sent: its age proves nothing, because somebody else may have created it since
// that attempt began. A lead that is older than the attempt can only show actions that were
// appended to it, by a direct request that a crash left unrecorded. If the evidence is
// inconclusive, the result ends the attempt.
func (a *attempt) createdLead(ctx context.Context, found telecrm.Found, duplicate telecrm.Answer) (created bool, ended *result) {
	lead := found.Leads[0]
	undated := lead.CreatedOn.IsZero()
	older := !undated && lead.CreatedOn.Before(earliestTime(a.entry.AmbiguousSince, found.ServerTime, a.now()))
	if older && len(a.job.Actions) == 0 {
		return false, nil
	}
	shown, ended := a.readLead(ctx, lead)
	if ended != nil {
		return false, ended
	}
	switch compared := a.compareLead(shown); {
	case older:
		a.dropFoundActions(shown)
		return false, nil
	case compared == inconclusive:
		return false, &result{a.parked(reasonCreateUncertain), duplicate}
	case compared == present && undated && len(a.job.Actions) == 0:
		return false, &result{a.parked(reasonUndated), duplicate}
	default:
		return compared == present, nil
	}
}

// readLead reads a lead that a search found. If the search showed no id, it returns the fields from
// the search. If the lead cannot be read, the result ends the attempt.
func (a *attempt) readLead(ctx context.Context, lead telecrm.FoundLead) (telecrm.Shown, *result) {
	if lead.ID == "" {
		return telecrm.Shown{Fields: lead.Fields, MoreActions: true}, nil
	}
	if ended := a.throttle(ctx); ended != nil {
		return telecrm.Shown{}, ended
	}
	shown := a.account.Client.GetLead(ctx, lead.ID)
	if !shown.OK() {
		r := a.leadUnreadable(ctx, *shown.Failure, reasonCreateUncertain)
		return telecrm.Shown{}, &r
	}
	return shown, nil
}

// compareLead looks for the fields and actions that creating the entry's lead would have stored.
// Without actions, a lead with other fields is somebody else's: if that is wrong, the duplicate
// policy does no harm. With actions it would append them a second time, so a lead with all actions
// and other fields is inconclusive.
func (a *attempt) compareLead(shown telecrm.Shown) evidence {
	complete := telecrm.SameFields(a.comparableFields(), shown.Fields)
	if len(a.job.Actions) == 0 {
		if complete {
			return present
		}
		return absent
	}
	actions := findActions(a.job.Actions, shown, a.entry.AmbiguousSince, a.now())
	if actions == present && !complete {
		return inconclusive
	}
	return actions
}

// comparableFields returns the fields that identify the entry's lead. It omits the identifier,
// which every found lead has, and fields that people and rules of the workspace change in new
// leads.
func (a *attempt) comparableFields() map[string]any {
	fields := maps.Clone(a.job.Fields)
	for _, name := range []string{a.account.Identifier, "status", "assignee"} {
		delete(fields, name)
	}
	return fields
}

// dropFoundActions removes the actions from the job if the existing lead shows all of them.
func (a *attempt) dropFoundActions(shown telecrm.Shown) {
	if findActions(a.job.Actions, shown, a.entry.AmbiguousSince, a.now()) == present {
		a.job.Actions, a.actionsFound = nil, true
	}
}

// findActions looks in a lead's timeline for all actions that were sent at or after the given time.
// Each needs a timeline entry of its own.
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
			undated := a.CreatedOn.IsZero() && telecrm.SameAction(action, a) // perhaps of an earlier enquiry
			return undated || recent(a) && telecrm.SimilarAction(action, a)  // perhaps ours, with values missing
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

// richestFirst sorts the actions by falling number of values, so that one with few does not match
// the timeline entry of another.
func richestFirst(actions []telecrm.Action) []telecrm.Action {
	return slices.SortedStableFunc(slices.Values(actions), func(a, b telecrm.Action) int {
		return len(b.Fields) - len(a.Fields)
	})
}

// dateResolution covers the resolution of HTTP dates, which are whole seconds, when two clocks are
// compared by them.
const dateResolution = 2 * time.Second

// earliestTime converts the time at which an attempt began to TeleCRM's clock, rounded down.
func earliestTime(since, serverTime, now time.Time) time.Time {
	if !serverTime.IsZero() {
		since = since.Add(serverTime.Sub(now))
	}
	return since.Add(-dateResolution)
}
