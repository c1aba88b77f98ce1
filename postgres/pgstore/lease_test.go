package pgstore_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
)

// Several nodes take each entry once.
func TestNodesTakeDisjoint(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	first := f.join(t, "a")
	const leads = 200
	for range leads {
		must(t, first.Append(t.Context(), lead()))
	}
	var mu sync.Mutex
	taken := make(map[string]string)
	var work sync.WaitGroup
	for _, name := range []string{"b", "c", "d"} {
		node := f.join(t, name)
		work.Go(func() {
			for {
				now := time.Now()
				batch, err := node.Take(t.Context(), "default", now.Add(time.Minute), now, 7, nil)
				if err != nil {
					t.Error(err)
				}
				if len(batch) == 0 {
					return
				}
				mu.Lock()
				for _, e := range batch {
					if other := taken[e.ID]; other != "" {
						t.Errorf("%s was taken by %s and %s", e.ID, other, name)
					}
					taken[e.ID] = name
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	if len(taken) != leads {
		t.Errorf("%d of %d entries were taken", len(taken), leads)
	}
}

// At most one lead of an identifier is in flight in the whole fleet.
func TestOneOfAnIdentifier(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	same := func(e *outbox.Entry) { e.Identifier = "918123456789" }
	first, second := lead(same, begun), lead(same)
	must(t, a.Append(t.Context(), first))
	wantError(t, "appending a taken lead of the same identifier", b.Append(t.Context(), lead(same, begun)), outbox.ErrBusy)
	must(t, b.Append(t.Context(), lead(same, begun, func(e *outbox.Entry) { e.Account = "north" })))
	must(t, b.Append(t.Context(), second))
	if taken := take(t, b, 10); len(taken) != 0 {
		t.Errorf("node b has taken %d leads of an identifier that is in flight on node a", len(taken))
	}
	must(t, a.Settle(t.Context(), first.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now(), LeadID: "lead-1"}))
	if taken := take(t, b, 10); len(taken) != 1 || taken[0].ID != second.ID {
		t.Errorf("node b has taken %d leads after node a has settled its own", len(taken))
	}
	if id, known, err := b.Recall(t.Context(), "default", first.Identifier); err != nil || !known || id != "lead-1" {
		t.Errorf("node b recalls %q, %v, error %v", id, known, err)
	}
}

// When a node's lease ends, another node decides its leads. The node cannot go on with them.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	e := lead(begun)
	must(t, a.Append(t.Context(), e))
	if until, ok := a.LeasedUntil(e.ID); !ok || time.Until(until) < 30*time.Second || time.Until(until) > time.Minute {
		t.Errorf("the lease lasts until %v, %v", until, ok)
	}
	must(t, b.Keep(t.Context()))
	if taken := take(t, b, 10); len(taken) != 0 {
		t.Fatal("node b has taken a lead that is leased to node a")
	}
	f.endLease(t, "a")
	wantError(t, "beginning a step after the lease", a.Advance(t.Context(), e.ID, outbox.Progress{Step: "append"}), outbox.ErrState)
	must(t, b.Keep(t.Context()))
	taken := take(t, b, 10)
	if len(taken) != 1 || !taken[0].AmbiguousSince.Equal(e.BegunAt.UTC().Truncate(time.Millisecond)) {
		t.Fatalf("node b has taken %+v", taken)
	}
	delivered := outbox.Settlement{State: outbox.Delivered, At: time.Now()}
	wantError(t, "settling a lead that another node has", a.Settle(t.Context(), e.ID, delivered), outbox.ErrState)
	must(t, b.Settle(t.Context(), e.ID, delivered))

	// The node goes on as another one.
	must(t, a.Keep(t.Context()))
	next := lead(begun)
	must(t, a.Append(t.Context(), next))
	must(t, a.Advance(t.Context(), next.ID, outbox.Progress{Step: "append"}))
	must(t, a.Settle(t.Context(), next.ID, delivered))
}

// An attempt that ended after the lease is recorded if no other node has decided it.
func TestSettleAfterLease(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a := f.join(t, "a")
	e := lead(begun)
	must(t, a.Append(t.Context(), e))
	f.endLease(t, "a")
	must(t, a.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now(), LeadID: "lead-1"}))
	if got := get(t, a, e.ID); got.State != outbox.Delivered {
		t.Errorf("the entry is %s", got.State)
	}
}

// Nothing is taken after the lease has ended in the database.
func TestTakeAfterLease(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	must(t, a.Append(t.Context(), lead()))
	f.endLease(t, "a")
	now := time.Now()
	if taken, err := a.Take(t.Context(), "default", now, now, 1, nil); len(taken) > 0 || err == nil {
		t.Errorf("node a has taken %d leads after its lease, error %v", len(taken), err)
	}
	if taken := take(t, b, 1); len(taken) != 1 || taken[0].Attempts != 1 {
		t.Errorf("node b has taken %+v", taken)
	}
}

// A node that is closed leaves its leads and the list of nodes.
func TestNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	must(t, b.Append(t.Context(), lead(begun)))
	describe := func() string {
		t.Helper()
		fleet, err := a.Fleet(t.Context())
		must(t, err)
		var lines []string
		for _, n := range fleet.Nodes {
			line := n.Name
			if n.Self {
				line += " self"
			}
			if n.InFlight > 0 {
				line += " busy"
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, ", ")
	}
	if got := describe(); got != "a self, b busy" {
		t.Errorf("nodes: %s", got)
	}
	must(t, b.Close())
	if got := describe(); got != "a self" {
		t.Errorf("nodes after one was closed: %s", got)
	}
	if taken := take(t, a, 10); len(taken) != 1 || taken[0].AmbiguousSince.IsZero() {
		t.Errorf("node a has taken %+v", taken)
	}
}

// The node that appended a lead has some time to take it. Then all may.
func TestReserved(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	e := lead()
	must(t, a.Append(t.Context(), e))
	for _, after := range []time.Duration{0, 9 * time.Second} {
		taken, err := b.Take(t.Context(), "default", e.DueAt.Add(after), time.Now(), 1, nil)
		must(t, err)
		if len(taken) > 0 {
			t.Fatalf("node b has taken a lead of node a %v after it was due", after)
		}
	}
	due, waiting, err := b.NextDue(t.Context(), "default")
	must(t, err)
	if late := due.Sub(e.DueAt); !waiting || late < 9*time.Second || late > 11*time.Second {
		t.Errorf("the lead is due for node b after %v, %v", late, waiting)
	}
	if due, _, _ := a.NextDue(t.Context(), "default"); due.After(e.DueAt) {
		t.Errorf("the lead is due for node a at %v, want %v", due, e.DueAt)
	}
	taken, err := b.Take(t.Context(), "default", e.DueAt.Add(11*time.Second), time.Now(), 1, nil)
	must(t, err)
	if len(taken) != 1 {
		t.Error("node b has not taken a lead that node a has left")
	}
	// What a node leaves behind is for all at once.
	e = lead()
	must(t, a.Append(t.Context(), e))
	must(t, a.Close())
	if taken, err := b.Take(t.Context(), "default", e.DueAt, time.Now(), 1, nil); err != nil || len(taken) != 1 || !taken[0].AmbiguousSince.IsZero() {
		t.Errorf("node b has taken %+v, error %v", taken, err)
	}
}

// An entry that a stalled network delivers late may have been sent from a spool meanwhile.
func TestLateAppend(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	network := pgtest.NewProxy(t, f.server.Address())
	s := f.joinAt(t, "a", strings.Replace(f.server.DSN(), f.server.Address(), network.Address(), 1))
	for name, change := range map[string]func(*outbox.Entry){"waiting": func(*outbox.Entry) {}, "taken": begun} {
		prompt, late := lead(change), lead(change)
		must(t, s.Append(t.Context(), prompt))
		if e := get(t, s, prompt.ID); !e.AmbiguousSince.IsZero() {
			t.Errorf("%s: an entry that was appended at once is ambiguous", name)
		}
		network.Stall(true)
		appended := make(chan error)
		go func() { appended <- s.Append(t.Context(), late) }()
		time.Sleep(2 * time.Second)
		network.Stall(false)
		must(t, <-appended)
		if e := get(t, s, late.ID); !e.AmbiguousSince.Equal(late.CreatedAt.Truncate(time.Millisecond)) {
			t.Errorf("%s: an entry that came late is ambiguous since %v, want %v", name, e.AmbiguousSince, late.CreatedAt)
		}
	}
}
