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
	"github.com/leadwire/caddy-telecrm/outbox/spool"
)

// countPatience is how long an outbox may take to count its entries before it closes.
const countPatience = 2 * time.Second

// left holds the outboxes that no config uses although entries wait in them, by resource.
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
	slices.SortFunc(closed, func(a, b adminapi.Left) int { return cmp.Compare(a.Resource, b.Resource) })
	return closed
}

// ReportLeft lists and logs an outbox that no config uses although entries wait in it, unless it is
// in the list. If none wait, or if a config uses it after all, it is taken out.
func ReportLeft(l adminapi.Left, logger *zap.Logger) {
	if l.Waiting == 0 {
		forgetLeft(l.Resource)
		return
	}
	isNew := listLeft(l)
	if IsOpen(l.Resource) {
		forgetLeft(l.Resource) // a config that opens it from now on does so itself
		return
	}
	if isNew {
		logger.Warn("leads wait in an outbox that the running config does not use; they are kept; "+adminapi.LeftAdvice,
			zap.String("outbox", l.Resource), zap.Int("waiting", l.Waiting), zap.Strings("spools", l.Spools))
	}
}

// listLeft adds an outbox to the list, and reports whether it was not there yet.
func listLeft(l adminapi.Left) (isNew bool) {
	left.mu.Lock()
	defer left.mu.Unlock()
	if left.byResource == nil {
		left.byResource = make(map[string]adminapi.Left)
	}
	if _, known := left.byResource[l.Resource]; known {
		return false
	}
	left.byResource[l.Resource] = l
	return true
}

// forgetLeft takes an outbox that a config uses out of the list.
func forgetLeft(resource string) {
	left.mu.Lock()
	defer left.mu.Unlock()
	delete(left.byResource, resource)
}

// leave reports an outbox that closes with waiting entries, because the config names another one.
// When the process ends, the next one delivers them.
func (d *Dispatcher) leave() {
	if caddy.Exiting() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), countPatience)
	defer cancel()
	waiting, err := d.countWaiting(ctx)
	if err != nil {
		d.WarnUnread("the numbers of leads that wait in an outbox that the running config does not use", err)
		return
	}
	closed := adminapi.Left{Resource: d.Resource, Since: time.Now().UTC(), Waiting: waiting}
	if store, ok := d.Spooling(); ok {
		closed.Spools = store.Status().Spools
	}
	ReportLeft(closed, d.logger)
}

// countWaiting counts the waiting entries that no other machine delivers. Machines that share an outbox
// do not have the spools of this one.
func (d *Dispatcher) countWaiting(ctx context.Context) (waiting int, err error) {
	if _, shared := d.Shared(); !shared {
		return countWaitingIn(ctx, d.Store)
	}
	store, ok := d.Spooling()
	if !ok {
		return 0, nil
	}
	err = store.Members(ctx, func(members []spool.Member) error {
		for _, m := range members {
			if m.File == "" {
				continue
			}
			n, err := countWaitingIn(ctx, m.Store)
			if waiting += n; err != nil {
				return err
			}
		}
		return nil
	})
	return waiting, err
}

func countWaitingIn(ctx context.Context, store outbox.Store) (waiting int, err error) {
	counts, err := store.Counts(ctx)
	for _, count := range counts {
		if count.State == outbox.Waiting {
			waiting += count.Entries
		}
	}
	return waiting, err
}
