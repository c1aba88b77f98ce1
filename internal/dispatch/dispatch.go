// Package dispatch keeps the process's open outboxes, each with the engine that delivers from it.
// They outlive configs: however many configs name an outbox, it is opened once.
package dispatch

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/console"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/tracing"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// Guest is a guest module in the namespace `telecrm.outbox`: a place where leads are kept until
// TeleCRM has them.
type Guest interface {
	// Resource names what is opened, the same for every module that opens the same thing: all
	// configs of a process share one store of it. It is empty if there is nothing to open.
	Resource() (string, error)

	// Open opens the store. The app calls it when it starts, never to validate a config.
	Open(logger *zap.Logger) (outbox.Store, error)
}

// LastAttempts is how long attempts in flight may take to end once no config uses their outbox any
// more.
const LastAttempts = 15 * time.Second

const (
	// reloadPatience is how long an outbox may take to open while another config runs, whose
	// visitors a reload must not keep waiting for a disk.
	reloadPatience = 30 * time.Second
	// renamePatience is how long a config waits to be told which accounts have entries.
	renamePatience = 500 * time.Millisecond
)

// pool holds the open outboxes by what they open.
var pool = caddy.NewUsagePool()

// Dispatcher is an open outbox and the engine that delivers from it.
type Dispatcher struct {
	// Resource names what is open.
	Resource string
	Store    outbox.Store
	Engine   *delivery.Engine
	// Tally counts for the operators' page.
	Tally *console.Tally
	// Attempts makes spans.
	Attempts tracing.Attempts

	logger *zap.Logger
	events *eventQueue
	// patience is how long attempts in flight may take to end once no config uses the outbox any
	// more, and how long the store may take to close.
	patience time.Duration

	mu      sync.Mutex
	owned   []ownedConfig // the last one is in force
	inForce delivery.Config
}

// Config is what one owner wants of a dispatcher.
type Config struct {
	Delivery delivery.Config
	// Heir returns the account that delivers the entries of an account that is not in the config;
	// false if there is none, and the entries wait.
	Heir func(account string) (delivery.Account, bool)
	// Outlet takes the events.
	Outlet *Outlet
}

type ownedConfig struct {
	Config

	owner any
}

// Open returns the dispatcher of the outbox that guest describes, and opens the outbox if no config
// has it open. The caller calls [Dispatcher.Close].
func Open(resource string, guest Guest, logger *zap.Logger) (*Dispatcher, error) {
	value, _, err := pool.LoadOrNew(resource, func() (caddy.Destructor, error) {
		store, err := openWithin(guest, logger, openPatience())
		if err != nil {
			return nil, err
		}
		d := &Dispatcher{
			Resource: resource, Store: store, Engine: delivery.New(store), Tally: console.NewTally(time.Now),
			logger: logger, patience: LastAttempts,
		}
		d.events = newEventQueue(d.outlet, logger)
		return d, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*Dispatcher), nil
}

// All returns the open outboxes, in the order of what they open: none, one, or two while one takes
// over from the other.
func All() []*Dispatcher {
	var list []*Dispatcher
	pool.Range(func(_, value any) bool {
		if d, ok := value.(*Dispatcher); ok {
			list = append(list, d)
		}
		return true
	})
	slices.SortFunc(list, func(a, b *Dispatcher) int { return strings.Compare(a.Resource, b.Resource) })
	return list
}

// openPatience is how long an outbox may take to open. There is no limit when the process starts,
// because a large damaged outbox is read from end to end.
func openPatience() time.Duration {
	if caddy.ActiveContext().Context == nil {
		return math.MaxInt64
	}
	return reloadPatience
}

// openWithin opens the outbox that guest describes. If that takes too long it returns an error, and
// closes the outbox once it is open.
func openWithin(guest Guest, logger *zap.Logger, patience time.Duration) (outbox.Store, error) {
	type opened struct {
		store outbox.Store
		err   error
	}
	result := make(chan opened, 1)
	go func() {
		store, err := guest.Open(logger)
		result <- opened{store, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case o := <-result:
		return o.store, o.err
	case <-timer.C:
	}
	go func() {
		if late := <-result; late.err == nil {
			_ = late.store.Close()
		}
	}()
	return nil, fmt.Errorf("opening the outbox: it does not answer, and was given up after %v; look at its disk", patience)
}

// Adopt puts the owner's config in force.
func (d *Dispatcher) Adopt(owner any, c Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owned = append(d.owned, ownedConfig{c, owner})
	d.configure()
}

// Release withdraws the owner's config. If it was in force, the one before it is again: that is how
// a refused reload leaves the running config as it was.
func (d *Dispatcher) Release(owner any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.owned) == 0 {
		return
	}
	wasInForce := d.owned[len(d.owned)-1].owner == owner
	before := len(d.owned)
	d.owned = slices.DeleteFunc(d.owned, func(o ownedConfig) bool { return o.owner == owner })
	if len(d.owned) == before || len(d.owned) == 0 {
		return
	}
	if wasInForce {
		d.configure()
		d.events.wake()
		return
	}
	sameName := func(a, b delivery.Account) bool { return a.Name == b.Name }
	if !slices.EqualFunc(d.effective().Accounts, d.inForce.Accounts, sameName) {
		d.configure()
	}
}

// WarnUnread logs that what is left out because the outbox could not be read.
func (d *Dispatcher) WarnUnread(what string, err error) {
	d.logger.Warn(what+" are without the outbox, which could not be read", zap.Error(err))
}

func (d *Dispatcher) configure() {
	d.inForce = d.effective()
	d.Engine.Configure(d.inForce)
}

// effective returns the last owner's config with the accounts that inherit entries. An account that
// is named after its settings has another name when they change, and its heir delivers its entries.
func (d *Dispatcher) effective() delivery.Config {
	last := d.owned[len(d.owned)-1]
	config := last.Delivery
	config.Accounts = slices.Clone(config.Accounts)
	for _, name := range d.namesInUse() {
		if slices.ContainsFunc(config.Accounts, func(a delivery.Account) bool { return a.Name == name }) {
			continue
		}
		if heir, ok := last.Heir(name); ok {
			heir.Name = name
			config.Accounts = append(config.Accounts, heir)
		}
	}
	return config
}

// namesInUse lists the accounts that have entries, and those of configs whose last requests are
// still being answered.
func (d *Dispatcher) namesInUse() []string {
	ctx, cancel := context.WithTimeout(context.Background(), renamePatience)
	defer cancel()
	counts, err := d.Store.Counts(ctx)
	if err != nil {
		d.logger.Warn("entries of accounts that were renamed wait until the next reload", zap.Error(err))
	}
	names := make([]string, 0, len(counts))
	for _, count := range counts {
		if count.Entries > 0 {
			names = append(names, count.Account)
		}
	}
	for _, owned := range d.owned {
		for _, account := range owned.Delivery.Accounts {
			names = append(names, account.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// outlet returns the outlet of the config in force; nil while that config starts.
func (d *Dispatcher) outlet() *Outlet {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.owned) == 0 {
		return nil
	}
	outlet := d.owned[len(d.owned)-1].Outlet
	if outlet == nil || !outlet.isOpen() {
		return nil
	}
	return outlet
}

// Close ends one config's use of the outbox. The last one to do so stops the engine and closes the
// store.
func (d *Dispatcher) Close() error {
	_, err := pool.Delete(d.Resource)
	return err
}

// Stop begins no more attempts. It waits at most the given time for those in flight and for the
// handlers of their events.
func (d *Dispatcher) Stop(wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := d.Engine.Stop(ctx); err != nil {
		d.logger.Warn("stopping deliveries", zap.Error(err))
	}
	if err := d.events.end(ctx); err != nil {
		d.logger.Warn("stopping events", zap.Error(err))
	}
}

// Destruct implements [caddy.Destructor]. A store that does not close in time is left to close when
// its disk answers.
func (d *Dispatcher) Destruct() error {
	d.Stop(d.patience)
	closed := make(chan error, 1)
	go func() { closed <- d.Store.Close() }()
	timer := time.NewTimer(d.patience)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		return fmt.Errorf("closing the outbox: it does not answer after %v; look at its disk", d.patience)
	}
}

// Interface guard
var _ caddy.Destructor = (*Dispatcher)(nil)
