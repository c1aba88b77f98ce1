package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Submission is a lead to deliver.
type Submission struct {
	ID      string // a UUID
	Account string
	Form    string
	Lead    telecrm.Lead
}

// Submit journals the lead and, if wait is above 0 and TeleCRM is answering,
// waits that long for what becomes of it. Once it has returned without an
// error the lead is safe; the outcome's State is Waiting if nothing more is
// known. Neither the end of ctx nor that of the wait stops the delivery.
func (e *Engine) Submit(ctx context.Context, s Submission, wait time.Duration) (Outcome, error) {
	waiting := Outcome{State: outbox.Waiting}
	l, err := e.lane(s.Account)
	if err != nil {
		return waiting, fmt.Errorf("submitting a lead: %w", err)
	}
	payload, err := EncodePayload(s.Lead)
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
	waiter := l.expect(entry.ID, wait)
	defer l.forget(entry.ID)
	if err := e.store.Append(ctx, entry); err != nil {
		return waiting, fmt.Errorf("submitting a lead: %w", err)
	}
	l.signal()
	if waiter == nil {
		return waiting, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case outcome := <-waiter:
		return outcome, nil
	case <-timer.C:
	case <-e.running.Done():
	}
	return waiting, nil
}

// troubled is how many attempts in a row must fail before nobody waits for an
// outcome any more.
const troubled = 3

// expect has the lane tell what becomes of the entry; nil if it is not worth
// waiting for, because TeleCRM is not answering.
func (l *lane) expect(id string, wait time.Duration) <-chan Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait <= 0 || l.account == nil || l.hold.on() || l.failures >= troubled || l.engine.now().Before(l.paused) {
		return nil
	}
	waiter := make(chan Outcome, 1)
	l.waiters[id] = waiter
	return waiter
}

func (l *lane) forget(id string) {
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
	return strings.ToLower(strings.TrimSpace(value))
}

// DecodePayload reads a payload that [EncodePayload] made.
func DecodePayload(payload []byte) (telecrm.Lead, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var lead telecrm.Lead
	if err := decoder.Decode(&lead); err != nil {
		return telecrm.Lead{}, fmt.Errorf("decoding payload: %w", err)
	}
	return lead, nil
}
