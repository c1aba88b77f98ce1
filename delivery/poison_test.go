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

// poisonPrefix is the prefix of phone numbers that a firewall in front of TeleCRM turns away.
const poisonPrefix = "9112345600"

// poisonCRM returns a TeleCRM that gives the answer to poison leads and accepts others.
func poisonCRM(answer telecrm.Answer) *fakeCRM {
	return &fakeCRM{create: func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		if strings.HasPrefix(phoneOf(lead), poisonPrefix) {
			return answer
		}
		return created(ctx, n, lead)
	}}
}

// A poison lead is parked with the reason, and puts the account on hold once.
func TestOnePoisonLead(t *testing.T) {
	for name, answer := range map[string]telecrm.Answer{"403": forbidden, "404": notFound, "405": noMethod} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, poisonCRM(answer), func(r *rig) {
				bad, _ := r.submit(poisonPrefix+"01", 0)
				var honest []string
				for i := range 120 {
					time.Sleep(5 * time.Second)
					id, _ := r.submit(fmt.Sprintf("918123456%03d", i), 0)
					honest = append(honest, id)
				}
				synctest.Wait()
				if e := r.entry(bad); e.State != outbox.Parked || !strings.Contains(e.Reason, "HTTP "+name) || !strings.HasPrefix(e.Reason, reasonPoison) {
					r.t.Errorf("the poison lead is %s: %s", e.State, e.Reason)
				}
				if wait := r.longestWait(honest); wait > 15*time.Second {
					r.t.Errorf("another lead waited %v", wait)
				}
				if got := r.eventLog(); !slices.Equal(got, []string{"held default", "resumed default"}) {
					r.t.Errorf("events %v", got)
				}
			})
		})
	}
}

// longestWait returns the longest time between submission and delivery of the leads.
func (r *rig) longestWait(ids []string) (longest time.Duration) {
	r.t.Helper()
	for _, id := range ids {
		e := r.entry(id)
		if e.State != outbox.Delivered {
			r.t.Errorf("another lead is %s: %s", e.State, e.Reason)
			continue
		}
		longest = max(longest, e.SettledAt.Sub(e.CreatedAt))
	}
	return longest
}

// Six poison leads delay another lead for minutes, and all six are parked.
func TestSixPoisonLeads(t *testing.T) {
	inBubble(t, poisonCRM(forbidden), func(r *rig) {
		var bad []string
		for i := range 6 {
			id, _ := r.submit(fmt.Sprintf("%s%02d", poisonPrefix, i), 0)
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
				r.t.Errorf("a poison lead is %s: %s", e.State, e.Reason)
			}
		}
		if got := r.eventLog(); len(got) != 2 {
			r.t.Errorf("events %v", got)
		}
	})
}

// Poison leads that have been waiting alone for an hour do not delay new leads, and neither do new
// poison leads.
func TestPoisonLeadsAlone(t *testing.T) {
	inBubble(t, poisonCRM(forbidden), func(r *rig) {
		var good []string
		for round := range 3 {
			r.submit(fmt.Sprintf("%s%02d", poisonPrefix, 2*round), 0)
			time.Sleep(time.Hour)
			r.submit(fmt.Sprintf("%s%02d", poisonPrefix, 2*round+1), 0)
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

// A probe prefers a lead that has not failed, even if it is newer.
func TestProbePrefersAnotherLead(t *testing.T) {
	inBubble(t, poisonCRM(forbidden), func(r *rig) {
		r.submit(poisonPrefix+"01", 0)
		time.Sleep(time.Second)
		good, _ := r.submit(phoneA, 0)
		r.resume("default", true)
		if e := r.entry(good); e.State != outbox.Delivered {
			r.t.Errorf("resumed, but the probe was a lead that had failed: %+v", e)
		}
	})
}

// Without an accepted lead the account stays on hold, however often the leads fail.
func TestHoldWithoutOtherLeads(t *testing.T) {
	inBubble(t, poisonCRM(forbidden), func(r *rig) {
		var ids []string
		for i := range 3 {
			id, _ := r.submit(fmt.Sprintf("%s%02d", poisonPrefix, i), 0)
			ids = append(ids, id)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Waiting {
				r.t.Errorf("a lead is %s: %s", e.State, e.Reason)
			}
		}
		if got := r.eventLog(); !slices.Equal(got, []string{"held default"}) {
			r.t.Errorf("events %v", got)
		}
	})
}

// If one of two tokens does not work, only the leads that need it wait, and others are hardly
// delayed.
func TestOneTokenRevoked(t *testing.T) {
	var fixed atomic.Bool
	crm := &fakeCRM{create: func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		if strings.HasPrefix(phoneOf(lead), poisonPrefix) {
			return duplicate
		}
		return created(ctx, n, lead)
	}}
	upsert := asyncFunc(func() telecrm.Answer {
		if fixed.Load() {
			return accepted
		}
		return revoked
	})
	inBubble(t, crm, func(r *rig) {
		r.config.Accounts[0].Async = upsert
		r.engine.Configure(r.config)
		known := r.submitJob(Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": poisonPrefix + "01"}}, OnDuplicate: OnDuplicate{Policy: Upsert}})
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
		if got := r.eventLog(); !slices.Equal(got, []string{"held default", "resumed default"}) {
			r.t.Errorf("events %v", got)
		}
		if e := r.entry(known); e.State != outbox.Waiting {
			r.t.Errorf("the lead that needs the token is %s: %s", e.State, e.Reason)
		}
		fixed.Store(true)
		time.Sleep(3 * time.Hour) // until it is due
		synctest.Wait()
		if e := r.entry(known); e.State != outbox.Delivered {
			r.t.Errorf("the token works again, but the lead is %s: %s", e.State, e.Reason)
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
