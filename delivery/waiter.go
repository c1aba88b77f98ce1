package delivery

import (
	"context"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Outcome is the result of an attempt for a waiting visitor.
type Outcome struct {
	// State is the entry's new state.
	State outbox.State
	// Answer is TeleCRM's answer.
	Answer telecrm.Answer
	// LeadID is TeleCRM's id of a delivered lead, if it is known.
	LeadID string
}

// waiter is a visitor waiting for the outcome of an entry.
type waiter struct {
	outcome chan Outcome    // has room for the outcome
	ctx     context.Context // of the visitor's request, for its values
}

// addWaiter registers a visitor for the outcome of the entry. It returns nil if the visitor is not
// to wait: because TeleCRM does not answer, or because the length of the wait would tell something
// about an earlier lead with the same identifier.
func (l *lane) addWaiter(ctx context.Context, entry outbox.Entry, wait time.Duration) <-chan Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.recent.see(entry.Identifier, entry.CreatedAt)
	if wait <= 0 || again || l.slots.busy[entry.Identifier] || l.account == nil || l.hold.on() ||
		l.pause.failures >= failuresBeforePause || l.engine.now().Before(l.pause.until) {
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

// notify tells the waiting visitor the outcome of the entry. Later outcomes are ignored.
func (l *lane) notify(id string, outcome Outcome) {
	l.mu.Lock()
	w, waits := l.waiters[id]
	delete(l.waiters, id)
	l.mu.Unlock()
	if waits {
		w.outcome <- outcome
	}
}

// attemptContext returns the context for an attempt at the entry, with the values of the waiting
// visitor's request, and calls the Attempt hook.
func (l *lane) attemptContext(entry outbox.Entry) (ctx context.Context, ended func(outbox.Settlement)) {
	ctx = l.engine.sending
	l.mu.Lock()
	w, waits := l.waiters[entry.ID]
	l.mu.Unlock()
	if waits {
		ctx = withValues{ctx, w.ctx}
	}
	if begin := l.engine.settings().Hooks.Attempt; begin != nil {
		return begin(ctx, entry)
	}
	return ctx, func(outbox.Settlement) {}
}

// withValues is a context with the additional values of another context, which does not end it.
type withValues struct {
	context.Context

	values context.Context
}

// Value returns the context's own value for key, or else that of the other context.
func (v withValues) Value(key any) any {
	if value := v.Context.Value(key); value != nil {
		return value
	}
	return v.values.Value(key)
}
