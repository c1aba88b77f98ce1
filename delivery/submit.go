package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Submission is a lead to deliver.
type Submission struct {
	ID      string // a UUID
	Account string
	Form    string
	Job
}

// journalPatience is how long an outbox may take to keep a lead. Beyond it
// the visitor is better served by another way.
const journalPatience = 10 * time.Second

// Submit journals the lead and, if wait is above 0 and TeleCRM is answering,
// waits that long for what becomes of it, unless a lead with the same
// identifier came recently. Once it has returned without an
// error the lead is safe; the outcome's State is Waiting if nothing more is
// known. Neither the end of ctx nor that of the wait stops the delivery. After
// an error the caller must send the lead by [Engine.SendOnce]: the outbox may
// keep it all the same, and must know what became of it.
func (e *Engine) Submit(ctx context.Context, s Submission, wait time.Duration) (Outcome, error) {
	waiting := Outcome{State: outbox.Waiting}
	l, err := e.lane(s.Account)
	if err != nil {
		return waiting, fmt.Errorf("submitting a lead: %w", err)
	}
	payload, err := EncodeJob(s.Job)
	if err != nil {
		return waiting, fmt.Errorf("submitting a lead: encoding it: %w", err)
	}
	now := e.now()
	entry := outbox.Entry{
		ID:         s.ID,
		Account:    s.Account,
		Form:       s.Form,
		Identifier: l.identifierOf(s.Lead),
		Payload:    payload,
		CreatedAt:  now,
		State:      outbox.Waiting,
		DueAt:      now,
	}
	ctx, cancel := context.WithTimeout(ctx, journalPatience)
	defer cancel()
	outcome := l.expect(ctx, entry, wait)
	if outcome == nil {
		return waiting, l.journal(ctx, entry)
	}
	defer l.unexpect(entry.ID)
	if err := l.journalAndAttempt(ctx, entry, now); err != nil {
		return waiting, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case o := <-outcome:
		return o, nil
	case <-timer.C:
	case <-e.running.Done():
	}
	return waiting, nil
}

// journal appends the entry for the lane to take when it is its turn.
func (l *lane) journal(ctx context.Context, entry outbox.Entry) error {
	ended := func() {}
	if l.engine.enter() {
		ended = l.engine.loops.Done
	}
	return l.keep(ctx, entry, func(claimed *lateLead, err error) {
		defer ended()
		if claimed != nil {
			l.withdraw(entry.ID, claimed)
		}
		if err == nil {
			l.arrived()
		}
	})
}

// journalAndAttempt appends the entry and, if the lane has a place for it,
// begins the attempt at once, which saves the commit of taking it.
func (l *lane) journalAndAttempt(ctx context.Context, entry outbox.Entry, now time.Time) error {
	account := l.seize(entry, now)
	if account == nil {
		return l.journal(ctx, entry)
	}
	entry.BegunAt = now
	return l.keep(ctx, entry, func(_ *lateLead, err error) {
		defer l.engine.loops.Done()
		if err != nil {
			l.vacate()
			l.release(entry)
			return
		}
		entry.Attempts = 1
		l.attempt(account, entry)
	})
}

// seize takes a place in the lane for an attempt that begins now. It returns
// nil if there is none; else the engine waits for the attempt when it stops.
func (l *lane) seize(entry outbox.Entry, now time.Time) *Account {
	if !l.engine.enter() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.account == nil || l.hold.on() || now.Before(l.paused) || l.underWay >= l.window ||
		l.busy[entry.Identifier] || !l.pace.AllowN(now, 1) {
		l.engine.loops.Done()
		return nil
	}
	l.underWay++
	if entry.Identifier != "" {
		l.busy[entry.Identifier] = true
	}
	return l.account
}

// troubled is how many attempts in a row must fail before nobody waits for an
// outcome any more.
const troubled = 3

// expect has the lane tell what becomes of the entry. It returns nil if nobody
// is to wait: TeleCRM is not answering, or how long it took would tell what
// became of an earlier lead with this identifier.
func (l *lane) expect(ctx context.Context, entry outbox.Entry, wait time.Duration) <-chan Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.recent.see(entry.Identifier, entry.CreatedAt)
	if wait <= 0 || again || l.busy[entry.Identifier] || l.account == nil || l.hold.on() || l.failures >= troubled || l.engine.now().Before(l.paused) {
		return nil
	}
	outcome := make(chan Outcome, 1)
	l.waiters[entry.ID] = waiter{outcome, ctx}
	return outcome
}

func (l *lane) unexpect(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiters, id)
}

// identifierOf is what no two attempts may be under way for at once.
func (l *lane) identifierOf(lead telecrm.Lead) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.account == nil {
		return ""
	}
	value, _ := lead.Fields[l.account.Identifier].(string)
	return l.account.IdentifierKind.Key(value)
}
