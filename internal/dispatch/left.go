package dispatch

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// countPatience is how long an outbox may take to count its entries before it closes.
const countPatience = 2 * time.Second

// left holds the outboxes that were closed with waiting entries, by resource.
var left struct {
	mu         sync.Mutex
	byResource map[string]adminapi.Left
}

// LeftOutboxes lists the outboxes that no config uses any more, although entries wait in them,
// sorted by resource.
func LeftOutboxes() []adminapi.Left {
	left.mu.Lock()
	closed := slices.Collect(maps.Values(left.byResource))
	left.mu.Unlock()
	open := All()
	closed = slices.DeleteFunc(closed, func(l adminapi.Left) bool {
		return slices.ContainsFunc(open, func(d *Dispatcher) bool { return d.Resource == l.Resource })
	})
	slices.SortFunc(closed, func(a, b adminapi.Left) int { return cmp.Compare(a.Resource, b.Resource) })
	return closed
}

// remember puts an outbox that closes into the list, or takes it out if nothing waits in it.
func remember(closed adminapi.Left) {
	left.mu.Lock()
	defer left.mu.Unlock()
	if left.byResource == nil {
		left.byResource = make(map[string]adminapi.Left)
	}
	delete(left.byResource, closed.Resource)
	if closed.Waiting > 0 {
		left.byResource[closed.Resource] = closed
	}
}

// leave reports an outbox that closes with waiting entries, because the config names another one.
// When the process ends, the next one delivers them, and so do other machines that share the outbox.
func (d *Dispatcher) leave() {
	if _, shared := d.Shared(); shared || caddy.Exiting() {
		return
	}
	closed := adminapi.Left{Resource: d.Resource, Since: time.Now().UTC()}
	defer func() { remember(closed) }()
	ctx, cancel := context.WithTimeout(context.Background(), countPatience)
	defer cancel()
	counts, err := d.Store.Counts(ctx)
	if err != nil {
		d.WarnUnread("the numbers of leads that wait in an outbox that the running config does not use", err)
		return
	}
	for _, count := range counts {
		if count.State == outbox.Waiting {
			closed.Waiting += count.Entries
		}
	}
	if closed.Waiting == 0 {
		return
	}
	if store, ok := d.Spooling(); ok {
		closed.Spools = store.Status().Spools
	}
	d.logger.Warn("leads wait in an outbox that the running config does not use; they are kept; "+adminapi.LeftAdvice,
		zap.String("outbox", d.Resource), zap.Int("waiting", closed.Waiting), zap.Strings("spools", closed.Spools))
}
