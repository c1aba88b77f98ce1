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

	mu     sync.Mutex
	owners []ownedConfig // the last one's is in force
}

// ownedConfig is what one app wants of the engine.
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
	p.engine.Configure(config)
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
	p.owners = slices.DeleteFunc(p.owners, func(o ownedConfig) bool { return o.owner == owner })
	if inForce && len(p.owners) > 0 {
		p.engine.Configure(p.owners[len(p.owners)-1].config)
		p.herald.wake()
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
