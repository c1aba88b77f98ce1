package delivery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// stall is an append that takes long, and its error.
type stall struct {
	takes  time.Duration
	failed error
}

// slowAppend is a test of one lead whose append takes long, so that it is sent directly.
type slowAppend struct {
	policy policyCase
	exists bool
	wait   time.Duration // if positive, the append begins the attempt
	stall  stall
	fault  string        // of the direct request; empty: none
	after  time.Duration // the delay between Submit and the direct request
	crash  bool          // the process crashes before the append ends, but the entry is on disk
}

// If the outbox is too slow, the lead is sent directly, and the late append does not store any
// action or lead twice. If the direct request fails, the outbox delivers the lead.
func TestLateAppend(t *testing.T) {
	t.Parallel()
	const long = appendTimeout + 5*time.Second
	for name, story := range map[string]slowAppend{
		"stored later":                   {stall: stall{takes: long}},
		"stored during the request":      {stall: stall{takes: appendTimeout + time.Second}},
		"stored before the request":      {stall: stall{takes: appendTimeout + time.Second}, after: 2 * time.Second},
		"stored at the timeout":          {stall: stall{takes: appendTimeout}},
		"stored an hour later":           {stall: stall{takes: time.Hour}},
		"fails":                          {stall: stall{takes: long, failed: errors.New("input/output error")}},
		"answer lost":                    {stall: stall{takes: long}, fault: sandbox.FaultDroppedAfterStore},
		"request lost":                   {stall: stall{takes: long}, fault: sandbox.FaultDropped},
		"TeleCRM down for a moment":      {stall: stall{takes: long}, fault: sandbox.FaultServerError},
		"answer lost while it is stored": {stall: stall{takes: appendTimeout + time.Second}, fault: sandbox.FaultSlowAfterStore},
	} {
		for policyName, policy := range policyCases() {
			for _, exists := range []bool{false, true} {
				for _, wait := range []time.Duration{0, 3 * time.Second} {
					story.policy, story.exists, story.wait = policy, exists, wait
					t.Run(name+"/"+policyName+map[bool]string{true: "/exists", false: "/new"}[exists]+map[bool]string{true: "/later", false: "/now"}[wait == 0], func(t *testing.T) {
						t.Parallel()
						story.run(t)
					})
				}
			}
		}
	}
}

// If the process crashes meanwhile, the attempt that began with the append counts as ambiguous.
func TestCrashBeforeTheLateAppend(t *testing.T) {
	t.Parallel()
	for policyName, policy := range policyCases() {
		for _, exists := range []bool{false, true} {
			t.Run(policyName+map[bool]string{true: "/exists", false: "/new"}[exists], func(t *testing.T) {
				t.Parallel()
				slowAppend{
					policy: policy, exists: exists, wait: 3 * time.Second, crash: true, stall: stall{takes: time.Hour},
				}.run(t)
			})
		}
	}
}

func (story slowAppend) run(t *testing.T) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(t, story.policy, scenario{exists: story.exists, configure: func(c *sandbox.Config) { c.Latency = 1500 * time.Millisecond }})
		defer sim.crm.Close()
		account := sim.account(t)
		sim.startWith(t, account)
		time.Sleep(time.Minute) // to fetch the locked fields
		sim.store.setDelay(story.stall.takes, story.stall.failed)
		s := sim.submission(entryID)
		_, err := sim.engine.Submit(t.Context(), s, story.wait)
		var direct outbox.Settlement
		if err != nil {
			time.Sleep(story.after)
			if story.fault != "" {
				sim.crm.Inject(sandbox.Faults()[story.fault])
			}
			direct = sim.sendOnce(t, account, s)
		}
		if story.crash {
			sim.store.finishAppends()
			sim.crash()
			sim.startWith(t, account)
			time.Sleep(time.Second)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if err := sim.engine.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		story.check(t, sim, direct)
	})
}

// sendOnce sends a lead directly, within a visitor's budget, unless the outbox has stored it.
func (sim *simulation) sendOnce(t *testing.T, account Account, s Submission) outbox.Settlement {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	settlement, _, err := sim.engine.SendOnce(ctx, account, s, func() { t.Error("sent ahead of its turn") })
	if err != nil && !errors.Is(err, ErrKept) {
		t.Error(err)
	}
	return settlement
}

func (story slowAppend) check(t *testing.T, sim *simulation, direct outbox.Settlement) {
	t.Helper()
	if n := sim.countNotes(); n > 1 {
		t.Errorf("the action was stored %d times: %v", n, sim.requests)
	}
	if n := len(sim.crm.Leads()); n > 1 {
		t.Errorf("%d leads: %v", n, sim.requests)
	}
	entry, err := sim.store.Get(t.Context(), entryID)
	if story.stall.failed != nil {
		if err == nil {
			t.Errorf("the failed append left an entry: %+v", entry)
		}
		return
	}
	switch {
	case errors.Is(err, outbox.ErrNotFound) && direct.State == outbox.Delivered: // erased
	case err != nil:
		t.Errorf("entry: %v", err)
	case entry.State == outbox.Waiting:
		t.Errorf("still waiting: %s; %v", entry.Reason, sim.requests)
	case entry.State == outbox.Delivered:
		sim.checkDelivered(t, entry)
	case direct.State == outbox.Delivered && (!story.crash || !story.policy.asyncOnly): // the Async API does not say
		t.Errorf("delivered directly, but parked: %s; %v", entry.Reason, sim.requests)
	}
	if sim.engine.appends.size() != 0 {
		t.Error("the append is still tracked")
	}
}
