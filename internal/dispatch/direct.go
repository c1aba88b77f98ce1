package dispatch

import (
	"slices"
	"sync"

	"github.com/leadwire/caddy-telecrm/delivery"
)

// direct holds the monitors of the configs whose leads are sent without an outbox.
var direct struct {
	mu    sync.Mutex
	owned []ownedMonitors // the last one is in force
}

type ownedMonitors struct {
	owner    any
	monitors []*delivery.Monitor
}

// Watch puts the monitors of the owner's accounts in force.
func Watch(owner any, monitors []*delivery.Monitor) {
	direct.mu.Lock()
	defer direct.mu.Unlock()
	direct.owned = append(direct.owned, ownedMonitors{owner, monitors})
}

// Unwatch withdraws the owner's monitors, if there are any. Those of the config before it are then
// in force again.
func Unwatch(owner any) {
	direct.mu.Lock()
	defer direct.mu.Unlock()
	direct.owned = slices.DeleteFunc(direct.owned, func(o ownedMonitors) bool { return o.owner == owner })
}

// Direct returns the status of the accounts whose leads are sent without an outbox.
func Direct() []delivery.Status {
	direct.mu.Lock()
	defer direct.mu.Unlock()
	if len(direct.owned) == 0 {
		return nil
	}
	var list []delivery.Status
	for _, m := range direct.owned[len(direct.owned)-1].monitors {
		list = append(list, m.Status())
	}
	return list
}
