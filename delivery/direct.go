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

// maxAhead is how far ahead of its turn a lead may be sent that no outbox
// keeps: by then the account's pace is used up for so long.
const maxAhead = time.Minute

var errRateExceeded = errors.New("crm_rate: its pace is used up for more than a minute ahead; raise it, or keep leads in an outbox")

// SendOnce makes one attempt at a lead that no outbox keeps, and tells what
// became of it: delivered, parked, which means that nothing will come of it,
// or waiting, which means that it could not be delivered now. Nothing of it is
// recorded.
//
// Each request waits for its turn under pace, but no longer than half of the
// time that ctx leaves: as the lead is nowhere safe, it is then sent ahead of its
// turn, and what comes after it waits the longer. ahead is called when that
// happens.
func SendOnce(ctx context.Context, account Account, pace *rate.Limiter, s Submission, ahead func()) (outbox.Settlement, telecrm.Answer) {
	solo := directRunner{pace, ahead}
	if reason, err := solo.throttle(ctx, outbox.Entry{}); err != nil {
		return outbox.Settlement{State: outbox.Waiting, Reason: reason}, noAnswer(err)
	}
	return newDirectAttempt(account, solo, s).run(ctx)
}

// newDirectAttempt returns an attempt at a lead that nothing is recorded of.
func newDirectAttempt(account Account, solo directRunner, s Submission) *attempt {
	now := time.Now()
	identifier, _ := s.Fields[account.Identifier].(string)
	return &attempt{
		account: &account,
		entry: outbox.Entry{
			ID: s.ID, Account: s.Account, Form: s.Form, Identifier: identifier,
			CreatedAt: now, State: outbox.Waiting, Attempts: 1, BegunAt: now,
		},
		job:    s.Job,
		now:    time.Now,
		runner: solo,
	}
}

// SendOnce makes one attempt at a lead that Submit could not keep, as the
// package's function does, under the pace of the account's lane. If it returns
// an error nothing was sent, or nothing came of it; one that wraps [ErrKept]
// says that the lead is safe nevertheless.
func (e *Engine) SendOnce(ctx context.Context, account Account, s Submission, ahead func()) (outbox.Settlement, telecrm.Answer, error) {
	l, err := e.lane(s.Account)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, err
	}
	claimed, err := e.appends.claim(s.ID)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, fmt.Errorf("sending a lead: %w", err)
	}
	settlement, answer, sent := l.sendOnce(ctx, account, directRunner{l.pace, ahead}, s)
	if claimed != nil {
		if err := e.appends.finish(claimed, sent); err != nil {
			return settlement, answer, fmt.Errorf("sending a lead: %w", err)
		}
	}
	return settlement, answer, nil
}

// sendOnce makes the attempt when it is its turn. What an outbox that has the
// lead is to record is zero if nothing was sent.
func (l *lane) sendOnce(ctx context.Context, account Account, solo directRunner, s Submission) (settlement outbox.Settlement, answer telecrm.Answer, sent outbox.Settlement) {
	if reason, err := solo.throttle(ctx, outbox.Entry{}); err != nil {
		return outbox.Settlement{State: outbox.Waiting, Reason: reason}, noAnswer(err), sent
	}
	e := newDirectAttempt(account, solo, s)
	e.retryFor, e.locked = l.engine.settings().RetryFor, l.lockedNames()
	settlement, answer = e.run(ctx)
	return settlement, answer, settlement
}

// directRunner is the crew of an attempt that nothing is recorded of.
type directRunner struct {
	pace    *rate.Limiter
	onAhead func()
}

func (s directRunner) throttle(ctx context.Context, _ outbox.Entry) (reason string, err error) {
	now := time.Now()
	place := s.pace.ReserveN(now, 1)
	wait := place.DelayFrom(now)
	if deadline, bounded := ctx.Deadline(); bounded && wait > deadline.Sub(now)/2 {
		if wait > maxAhead {
			place.CancelAt(now)
			return reasonRateExceeded, errRateExceeded
		}
		s.onAhead()
		return "", nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return "", nil
	case <-ctx.Done():
		place.Cancel()
		return reasonRateExceeded, ctx.Err()
	}
}

const reasonRateExceeded = "no turn under crm_rate came in time"

func (directRunner) bypassed(context.Context, outbox.Entry) (outbox.Settlement, bool) {
	return outbox.Settlement{}, false
}

func (directRunner) observe(telecrm.Answer, time.Time)                               {}
func (directRunner) notify(string, Outcome)                                          {}
func (directRunner) advance(context.Context, string, outbox.Progress) error          { return nil }
func (directRunner) recall(context.Context, string, string) (leadID string, _ error) { return "", nil }
func (directRunner) forget(context.Context, string, string) error                    { return nil }
