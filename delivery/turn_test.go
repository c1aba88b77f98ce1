package delivery

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// visit is a visitor's post in a test.
type visit struct {
	id      string
	outcome Outcome
	posted  time.Time
	waited  time.Duration
}

// visit posts a lead and waits for its outcome.
func (r *rig) visit(phone string, budget time.Duration) visit {
	v := visit{posted: time.Now()}
	v.id, v.outcome = r.submit(phone, budget)
	v.waited = time.Since(v.posted)
	return v
}

// setRate changes the rate of the account.
func (r *rig) setRate(rate float64, burst int) {
	account := r.config.Accounts[0]
	account.Rate, account.Burst = rate, burst
	r.config.Accounts = []Account{account} // the engine may still read the old ones
	r.engine.Configure(r.config)
}

// A crowd that comes faster than crm_rate is thanked at once as soon as the queue is too long to get
// an answer within the budget. The first of it, and nobody else, wait for their answers.
func TestNobodyWaitsForAQueueThatIsTooLong(t *testing.T) {
	crm := &fakeCRM{create: created}
	inBubble(t, crm, func(r *rig) {
		r.setRate(1, 5)
		const posts, budget = 600, 3 * time.Second
		visits := make([]visit, posts)
		var visitors sync.WaitGroup
		for i := range visits {
			visitors.Go(func() { visits[i] = r.visit(fmt.Sprintf("918123%06d", i), budget) })
			time.Sleep(time.Second * 10 / 13)
		}
		visitors.Wait()
		answered, inVain := 0, 0
		for _, v := range visits {
			switch {
			case v.outcome.State == outbox.Delivered:
				answered++
			case v.waited > 0:
				inVain++
			}
		}
		if inVain > 0 || answered < 20 || answered > 40 {
			r.t.Errorf("of %d visitors, %d were answered, and %d waited for nothing", posts, answered, inVain)
		}
		time.Sleep(posts * time.Second)
		synctest.Wait()
		if n := len(r.settledAs(outbox.Delivered)); n != posts {
			r.t.Errorf("%d of %d leads are delivered", n, posts)
		}
	})
}

// A visitor waits if and only if the turn of their lead comes within the budget, whatever the pace,
// the budget, the crowd and the leads that do not have a visitor.
func TestVisitorsWaitIfTheirTurnComes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.2, 1, 2.5, 20}).Draw(rt, "rate")
		burst := rapid.IntRange(1, 6).Draw(rt, "burst")
		backlog := rapid.IntRange(0, 8).Draw(rt, "backlog")
		latency := time.Duration(rapid.IntRange(0, 40).Draw(rt, "latency")) * time.Millisecond
		type arrival struct{ after, budget time.Duration }
		arrivals := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) arrival {
			return arrival{
				after:  time.Duration(rapid.IntRange(1, 2500).Draw(rt, "after")) * time.Millisecond,
				budget: time.Duration(rapid.SampledFrom([]int{200, 1000, 3000, 10_000}).Draw(rt, "budget")) * time.Millisecond,
			}
		}), 1, 25).Draw(rt, "arrivals")

		crm := &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer {
			time.Sleep(latency)
			return ok
		}}
		var visits []visit
		inBubble(t, crm, func(r *rig) {
			for i := range 8 { // opens the window
				r.visit(fmt.Sprintf("918129%06d", i), time.Minute)
			}
			r.setRate(rate, burst)
			time.Sleep(time.Minute)
			for i := range backlog {
				r.submit(fmt.Sprintf("918128%06d", i), 0)
			}
			visits = make([]visit, len(arrivals))
			var visitors sync.WaitGroup
			for i, a := range arrivals {
				time.Sleep(a.after)
				visitors.Go(func() { visits[i] = r.visit(fmt.Sprintf("918123%06d", i), a.budget) })
			}
			visitors.Wait()
			time.Sleep(time.Duration(float64(len(arrivals)+backlog)/rate+1) * time.Second)
		})
		sent := make(map[string]time.Time)
		for _, c := range crm.calls() {
			sent[c.phone] = c.at
		}
		for i, v := range visits {
			budget, turn := arrivals[i].budget, sent[fmt.Sprintf("918123%06d", i)].Sub(v.posted)
			const tolerance = 10 * time.Millisecond
			switch {
			case v.outcome.State == outbox.Delivered:
			case v.waited > 50*time.Millisecond && turn+latency > budget+tolerance:
				rt.Errorf("visitor %d waited %v of %v for nothing: the turn came after %v", i, v.waited, budget, turn)
			case v.waited <= 50*time.Millisecond && turn+latency < budget-tolerance:
				rt.Errorf("visitor %d was thanked after %v, but the turn came after %v of %v", i, v.waited, turn, budget)
			}
		}
	})
}

// A pause that ends within the budget is worth waiting for, and a longer one is not. A visitor who
// waits for a turn is thanked as soon as it is clear that it will not come.
func TestVisitorsAndPauses(t *testing.T) {
	busy := func(after time.Duration) telecrm.Answer {
		return telecrm.Answer{Verdict: telecrm.Retry, Status: 429, RetryAfter: after}
	}
	for name, tc := range map[string]struct {
		first  telecrm.Answer
		state  outbox.State
		waited time.Duration
	}{
		"a short pause":  {busy(time.Second), outbox.Delivered, time.Second},
		"a long pause":   {busy(5 * time.Second), outbox.Waiting, 0},
		"a hold":         {revoked, outbox.Waiting, 0},
		"a failure":      {down, outbox.Delivered, 0},
		"a slow failure": {telecrm.Answer{Verdict: telecrm.Retry, Status: 503, RetryAfter: 4 * time.Second}, outbox.Waiting, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &fakeCRM{create: answers(tc.first, ok)}, func(r *rig) {
				r.submit(phoneA, 0)
				synctest.Wait()
				if v := r.visit(phoneB, 3*time.Second); v.outcome.State != tc.state || v.waited != tc.waited {
					r.t.Errorf("the visitor waited %v for %+v, want %v", v.waited, v.outcome, tc.waited)
				}
			})
		})
	}
	t.Run("a pause that begins meanwhile", func(t *testing.T) {
		crm := &fakeCRM{create: func(_ context.Context, n int, _ telecrm.Lead) telecrm.Answer {
			if n < 3 {
				return ok
			}
			time.Sleep(200 * time.Millisecond)
			return busy(time.Minute)
		}}
		inBubble(t, crm, func(r *rig) {
			r.setRate(1, 2)
			r.visit(phoneA, 3*time.Second)
			r.visit(phoneB, 3*time.Second)
			r.submit("918123456700", 0) // sent after a second
			if v := r.visit("918123456701", 3*time.Second); v.waited < 1200*time.Millisecond || v.waited > 1250*time.Millisecond {
				r.t.Errorf("the visitor waited %v for %+v", v.waited, v.outcome)
			}
		})
	})
}

// If TeleCRM answers later than visitors wait, only the first ones wait. As soon as it is fast
// again, visitors wait again.
func TestVisitorsDoNotWaitForSlowAnswers(t *testing.T) {
	var mu sync.Mutex
	takes := 9 * time.Second
	crm := &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer {
		mu.Lock()
		latency := takes
		mu.Unlock()
		time.Sleep(latency)
		return ok
	}}
	inBubble(t, crm, func(r *rig) {
		for i := range 10 {
			want := 3 * time.Second
			if i >= recentAnswers {
				want = 0
			}
			if v := r.visit(fmt.Sprintf("918123%06d", i), 3*time.Second); v.waited != want {
				r.t.Errorf("visitor %d waited %v, want %v", i, v.waited, want)
			}
			time.Sleep(10 * time.Second)
			if s := r.engine.Status()[0]; i >= recentAnswers && s.Condition != Slow {
				r.t.Errorf("status %+v", s)
			}
		}
		mu.Lock()
		takes = 100 * time.Millisecond
		mu.Unlock()
		r.submit(phoneA, 0)
		time.Sleep(time.Second)
		if v := r.visit(phoneB, 3*time.Second); v.outcome.State != outbox.Delivered || v.waited != takes {
			r.t.Errorf("the visitor waited %v for %+v", v.waited, v.outcome)
		}
		if s := r.engine.Status()[0]; s.Condition != Sending {
			r.t.Errorf("status %+v", s)
		}
	})
}
