package admin

import (
	"context"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// fleetOf returns the state of an outbox that several machines share. It is nil for others, and while
// the outbox cannot be reached.
func fleetOf(ctx context.Context, o *dispatch.Dispatcher) (*adminapi.Fleet, error) {
	shared, is := o.Shared()
	if !is {
		return nil, nil //nolint:nilnil // it is not shared
	}
	state, err := shared.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	if len(state.Nodes) == 0 {
		return nil, nil //nolint:nilnil // it cannot be reached
	}
	fleet := &adminapi.Fleet{Nodes: make([]adminapi.Node, 0, len(state.Nodes)), DeadRows: state.DeadRows, OpenSeconds: state.OpenFor.Seconds(), Disagreements: outbox.Disagreements(state.Nodes)}
	for _, n := range state.Nodes {
		fleet.Nodes = append(fleet.Nodes, adminapi.Node{Name: n.Name, Self: n.Self, Since: n.JoinedAt, InFlight: n.InFlight, Spooled: n.Spooled})
	}
	return fleet, nil
}

// nameHolders adds the machines to described leads that are in flight in an outbox that several share.
// If they cannot be read, the leads are shown without.
func nameHolders(ctx context.Context, leads []keptLead, described []adminapi.Lead) {
	begun := make(map[*dispatch.Dispatcher][]string)
	for _, l := range leads {
		if l.State == outbox.Waiting && !l.BegunAt.IsZero() {
			begun[l.in] = append(begun[l.in], l.ID)
		}
	}
	for in, ids := range begun {
		store, ok := in.Store.(outbox.Holding)
		if !ok {
			continue
		}
		names, err := store.Holders(ctx, ids)
		if err != nil {
			continue
		}
		for i, l := range leads {
			if l.in == in {
				described[i].Node = names[l.ID]
			}
		}
	}
}
