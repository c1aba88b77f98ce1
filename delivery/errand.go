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

// errand is one attempt at an entry: as many requests as it takes, each of
// which that changes something is recorded before it leaves.
type errand struct {
	account  *Account
	entry    outbox.Entry // as it is recorded
	job      Job
	retryFor time.Duration
	now      func() time.Time
	locked   map[string]bool // fields that cannot change after the creation
	crew

	asked   bool // a request has been made
	acted   bool // the actions were found in the timeline, and left out
	remarks []telecrm.Remark
}

// crew is what an errand needs of whoever sends it out.
type crew interface {
	// turn waits until a further request may be sent. If it may not be sent
	// now, it returns why the entry waits.
	turn(ctx context.Context, entry outbox.Entry) (reason string, err error)
	// sentPast returns what came of the entry's lead if it was sent past the
	// outbox, which waits for that to end.
	sentPast(ctx context.Context, entry outbox.Entry) (outbox.Settlement, bool)
	// learn draws conclusions from an answer.
	learn(answer telecrm.Answer, begun time.Time)
	// tell tells whoever waits for the outcome.
	tell(id string, outcome Outcome)
	advance(ctx context.Context, id string, p outbox.Progress) error
	recall(ctx context.Context, account, identifier string) (leadID string, err error)
	forget(ctx context.Context, account, identifier string) error
}

// run makes the attempt and decides what becomes of the entry.
func (e *errand) run(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	if s, answer, sent := e.settledPast(ctx); sent {
		return s, answer
	}
	s, answer := e.begin(ctx)
	answer.Remarks = slices.Concat(e.remarks, answer.Remarks)
	return s, answer
}

// begin goes on from the step that the entry has come to.
func (e *errand) begin(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	switch e.entry.Step {
	case stepUpdate, stepAppend:
		if e.account.Client == nil {
			return e.stranded(reasonNeedsSync)
		}
		return e.resume(ctx)
	case stepUpsert:
		return e.upsert(ctx)
	}
	if e.account.Client == nil {
		return e.upsert(ctx)
	}
	return e.create(ctx)
}

// stranded parks an entry of which a step needs a token that is not in the
// config any more.
func (e *errand) stranded(reason string) (outbox.Settlement, telecrm.Answer) {
	return e.settlement(outbox.Parked, reason), telecrm.Answer{Verdict: telecrm.Rejected}
}

// settlement returns one that keeps what the entry has come to.
func (e *errand) settlement(state outbox.State, reason string) outbox.Settlement {
	return outbox.Settlement{
		State:          state,
		At:             e.now(),
		Step:           e.entry.Step,
		Reason:         reason,
		LeadID:         e.entry.LeadID,
		AmbiguousSince: e.entry.AmbiguousSince,
		FailingSince:   e.entry.FailingSince,
	}
}

// decide is what an answer that settles nothing about the person makes of the
// entry.
func (e *errand) decide(answer telecrm.Answer) (outbox.Settlement, telecrm.Answer) {
	return decide(e.entry, answer, e.now(), e.retryFor), answer
}

// create creates the lead.
func (e *errand) create(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	answer := e.account.Client.CreateLead(ctx, e.job.Lead)
	e.heard(answer)
	if answer.Verdict != telecrm.Duplicate {
		return e.decide(answer)
	}
	// What is still to be done would let a visitor whom TeleCRM knows wait
	// longer than others, and so tell them apart.
	e.tell(e.entry.ID, Outcome{State: outbox.Waiting, Answer: answer})
	return e.known(ctx, answer)
}

// heard draws conclusions from an answer.
func (e *errand) heard(answer telecrm.Answer) {
	e.asked = true
	e.learn(answer, e.entry.BegunAt)
}

// next waits until a further request may be sent. If it may not, it returns
// the settlement with which the entry waits.
func (e *errand) next(ctx context.Context) (outbox.Settlement, error) {
	if !e.asked {
		return outbox.Settlement{}, nil // the attempt has waited for its turn
	}
	reason, err := e.turn(ctx, e.entry)
	if err == nil {
		return outbox.Settlement{}, nil
	}
	s := e.settlement(outbox.Waiting, reason)
	s.DueAt, s.Uncounted = s.At, true
	return s, err
}

// step waits for its turn and records that the step begins, unless it is the
// one that the attempt was recorded to begin with.
func (e *errand) step(ctx context.Context, step, leadID string) (outbox.Settlement, error) {
	if s, err := e.next(ctx); err != nil {
		return s, err
	}
	if !e.asked && e.entry.Step == step {
		return outbox.Settlement{}, nil
	}
	p := outbox.Progress{Step: step, At: e.now(), LeadID: leadID, Reason: e.entry.Reason}
	if err := e.advance(ctx, e.entry.ID, p); err != nil {
		s := e.settlement(outbox.Waiting, reasonNotRecorded)
		s.DueAt, s.Uncounted = s.At, true
		return s, fmt.Errorf("recording the next step: %w", err)
	}
	e.entry.Step, e.entry.BegunAt, e.entry.LeadID = p.Step, p.At, p.LeadID
	e.entry.AmbiguousSince = time.Time{}
	return outbox.Settlement{}, nil
}

// unanswered is the answer of an errand that ends before the next request.
func unanswered(err error) telecrm.Answer {
	return telecrm.Answer{Verdict: telecrm.Retry, Err: err}
}

// upsert hands the lead to the Async API. It never says what became of it, so
// when an answer was lost nobody can find out whether the actions are there:
// then the fields alone are sent, which does no harm twice, and the entry is
// parked for a person to look at the timeline.
func (e *errand) upsert(ctx context.Context) (outbox.Settlement, telecrm.Answer) {
	if e.account.Async == nil {
		return e.stranded(reasonNeedsAsync)
	}
	lead := e.job.Lead
	unsure := !e.entry.AmbiguousSince.IsZero() && len(lead.Actions) > 0
	if unsure {
		lead.Actions = nil
	}
	answer := e.account.Async.UpsertLead(ctx, lead)
	e.heard(answer)
	s, answer := e.decide(answer)
	if answer.Verdict == telecrm.Accepted && unsure {
		s = e.settlement(outbox.Parked, reasonActionsUnsure)
	}
	return s, answer
}
