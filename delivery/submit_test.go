package delivery

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// A lead that may go at once goes straight to TeleCRM, whether the visitor waits or not: the outbox
// is not asked for it, and not asked for others when its attempt ends.
func TestSendsWithoutAskingTheOutbox(t *testing.T) {
	for name, wait := range map[string]time.Duration{"now": 3 * time.Second, "later": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &fakeCRM{create: created}, func(r *rig) {
				r.submit(phoneA, wait) // a new lane looks for entries that failed before
				synctest.Wait()
				before := r.store.countQueries()
				for n := range 50 {
					id, _ := r.submit(fmt.Sprintf("9181234%05d", n), wait)
					synctest.Wait()
					if e := r.entry(id); e.State != outbox.Delivered || e.Attempts != 1 {
						r.t.Fatalf("entry %+v", e)
					}
				}
				if asked := r.store.countQueries() - before; asked > 0 {
					r.t.Errorf("the outbox was asked %d times", asked)
				}
			})
		})
	}
}

// While there is room for all, a lead does not queue behind those that do; at the account's pace, it
// does.
func TestQueuesOnlyForThePace(t *testing.T) {
	for name, rate := range map[string]float64{"fast": 1000, "slow": 1} {
		t.Run(name, func(t *testing.T) {
			slow := &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer {
				time.Sleep(time.Second)
				return ok
			}}
			inBubble(t, slow, func(r *rig) {
				r.config.Accounts[0].Rate, r.config.Accounts[0].Burst = rate, int(rate)
				r.engine.Configure(r.config)
				for n := range 100 {
					r.submit(fmt.Sprintf("9181234%05d", n), 0)
				}
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				calls := r.crm.calls()
				if len(calls) != 100 {
					r.t.Fatalf("%d requests for 100 leads", len(calls))
				}
				for n, call := range calls {
					if phone := fmt.Sprintf("9181234%05d", n); rate == 1 && call.phone != phone {
						r.t.Fatalf("request %d is for %v, not for the lead that came as number %d", n, call.phone, n)
					}
				}
			})
		})
	}
}

// A retry is made on time although nothing else wakes the loop.
func TestRetriesWhileQuiet(t *testing.T) {
	first := true
	flaky := &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer {
		if first {
			first = false
			return down
		}
		return ok
	}}
	inBubble(t, flaky, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		time.Sleep(retryDelays[0] + 30*time.Second)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered || e.Attempts != 2 {
			r.t.Errorf("entry %+v", e)
		}
	})
}

func (m *memory) countQueries() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queries
}
