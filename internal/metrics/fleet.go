package metrics

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// fleetGauges describes the state of an outbox that several machines share. Each of them reports all.
type fleetGauges struct {
	nodes, inFlight, spooled, disagreements, deadRows, oldest *prometheus.Desc
}

func newFleetGauges(name func(string) string) fleetGauges {
	return fleetGauges{
		nodes:         prometheus.NewDesc(name("fleet_nodes"), "Machines that use the outbox.", nil, nil),
		inFlight:      prometheus.NewDesc(name("fleet_in_flight"), "Leads in flight, by the machine that has them.", []string{"node"}, nil),
		spooled:       prometheus.NewDesc(name("fleet_spool_entries"), "Leads in spools, by the machine that keeps them.", []string{"node"}, nil),
		disagreements: prometheus.NewDesc(name("fleet_disagreements"), "Settings that differ between machines and should not.", nil, nil),
		deadRows:      prometheus.NewDesc(name("fleet_dead_rows"), "Row versions that the database has not cleaned up yet, roughly.", nil, nil),
		oldest: prometheus.NewDesc(name("fleet_oldest_transaction_seconds"),
			"For how long the oldest transaction has been open, which keeps the database from cleaning up; 0 if there is none.", nil, nil),
	}
}

func (g fleetGauges) describe(descriptions chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.nodes, g.inFlight, g.spooled, g.disagreements, g.deadRows, g.oldest} {
		descriptions <- d
	}
}

// collect reports nothing of an outbox that one machine uses or that cannot be reached.
func (g fleetGauges) collect(gauge func(desc *prometheus.Desc, value float64, labels ...string), f outbox.Fleet) {
	if len(f.Nodes) == 0 {
		return
	}
	gauge(g.nodes, float64(len(f.Nodes)))
	gauge(g.disagreements, float64(len(outbox.Disagreements(f.Nodes))))
	gauge(g.deadRows, float64(f.DeadRows))
	gauge(g.oldest, f.OpenFor.Seconds())
	inFlight, spooled := make(map[string]int), make(map[string]int)
	for _, n := range f.Nodes {
		node := nodeLabel(n.Name, inFlight)
		inFlight[node] += n.InFlight
		spooled[node] += n.Spooled
	}
	for node := range inFlight {
		gauge(g.inFlight, float64(inFlight[node]), node)
		gauge(g.spooled, float64(spooled[node]), node)
	}
}

const (
	// maxNodes is how many machines have a label of their own. More of them share otherNodes.
	maxNodes   = 100
	otherNodes = "other"
)

// nodeLabel returns the label of a machine. Its name comes from the config of that machine.
func nodeLabel(name string, known map[string]int) string {
	name = label(name)
	if _, is := known[name]; !is && len(known) >= maxNodes {
		return otherNodes
	}
	return name
}

// fleetOf reads the state of an outbox that several machines share. It is empty for others.
func fleetOf(ctx context.Context, d *dispatch.Dispatcher) outbox.Fleet {
	shared, is := d.Shared()
	if !is {
		return outbox.Fleet{}
	}
	fleet, err := shared.Fleet(ctx)
	if err != nil {
		if !errors.Is(err, outbox.ErrClosed) {
			d.WarnUnread("the metrics of the fleet", err)
		}
		return outbox.Fleet{}
	}
	return fleet
}
