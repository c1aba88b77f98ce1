package delivery

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// attempt is one attempt at an entry: a state machine that sends as many requests as the entry
// needs. Before a request that changes something, it records the step in the outbox, so that the
// next attempt can continue from there.
//
//	create ─▶ delivered
//	  │ 409: the duplicate policy decides
//	  ├─▶ update ─▶ append ─▶ delivered
//	  ├─▶ upsert ─▶ delivered
//	  ├─▶ delivered or parked
//	  └─▶ find ─▶ create, if TeleCRM does not show the existing lead or has deleted it
//
// A retry continues from the recorded step. A request without a final answer ends the attempt in
// its step.
//
// attempt_duplicate.go applies the duplicate policy, attempt_existing.go changes the existing lead,
// attempt_evidence.go decides whether an earlier request succeeded although its answer was lost,
// and attempt_settle.go turns answers into settlements.
type attempt struct {
	account  *Account
	entry    outbox.Entry // as the outbox has recorded it
	job      Job
	retryFor time.Duration
	now      func() time.Time
	locked   map[string]bool // fields that cannot change once the lead exists
	runner   runner

	sent         bool // a request has been sent
	actionsFound bool // the existing lead has all actions already
	remarks      []telecrm.Remark
}

// The steps of an entry, as the outbox records them. An entry without a step has not been created.
const (
	stepFind   = "find"   // create again, and search for the lead that TeleCRM did not show
	stepUpdate = "update" // set fields of the existing lead
	stepAppend = "append" // append actions to the existing lead
	stepUpsert = "upsert" // send the whole lead to the Async API
)

// runner runs an attempt: a [worker] for an entry of the outbox, or a [directRunner] without one.
type runner interface {
	// throttle waits until another request may be sent. If the attempt has to end instead, it
	// returns the reason.
	throttle(ctx context.Context, entry outbox.Entry) (reason string, err error)
	// bypassed waits for the direct request of a lead that was sent without the outbox, and returns
	// its settlement. It returns false if there was none.
	bypassed(ctx context.Context, entry outbox.Entry) (outbox.Settlement, bool)
	// observe adapts the lane to an answer. begun is when the step began, and took is how long
	// TeleCRM took to answer, if the request sent the whole lead, and else 0.
	observe(answer telecrm.Answer, begun time.Time, took time.Duration)
	// notify tells the waiting visitor the outcome.
	notify(id string, outcome Outcome)

	advance(ctx context.Context, id string, p outbox.Progress) error
	recall(ctx context.Context, account, identifier string) (leadID string, err error)
	forget(ctx context.Context, account, identifier string) error
}

// result ends an attempt.
type result struct {
	settlement outbox.Settlement
	answer     telecrm.Answer // TeleCRM's last answer
}

// run makes the attempt.
func (a *attempt) run(ctx context.Context) result {
	if s, bypassed := a.runner.bypassed(ctx, a.entry); bypassed {
		return bypassResult(s)
	}
	r := a.fitted(ctx)
	r.answer.Remarks = slices.Concat(a.remarks, r.answer.Remarks)
	return r
}

// fitted fits the lead to the workspace before it is sent.
func (a *attempt) fitted(ctx context.Context) result {
	if ended := a.fitFields(ctx); ended != nil {
		return *ended
	}
	return a.proceed(ctx)
}

// proceed continues from the recorded step.
func (a *attempt) proceed(ctx context.Context) result {
	switch a.entry.Step {
	case stepUpdate, stepAppend:
		if a.account.Client == nil {
			return a.missingToken(reasonNeedsSync)
		}
		return a.resumeExisting(ctx)
	case stepUpsert:
		return a.upsert(ctx)
	}
	if a.account.Client == nil {
		return a.upsert(ctx)
	}
	return a.create(ctx)
}

// create creates the lead.
func (a *attempt) create(ctx context.Context) result {
	asked := a.now()
	answer := a.account.Client.CreateLead(ctx, a.job.Lead)
	a.observe(answer, a.now().Sub(asked))
	if answer.Verdict != telecrm.Duplicate {
		return a.decide(answer)
	}
	// Waiting for the rest would take longer than for a new lead, and so tell the visitor that
	// TeleCRM knows them.
	a.runner.notify(a.entry.ID, Outcome{State: outbox.Waiting, Answer: answer, Attempts: a.entry.Attempts})
	return a.resolveDuplicate(ctx, answer)
}

// upsert sends the lead to the Async API, which never says whether it stored the lead. If an
// earlier answer was lost, there is no way to find out whether the actions are there: only the
// fields are sent, which is harmless, and the entry is parked so that a person checks the timeline.
func (a *attempt) upsert(ctx context.Context) result {
	if a.account.Async == nil {
		return a.missingToken(reasonNeedsAsync)
	}
	lead := a.job.Lead
	uncertain := !a.entry.AmbiguousSince.IsZero() && len(lead.Actions) > 0
	if uncertain {
		lead.Actions = nil
	}
	asked := a.now()
	answer := a.account.Async.UpsertLead(ctx, lead)
	a.observe(answer, a.now().Sub(asked))
	r := a.decide(answer)
	if answer.Verdict == telecrm.Accepted && uncertain {
		r.settlement = a.settlement(outbox.Parked, reasonActionsUncertain)
	}
	return r
}

// observe passes an answer to the runner.
func (a *attempt) observe(answer telecrm.Answer, took time.Duration) {
	a.sent = true
	a.runner.observe(answer, a.entry.BegunAt, took)
}

// throttle waits until another request may be sent. If it may not, the result ends the attempt. The
// first request does not wait: the attempt began when there was a token for it.
func (a *attempt) throttle(ctx context.Context) *result {
	if !a.sent {
		return nil
	}
	reason, err := a.runner.throttle(ctx, a.entry)
	if err == nil {
		return nil
	}
	return a.postponed(reason, err)
}

// beginStep waits until another request may be sent and records the step, unless the attempt began
// with it. If that fails, the result ends the attempt.
func (a *attempt) beginStep(ctx context.Context, step, leadID string) *result {
	if ended := a.throttle(ctx); ended != nil {
		return ended
	}
	if !a.sent && a.entry.Step == step {
		return nil
	}
	p := outbox.Progress{Step: step, At: a.now(), LeadID: leadID, Reason: a.entry.Reason}
	if err := a.runner.advance(ctx, a.entry.ID, p); err != nil {
		return a.postponed(reasonNotRecorded, fmt.Errorf("recording step: %w", err))
	}
	a.entry.Step, a.entry.BegunAt, a.entry.LeadID = p.Step, p.At, p.LeadID
	a.entry.AmbiguousSince = time.Time{}
	return nil
}
