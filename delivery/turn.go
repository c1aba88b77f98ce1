package delivery

import (
	"context"
	"math"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// inTime reports whether the entry's attempt may begin, and be answered, within the visitor's wait.
// It knows the pace, the entries that are due before, the pause, and how fast TeleCRM has answered
// lately. In doubt it is optimistic: only an answer tells the visitor what TeleCRM refuses.
func (l *lane) inTime(ctx context.Context, entry outbox.Entry, wait time.Duration) bool {
	before, begun := l.turnsWithin(entry.ID, wait)
	if begun || before < 1 {
		return begun
	}
	tooMany, err := l.engine.store.Ahead(ctx, entry, before)
	return err != nil || !tooMany || l.hasBegun(entry.ID)
}

// turnsWithin returns how many attempts may begin early enough to be answered within wait, if none
// needs more than one request. begun is true if the entry's own attempt has begun early enough.
func (l *lane) turnsWithin(id string, wait time.Duration) (turns int, begun bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.engine.now()
	w, waits := l.waiters[id]
	if !waits {
		return 0, true // the outcome is there
	}
	w.until = now.Add(wait)
	latest := w.until.Add(-l.health.fastest())
	switch {
	case !latest.After(now):
		return 0, false
	case w.begun:
		return 0, true
	case !l.answers() || !latest.After(l.pause.until):
		return 0, false
	}
	first := later(now, l.pause.until)
	tokens := l.pace.tokens(first, l.lends()) + l.pace.perSecond()*latest.Sub(first).Seconds()
	return int(min(math.Ceil(tokens)-1, math.MaxInt32)), false
}

// hasBegun reports whether the attempt that the visitor waits for has begun, or has ended.
func (l *lane) hasBegun(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, waits := l.waiters[id]
	return !waits || w.begun
}

// answers reports whether TeleCRM can be expected to answer the next attempt.
func (l *lane) answers() bool {
	return l.account != nil && !l.hold.on() && !l.health.failing() && l.pause.failures < failuresBeforePause
}

// releaseWaiters thanks the visitors whose attempts will not begin while they wait, because the
// account was just put on hold or paused, or is failing.
func (l *lane) releaseWaiters() {
	for id, w := range l.waiters {
		if w.begun || w.until.IsZero() || l.answers() && l.pause.until.Before(w.until) {
			continue
		}
		delete(l.waiters, id)
		w.outcome <- Outcome{State: outbox.Waiting}
	}
}
