package delivery

import (
	"context"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// waiter is somebody who waits for the outcome of an entry.
type waiter struct {
	outcome chan Outcome
	ctx     context.Context // of whoever waits; its values alone count
}

// startAttempt begins an attempt at the entry and returns the context that it runs
// under.
func (l *lane) startAttempt(entry outbox.Entry) (ctx context.Context, ended func(outbox.Settlement)) {
	ctx = l.engine.sending
	l.mu.Lock()
	w, waits := l.waiters[entry.ID]
	l.mu.Unlock()
	if waits {
		ctx = withValues{ctx, w.ctx}
	}
	if attempt := l.engine.settings().Hooks.Attempt; attempt != nil {
		return attempt(ctx, entry)
	}
	return ctx, func(outbox.Settlement) {}
}

// withValues is a context that has the values of another beside its own, and ends
// with its own.
type withValues struct {
	context.Context

	values context.Context
}

// Value returns a value of the context itself, or else of the other.
func (v withValues) Value(key any) any {
	if value := v.Context.Value(key); value != nil {
		return value
	}
	return v.values.Value(key)
}
