package delivery

import (
	"context"
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
	now := time.Now()
	identifier, _ := s.Fields[account.Identifier].(string)
	e := &errand{
		account: &account,
		entry: outbox.Entry{
			ID: s.ID, Account: s.Account, Form: s.Form, Identifier: identifier,
			CreatedAt: now, State: outbox.Waiting, Attempts: 1, BegunAt: now,
		},
		job:  s.Job,
		now:  time.Now,
		crew: solo,
	}
	return e.run(ctx)
}

// SendOnce makes one attempt at a lead that the outbox does not keep, under the
// pace of the account's lane.
func (e *Engine) SendOnce(ctx context.Context, s Submission) (outbox.Settlement, telecrm.Answer, error) {
	l, err := e.lane(s.Account)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, err
	}
	l.mu.Lock()
	account := l.account
	l.mu.Unlock()
	if account == nil {
		return outbox.Settlement{}, telecrm.Answer{}, errUnconfigured
	}
	settlement, answer := SendOnce(ctx, *account, l.pace, s)
	return settlement, answer, nil
}

// soloist is the crew of an attempt that nothing is recorded of.
type soloist struct{ pace Pace }

func (s soloist) turn(ctx context.Context, _ outbox.Entry) (reason string, err error) {
	if err := s.pace.Wait(ctx); err != nil {
		return "no turn under crm_rate came in time", err
	}
	return "", nil
}

func (soloist) learn(telecrm.Answer, time.Time)                                 {}
func (soloist) tell(string, Outcome)                                            {}
func (soloist) advance(context.Context, string, outbox.Progress) error          { return nil }
func (soloist) recall(context.Context, string, string) (leadID string, _ error) { return "", nil }
func (soloist) forget(context.Context, string, string) error                    { return nil }
