// Package dispatch manages the process's open outboxes, each with the engine that delivers from it.
// An outbox outlives configs and is opened only once, even if several configs use it.
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
	"github.com/leadwire/caddy-telecrm/outbox/spool"
)

// Guest is a guest module in the namespace `telecrm.outbox`. It stores leads until TeleCRM has
// them.
type Guest interface {
	// Resource identifies the store. Modules that open the same store return the same name, and all
	// configs of a process share it. The name is empty if there is nothing to open.
	Resource() (string, error)

	// Open opens the store. The app calls it on start, never to validate a config.
	Open(logger *zap.Logger) (outbox.Store, error)
}

// Mover is a guest whose store can be opened to move its entries, without a spool. If away is true,
// they move away, and no other process may use the store or a spool of it.
type Mover interface {
	Guest

	OpenToMove(ctx context.Context, logger *zap.Logger, away bool) (outbox.Store, error)
}

// LastAttempts is how long attempts in flight may take to finish once no config uses their outbox.
const LastAttempts = 15 * time.Second

const (
	// reloadPatience is how long an outbox may take to open while another config is running. A slow
	// disk must not block a reload.
	reloadPatience = 30 * time.Second
	// renamePatience is how long a config waits for the list of accounts with entries.
	renamePatience = 500 * time.Millisecond
)

// pool holds the open outboxes by resource.
var pool = caddy.NewUsagePool()

// Dispatcher is an open outbox and the engine that delivers from it.
type Dispatcher struct {
	// Resource identifies the store.
	Resource string
	Store    outbox.Store
	Engine   *delivery.Engine
	// Tally holds the counts for the operators' page.
	Tally *console.Tally
	// Attempts creates the spans of attempts.
	Attempts tracing.Attempts

	logger *zap.Logger
	events *eventQueue
	// patience is how long attempts in flight may take to finish once no config uses the outbox,
	// and how long the store may take to close.
	patience time.Duration

	mu      sync.Mutex
	owned   []ownedConfig // the last one is in force
	inForce delivery.Config
}

// Config is one owner's configuration of a dispatcher.
type Config struct {
	Delivery delivery.Config
	// Heir returns the account that takes over the entries of an account that is not in the config.
	// If it returns false, the entries wait.
	Heir func(account string) (delivery.Account, bool)
	// Outlet emits the events.
	Outlet *Outlet
	// Settings are those that other machines with the same outbox should share.
	Settings outbox.Settings
}

type ownedConfig struct {
	Config

	owner any
}

// Open returns the dispatcher of guest's outbox, and opens the outbox if no config has it open. The
// caller must call [Dispatcher.Close].
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
		forgetLeft(resource)
		d.events = newEventQueue(d.outlet, logger)
		if changing, ok := store.(interface{ OnChange(f func()) }); ok {
			changing.OnChange(d.reconfigure)
		}
		return d, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*Dispatcher), nil
}

// Spooling is a store that keeps entries in spools while its outbox cannot be used.
type Spooling interface {
	outbox.Store
	Status() spool.Status
	Spooled(ctx context.Context) (entries int, err error)
	Members(ctx context.Context, f func([]spool.Member) error) error
}

// Spooling returns the store if it may keep entries in spools.
func (d *Dispatcher) Spooling() (Spooling, bool) {
	store, ok := d.Store.(Spooling)
	return store, ok
}

// Shared returns the store if other machines may use it too.
func (d *Dispatcher) Shared() (outbox.Shared, bool) {
	shared, ok := d.Store.(outbox.Shared)
	return shared, ok && shared.IsShared()
}

// All returns the open outboxes, sorted by resource. There are two while a reload replaces one with
// another.
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

// IsOpen reports whether a config uses the outbox. It waits for a config that is opening an outbox.
func IsOpen(resource string) bool {
	return slices.ContainsFunc(All(), func(d *Dispatcher) bool { return d.Resource == resource })
}

// openPatience is how long an outbox may take to open. There is no limit when the process starts,
// because opening a large damaged outbox reads all of it.
func openPatience() time.Duration {
	if caddy.ActiveContext().Context == nil {
		return math.MaxInt64
	}
	return reloadPatience
}

// openWithin opens guest's outbox. If that takes longer than patience, it returns an error and
// closes the outbox as soon as it is open.
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
	return nil, fmt.Errorf("opening the outbox: the disk does not answer within %v; check the disk", patience)
}

// Adopt puts the owner's config in force.
func (d *Dispatcher) Adopt(owner any, c Config) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owned = append(d.owned, ownedConfig{c, owner})
	d.configure()
}

// Release withdraws the owner's config. If it was in force, the previous one is in force again, so
// a rejected reload leaves the running config as it was.
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

// WarnUnread logs that the subject is incomplete because the outbox cannot be read.
func (d *Dispatcher) WarnUnread(subject string, err error) {
	d.logger.Warn(subject+" are incomplete because the outbox cannot be read", zap.Error(err))
}

// reconfigure looks at the outbox again, because it may contain other entries.
func (d *Dispatcher) reconfigure() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.owned) > 0 {
		d.configure()
	}
}

func (d *Dispatcher) configure() {
	d.inForce = d.effective()
	d.Engine.Configure(d.inForce)
	if store, ok := d.Store.(outbox.SettingsPublisher); ok {
		store.PublishSettings(d.owned[len(d.owned)-1].Settings)
	}
}

// effective returns the last owner's config plus accounts that inherit entries. Inline accounts are
// named after their settings, so their names change with the settings. An heir then delivers the
// entries under the old name.
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

// namesInUse lists the accounts with entries, and those of configs that still have requests to
// answer.
func (d *Dispatcher) namesInUse() []string {
	ctx, cancel := context.WithTimeout(context.Background(), renamePatience)
	defer cancel()
	counts, err := d.Store.Counts(ctx)
	if err != nil {
		d.logger.Warn("entries of renamed accounts wait until the next reload", zap.Error(err))
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

// Stop starts no more attempts. It waits at most the given time for attempts in flight and for the
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

// Destruct implements [caddy.Destructor]. A store that does not close in time closes later, when
// its disk answers.
func (d *Dispatcher) Destruct() error {
	d.Stop(d.patience)
	d.leave()
	closed := make(chan error, 1)
	go func() { closed <- d.Store.Close() }()
	timer := time.NewTimer(d.patience)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		return fmt.Errorf("closing the outbox: the disk does not answer within %v; check the disk", d.patience)
	}
}

// Interface guard
var _ caddy.Destructor = (*Dispatcher)(nil)
