package delivery

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// lane schedules the attempts of one account. Its loop sleeps until an entry is due and a slot is
// free, takes a batch of entries from the outbox, and starts an attempt at each. A new entry, the
// end of an attempt or another configuration wakes it earlier.
type lane struct {
	name   string
	engine *Engine
	pace   *pace         // one token per request
	wake   chan struct{} // holds one signal to look again

	mu            sync.Mutex
	account       *Account // nil while the account is not configured
	slots         slots
	pause         pause
	hold          hold
	lastHold      time.Duration // how long the last hold lasted
	health        health
	sharing       sharing
	incident      incident
	recovering    int                 // attempts that ended trouble and are not recorded yet
	dueAfter      int                 // leads that were due when trouble or a hold ended
	suspects      map[string]*suspect // by entry id
	refusals      refusals
	refusalFilter RefusalFilter
	waiters       map[string]*waiter // by entry id
	recent        recent
	fields        *WorkspaceFields
	asksFields    bool // a request for the fields is in flight
	forced        bool // the next attempt does not wait until an entry is due
	queued        bool // entries may be due that are not taken
	// outage says that entries may have failed with TeleCRM and not by themselves. A new lane does
	// not know what happened before.
	outage bool
}

func newLane(e *Engine, account Account) *lane {
	return &lane{
		name:     account.Name,
		engine:   e,
		pace:     newPace(account.Rate, account.Burst),
		sharing:  sharing{turn: make(chan struct{}, 1)},
		wake:     make(chan struct{}, 1),
		slots:    slots{window: 1, busy: make(map[string]bool)},
		suspects: make(map[string]*suspect),
		waiters:  make(map[string]*waiter),
		health:   health{freeSince: e.now()},
		outage:   true,
		fields:   NewWorkspaceFields(),
	}
}

// configure replaces the account. If it is nil, the lane begins no attempts until it is configured
// again. Tokens of the rate limit stay used. It reports whether this ended a hold.
func (l *lane) configure(account *Account) (resumed bool) {
	l.mu.Lock()
	if account != nil {
		now := l.engine.now()
		l.pace.configure(now, account.Rate, account.Burst)
		l.useFields(account)
		if l.account == nil || !sameWorkspace(l.account, account) {
			resumed = l.endHold(now)
			l.pause, l.incident = pause{}, incident{}
			l.health = health{freeSince: now, last: l.health.last, lastAt: l.health.lastAt}
		}
	}
	l.account = account
	l.mu.Unlock()
	l.signal()
	return resumed
}

// status returns the lane's status, and false if its account is not configured.
func (l *lane) status() (Status, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state(l.engine.now())
	return Status{
		Account:     l.name,
		Condition:   s.condition,
		Since:       s.since,
		Reason:      s.reason,
		LastError:   l.health.last,
		LastErrors:  l.health.errorTimes(),
		Held:        l.hold.on(),
		HeldReason:  l.hold.reason,
		HeldSince:   l.hold.since,
		PausedUntil: l.pause.until,
		PauseReason: l.pause.reason,
		InFlight:    l.slots.inFlight,
	}, l.account != nil
}

// signal wakes the loop.
func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run is the loop. When the engine stops, it waits for the attempts in flight.
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
		l.shareChanges()
		l.refreshShared()
		l.refreshFields(attempts.Go)
		wait := l.startDue(&attempts)
		timer.Reset(min(wait, l.announce(), l.engine.sharedWait()))
	}
}

const (
	// idleWait is how long the loop sleeps at most. A new entry wakes it, but a repair of the outbox
	// makes entries due without a word.
	idleWait = 10 * time.Minute
	// storeRetryDelay is how long to wait after an error of the outbox.
	storeRetryDelay = time.Second
)

// startDue starts all attempts that may begin now. It returns how long to wait before looking
// again.
func (l *lane) startDue(attempts *sync.WaitGroup) time.Duration {
	for {
		now := l.engine.now()
		next, wait := l.nextBatch(now)
		if next.limit == 0 {
			return wait
		}
		due, waiting, err := l.engine.store.NextDue(l.engine.running, l.name)
		if err != nil {
			return l.storeFailed("looking for due entries", err)
		}
		if !waiting {
			l.nothingDue()
			return idleWait
		}
		// An entry due after maxDelay was written before the system clock was set back. It is due
		// now.
		if wait := due.Sub(now); wait > 0 && wait < maxDelay && !next.forced {
			l.nothingDue()
			return wait
		}
		if next.borrows {
			wait := l.fund(&next)
			if wait > 0 {
				return wait
			}
			if next.probe != l.isHeld() {
				continue
			}
		}
		take := l.take
		if next.probe {
			take = l.takeProbe
		}
		entries, err := take(later(now, due), now, next.limit)
		if err != nil {
			return l.storeFailed("taking due entries", err)
		}
		if len(entries) == 0 {
			return storeRetryDelay
		}
		l.reserve(entries, next.probe)
		l.pace.use(l.engine.now(), len(entries), l.lends())
		for _, entry := range entries {
			attempts.Go(func() { l.work(next.account, entry, nil) })
		}
	}
}

// nothingDue records that no lead waits for its turn.
func (l *lane) nothingDue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.health.idle()
	l.queued = false
}

// take takes up to limit entries that are due by the given time and not busy.
func (l *lane) take(due, now time.Time, limit int) ([]outbox.Entry, error) {
	return l.engine.store.Take(l.engine.running, l.name, due, now, limit, l.busyFilter())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// storeFailed logs an error of the outbox and returns how long to wait before trying again.
func (l *lane) storeFailed(doing string, err error) time.Duration {
	if l.engine.running.Err() == nil {
		l.engine.settings().Logger.Error(doing, zap.String("account", l.name), zap.Error(err))
		l.engine.requestRoom()
	}
	return storeRetryDelay
}
