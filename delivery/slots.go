package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// slots limits the attempts in flight of a lane, in number and to one per identifier. The window
// opens while TeleCRM answers and narrows while it does not.
type slots struct {
	window   int // how many attempts may be in flight
	inFlight int
	busy     map[string]bool // identifiers that no other attempt may use
}

// maxWindow limits the attempts in flight of one account.
const maxWindow = 256

func (s *slots) open()   { s.window = min(2*s.window, maxWindow) }
func (s *slots) narrow() { s.window = max(s.window/2, 1) }
func (s *slots) close()  { s.window = 1 }

// reserve takes a slot and the identifier of an attempt.
func (s *slots) reserve(identifier string) {
	s.inFlight++
	if identifier != "" {
		s.busy[identifier] = true
	}
}

// batch describes the attempts that may begin now.
type batch struct {
	account *Account
	limit   int  // of attempts
	probe   bool // the attempt is the probe of an account on hold
	forced  bool // one attempt begins even if no entry is due
	borrows bool // tokens are to be borrowed
}

// nextBatch returns the batch that may begin now. If its limit is 0, wait says when to look again.
func (l *lane) nextBatch(now time.Time) (next batch, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.account == nil {
		return batch{}, idleWait
	}
	if now.Before(l.pause.until) {
		return batch{}, l.pause.until.Sub(now)
	}
	limit := l.slots.window - l.slots.inFlight
	if l.hold.on() {
		if l.hold.probe != "" {
			return batch{}, idleWait
		}
		if next := l.hold.nextProbe(); now.Before(next) {
			return batch{}, next.Sub(now)
		}
		limit = 1
	}
	if limit <= 0 {
		return batch{}, idleWait // the end of an attempt wakes the lane
	}
	next = batch{account: l.account, limit: limit, probe: l.hold.on(), forced: l.forced}
	lends := l.lends()
	tokens := l.pace.tokens(now, lends)
	switch {
	case tokens >= 1:
		next.limit = min(limit, int(tokens))
	case l.pace.isLent(now, lends):
		next.borrows = true
	default:
		wait := time.Duration((1 - tokens) / float64(l.pace.limiter.Limit()) * float64(time.Second))
		return batch{}, max(wait, time.Millisecond)
	}
	return next, 0
}

// busyFilter returns a filter for one batch. It rejects an identifier that is busy or that the
// batch already contains.
func (l *lane) busyFilter() func(identifier string) bool {
	taken := make(map[string]bool)
	return func(identifier string) bool {
		if identifier == "" {
			return false
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.slots.busy[identifier] || taken[identifier] {
			return true
		}
		taken[identifier] = true
		return false
	}
}

// reserve records that attempts at taken entries begin.
func (l *lane) reserve(entries []outbox.Entry, probe bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forced, l.queued = false, true
	now := l.engine.now()
	for _, entry := range entries {
		l.begin(entry)
		l.health.taken(entry.DueAt, now)
		if probe && l.hold.on() {
			l.hold.probe = entry.ID
		}
	}
}

// begin reserves a slot and the identifier for an attempt.
func (l *lane) begin(entry outbox.Entry) {
	l.slots.reserve(entry.Identifier)
	if w, waits := l.waiters[entry.ID]; waits {
		w.begun = true
	}
}

// tryReserve reserves a slot and a token for an attempt that begins now, unless other leads wait for
// theirs. On success it returns the account, and Stop waits until the caller calls loops.Done.
// Otherwise it returns nil.
func (l *lane) tryReserve(entry outbox.Entry, now time.Time) *Account {
	if !l.engine.track() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mayBegin(entry, now) || !l.pace.take(now, l.lends()) {
		l.engine.loops.Done()
		return nil
	}
	l.begin(entry)
	return l.account
}

// mayBegin reports whether an attempt may begin now, if there is a token for it.
func (l *lane) mayBegin(entry outbox.Entry, now time.Time) bool {
	return l.account != nil && (!l.queued || l.hasRoom(now)) && !l.hold.on() && !now.Before(l.pause.until) &&
		l.slots.inFlight < l.slots.window && !l.slots.busy[entry.Identifier]
}

func (l *lane) isHeld() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hold.on()
}

// hasRoom reports whether an attempt that begins now takes nothing from leads that wait for their
// turn, because there are slots and tokens for all of them.
func (l *lane) hasRoom(now time.Time) bool {
	return 2*l.slots.inFlight < l.slots.window && l.pace.tokens(now, l.lends()) >= float64(l.slots.window)
}

// markQueued makes the loop look for entries when the attempt has ended.
func (l *lane) markQueued() {
	l.mu.Lock()
	l.queued = true
	l.mu.Unlock()
}

// isQuiet reports whether the loop does not have anything to do when an attempt ends: no entry may
// be due that is not taken, operators know the account as it is, and the locked fields are known.
func (l *lane) isQuiet() bool {
	knowsLocked := l.account == nil || !l.account.Updates || !l.fields.isDue(l.engine.now())
	return !l.queued && !l.hold.on() && l.pause.failures == 0 && l.incident.announced == "" &&
		l.health.state().condition == Sending && knowsLocked
}

// releaseSlot frees the slot of an attempt that has ended.
func (l *lane) releaseSlot() {
	l.mu.Lock()
	l.slots.inFlight--
	isQuiet := l.isQuiet()
	l.mu.Unlock()
	if !isQuiet {
		l.signal()
	}
}

// releaseIdentifier allows the next attempt for the identifier, once the settlement of this one is
// recorded.
func (l *lane) releaseIdentifier(entry outbox.Entry) {
	l.mu.Lock()
	delete(l.slots.busy, entry.Identifier)
	isQuiet := l.isQuiet()
	l.mu.Unlock()
	if !isQuiet {
		l.signal()
	}
}

// errDeferred ends an attempt before its next request because the account has been paused or put on
// hold since it began.
var errDeferred = errors.New(reasonDeferred)

// throttle waits until an attempt may send another request. If the attempt has to end instead, it
// returns the reason.
func (l *lane) throttle(ctx context.Context, entry outbox.Entry) (reason string, err error) {
	if err := l.awaitToken(ctx, entry); err != nil {
		return reasonDeferred, err
	}
	if l.deferred(entry) {
		return reasonDeferred, errDeferred
	}
	return "", nil
}

// deferred reports whether the attempt has to end before its next request.
func (l *lane) deferred(entry outbox.Entry) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hold.on() && !l.hold.includes(entry.ID, entry.BegunAt) || l.engine.now().Before(l.pause.until)
}
