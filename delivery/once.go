package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Pace makes a request wait for its turn, as [telecrm.Pace] does.
type Pace = telecrm.Pace

// SendOnce makes one attempt at a lead that no outbox keeps, and tells what
// became of it: delivered, parked, which means that nothing will come of it,
// or waiting, which means that it could not be delivered now. Nothing of it is
// recorded.
func SendOnce(ctx context.Context, account Account, pace Pace, s Submission) (outbox.Settlement, telecrm.Answer) {
	solo := soloist{pace}
	if reason, err := solo.turn(ctx, outbox.Entry{}); err != nil {
		return outbox.Settlement{State: outbox.Waiting, Reason: reason}, unanswered(err)
	}
	return newSoloErrand(account, solo, s).run(ctx)
}

// newSoloErrand returns an attempt at a lead that nothing is recorded of.
func newSoloErrand(account Account, solo soloist, s Submission) *errand {
	now := time.Now()
	identifier, _ := s.Fields[account.Identifier].(string)
	return &errand{
		account: &account,
		entry: outbox.Entry{
			ID: s.ID, Account: s.Account, Form: s.Form, Identifier: identifier,
			CreatedAt: now, State: outbox.Waiting, Attempts: 1, BegunAt: now,
		},
		job:  s.Job,
		now:  time.Now,
		crew: solo,
	}
}

// SendOnce makes one attempt at a lead that Submit could not keep, as the
// package's function does, under the pace of the account's lane. If it returns
// an error nothing was sent, or nothing came of it; one that wraps [ErrKept]
// says that the lead is safe nevertheless.
func (e *Engine) SendOnce(ctx context.Context, account Account, s Submission) (outbox.Settlement, telecrm.Answer, error) {
	l, err := e.lane(s.Account)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, err
	}
	claimed, err := e.late.claim(s.ID)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, fmt.Errorf("sending a lead: %w", err)
	}
	settlement, answer, sent := l.sendOnce(ctx, account, s)
	if claimed != nil {
		if err := e.late.end(claimed, sent); err != nil {
			return settlement, answer, fmt.Errorf("sending a lead: %w", err)
		}
	}
	return settlement, answer, nil
}

// sendOnce makes the attempt when it is its turn. What an outbox that has the
// lead is to record is zero if nothing was sent.
func (l *lane) sendOnce(ctx context.Context, account Account, s Submission) (settlement outbox.Settlement, answer telecrm.Answer, sent outbox.Settlement) {
	solo := soloist{l.pace}
	if reason, err := solo.turn(ctx, outbox.Entry{}); err != nil {
		return outbox.Settlement{State: outbox.Waiting, Reason: reason}, unanswered(err), sent
	}
	e := newSoloErrand(account, solo, s)
	e.retryFor, e.locked = l.engine.settings().RetryFor, l.lockedFields()
	settlement, answer = e.run(ctx)
	return settlement, answer, settlement
}

// soloist is the crew of an attempt that nothing is recorded of.
type soloist struct{ pace Pace }

func (s soloist) turn(ctx context.Context, _ outbox.Entry) (reason string, err error) {
	if err := s.pace.Wait(ctx); err != nil {
		return "no turn under crm_rate came in time", err
	}
	return "", nil
}

func (soloist) sentPast(context.Context, outbox.Entry) (outbox.Settlement, bool) {
	return outbox.Settlement{}, false
}

func (soloist) learn(telecrm.Answer, time.Time)                                 {}
func (soloist) tell(string, Outcome)                                            {}
func (soloist) advance(context.Context, string, outbox.Progress) error          { return nil }
func (soloist) recall(context.Context, string, string) (leadID string, _ error) { return "", nil }
func (soloist) forget(context.Context, string, string) error                    { return nil }
