package delivery

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// maxWindow is how many attempts of one account may be under way at once.
const maxWindow = 256

// lane delivers the leads of one account.
type lane struct {
	name   string
	engine *Engine
	pace   *rate.Limiter
	wake   chan struct{} // holds one signal that there may be something to do

	mu       sync.Mutex
	account  *Account // nil while it is not configured
	inFlight int
	busy     map[string]bool   // identifiers of attempts under way
	waiters  map[string]waiter // by entry id
	recent   recent
	window   int           // how many attempts may be in flight now
	failures int           // attempts in a row that TeleCRM did not take
	pause    time.Duration // the last pause of the lane's own choosing
	paused   time.Time     // when TeleCRM may be asked again
	hold     hold
	locked   lockedFields
	refused  refusals
	blames   Blames
	suspects map[string]*suspect // by entry id
	forced   bool                // somebody wants an attempt now, whether one is due or not
}

func newLane(e *Engine, account Account) *lane {
	return &lane{
		name:     account.Name,
		engine:   e,
		pace:     rate.NewLimiter(rate.Limit(account.Rate), account.Burst),
		wake:     make(chan struct{}, 1),
		busy:     make(map[string]bool),
		waiters:  make(map[string]waiter),
		suspects: make(map[string]*suspect),
		window:   1,
	}
}

// configure puts account in place of the one before; nil stops the lane until
// there is one again. What the pace has counted stays counted. It reports
// whether the lane was held and is no more.
func (l *lane) configure(account *Account) (resumed bool) {
	l.mu.Lock()
	if account != nil {
		now := l.engine.now()
		l.pace.SetLimitAt(now, rate.Limit(account.Rate))
		l.pace.SetBurstAt(now, account.Burst)
		if l.account == nil || !sameWorkspace(l.account, account) {
			resumed = l.hold.on()
			l.hold, l.paused, l.pause, l.failures = hold{}, time.Time{}, 0, 0
			l.locked.due = time.Time{}
		}
	}
	l.account = account
	l.mu.Unlock()
	l.signal()
	return resumed
}

// sameWorkspace reports whether two settings reach the same workspace in the
// same way.
func sameWorkspace(a, b *Account) bool { return a.Key == b.Key && a.Identifier == b.Identifier }

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run begins attempts as they fall due, until the engine stops, and then
// waits for those under way.
func (l *lane) run() {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.engine.running.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		l.refreshLockedFields(attempts.Go)
		wait := l.startDue(&attempts)
		timer.Reset(wait)
	}
}

// idleWait is how long a lane sleeps that has nothing due; whoever adds something
// wakes it.
const idleWait = time.Hour

// storeRetryDelay is how long a lane leaves an outbox alone that did not work.
const storeRetryDelay = time.Second

// startDue begins the attempts that may begin now, and returns how long to wait
// before there may be more.
func (l *lane) startDue(attempts *sync.WaitGroup) time.Duration {
	for {
		now := l.engine.now()
		next, wait := l.capacity(now)
		if next.slots == 0 {
			return wait
		}
		due, waiting, err := l.engine.store.NextDue(l.engine.running, l.name)
		if err != nil {
			return l.logStoreError("looking for what is due", err)
		}
		if !waiting {
			return idleWait
		}
		if wait := due.Sub(now); wait > 0 && wait < maxDelay && !next.forced {
			return wait
		}
		// What lies beyond every plan was written under another time of day,
		// before the machine's clock was set back: it is due too.
		take := l.take
		if next.probe {
			take = l.takeProbe
		}
		entries, err := take(laterOf(now, due), now, next.slots)
		if err != nil {
			return l.logStoreError("recording that attempts begin", err)
		}
		if len(entries) == 0 {
			return storeRetryDelay
		}
		l.pace.ReserveN(l.engine.now(), len(entries))
		for _, entry := range entries {
			l.reserve(entry, next.probe)
			attempts.Go(func() { l.work(next.account, entry) })
		}
	}
}

// take takes up to limit entries that are due.
func (l *lane) take(due, now time.Time, limit int) ([]outbox.Entry, error) {
	return l.engine.store.Take(l.engine.running, l.name, due, now, limit, l.busyFilter())
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// capacity is what may begin now.
type capacity struct {
	account *Account
	slots   int  // how many attempts
	probe   bool // the one attempt is a probe
	forced  bool // at least one is to begin, whether it is due or not
}

// capacity tells what may begin now, or how long to wait before anything may.
func (l *lane) capacity(now time.Time) (next capacity, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.account == nil {
		return capacity{}, idleWait
	}
	if now.Before(l.paused) {
		return capacity{}, l.paused.Sub(now)
	}
	places := l.window - l.inFlight
	if l.hold.on() {
		if l.hold.probe != "" {
			return capacity{}, idleWait
		}
		if now.Before(l.hold.probeAt) {
			return capacity{}, l.hold.probeAt.Sub(now)
		}
		places = 1
	}
	if places <= 0 {
		// An attempt that ends wakes the lane.
		return capacity{}, idleWait
	}
	tokens := l.pace.TokensAt(now)
	if tokens < 1 {
		wait := time.Duration((1 - tokens) / float64(l.pace.Limit()) * float64(time.Second))
		return capacity{}, max(wait, time.Millisecond)
	}
	return capacity{l.account, min(places, int(tokens)), l.hold.on(), l.forced}, 0
}

func (l *lane) logStoreError(doing string, err error) time.Duration {
	if l.engine.running.Err() == nil {
		l.engine.settings().Logger.Error(doing, zap.String("account", l.name), zap.Error(err))
	}
	return storeRetryDelay
}

// busyFilter tells which entries may not be taken together: those whose
// identifier has an attempt under way, or another entry in the same batch.
func (l *lane) busyFilter() func(identifier string) bool {
	batch := make(map[string]bool)
	return func(identifier string) bool {
		if identifier == "" {
			return false
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.busy[identifier] || batch[identifier] {
			return true
		}
		batch[identifier] = true
		return false
	}
}

// reserve notes that an attempt begins.
func (l *lane) reserve(entry outbox.Entry, probe bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight++
	l.forced = false
	if entry.Identifier != "" {
		l.busy[entry.Identifier] = true
	}
	if probe && l.hold.on() {
		l.hold.probe = entry.ID
	}
}

// releaseSlot notes that an attempt has ended, which leaves its place to another.
func (l *lane) releaseSlot() {
	l.mu.Lock()
	l.inFlight--
	l.mu.Unlock()
	l.signal()
}

// releaseIdentifier notes that what became of an attempt is recorded, so that the next
// with its identifier may begin.
func (l *lane) releaseIdentifier(entry outbox.Entry) {
	l.mu.Lock()
	delete(l.busy, entry.Identifier)
	l.mu.Unlock()
	l.signal()
}

// notify tells whoever waits for the entry's outcome.
func (l *lane) notify(id string, outcome Outcome) {
	l.mu.Lock()
	w, waits := l.waiters[id]
	delete(l.waiters, id)
	l.mu.Unlock()
	if waits {
		w.outcome <- outcome // has room for the one outcome
	}
}

// settle records what became of an attempt. An outbox that does not work is
// tried again until it does: without the record the next process would have
// to find out what became of the lead.
func (l *lane) settle(entry outbox.Entry, s outbox.Settlement) {
	for {
		err := l.engine.store.Settle(context.WithoutCancel(l.engine.sending), entry.ID, s)
		if err == nil {
			l.engine.requestRoom()
			return
		}
		l.engine.settings().Logger.Error("recording what became of an attempt",
			zap.String("account", l.name), zap.String("id", entry.ID), zap.Error(err))
		if !retryable(err) {
			return
		}
		select {
		case <-l.engine.running.Done():
			return
		case <-time.After(storeRetryDelay):
		}
	}
}

func (l *lane) status() (Status, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Status{
		Account:     l.name,
		Held:        l.hold.on(),
		HeldReason:  l.hold.reason,
		HeldSince:   l.hold.since,
		PausedUntil: l.paused,
		UnderWay:    l.inFlight,
	}, l.account != nil
}
