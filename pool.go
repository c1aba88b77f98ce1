package caddytelecrm

import (
	"context"
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
		store, err := guest.Open(logger)
		if err != nil {
			return nil, err
		}
		p := &pooledOutbox{store: store, engine: delivery.New(store), tally: console.NewTally(time.Now), logger: logger}
		p.herald = newHerald(p.outlet, logger)
		meters.outboxes.add(p)
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*pooledOutbox), nil
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
const renamePatience = 2 * time.Second

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

// Destruct stops the engine and closes the store.
func (p *pooledOutbox) Destruct() error {
	p.stop(lastAttempts)
	meters.outboxes.remove(p)
	return p.store.Close()
}
