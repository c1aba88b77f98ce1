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

// appendTimeout is how long an outbox may take to keep a lead. Beyond it
// the visitor is better served by another way.
const appendTimeout = 10 * time.Second

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
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	outcome := l.addWaiter(ctx, entry, wait)
	if outcome == nil {
		return waiting, l.appendEntry(ctx, entry)
	}
	defer l.removeWaiter(entry.ID)
	if err := l.appendAndAttempt(ctx, entry, now); err != nil {
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

// appendEntry appends the entry for the lane to take when it is its turn.
func (l *lane) appendEntry(ctx context.Context, entry outbox.Entry) error {
	ended := func() {}
	if l.engine.track() {
		ended = l.engine.loops.Done
	}
	return l.appendWithin(ctx, entry, func(claimed *pendingAppend, err error) {
		defer ended()
		if claimed != nil {
			l.withdraw(entry.ID, claimed)
		}
		if err == nil {
			l.entryAdded()
		}
	})
}

// appendAndAttempt appends the entry and, if the lane has a place for it,
// begins the attempt at once, which saves the commit of taking it.
func (l *lane) appendAndAttempt(ctx context.Context, entry outbox.Entry, now time.Time) error {
	account := l.tryReserve(entry, now)
	if account == nil {
		return l.appendEntry(ctx, entry)
	}
	entry.BegunAt = now
	return l.appendWithin(ctx, entry, func(_ *pendingAppend, err error) {
		defer l.engine.loops.Done()
		if err != nil {
			l.releaseSlot()
			l.releaseIdentifier(entry)
			return
		}
		entry.Attempts = 1
		l.work(account, entry)
	})
}

// tryReserve takes a place in the lane for an attempt that begins now. It returns
// nil if there is none; else the engine waits for the attempt when it stops.
func (l *lane) tryReserve(entry outbox.Entry, now time.Time) *Account {
	if !l.engine.track() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.account == nil || l.hold.on() || now.Before(l.paused) || l.inFlight >= l.window ||
		l.busy[entry.Identifier] || !l.pace.AllowN(now, 1) {
		l.engine.loops.Done()
		return nil
	}
	l.inFlight++
	if entry.Identifier != "" {
		l.busy[entry.Identifier] = true
	}
	return l.account
}

// failuresBeforeBackoff is how many attempts in a row must fail before nobody waits for an
// outcome any more.
const failuresBeforeBackoff = 3

// expect has the lane tell what becomes of the entry. It returns nil if nobody
// is to wait: TeleCRM is not answering, or how long it took would tell what
// became of an earlier lead with this identifier.
func (l *lane) addWaiter(ctx context.Context, entry outbox.Entry, wait time.Duration) <-chan Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.recent.see(entry.Identifier, entry.CreatedAt)
	if wait <= 0 || again || l.busy[entry.Identifier] || l.account == nil || l.hold.on() || l.failures >= failuresBeforeBackoff || l.engine.now().Before(l.paused) {
		return nil
	}
	outcome := make(chan Outcome, 1)
	l.waiters[entry.ID] = waiter{outcome, ctx}
	return outcome
}

func (l *lane) removeWaiter(id string) {
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
