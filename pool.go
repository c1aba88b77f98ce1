package caddytelecrm

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/console"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// pool holds what outlives a config. There are the process's open outboxes, by
// what they open alone: however many configs there are, one store is open of
// each, with one engine that delivers from it. And there is what forms' guards
// remember.
var pool = caddy.NewUsagePool()

// pooledOutbox is an open outbox and the engine that delivers from it.
type pooledOutbox struct {
	store  outbox.Store
	engine *delivery.Engine
	tally  *console.Tally
	logger *zap.Logger
	traces tracesEnd
	herald *herald
	// patience is how long attempts under way may take to end once no config
	// uses the outbox any more, and how long the store may take to close.
	patience time.Duration

	mu      sync.Mutex
	owners  []ownedConfig // the last one's is in force
	inForce delivery.Config
}

// ownedConfig is what one app wants of the engine, without the accounts that
// have been renamed; see [pooledOutbox.configure].
type ownedConfig struct {
	owner  *App
	config delivery.Config
}

// openPooled returns the open outbox that guest describes, opening it if need
// be.
func openPooled(resource string, guest Outbox, logger *zap.Logger) (*pooledOutbox, error) {
	value, _, err := pool.LoadOrNew(resource, func() (caddy.Destructor, error) {
		store, err := openWithin(guest, logger, openPatience())
		if err != nil {
			return nil, err
		}
		p := &pooledOutbox{
			store: store, engine: delivery.New(store), tally: console.NewTally(time.Now),
			logger: logger, patience: lastAttempts,
		}
		p.herald = newHerald(p.outlet, logger)
		meters.outboxes.add(p)
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*pooledOutbox), nil
}

// reloadPatience is how long an outbox may take to open while another config
// runs, whose visitors a reload must not keep waiting for a disk.
const reloadPatience = 30 * time.Second

// openPatience is how long an outbox may take to open: at the start of the
// process for as long as it takes, because a large one that is damaged is read
// from end to end.
func openPatience() time.Duration {
	if caddy.ActiveContext().Context == nil {
		return math.MaxInt64
	}
	return reloadPatience
}

// openWithin opens the outbox that guest describes. If that takes too long it
// returns an error, and closes the outbox once it is open.
func openWithin(guest Outbox, logger *zap.Logger, patience time.Duration) (outbox.Store, error) {
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

// adopt puts the owner's configuration in force.
func (p *pooledOutbox) adopt(owner *App, config delivery.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.owners = append(p.owners, ownedConfig{owner, config})
	p.configure()
}

// renamePatience is how long a config waits to be told which accounts have
// entries.
const renamePatience = 500 * time.Millisecond

// configure puts the last owner's configuration in force. Entries of accounts
// that it does not have, because settings were changed that an inline account
// is called after, are delivered by the account that reaches the same
// workspace.
func (p *pooledOutbox) configure() {
	p.inForce = p.effective()
	p.engine.Configure(p.inForce)
}

// effective is the last owner's configuration with the accounts that inherit
// entries.
func (p *pooledOutbox) effective() delivery.Config {
	last := p.owners[len(p.owners)-1]
	config := last.config
	config.Accounts = slices.Clone(config.Accounts)
	for _, name := range p.namesInUse() {
		configured := slices.ContainsFunc(config.Accounts, func(a delivery.Account) bool { return a.Name == name })
		if heir := last.owner.heirOf(name); !configured && heir != nil {
			inherited := last.owner.described(heir)
			inherited.Name = name
			config.Accounts = append(config.Accounts, inherited)
		}
	}
	return config
}

// namesInUse lists the accounts that have entries, and those of configs whose
// last requests are still being answered.
func (p *pooledOutbox) namesInUse() []string {
	ctx, cancel := context.WithTimeout(context.Background(), renamePatience)
	defer cancel()
	counts, err := p.store.Counts(ctx)
	if err != nil {
		p.logger.Warn("entries of accounts that were renamed wait until the next reload", zap.Error(err))
	}
	names := make([]string, 0, len(counts))
	for _, count := range counts {
		if count.Entries > 0 {
			names = append(names, count.Account)
		}
	}
	for _, owned := range p.owners {
		for _, account := range owned.config.Accounts {
			names = append(names, account.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// release takes the owner's configuration back. If it was in force, the one
// before it is again: that is how a refused reload leaves the running config
// as it was.
func (p *pooledOutbox) release(owner *App) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.owners) == 0 {
		return
	}
	inForce := p.owners[len(p.owners)-1].owner == owner
	before := len(p.owners)
	p.owners = slices.DeleteFunc(p.owners, func(o ownedConfig) bool { return o.owner == owner })
	if len(p.owners) == before || len(p.owners) == 0 {
		return
	}
	if inForce {
		p.configure()
		p.herald.wake()
		return
	}
	sameName := func(a, b delivery.Account) bool { return a.Name == b.Name }
	if !slices.EqualFunc(p.effective().Accounts, p.inForce.Accounts, sameName) {
		p.configure()
	}
}

// outlet is the one of the config in force; nil while that starts.
func (p *pooledOutbox) outlet() *eventOutlet {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.owners) == 0 {
		return nil
	}
	outlet := p.owners[len(p.owners)-1].owner.outlet
	if outlet == nil || !outlet.isOpen() {
		return nil
	}
	return outlet
}

// lastAttempts is how long attempts under way may take to end once no config
// uses the outbox any more.
const lastAttempts = 15 * time.Second

// stop begins no more attempts and waits for those under way, and for the
// handlers of their events, for at most the given time.
func (p *pooledOutbox) stop(wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := p.engine.Stop(ctx); err != nil {
		p.logger.Warn("stopping deliveries", zap.Error(err))
	}
	if err := p.herald.end(ctx); err != nil {
		p.logger.Warn("stopping events", zap.Error(err))
	}
}

// Destruct stops the engine and closes the store. A store that does not close
// in time is left to do so when its disk answers.
func (p *pooledOutbox) Destruct() error {
	p.stop(p.patience)
	meters.outboxes.remove(p)
	closed := make(chan error, 1)
	go func() { closed <- p.store.Close() }()
	timer := time.NewTimer(p.patience)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		return fmt.Errorf("closing the outbox: it does not answer after %v; look at its disk", p.patience)
	}
}
