package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// SendOnce makes one attempt at a lead without an outbox and records nothing. The settlement is
// delivered, parked if the lead will never be delivered, or waiting if it could not be delivered
// now.
//
// Each request waits for the limiter, but for at most half of the time that ctx leaves. The lead
// exists nowhere else, so it is then sent ahead of its turn, which delays later requests, and ahead
// is called. The monitor, which may be nil, observes each answer.
func SendOnce(ctx context.Context, account Account, limiter *rate.Limiter, s Submission, ahead func(), m *Monitor) (outbox.Settlement, telecrm.Answer) {
	r, _ := sendDirectly(ctx, newDirectAttempt(account, directRunner{limiter, ahead, m.Observe}, s))
	return r.settlement, r.answer
}

// SendOnce makes one attempt at a lead that Submit could not store, like the function [SendOnce],
// with the rate limit of the account's lane. An error means that the lead was not delivered. If the
// error wraps [ErrKept], the outbox has stored the lead and will deliver it.
func (e *Engine) SendOnce(ctx context.Context, account Account, s Submission, ahead func()) (outbox.Settlement, telecrm.Answer, error) {
	l, err := e.lane(s.Account)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, err
	}
	claimed, err := e.appends.claim(s.ID)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, fmt.Errorf("sending lead: %w", err)
	}
	a := newDirectAttempt(account, directRunner{l.pace.limiter, ahead, l.noteDirect}, s)
	a.retryFor, a.locked = e.settings().RetryFor, l.lockedNames()
	r, sent := sendDirectly(ctx, a)
	if claimed != nil {
		var settlement outbox.Settlement
		if sent {
			settlement = r.settlement
		}
		if err := e.appends.finish(claimed, settlement); err != nil {
			return r.settlement, r.answer, fmt.Errorf("sending lead: %w", err)
		}
	}
	return r.settlement, r.answer, nil
}

// newDirectAttempt returns an attempt that records nothing.
func newDirectAttempt(account Account, runner directRunner, s Submission) *attempt {
	identifier, _ := s.Fields[account.Identifier].(string)
	return &attempt{
		account: &account,
		entry:   outbox.Entry{ID: s.ID, Account: s.Account, Form: s.Form, Identifier: identifier, State: outbox.Waiting, Attempts: 1},
		job:     s.Job,
		now:     time.Now,
		runner:  runner,
	}
}

// sendDirectly makes the attempt when the limiter allows it. sent is false if it did not.
func sendDirectly(ctx context.Context, a *attempt) (r result, sent bool) {
	if reason, err := a.runner.throttle(ctx, a.entry); err != nil {
		return result{outbox.Settlement{State: outbox.Waiting, Reason: reason}, noAnswer(err)}, false
	}
	a.entry.CreatedAt = a.now()
	a.entry.BegunAt = a.entry.CreatedAt
	return a.run(ctx), true
}

// directRunner runs an attempt that records nothing.
type directRunner struct {
	limiter *rate.Limiter
	ahead   func()
	note    func(answer telecrm.Answer, took time.Duration) // receives each answer
}

// maxAhead limits how far ahead of its turn a request may be sent.
const maxAhead = time.Minute

var errRateExceeded = errors.New("crm_rate: used up for more than a minute ahead; raise it, or keep leads in an outbox")

func (d directRunner) throttle(ctx context.Context, _ outbox.Entry) (reason string, err error) {
	now := time.Now()
	reservation := d.limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if deadline, bounded := ctx.Deadline(); bounded && wait > deadline.Sub(now)/2 {
		if wait > maxAhead {
			reservation.CancelAt(now)
			return reasonRateExceeded, errRateExceeded
		}
		d.ahead()
		return "", nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return "", nil
	case <-ctx.Done():
		reservation.Cancel()
		return reasonRateExceeded, ctx.Err()
	}
}

func (d directRunner) observe(answer telecrm.Answer, _ time.Time, took time.Duration) {
	d.note(answer, took)
}

// noteDirect records what an answer to a lead that is not in the outbox says about the account. It
// begins neither a pause nor a hold: those are for the leads in the outbox.
func (l *lane) noteDirect(answer telecrm.Answer, took time.Duration) {
	l.mu.Lock()
	l.health.observe(answer, took, l.engine.now())
	l.mu.Unlock()
	l.signal()
}

func (directRunner) bypassed(context.Context, outbox.Entry) (outbox.Settlement, bool) {
	return outbox.Settlement{}, false
}

func (directRunner) notify(string, Outcome)                                          {}
func (directRunner) advance(context.Context, string, outbox.Progress) error          { return nil }
func (directRunner) recall(context.Context, string, string) (leadID string, _ error) { return "", nil }
func (directRunner) forget(context.Context, string, string) error                    { return nil }
