// Package delivery sends the leads of an outbox to TeleCRM and records the results.
//
// An [Engine] runs one lane per account, so that a slow or failing workspace does not delay the
// leads of another. A lane takes entries when they are due, within the account's rate limit, and
// makes an attempt at each. It makes several attempts at once, but never two for the same
// identifier. An attempt ends as delivered, as parked, or waiting for a retry.
//
// If TeleCRM turns the account itself away, the lane is put on hold: every lead is kept, and only
// an occasional probe is sent, until one succeeds.
//
// The attempt is a state machine in attempt.go and the files named attempt_*. Everything else
// decides when an attempt is made: see lane.go, slots.go, backoff.go and hold.go. What operators see
// of an account is in health.go and incident.go, and which visitors wait in waiter.go and turn.go.
//
// If several processes share the outbox, their lanes share the account's pace (pace.go and borrow.go)
// and its pauses and holds (share.go), and lease the entries that they take (lease.go).
package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Engine delivers the entries of one outbox.
type Engine struct {
	store   outbox.Store
	now     func() time.Time
	clock   expiryClock
	appends appends

	// running ends the loops.
	running context.Context
	stop    context.CancelFunc
	loops   sync.WaitGroup
	// sending ends the attempts. It outlives running for as long as Stop waits.
	sending       context.Context
	cancelSending context.CancelFunc
	needRoom      chan struct{} // holds one signal that the outbox is full

	mu                 sync.Mutex
	config             Config
	lanes              map[string]*lane // by account name
	closed             bool
	cancelOrphanReport context.CancelFunc
}

// New returns an engine for store. It delivers nothing until it is configured.
func New(store outbox.Store) *Engine { return newEngine(store, steadyClock()) }

// newEngine returns an engine that reads the time from now.
func newEngine(store outbox.Store, now func() time.Time) *Engine {
	e := &Engine{store: store, needRoom: make(chan struct{}, 1), lanes: make(map[string]*lane)}
	e.now = func() time.Time { return now().Add(e.skew()) }
	e.sending, e.cancelSending = context.WithCancel(context.Background())
	e.running, e.stop = context.WithCancel(context.Background())
	e.config = Config{Logger: zap.NewNop()}
	e.cancelOrphanReport = func() {}
	e.loops.Go(e.maintain)
	return e
}

// skew returns how far the clock of a shared outbox is ahead, by which all processes decide what is
// due.
func (e *Engine) skew() time.Duration {
	if shared := e.shared(); shared != nil {
		return shared.Skew()
	}
	return 0
}

// steadyClock returns a clock that starts at the current time of day and then advances
// monotonically. Setting the system clock while the process runs makes nothing due too early or too
// late.
func steadyClock() func() time.Time {
	start := time.Now()
	return func() time.Time { return start.Add(time.Since(start)) }
}

// Configure replaces the configuration and starts due attempts at once. Attempts in flight finish
// with the settings they began with. Configure never waits for the outbox.
func (e *Engine) Configure(c Config) {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return
	}
	e.config = c
	var resumed []*lane
	for _, account := range c.Accounts {
		l, exists := e.lanes[account.Name]
		if !exists {
			l = newLane(e, account)
			e.lanes[account.Name] = l
			e.loops.Go(l.run)
		}
		if l.configure(&account) {
			resumed = append(resumed, l)
		}
	}
	for name, l := range e.lanes {
		if !c.has(name) {
			l.configure(nil)
		}
	}
	e.cancelOrphanReport()
	current, cancel := context.WithCancel(e.running)
	e.cancelOrphanReport = cancel
	e.loops.Go(func() {
		defer cancel()
		e.reportOrphans(current, c)
	})
	e.mu.Unlock()
	for _, l := range resumed {
		l.notifyResumed()
	}
}

// has reports whether the account is configured.
func (c Config) has(account string) bool {
	return slices.ContainsFunc(c.Accounts, func(a Account) bool { return a.Name == account })
}

// reportOrphans calls the Orphaned hook unless ctx ends before the entries are counted.
func (e *Engine) reportOrphans(ctx context.Context, c Config) {
	if c.Hooks.Orphaned == nil {
		return
	}
	counts, err := e.store.Counts(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.Logger.Error("counting the entries of the outbox", zap.Error(err))
		return
	}
	for _, count := range counts {
		if count.State == outbox.Waiting && count.Entries > 0 && !c.has(count.Account) {
			c.Hooks.Orphaned(count.Account, count.Entries)
		}
	}
}

// track makes Stop wait until the caller calls loops.Done. It returns false if Stop was called
// already.
func (e *Engine) track() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.loops.Add(1)
	return true
}

// settings returns the current configuration.
func (e *Engine) settings() Config {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config
}

// lane returns the account's lane. It returns an error if the account was never configured.
func (e *Engine) lane(account string) (*lane, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l, ok := e.lanes[account]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("account %s: %w", account, ErrNotConfigured)
}

// ErrNotConfigured means that the engine does not have the account.
var ErrNotConfigured = errors.New("not configured")

// Status describes an account.
type Status struct {
	Account string
	// Condition is what the account's deliveries are doing, since Since. Reason says why they are
	// not simply sending.
	Condition Condition
	Since     time.Time
	Reason    string
	// LastError is the last error of the account, and LastErrors when each cause last occurred. They
	// outlast the trouble.
	LastError  LastError
	LastErrors map[telecrm.Cause]time.Time
	// Held is true while the account is on hold, for HeldReason, since HeldSince.
	Held       bool
	HeldReason string
	HeldSince  time.Time
	// PausedUntil is the time until which nothing is sent, because of PauseReason.
	PausedUntil time.Time
	PauseReason string
	// InFlight counts the attempts in flight.
	InFlight int
}

// Status returns the status of every configured account, sorted by name.
func (e *Engine) Status() []Status {
	e.mu.Lock()
	lanes := slices.SortedFunc(maps.Values(e.lanes), func(a, b *lane) int { return strings.Compare(a.name, b.name) })
	e.mu.Unlock()
	list := make([]Status, 0, len(lanes))
	for _, l := range lanes {
		if status, configured := l.status(); configured {
			list = append(list, status)
		}
	}
	return list
}

// closeTimeout limits how long Stop waits for the outbox to record attempts that were canceled.
const closeTimeout = time.Second

// Stop begins no more attempts and waits for those in flight until ctx ends, which cancels them.
// Each was recorded when it began, so the next process knows that it may have succeeded. The store
// stays open, and entries can still be submitted. If the store does not answer, Stop gives up after
// a moment and returns an error.
func (e *Engine) Stop(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.loops.Wait()
	}()
	select {
	case <-done:
		e.cancelSending()
		return nil
	case <-ctx.Done():
	}
	e.cancelSending()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return errors.New("attempts in flight were canceled; their results are checked when the outbox is next opened")
	case <-timer.C:
		return errors.New("outbox does not answer; the results of the last attempts are checked when it is next opened")
	}
}
