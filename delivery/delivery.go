// Package delivery takes leads from an outbox to TeleCRM: when they are due,
// at the pace that the account allows, and again until TeleCRM has answered
// what became of them.
//
// Each account has a lane of its own, so that a CRM that is slow or down for
// one holds up no other. A lane sends side by side, but never two leads with
// the same identifier at once. When TeleCRM says that the account itself is at
// fault, the lane is held: nothing is sent but a probe now and then, and
// everything is kept.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Client is what a lane needs of a TeleCRM workspace. A [telecrm.Client]
// without a pace is one: the lane keeps the pace.
type Client interface {
	CreateLead(ctx context.Context, lead telecrm.Lead) telecrm.Answer
	FindLeads(ctx context.Context, field string, spellings []string) telecrm.Found
	GetLead(ctx context.Context, leadID string) telecrm.Shown
	UpdateLead(ctx context.Context, leadID string, fields map[string]any) telecrm.Answer
	AppendActions(ctx context.Context, leadID string, actions []telecrm.Action) telecrm.Answer
	FieldDefinitions(ctx context.Context) telecrm.Definitions
}

// AsyncClient is what a lane needs of the Async API. A [telecrm.AsyncClient]
// without a pace is one.
type AsyncClient interface {
	UpsertLead(ctx context.Context, lead telecrm.Lead) telecrm.Answer
}

// Account says how to deliver an account's leads.
type Account struct {
	Name string
	// Client reaches the workspace through the Sync API. If it is nil every
	// lead goes through the Async API.
	Client Client
	// Async reaches it through the Async API; nil if there is no token for it.
	Async AsyncClient
	// Updates tells that leads of the account may be delivered with
	// [UpdateFields]: the lane then finds out which fields are locked.
	Updates bool
	// Key tells the settings that reach the workspace from others: when it
	// changes, a held lane is tried again at once. It must not hold the token
	// itself.
	Key string
	// Identifier is the API name of the lead identifier, and IdentifierKind
	// how its values are compared.
	Identifier     string
	IdentifierKind telecrm.IdentifierKind
	// Rate is how many requests a second may be sent, and Burst how many at
	// once after a pause.
	Rate  float64
	Burst int
}

// Config is what an [Engine] works by.
type Config struct {
	Accounts []Account
	// RetryFor is how long TeleCRM may fail to take a lead before it is
	// parked.
	RetryFor time.Duration
	// KeepDelivered and KeepParked are how long entries are kept after they
	// were settled.
	KeepDelivered, KeepParked time.Duration
	// Hooks are told what happens.
	Hooks Hooks
	// Logger gets what goes wrong with the outbox itself.
	Logger *zap.Logger
}

// Hooks are told what happens. They are called by the lanes, which wait for
// them. Any may be nil.
type Hooks struct {
	// Attempt: an attempt begins. It runs under the context returned, which
	// must come of ctx, and ended is called with what became of it. While
	// somebody waits in Submit for the outcome, ctx has the values of theirs.
	Attempt func(ctx context.Context, entry outbox.Entry) (under context.Context, ended func(outbox.Settlement))
	// Settled: an attempt was made, and this became of it.
	Settled func(entry outbox.Entry, s outbox.Settlement, answer telecrm.Answer)
	// Held: the account takes no lead until somebody mends it.
	Held func(account, reason string)
	// Resumed: the account takes leads again.
	Resumed func(account string)
	// Orphaned: that many entries wait for an account that is not configured.
	Orphaned func(account string, entries int)
}

// Engine delivers what is in one outbox.
type Engine struct {
	store outbox.Store
	now   func() time.Time

	// sending is what attempts run under; it ends when Close has waited long
	// enough for them.
	sending       context.Context
	cancelSending context.CancelFunc
	// running ends the loops.
	running  context.Context
	stop     context.CancelFunc
	loops    sync.WaitGroup
	needRoom chan struct{} // holds one signal that the outbox needs room
	clock    expiryClock

	appends appends

	mu     sync.Mutex
	config Config
	lanes  map[string]*lane
	closed bool
	// cancelOrphanReport ends what reports orphans of an earlier configuration.
	cancelOrphanReport context.CancelFunc
}

// New returns an engine for store. It does nothing until it is configured.
func New(store outbox.Store) *Engine { return newEngine(store, steadyClock()) }

// newEngine returns an engine that reads the time from now.
func newEngine(store outbox.Store, now func() time.Time) *Engine {
	e := &Engine{store: store, now: now, needRoom: make(chan struct{}, 1), lanes: make(map[string]*lane)}
	e.sending, e.cancelSending = context.WithCancel(context.Background())
	e.running, e.stop = context.WithCancel(context.Background())
	e.config = Config{Logger: zap.NewNop()}
	e.cancelOrphanReport = func() {}
	e.loops.Go(e.maintain)
	return e
}

// steadyClock tells the time of day as it was when the process started, plus
// what has passed since: a wall clock that is set forward or back while the
// process runs makes nothing due too early or too late.
func steadyClock() func() time.Time {
	start := time.Now()
	return func() time.Time { return start.Add(time.Since(start)) }
}

// Configure puts c in place of the configuration before it. Attempts under
// way end as they began. What is due starts at once. It never waits for the
// outbox.
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
		if !slices.ContainsFunc(c.Accounts, func(a Account) bool { return a.Name == name }) {
			l.configure(nil)
		}
	}
	e.cancelOrphanReport()
	current, outdate := context.WithCancel(e.running)
	e.cancelOrphanReport = outdate
	e.loops.Go(func() {
		defer outdate()
		e.reportOrphans(current, c)
	})
	e.mu.Unlock()
	for _, l := range resumed {
		l.notifyResumed()
	}
}

// reportOrphans tells of entries that nobody delivers, unless ctx ends before
// they are counted.
func (e *Engine) reportOrphans(ctx context.Context, c Config) {
	if c.Hooks.Orphaned == nil {
		return
	}
	counts, err := e.store.Counts(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.Logger.Error("counting the outbox's entries", zap.Error(err))
		return
	}
	for _, count := range counts {
		configured := slices.ContainsFunc(c.Accounts, func(a Account) bool { return a.Name == count.Account })
		if count.State == outbox.Waiting && count.Entries > 0 && !configured {
			c.Hooks.Orphaned(count.Account, count.Entries)
		}
	}
}

// track has Stop wait until loops.Done is called; false if it was called
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

// settings returns the configuration in force.
func (e *Engine) settings() Config {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.config
}

// lane returns the account's lane, or an error if there never was one.
func (e *Engine) lane(account string) (*lane, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l, ok := e.lanes[account]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("account %s: %w", account, errUnconfigured)
}

var errUnconfigured = errors.New("it is not configured")

// Status is how an account fares.
type Status struct {
	Account string
	// Held tells that nothing is sent but probes, and HeldReason why.
	Held       bool
	HeldReason string
	HeldSince  time.Time
	// PausedUntil is when TeleCRM may be asked again, if it said so.
	PausedUntil time.Time
	// UnderWay is how many attempts are being made.
	UnderWay int
}

// Status returns how the configured accounts fare, by name.
func (e *Engine) Status() []Status {
	e.mu.Lock()
	lanes := slices.SortedFunc(maps.Values(e.lanes), func(a, b *lane) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	e.mu.Unlock()
	list := make([]Status, 0, len(lanes))
	for _, l := range lanes {
		if status, configured := l.status(); configured {
			list = append(list, status)
		}
	}
	return list
}

// Stop begins no more attempts and waits for those under way until ctx ends.
// Attempts that have not ended by then are given up; as they were recorded
// when they began, the next process knows that they may have been carried
// out. The store stays open: entries can be submitted still, and wait. A store
// that hangs is waited for a moment more, and then left behind.
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
		return errors.New("attempts under way were given up; they are looked into when the outbox is next opened")
	case <-timer.C:
		return errors.New("the outbox does not answer; what became of the last attempts is looked into when it is next opened")
	}
}

// closeTimeout is how long the outbox may take to record attempts that were
// given up.
const closeTimeout = time.Second
