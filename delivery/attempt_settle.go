package delivery

import (
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The reasons of settlements, besides those from [telecrm.Answer.Reason]. Operators read them.
const (
	reasonDuplicate        = "TeleCRM has another lead with this identifier"
	reasonNotFound         = "TeleCRM has a lead with this identifier but does not show it"
	reasonSeveral          = "TeleCRM has several leads with this identifier"
	reasonNoLeadID         = "TeleCRM does not return the id of the lead with this identifier"
	reasonUndated          = "TeleCRM does not say when the lead with this identifier was created; an earlier attempt may have created it"
	reasonCreateUncertain  = "an earlier attempt may have created the lead with this identifier, or another enquiry of the same person did"
	reasonUnsearchable     = "TeleCRM has a lead with this identifier but does not support searching for it"
	reasonNothingToAdd     = "TeleCRM has another lead with this identifier, and the form has nothing to add to it"
	reasonDeleted          = "the existing lead with this identifier was deleted"
	reasonFoundAgain       = "created by an earlier attempt whose answer was lost"
	reasonAdded            = "added to the existing lead with this identifier"
	reasonAddedBefore      = "added by an earlier attempt whose answer was lost"
	reasonUpdateRefused    = "TeleCRM refused to change the fields of the lead that it had" // the outbox keeps it with a step
	reasonAppendUncertain  = "an earlier attempt may have appended the actions; check the lead's timeline before you retry"
	reasonActionsUncertain = "the fields are in TeleCRM; an earlier attempt may have appended the actions, so check the lead's timeline before you retry"
	reasonIgnored          = "TeleCRM has a lead with this identifier; ignored because of on_duplicate"
	reasonUnconfirmed      = "accepted, but TeleCRM did not return the lead's id"
	reasonAccepted         = "accepted, unconfirmed: the Async API does not say whether it stored the lead"
	reasonDeferred         = "not sent: the account is paused or on hold"
	reasonNotRecorded      = "not sent: the outbox could not record it"
	reasonSentDirectly     = "sent at once because the outbox was too slow"
	reasonRateExceeded     = "not sent: too many requests for crm_rate"
	reasonUnreadable       = "the entry is corrupt"
	reasonNeedsSync        = "its next step needs a Sync token, which the account no longer has"
	reasonNeedsAsync       = "its next step needs an Async token, which the account does not have"
	reasonEveryLeadRefused = "TeleCRM refuses every lead for the same reason; the identifier or the fields may no longer match the workspace"
	reasonPoison           = "TeleCRM refuses this lead and accepts others"
)

// maxFindTime limits how long an entry is retried because TeleCRM does not show its existing lead.
const maxFindTime = 10 * time.Minute

// decide settles an entry by an answer that needs no further request.
func (a *attempt) decide(answer telecrm.Answer) result {
	return result{decide(a.entry, answer, a.now(), a.retryFor), answer}
}

// decide returns the settlement for an answer.
func decide(entry outbox.Entry, answer telecrm.Answer, now time.Time, retryFor time.Duration) outbox.Settlement {
	s := keepProgress(entry, now)
	s.State, s.Reason = outbox.Parked, answer.Reason()
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
		// Due now means after all entries that were due before, so the next probe takes another
		// entry. This one may be a poison lead.
		s.State, s.DueAt, s.Uncounted, s.FailingSince = outbox.Waiting, now, true, time.Time{}
	case telecrm.Retry:
		if answer.Ambiguous && s.AmbiguousSince.IsZero() {
			s.AmbiguousSince = entry.BegunAt
		}
		scheduleRetry(&s, now, retryFor)
	}
	return s
}

// keepProgress returns a settlement without a state that keeps the progress of the entry.
func keepProgress(entry outbox.Entry, now time.Time) outbox.Settlement {
	return outbox.Settlement{
		At:             now,
		Step:           entry.Step,
		LeadID:         entry.LeadID,
		AmbiguousSince: entry.AmbiguousSince,
		FailingSince:   entry.FailingSince,
	}
}

// scheduleRetry retries the entry after a delay, or parks it if it has been failing for retryFor.
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

// settlement keeps the progress of the entry.
func (a *attempt) settlement(state outbox.State, reason string) outbox.Settlement {
	s := keepProgress(a.entry, a.now())
	s.State, s.Reason = state, reason
	return s
}

// postponed ends an attempt before its next request. The entry is due again at once, and the
// attempt does not count.
func (a *attempt) postponed(reason string, err error) *result {
	s := a.settlement(outbox.Waiting, reason)
	s.DueAt, s.Uncounted = s.At, true
	return &result{s, noAnswer(err)}
}

// missingToken parks an entry whose next step needs a token that the account does not have.
func (a *attempt) missingToken(reason string) result {
	return result{a.settlement(outbox.Parked, reason), telecrm.Answer{Verdict: telecrm.Rejected}}
}

// delivered and parked settle an entry without progress. An operator who retries a parked entry has
// resolved its uncertainty.
func (a *attempt) delivered(reason, leadID string) outbox.Settlement {
	return outbox.Settlement{State: outbox.Delivered, At: a.now(), Reason: reason, LeadID: leadID}
}

func (a *attempt) parked(reason string) outbox.Settlement {
	return outbox.Settlement{State: outbox.Parked, At: a.now(), Reason: reason}
}

// noAnswer stands for TeleCRM's answer if an attempt ends before its next request.
func noAnswer(err error) telecrm.Answer {
	return telecrm.Answer{Verdict: telecrm.Retry, Err: err}
}
