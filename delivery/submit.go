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
	// Mark makes Submit and Park return an [*outbox.RepeatError] if an outbox that several processes
	// share has an earlier lead with the mark. It may be empty.
	Mark outbox.Mark
	Job

	payload []byte // the encoded job, once it is
}

// Payload returns the payload of the submission's entry. The job must not change after that.
func (s *Submission) Payload() (_ []byte, err error) {
	if s.payload == nil {
		s.payload, err = EncodeJob(s.Job)
	}
	return s.payload, err
}

// Submit appends the lead to the outbox. If wait is positive and the lead can be sent and answered
// within it, Submit also waits that long for the outcome, unless a lead with the same identifier was
// submitted recently. When it returns without an error, the lead is durable; the outcome's State is
// Waiting if nothing more is known. The delivery continues after ctx or the wait ends. After an
// error the caller must send the lead with [Engine.SendOnce]: the outbox may store it nevertheless,
// and must learn the result. An [*outbox.RepeatError] is not a failure: the lead must not be sent.
func (e *Engine) Submit(ctx context.Context, s Submission, wait time.Duration) (Outcome, error) {
	waiting := Outcome{State: outbox.Waiting}
	l, err := e.lane(s.Account)
	if err != nil {
		return waiting, fmt.Errorf("submitting lead: %w", err)
	}
	entry, err := l.newEntry(s)
	if err != nil {
		return waiting, fmt.Errorf("submitting lead: %w", err)
	}
	entry.State, entry.DueAt = outbox.Waiting, entry.CreatedAt
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	outcome := l.addWaiter(ctx, entry, wait)
	if outcome == nil {
		return waiting, l.appendAndAttempt(ctx, entry, s.Job)
	}
	defer l.removeWaiter(entry.ID)
	if err := l.appendAndAttempt(ctx, entry, s.Job); err != nil {
		return waiting, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	if !l.inTime(ctx, entry, wait) {
		return waiting, nil
	}
	select {
	case o := <-outcome:
		return o, nil
	case <-timer.C:
	case <-e.running.Done():
	}
	return waiting, nil
}

// newEntry returns an entry for the submission. Its state is left to the caller.
func (l *lane) newEntry(s Submission) (outbox.Entry, error) {
	payload, err := s.Payload()
	if err != nil {
		return outbox.Entry{}, fmt.Errorf("encoding payload: %w", err)
	}
	return outbox.Entry{
		ID:         s.ID,
		Account:    s.Account,
		Form:       s.Form,
		Identifier: l.identifierOf(s.Lead),
		Payload:    payload,
		CreatedAt:  l.engine.now(),
		Mark:       s.Mark,
	}, nil
}

// identifierOf returns the key of the lead's identifier. No two attempts with the same key are in
// flight at once.
func (l *lane) identifierOf(lead telecrm.Lead) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.account == nil {
		return ""
	}
	value, _ := lead.Fields[l.account.Identifier].(string)
	return l.account.IdentifierKind.Key(value)
}

// appendEntry appends the entry for the lane to take when it is due.
func (l *lane) appendEntry(ctx context.Context, entry outbox.Entry) error {
	isTracked := l.engine.track()
	return l.appendWithin(ctx, entry, func(_ outbox.Entry, claimed *pendingAppend, err error) {
		if isTracked {
			defer l.engine.loops.Done()
		}
		l.appended(entry.ID, claimed, err)
	})
}

// appendAndAttempt appends the entry and, if a slot is free, begins its attempt at once. That saves
// taking it from the outbox: a commit and two queries, and decoding the job.
func (l *lane) appendAndAttempt(ctx context.Context, entry outbox.Entry, job Job) error {
	l.borrowForPost(ctx, entry)
	account := l.tryReserve(entry, l.engine.now())
	if account == nil {
		return l.appendEntry(ctx, entry)
	}
	return l.appendReserved(ctx, account, entry, job)
}

// appendReserved appends the entry and begins its attempt, for which a slot is reserved.
func (l *lane) appendReserved(ctx context.Context, account *Account, entry outbox.Entry, job Job) error {
	entry.BegunAt = entry.CreatedAt
	return l.appendWithin(ctx, entry, func(stored outbox.Entry, claimed *pendingAppend, err error) {
		defer l.engine.loops.Done()
		if err != nil || stored.BegunAt.IsZero() {
			l.releaseSlot()
			l.releaseIdentifier(entry)
			l.appended(entry.ID, claimed, err)
			return
		}
		stored.Attempts = 1
		l.work(account, stored, &job)
	})
}

// appended follows the append of an entry that the lane takes when it is due.
func (l *lane) appended(id string, claimed *pendingAppend, err error) {
	if claimed != nil {
		l.eraseDelivered(id, claimed)
	}
	if err == nil {
		l.entryAdded()
	}
}
