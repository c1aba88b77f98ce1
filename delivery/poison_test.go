package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// poison are the phone numbers of leads that a firewall before TeleCRM turns away.
const poison = "9112345600"

// turnsAway is a TeleCRM that gives the answer to the poison leads alone.
func turnsAway(answer telecrm.Answer) *fakeCRM {
	return &fakeCRM{create: func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		if strings.HasPrefix(phoneOf(lead), poison) {
			return answer
		}
		return created(ctx, n, lead)
	}}
}

// A lead that is turned away while others pass is parked with the reason, and holds the account
// once.
func TestOneLeadTurnedAway(t *testing.T) {
	for name, answer := range map[string]telecrm.Answer{"403": forbidden, "404": nowhere, "405": noMethod} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, turnsAway(answer), func(r *rig) {
				bad, _ := r.submit(poison+"01", 0)
				var honest []string
				for i := range 120 {
					time.Sleep(5 * time.Second)
					id, _ := r.submit(fmt.Sprintf("918123456%03d", i), 0)
					honest = append(honest, id)
				}
				synctest.Wait()
				if e := r.entry(bad); e.State != outbox.Parked || !strings.Contains(e.Reason, "HTTP "+name) || !strings.HasPrefix(e.Reason, reasonPoison) {
					r.t.Errorf("the lead that is turned away is %s: %s", e.State, e.Reason)
				}
				if wait := r.longestWait(honest); wait > 15*time.Second {
					r.t.Errorf("another lead waited %v", wait)
				}
				if got := r.seen(); !slices.Equal(got, []string{"held default", "resumed default"}) {
					r.t.Errorf("events %v", got)
				}
			})
		})
	}
}

// longestWait is how long one of the leads waited for its delivery at most.
func (r *rig) longestWait(ids []string) (longest time.Duration) {
	r.t.Helper()
	for _, id := range ids {
		e := r.entry(id)
		if e.State != outbox.Delivered {
			r.t.Errorf("a lead that TeleCRM takes is %s: %s", e.State, e.Reason)
			continue
		}
		longest = max(longest, e.SettledAt.Sub(e.CreatedAt))
	}
	return longest
}

// Six leads that are turned away keep another back for minutes, not for as long as the probes of an
// account at fault take, and all six are parked.
func TestSixLeadsTurnedAway(t *testing.T) {
	inBubble(t, turnsAway(forbidden), func(r *rig) {
		var bad []string
		for i := range 6 {
			id, _ := r.submit(fmt.Sprintf("%s%02d", poison, i), 0)
			bad = append(bad, id)
			time.Sleep(time.Second)
		}
		good, _ := r.submit(phoneA, 0)
		time.Sleep(time.Hour)
		synctest.Wait()
		wait := r.longestWait([]string{good})
		r.t.Logf("another lead waited %v", wait)
		if wait > 5*time.Minute {
			r.t.Errorf("another lead waited %v", wait)
		}
		for _, id := range bad {
			if e := r.entry(id); e.State != outbox.Parked {
				r.t.Errorf("a lead that is turned away is %s: %s", e.State, e.Reason)
			}
		}
		if got := r.seen(); len(got) != 2 {
			r.t.Errorf("events %v", got)
		}
	})
}

// Leads that are turned away and wait alone, for an hour, do not keep those back that come then,
// and neither does another of their kind.
func TestLeadTurnedAwayAlone(t *testing.T) {
	inBubble(t, turnsAway(forbidden), func(r *rig) {
		var good []string
		for round := range 3 {
			r.submit(fmt.Sprintf("%s%02d", poison, 2*round), 0)
			time.Sleep(time.Hour)
			r.submit(fmt.Sprintf("%s%02d", poison, 2*round+1), 0)
			time.Sleep(time.Minute)
			id, _ := r.submit(fmt.Sprintf("91812345678%d", round), 0)
			good = append(good, id)
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if wait := r.longestWait(good); wait > 30*time.Second {
			r.t.Errorf("another lead waited %v", wait)
		}
		if n := len(r.settledAs(outbox.Parked)); n != 6 {
			r.t.Errorf("%d leads are parked, want 6", n)
		}
	})
}

// A probe takes a lead that has not failed, though it came later.
func TestProbePrefersAnotherLead(t *testing.T) {
	inBubble(t, turnsAway(forbidden), func(r *rig) {
		r.submit(poison+"01", 0)
		time.Sleep(time.Second)
		good, _ := r.submit(phoneA, 0)
		r.resume("default", true)
		if e := r.entry(good); e.State != outbox.Delivered {
			r.t.Errorf("resumed, and the probe was not the lead that had not failed: %+v", e)
		}
	})
}

// While no other lead passes it is the account that is at fault, however often a lead fails.
func TestAllLeadsTurnedAway(t *testing.T) {
	inBubble(t, turnsAway(forbidden), func(r *rig) {
		var ids []string
		for i := range 3 {
			id, _ := r.submit(fmt.Sprintf("%s%02d", poison, i), 0)
			ids = append(ids, id)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Waiting {
				r.t.Errorf("a lead is %s: %s", e.State, e.Reason)
			}
		}
		if got := r.seen(); !slices.Equal(got, []string{"held default"}) {
			r.t.Errorf("events %v", got)
		}
	})
}

// A token that does not work for a few leads alone, as that of the Async API may not, holds nobody
// else up for long, and those leads wait for it.
func TestOneTokenRevoked(t *testing.T) {
	var mended atomic.Bool
	crm := &fakeCRM{create: func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		if strings.HasPrefix(phoneOf(lead), poison) {
			return duplicate
		}
		return created(ctx, n, lead)
	}}
	upsert := asyncFunc(func() telecrm.Answer {
		if mended.Load() {
			return accepted
		}
		return revoked
	})
	inBubble(t, crm, func(r *rig) {
		r.config.Accounts[0].Async = upsert
		r.engine.Configure(r.config)
		known := r.submitJob(Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": poison + "01"}}, OnDuplicate: OnDuplicate{Policy: Upsert}})
		var others []string
		for i := range 360 {
			time.Sleep(10 * time.Second)
			id, _ := r.submit(fmt.Sprintf("918123456%03d", i), 0)
			others = append(others, id)
		}
		synctest.Wait()
		if wait := r.longestWait(others); wait > 75*time.Second {
			r.t.Errorf("another lead waited %v", wait)
		}
		if got := r.seen(); !slices.Equal(got, []string{"held default", "resumed default"}) {
			r.t.Errorf("events %v", got)
		}
		if e := r.entry(known); e.State != outbox.Waiting {
			r.t.Errorf("the lead that needs the token is %s: %s", e.State, e.Reason)
		}
		mended.Store(true)
		time.Sleep(3 * time.Hour) // in which it is due
		synctest.Wait()
		if e := r.entry(known); e.State != outbox.Delivered {
			r.t.Errorf("the token works again, and the lead is %s: %s", e.State, e.Reason)
		}
	})
}

type asyncFunc func() telecrm.Answer

func (f asyncFunc) UpsertLead(context.Context, telecrm.Lead) telecrm.Answer { return f() }

func (r *rig) submitJob(job Job) (id string) {
	r.t.Helper()
	id = "01900000-0000-7000-9000-000000000001"
	if _, err := r.engine.Submit(context.Background(), Submission{ID: id, Account: "default", Form: "enquiry", Job: job}, 0); err != nil {
		r.t.Fatal(err)
	}
	return id
}
