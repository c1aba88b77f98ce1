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

// furthestAhead is how far ahead of its turn a lead may be sent that no outbox
// keeps: by then the account's pace is used up for so long.
const furthestAhead = time.Minute

var errNoTurn = errors.New("crm_rate: its pace is used up for more than a minute ahead; raise it, or keep leads in an outbox")

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
	solo := soloist{pace, ahead}
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
func (e *Engine) SendOnce(ctx context.Context, account Account, s Submission, ahead func()) (outbox.Settlement, telecrm.Answer, error) {
	l, err := e.lane(s.Account)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, err
	}
	claimed, err := e.late.claim(s.ID)
	if err != nil {
		return outbox.Settlement{}, telecrm.Answer{}, fmt.Errorf("sending a lead: %w", err)
	}
	settlement, answer, sent := l.sendOnce(ctx, account, soloist{l.pace, ahead}, s)
	if claimed != nil {
		if err := e.late.end(claimed, sent); err != nil {
			return settlement, answer, fmt.Errorf("sending a lead: %w", err)
		}
	}
	return settlement, answer, nil
}

// sendOnce makes the attempt when it is its turn. What an outbox that has the
// lead is to record is zero if nothing was sent.
func (l *lane) sendOnce(ctx context.Context, account Account, solo soloist, s Submission) (settlement outbox.Settlement, answer telecrm.Answer, sent outbox.Settlement) {
	if reason, err := solo.turn(ctx, outbox.Entry{}); err != nil {
		return outbox.Settlement{State: outbox.Waiting, Reason: reason}, unanswered(err), sent
	}
	e := newSoloErrand(account, solo, s)
	e.retryFor, e.locked = l.engine.settings().RetryFor, l.lockedFields()
	settlement, answer = e.run(ctx)
	return settlement, answer, settlement
}

// soloist is the crew of an attempt that nothing is recorded of.
type soloist struct {
	pace  *rate.Limiter
	ahead func()
}

func (s soloist) turn(ctx context.Context, _ outbox.Entry) (reason string, err error) {
	now := time.Now()
	place := s.pace.ReserveN(now, 1)
	wait := place.DelayFrom(now)
	if deadline, bounded := ctx.Deadline(); bounded && wait > deadline.Sub(now)/2 {
		if wait > furthestAhead {
			place.CancelAt(now)
			return reasonNoTurn, errNoTurn
		}
		s.ahead()
		return "", nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return "", nil
	case <-ctx.Done():
		place.Cancel()
		return reasonNoTurn, ctx.Err()
	}
}

const reasonNoTurn = "no turn under crm_rate came in time"

func (soloist) sentPast(context.Context, outbox.Entry) (outbox.Settlement, bool) {
	return outbox.Settlement{}, false
}

func (soloist) learn(telecrm.Answer, time.Time)                                 {}
func (soloist) tell(string, Outcome)                                            {}
func (soloist) advance(context.Context, string, outbox.Progress) error          { return nil }
func (soloist) recall(context.Context, string, string) (leadID string, _ error) { return "", nil }
func (soloist) forget(context.Context, string, string) error                    { return nil }
