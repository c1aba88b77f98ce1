package delivery

import (
	"cmp"
	"context"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// shared returns the outbox if other processes use it too, and nil otherwise.
func (e *Engine) shared() outbox.Shared {
	shared, ok := e.store.(outbox.Shared)
	if !ok || !shared.IsShared() {
		return nil
	}
	return shared
}

// lends reports whether the outbox counts the tokens of the account's pace.
func (l *lane) lends() bool { return l.engine.shared() != nil }

const (
	// minTokenWait is how long to wait at least before a token is asked for again.
	minTokenWait = 5 * time.Millisecond
	// maxGather limits how long tokens are left in the outbox to gather. If the pace is the limit, a
	// lane then borrows several at once and takes as many leads, instead of one after the other.
	maxGather = 250 * time.Millisecond
)

// gather returns how long to wait after a loan before the next one is asked for. The outbox keeps
// half of the burst at least, so no token is lost meanwhile.
func gather(loan outbox.Loan, want outbox.LoanRequest) time.Duration {
	half := time.Duration(float64(want.Burst) / 2 / want.Rate * float64(time.Second))
	return max(loan.Wait, min(half, maxGather), minTokenWait)
}

// borrow asks a shared outbox for up to count tokens, as far as it can be reached.
func (l *lane) borrow(ctx context.Context, count int) { _, _ = l.ask(ctx, count, false) }

// ask asks a shared outbox for up to count tokens, unless there are some, and adopts the state that
// it returns. If it continues an attempt in flight, only the pace limits the loan. It returns how
// long to wait before asking again if there are none.
func (l *lane) ask(ctx context.Context, count int, continues bool) (wait time.Duration, err error) {
	shared := l.engine.shared()
	if shared == nil || !l.takeTurn(ctx) {
		return minTokenWait, nil
	}
	defer l.endTurn()
	l.mu.Lock()
	account, fresh := l.account, l.hold.isFreshDue()
	l.mu.Unlock()
	now := l.engine.now()
	if account == nil || count > 0 && !continues && l.pace.tokens(now, true) >= 1 {
		return 0, nil
	}
	want := l.pace.request(now, count)
	want.Account, want.Key, want.Fresh, want.Continues = l.name, account.Key, fresh, continues
	loan, err := shared.Lend(ctx, want)
	if err != nil {
		return minTokenWait, err
	}
	l.pace.borrowed(now, want, loan)
	l.adopt(loan.State)
	return gather(loan, want), nil
}

// fund limits a batch to the tokens in hand, which it borrows. If there are none, it returns how long
// to wait.
func (l *lane) fund(next *batch) (wait time.Duration) {
	ctx, cancel := context.WithTimeout(l.engine.running, sharePatience)
	defer cancel()
	wait, err := l.ask(ctx, next.limit, false)
	if err != nil {
		l.pace.goAlone(l.engine.now())
	}
	tokens := int(l.pace.tokens(l.engine.now(), true))
	if tokens < 1 {
		return max(wait, minTokenWait)
	}
	next.limit = min(next.limit, tokens)
	return 0
}

// borrowPatience limits how long a post waits for a token. Without one, its lead waits for its turn.
const borrowPatience = 250 * time.Millisecond

// borrowForPost borrows tokens for a lead that may go at once.
func (l *lane) borrowForPost(ctx context.Context, entry outbox.Entry) {
	if !l.lends() {
		return
	}
	now := l.engine.now()
	l.mu.Lock()
	mayBegin := l.mayBegin(entry, now)
	l.mu.Unlock()
	if !mayBegin || l.pace.tokens(now, true) >= 1 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), borrowPatience)
	defer cancel()
	l.borrow(ctx, maxWindow)
}

// awaitToken waits for a token for the next request of an attempt in flight.
func (l *lane) awaitToken(ctx context.Context, entry outbox.Entry) error {
	if !l.lends() {
		return l.pace.limiter.Wait(ctx)
	}
	l.pace.waits()
	for {
		now := l.engine.now()
		if l.pace.resumes(now, true) {
			return nil
		}
		if ctx.Err() != nil || l.deferred(entry) {
			l.pace.resumes(now, false)
			return cmp.Or(ctx.Err(), errDeferred)
		}
		asking, cancel := context.WithTimeout(ctx, sharePatience)
		wait, err := l.ask(asking, 1, true)
		cancel()
		if err != nil && ctx.Err() == nil {
			l.pace.resumes(now, false)
			l.pace.goAlone(now)
			return l.pace.waitAlone(ctx)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// refreshShared reads the state that all processes share, unless it was read a moment ago.
func (l *lane) refreshShared() {
	if !l.lends() {
		return
	}
	l.mu.Lock()
	recent := l.engine.now().Sub(l.sharing.at) < maxSharedWait/2
	l.mu.Unlock()
	if recent {
		return
	}
	ctx, cancel := context.WithTimeout(l.engine.running, sharePatience)
	defer cancel()
	if _, err := l.ask(ctx, 0, false); err != nil && l.engine.running.Err() == nil {
		l.pace.goAlone(l.engine.now())
	}
}
