package delivery

import (
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The reasons that entries carry, beside what an answer gives.
const (
	reasonDuplicate    = "TeleCRM has another lead with this identifier"
	reasonNotFound     = "TeleCRM says that it has this lead but does not show it; an earlier attempt may have created it"
	reasonSeveral      = "TeleCRM has several leads with this identifier; an earlier attempt may have created one"
	reasonUndated      = "TeleCRM does not say when it got the lead with this identifier; an earlier attempt may have created it"
	reasonUnsearchable = "TeleCRM says that it has this lead but cannot be asked for it; an earlier attempt may have created it"
	reasonFoundAgain   = "created by an earlier attempt whose answer was lost"
	reasonUnconfirmed  = "accepted, but TeleCRM did not name the lead"
	reasonOvertaken    = "not sent: TeleCRM is to be left alone"
	reasonUnreadable   = "the entry cannot be read"
)

// longestLook is how long a lead that TeleCRM claims to have, and does not
// show, is looked for.
const longestLook = 10 * time.Minute

// decide says what the answer to an attempt makes of the entry. A duplicate
// of which an earlier attempt may be the cause is for [decideFound].
func decide(entry outbox.Entry, answer telecrm.Answer, now time.Time, retryFor time.Duration) outbox.Settlement {
	s := outbox.Settlement{
		State:          outbox.Parked,
		At:             now,
		Reason:         answer.Reason(),
		AmbiguousSince: entry.AmbiguousSince,
		FailingSince:   entry.FailingSince,
	}
	switch answer.Verdict {
	case telecrm.Created:
		s.State, s.LeadID, s.Reason = outbox.Delivered, answer.LeadID, ""
		if !answer.Confirmed() {
			s.Reason = reasonUnconfirmed
		}
	case telecrm.Rejected:
	case telecrm.Duplicate:
		s.Reason = reasonDuplicate
	case telecrm.Hold:
		// Due now, it comes after all that was due before: the next probe
		// takes another entry, in case it is not the account but this lead
		// that TeleCRM turns away.
		s.State, s.DueAt, s.Uncounted, s.FailingSince = outbox.Waiting, now, true, time.Time{}
	case telecrm.Retry:
		if answer.Ambiguous && s.AmbiguousSince.IsZero() {
			s.AmbiguousSince = entry.BegunAt
		}
		again(&s, now, retryFor)
	}
	return s
}

// again has the entry tried again in due time, or parked if TeleCRM has
// failed to take it for too long.
func again(s *outbox.Settlement, now time.Time, retryFor time.Duration) {
	if s.FailingSince.IsZero() {
		s.FailingSince = now
	}
	s.State = outbox.Waiting
	failing := now.Sub(s.FailingSince)
	s.DueAt = now.Add(retryDelay(failing))
	if failing >= retryFor {
		s.State, s.DueAt = outbox.Parked, time.Time{}
	}
}

// clockTolerance is how far created_on may lie before the attempt that made
// the lead: HTTP dates, by which the two clocks are compared, are whole
// seconds.
const clockTolerance = 2 * time.Second

// decideFound says what becomes of an entry that TeleCRM calls a duplicate
// although an earlier attempt may have created it: a lead that is not older
// than that attempt is ours, and its actions were created with it.
// (https://docs.telecrm.in/sync-api/leads/pitfalls has nothing to tell it by.)
func decideFound(entry outbox.Entry, found telecrm.Found, now time.Time, retryFor time.Duration) outbox.Settlement {
	s := outbox.Settlement{
		State:          outbox.Parked,
		At:             now,
		AmbiguousSince: entry.AmbiguousSince,
		FailingSince:   entry.FailingSince,
	}
	switch {
	case len(found.Leads) == 0:
		s.Reason = reasonNotFound
		again(&s, now, min(retryFor, longestLook))
	case len(found.Leads) > 1 || found.More:
		s.Reason = reasonSeveral
	case found.Leads[0].CreatedOn.IsZero():
		s.Reason = reasonUndated
	default:
		began := entry.AmbiguousSince
		if !found.ServerTime.IsZero() {
			began = began.Add(found.ServerTime.Sub(now))
		}
		s.Reason = reasonDuplicate
		if !found.Leads[0].CreatedOn.Before(began.Add(-clockTolerance)) {
			s.State, s.LeadID, s.Reason = outbox.Delivered, found.Leads[0].ID, reasonFoundAgain
		}
	}
	return s
}
