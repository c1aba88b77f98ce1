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
	// Attempts counts the attempts at the entry.
	Attempts int
}

// waiter is a visitor waiting for the outcome of an entry.
type waiter struct {
	outcome chan Outcome    // has room for the outcome
	ctx     context.Context // of the visitor's request, for its values
	until   time.Time       // when the visitor stops waiting; zero while the entry is appended
	begun   bool            // the attempt has begun
}

// addWaiter registers a visitor for the outcome of the entry. It returns nil if the visitor is not
// to wait: because TeleCRM does not answer or is not asked in time, or because the length of the
// wait would tell something about an earlier lead with the same identifier.
func (l *lane) addWaiter(ctx context.Context, entry outbox.Entry, wait time.Duration) <-chan Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.recent.see(entry.Identifier, entry.CreatedAt)
	if wait <= 0 || again || l.slots.busy[entry.Identifier] || !l.answers() || !l.engine.now().Add(wait).After(l.pause.until) {
		return nil
	}
	outcome := make(chan Outcome, 1)
	l.waiters[entry.ID] = &waiter{outcome: outcome, ctx: ctx}
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

// recent remembers the identifiers of recent submissions. A visitor whose identifier is among them
// does not wait for an outcome: the wait would include the attempt at the earlier lead, and its
// length would tell whether TeleCRM knows the person.
type recent struct {
	last  map[string]time.Time
	queue []seenAt // the oldest first
}

type seenAt struct {
	identifier string
	at         time.Time
}

const (
	// recentWindow is how long an identifier is remembered. It is longer than an attempt takes, and
	// does not depend on TeleCRM's answers.
	recentWindow = 10 * time.Minute
	// maxRecent limits the identifiers that are remembered.
	maxRecent = 10_000
)

// see adds an identifier and reports whether it was seen recently.
func (r *recent) see(identifier string, now time.Time) (again bool) {
	if identifier == "" {
		return false
	}
	for len(r.queue) > 0 && (len(r.queue) >= maxRecent || now.Sub(r.queue[0].at) >= recentWindow) {
		if oldest := r.queue[0]; r.last[oldest.identifier].Equal(oldest.at) {
			delete(r.last, oldest.identifier)
		}
		r.queue = r.queue[1:]
	}
	if r.last == nil {
		r.last = make(map[string]time.Time)
	}
	_, again = r.last[identifier]
	r.last[identifier] = now
	r.queue = append(r.queue, seenAt{identifier, now})
	return again
}
