package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The steps of an errand, as entries keep them. An entry without one is yet
// to be created, or its creation has been tried.
const (
	stepFind   = "find"   // created again, and then looked for
	stepUpdate = "update" // fields of the lead that is there are set
	stepAppend = "append" // actions are appended to it
	stepUpsert = "upsert" // the Async API gets the whole lead
)

// attempt is one attempt at an entry: as many requests as it takes, each of
// which that changes something is recorded before it leaves.
type attempt struct {
	account  *Account
	entry    outbox.Entry // as it is recorded
	job      Job
	retryFor time.Duration
	now      func() time.Time
	locked   map[string]bool // fields that cannot change after the creation
	runner

	sent         bool // a request has been made
	actionsFound bool // the actions were found in the timeline, and left out
	remarks      []telecrm.Remark
}

// runner is what an errand needs of whoever sends it out.
type runner interface {
	// throttle waits until a further request may be sent. If it may not be sent
	// now, it returns why the entry waits.
	throttle(ctx context.Context, entry outbox.Entry) (reason string, err error)
	// bypassed returns what came of the entry's lead if it was sent past the
	// outbox, which waits for that to end.
	bypassed(ctx context.Context, entry outbox.Entry) (outbox.Settlement, bool)
	// observe draws conclusions from an answer.
	observe(answer telecrm.Answer, begun time.Time)
	// notify tells whoever waits for the outcome.
	notify(id string, outcome Outcome)
	advance(ctx context.Context, id string, p outbox.Progress) error
	recall(ctx context.Context, account, identifier string) (leadID string, err error)
	forget(ctx context.Context, account, identifier string) error
}

// run makes the attempt and decides what becomes of the entry.
func (a *attempt) run(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	if s, answer, sent := a.settleBypassed(ctx); sent {
		return s, answer
	}
	s, answer := a.dispatch(ctx)
	answer.Remarks = slices.Concat(a.remarks, answer.Remarks)
	return s, answer
}

// begin goes on from the step that the entry has come to.
func (a *attempt) dispatch(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	switch a.entry.Step {
	case stepUpdate, stepAppend:
		if a.account.Client == nil {
			return a.missingToken(reasonNeedsSync)
		}
		return a.resumeStep(ctx)
	case stepUpsert:
		return a.upsert(ctx)
	}
	if a.account.Client == nil {
		return a.upsert(ctx)
	}
	return a.create(ctx)
}

// missingToken parks an entry of which a step needs a token that is not in the
// config any more.
func (a *attempt) missingToken(reason string) (outbox.Settlement, telecrm.Answer) {
	return a.settlement(outbox.Parked, reason), telecrm.Answer{Verdict: telecrm.Rejected}
}

// settlement returns one that keeps what the entry has come to.
func (a *attempt) settlement(state outbox.State, reason string) outbox.Settlement {
	return outbox.Settlement{
		State:          state,
		At:             a.now(),
		Step:           a.entry.Step,
		Reason:         reason,
		LeadID:         a.entry.LeadID,
		AmbiguousSince: a.entry.AmbiguousSince,
		FailingSince:   a.entry.FailingSince,
	}
}

// decide is what an answer that settles nothing about the person makes of the
// entry.
func (a *attempt) decide(answer telecrm.Answer) (outbox.Settlement, telecrm.Answer) {
	return decide(a.entry, answer, a.now(), a.retryFor), answer
}

// create creates the lead.
func (a *attempt) create(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	answer := a.account.Client.CreateLead(ctx, a.job.Lead)
	a.observe(answer)
	if answer.Verdict != telecrm.Duplicate {
		return a.decide(answer)
	}
	// What is still to be done would let a visitor whom TeleCRM knows wait
	// longer than others, and so tell them apart.
	a.notify(a.entry.ID, Outcome{State: outbox.Waiting, Answer: answer})
	return a.resolveDuplicate(ctx, answer)
}

// observe draws conclusions from an answer.
func (a *attempt) observe(answer telecrm.Answer) {
	a.sent = true
	a.runner.observe(answer, a.entry.BegunAt)
}

// throttle waits until a further request may be sent. If it may not, it returns
// the settlement with which the entry waits.
func (a *attempt) throttle(ctx context.Context) (outbox.Settlement, error) {
	if !a.sent {
		return outbox.Settlement{}, nil // the attempt has waited for its turn
	}
	reason, err := a.runner.throttle(ctx, a.entry)
	if err == nil {
		return outbox.Settlement{}, nil
	}
	s := a.settlement(outbox.Waiting, reason)
	s.DueAt, s.Uncounted = s.At, true
	return s, err
}

// beginStep waits for its turn and records that the step begins, unless it is the
// one that the attempt was recorded to begin with.
func (a *attempt) beginStep(ctx context.Context, step, leadID string) (outbox.Settlement, error) {
	if s, err := a.throttle(ctx); err != nil {
		return s, err
	}
	if !a.sent && a.entry.Step == step {
		return outbox.Settlement{}, nil
	}
	p := outbox.Progress{Step: step, At: a.now(), LeadID: leadID, Reason: a.entry.Reason}
	if err := a.advance(ctx, a.entry.ID, p); err != nil {
		s := a.settlement(outbox.Waiting, reasonNotRecorded)
		s.DueAt, s.Uncounted = s.At, true
		return s, fmt.Errorf("recording the next step: %w", err)
	}
	a.entry.Step, a.entry.BegunAt, a.entry.LeadID = p.Step, p.At, p.LeadID
	a.entry.AmbiguousSince = time.Time{}
	return outbox.Settlement{}, nil
}

// noAnswer is the answer of an errand that ends before the next request.
func noAnswer(err error) telecrm.Answer {
	return telecrm.Answer{Verdict: telecrm.Retry, Err: err}
}

// upsert hands the lead to the Async API. It never says what became of it, so
// when an answer was lost nobody can find out whether the actions are there:
// then the fields alone are sent, which does no harm twice, and the entry is
// parked for a person to look at the timeline.
func (a *attempt) upsert(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	if a.account.Async == nil {
		return a.missingToken(reasonNeedsAsync)
	}
	lead := a.job.Lead
	unsure := !a.entry.AmbiguousSince.IsZero() && len(lead.Actions) > 0
	if unsure {
		lead.Actions = nil
	}
	answer := a.account.Async.UpsertLead(ctx, lead)
	a.observe(answer)
	s, answer := a.decide(answer)
	if answer.Verdict == telecrm.Accepted && unsure {
		s = a.settlement(outbox.Parked, reasonActionsUncertain)
	}
	return s, answer
}
