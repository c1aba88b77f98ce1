package delivery

import (
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The reasons that entries carry, beside what an answer gives.
const (
	reasonDuplicate        = "TeleCRM has another lead with this identifier"
	reasonNotFound         = "TeleCRM says that it has this lead but does not show it"
	reasonSeveral          = "TeleCRM has several leads with this identifier"
	reasonNoLeadID         = "TeleCRM does not tell the id of the lead with this identifier"
	reasonUndated          = "TeleCRM does not say when it got the lead with this identifier; an earlier attempt may have created it"
	reasonCreateUncertain  = "an earlier attempt may have created the lead with this identifier, or another enquiry of the same person"
	reasonUnsearchable     = "TeleCRM says that it has this lead but cannot be asked for it"
	reasonNothingToAdd     = "TeleCRM has another lead with this identifier, and the form has nothing to add to it"
	reasonDeleted          = "the lead that TeleCRM had with this identifier has been deleted"
	reasonFoundAgain       = "created by an earlier attempt whose answer was lost"
	reasonAdded            = "added to the lead that TeleCRM had with this identifier"
	reasonAddedBefore      = "added by an earlier attempt whose answer was lost"
	reasonUpdateRefused    = "TeleCRM refused to change the fields of the lead that it had"
	reasonAppendUncertain  = "an earlier attempt may have appended the actions; look at the lead's timeline before you send them again"
	reasonActionsUncertain = "the fields are with TeleCRM; an earlier attempt may have appended the actions, so look at the lead's timeline before you send them again"
	reasonIgnored          = "TeleCRM has a lead with this identifier; ignored, as on_duplicate says"
	reasonUnconfirmed      = "accepted, but TeleCRM did not name the lead"
	reasonAccepted         = "accepted, unconfirmed: the Async API does not say what becomes of a lead"
	reasonDeferred         = "not sent: TeleCRM is to be left alone"
	reasonNotRecorded      = "not sent: the outbox could not record it"
	reasonUnreadable       = "the entry cannot be read"
	reasonNeedsSync        = "it has begun with a Sync token, and the account has none any more"
	reasonNeedsAsync       = "it needs an Async token, and the account has none"
	reasonRefusesAll       = "TeleCRM refuses one lead after the other in the same way; the identifier and the fields may not fit the workspace any more"
	reasonPoison           = "TeleCRM turns this lead away and takes others"
)

// maxSearchTime is how long a lead that TeleCRM claims to have, and does not
// show, is looked for.
const maxSearchTime = 10 * time.Minute

// decide says what the answer to a request makes of the entry, unless more is
// to be done about it first.
func decide(entry outbox.Entry, answer telecrm.Answer, now time.Time, retryFor time.Duration) outbox.Settlement {
	s := outbox.Settlement{
		State:          outbox.Parked,
		At:             now,
		Step:           entry.Step,
		LeadID:         entry.LeadID,
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
	case telecrm.Accepted:
		s.State, s.Reason = outbox.Delivered, reasonAccepted
	case telecrm.Done:
		s.State, s.Reason = outbox.Delivered, reasonAdded
	case telecrm.Rejected, telecrm.Missing:
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
		scheduleRetry(&s, now, retryFor)
	}
	return s
}

// scheduleRetry has the entry tried again in due time, or parked if TeleCRM has
// failed to take it for too long.
func scheduleRetry(s *outbox.Settlement, now time.Time, retryFor time.Duration) {
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
