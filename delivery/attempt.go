package delivery

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Outcome is what became of an attempt that somebody waits for.
type Outcome struct {
	// State is the entry's new state.
	State outbox.State
	// Answer is what TeleCRM said.
	Answer telecrm.Answer
	// LeadID is TeleCRM's id of the lead, if it was delivered and is known.
	LeadID string
}

// attempt sends a taken entry once and settles it.
func (l *lane) attempt(account *Account, entry outbox.Entry) {
	defer l.vacate(entry)
	s, answer := l.send(account, entry)
	// Whoever waits need not wait for the record: if it is lost with this
	// process, the next one finds out what became of the attempt.
	l.tell(entry.ID, Outcome{State: s.State, Answer: answer, LeadID: s.LeadID})
	l.settle(entry, s)
	if settled := l.engine.settings().Hooks.Settled; settled != nil {
		settled(entry, s, answer)
	}
}

// send makes the attempt and decides what becomes of the entry.
func (l *lane) send(account *Account, entry outbox.Entry) (outbox.Settlement, telecrm.Answer) {
	lead, err := DecodePayload(entry.Payload)
	if err != nil {
		l.unasked()
		return outbox.Settlement{State: outbox.Parked, At: l.engine.now(), Reason: reasonUnreadable},
			telecrm.Answer{Verdict: telecrm.Rejected, Err: err}
	}
	if s, overtaken := l.overtaken(entry); overtaken {
		return s, telecrm.Answer{Verdict: telecrm.Retry, Err: errors.New(s.Reason)}
	}
	s, answer := l.ask(account, entry, lead)
	l.learn(answer, entry.BegunAt)
	return s, answer
}

// overtaken puts off an attempt that was recorded but has not been sent when
// TeleCRM tells another one to leave it alone, or that the account is at
// fault.
func (l *lane) overtaken(entry outbox.Entry) (outbox.Settlement, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.engine.now()
	held := l.hold.on() && !entry.BegunAt.After(l.hold.since)
	if !held && !now.Before(l.paused) {
		return outbox.Settlement{}, false
	}
	if !held {
		l.hold.probing = false // if it was a probe, it has not been made
	}
	return outbox.Settlement{
		State:          outbox.Waiting,
		At:             now,
		DueAt:          now,
		Reason:         reasonOvertaken,
		AmbiguousSince: entry.AmbiguousSince,
		FailingSince:   entry.FailingSince,
		Uncounted:      true,
	}, true
}

// ask sends the lead and decides what the answer makes of the entry.
func (l *lane) ask(account *Account, entry outbox.Entry, lead telecrm.Lead) (outbox.Settlement, telecrm.Answer) {
	retryFor := l.engine.settings().RetryFor
	answer := account.Client.CreateLead(l.engine.sending, lead)
	if answer.Verdict == telecrm.Duplicate && !entry.AmbiguousSince.IsZero() {
		return l.look(account, entry, lead, answer)
	}
	return decide(entry, answer, l.engine.now(), retryFor), answer
}

// look finds out whether a duplicate is the entry's own lead, created by an
// earlier attempt.
func (l *lane) look(account *Account, entry outbox.Entry, lead telecrm.Lead, duplicate telecrm.Answer) (outbox.Settlement, telecrm.Answer) {
	retryFor := l.engine.settings().RetryFor
	identifier, _ := lead.Fields[account.Identifier].(string)
	if err := l.pace.Wait(l.engine.sending); err != nil {
		answer := telecrm.Answer{Verdict: telecrm.Retry, Err: err}
		return decide(entry, answer, l.engine.now(), retryFor), answer
	}
	found := account.Client.FindLeads(l.engine.sending, account.Identifier, account.IdentifierKind.Spellings(identifier))
	if !found.OK() {
		if unsearchable(*found.Failure) {
			return outbox.Settlement{State: outbox.Parked, At: l.engine.now(), Reason: reasonUnsearchable, AmbiguousSince: entry.AmbiguousSince}, duplicate
		}
		return decide(entry, *found.Failure, l.engine.now(), retryFor), *found.Failure
	}
	found.Leads = slices.DeleteFunc(found.Leads, func(lead telecrm.FoundLead) bool {
		return !account.IdentifierKind.Same(lead.Identifier, identifier)
	})
	return decideFound(entry, found, l.engine.now(), retryFor), duplicate
}

// unsearchable reports whether searching will never work, although creating
// does.
func unsearchable(failure telecrm.Answer) bool {
	return failure.Verdict == telecrm.Rejected || failure.Status == http.StatusNotFound || failure.Status == http.StatusMethodNotAllowed
}

// learn lets the lane draw its conclusions for the other entries: it opens up
// while TeleCRM answers, draws in while it does not, pauses when told to, and
// is held when the account is at fault. begun is when the attempt began: what
// was sent before the lane was held says nothing about the account now.
func (l *lane) learn(answer telecrm.Answer, begun time.Time) {
	now := l.engine.now()
	held, resumed := false, false
	l.mu.Lock()
	switch answer.Verdict {
	case telecrm.Created, telecrm.Duplicate, telecrm.Rejected:
		l.window = min(2*l.window, widest)
		l.failures, l.pause = 0, 0
		if resumed = l.hold.on() && begun.After(l.hold.since); resumed {
			l.hold = hold{}
		}
	case telecrm.Hold:
		held = !l.hold.on()
		l.holdBack(answer.Reason(), now)
	case telecrm.Retry:
		l.window = max(l.window/2, 1)
		l.failures++
		if l.hold.on() {
			l.holdBack(l.hold.reason, now)
		}
		if l.engine.sending.Err() == nil {
			l.pauseFor(answer, now)
		}
	}
	l.mu.Unlock()
	if held {
		l.tellHeld(answer.Reason())
	}
	if resumed {
		l.tellResumed()
	}
}

// holdBack holds the lane until the next probe; each finds the wait a little
// longer. Several attempts that were under way together count as one.
func (l *lane) holdBack(reason string, now time.Time) {
	if !l.hold.on() {
		l.hold = hold{reason: reason, since: now, every: nextProbe(0)}
		l.hold.probeAt = now.Add(jittered(l.hold.every))
		return
	}
	if l.hold.probing {
		l.hold.probing = false
		l.hold.every = nextProbe(l.hold.every)
		l.hold.probeAt = now.Add(jittered(l.hold.every))
	}
}

// pauseFor leaves TeleCRM alone for as long as it asks for, or, when it has
// too much to do or has failed several times in a row, for longer each time.
// Attempts that were under way together count as one.
func (l *lane) pauseFor(answer telecrm.Answer, now time.Time) {
	wait := answer.RetryAfter
	inTrouble := answer.Status == http.StatusTooManyRequests || l.failures >= troubled
	if wait == 0 && inTrouble && !now.Before(l.paused) {
		l.pause = nextPause(l.pause)
		wait = jittered(l.pause)
	}
	if until := now.Add(wait); until.After(l.paused) {
		l.paused = until
	}
}

// unasked notes that an attempt ended before TeleCRM was asked, so that a
// held lane probes with another entry.
func (l *lane) unasked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold.probing = false
}

func (l *lane) tellHeld(reason string) {
	if held := l.engine.settings().Hooks.Held; held != nil {
		held(l.name, reason)
	}
}

func (l *lane) tellResumed() {
	if resumed := l.engine.settings().Hooks.Resumed; resumed != nil {
		resumed(l.name)
	}
}

// retryable reports whether an outbox that failed this way may work later.
func retryable(err error) bool {
	for _, final := range []error{outbox.ErrNotFound, outbox.ErrState, outbox.ErrClosed, context.Canceled} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}
