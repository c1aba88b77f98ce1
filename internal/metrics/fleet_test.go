package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// sharedStore is an outbox that several machines share.
type sharedStore struct {
	outbox.Store

	fleet *outbox.Fleet
	err   error
}

var _ outbox.Shared = (*sharedStore)(nil)

func (*sharedStore) IsShared() bool                       { return true }
func (*sharedStore) Skew() time.Duration                  { return 0 }
func (*sharedStore) LeasedUntil(string) (time.Time, bool) { return time.Time{}, false }

func (*sharedStore) Lend(context.Context, outbox.LoanRequest) (outbox.Loan, error) {
	return outbox.Loan{}, nil
}

func (*sharedStore) Publish(context.Context, string, outbox.AccountState) (bool, error) {
	return true, nil
}

func (*sharedStore) Mark(context.Context, outbox.Mark, string) (bool, error) { return true, nil }
func (*sharedStore) Unmark(context.Context, outbox.Mark, string) error       { return nil }

func (s *sharedStore) Fleet(context.Context) (outbox.Fleet, error) { return *s.fleet, s.err }

// fleetGathered returns the gauges of the fleet, and the number of the others.
func fleetGathered(t *testing.T, gauges *outboxGauges) (lines []string, others int) {
	t.Helper()
	for _, line := range gathered(t, gauges) {
		if strings.HasPrefix(line, "fleet_") {
			lines = append(lines, line)
		} else {
			others++
		}
	}
	return lines, others
}

// Every machine reports the state of the fleet. While it cannot be read, only its own gauges are
// missing.
func TestFleetGauges(t *testing.T) {
	store := &sharedStore{fleet: &outbox.Fleet{
		Nodes: []outbox.Node{
			{Name: "web-1", Self: true, InFlight: 2, Settings: outbox.Settings{"default": {"crm_rate": "1/h 1"}}},
			{Name: "web-2\xff", InFlight: 3, Spooled: 12, Settings: outbox.Settings{"default": {"crm_rate": "2/h 1"}}},
			{Name: "web-1", InFlight: 4},
		},
		DeadRows: 50, OpenFor: 90 * time.Second,
	}}
	opened := open(t, func(own outbox.Store) outbox.Store { store.Store = own; return store })
	gauges := newOutboxGauges(func(name string) string { return name }, func() []*dispatch.Dispatcher { return []*dispatch.Dispatcher{opened} })
	want := []string{
		"fleet_dead_rows{} 50", "fleet_disagreements{} 1", "fleet_in_flight{web-1} 6", "fleet_in_flight{web-2\uFFFD} 3", "fleet_nodes{} 3",
		"fleet_oldest_transaction_seconds{} 90", "fleet_spool_entries{web-1} 0", "fleet_spool_entries{web-2\uFFFD} 12",
	}
	later := time.Now()
	gauges.now = func() time.Time { later = later.Add(time.Minute); return later } // each reading is old
	got, others := fleetGathered(t, gauges)
	if !slices.Equal(got, want) || others == 0 {
		t.Errorf("gathered\n%s\nand %d others, want\n%s", strings.Join(got, "\n"), others, strings.Join(want, "\n"))
	}
	store.err = errors.New("the database is away")
	store.fleet = new(outbox.Fleet)
	if got, still := fleetGathered(t, gauges); len(got) > 0 || still != others {
		t.Errorf("gathered %q and %d others, want none and %d", got, still, others)
	}
}

// However many machines there are, there are few labels, and no lead is left out.
func TestFleetLabelsAreBounded(t *testing.T) {
	store := &sharedStore{fleet: new(outbox.Fleet)}
	for i := range 250 {
		store.fleet.Nodes = append(store.fleet.Nodes, outbox.Node{Name: fmt.Sprintf("web-%03d", i), InFlight: 1})
	}
	opened := open(t, func(own outbox.Store) outbox.Store { store.Store = own; return store })
	gauges := newOutboxGauges(func(name string) string { return name }, func() []*dispatch.Dispatcher { return []*dispatch.Dispatcher{opened} })
	got, _ := fleetGathered(t, gauges)
	got = slices.DeleteFunc(got, func(line string) bool { return !strings.HasPrefix(line, "fleet_in_flight") })
	if len(got) != maxNodes+1 || got[0] != "fleet_in_flight{other} 150" {
		t.Errorf("%d labels, the first is %q", len(got), got[0])
	}
}
