package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const (
	phoneA = "918123456789"
	phoneB = "12015550123"
)

// inBubble runs the test in a synctest bubble, whose clock advances only while everything waits.
func inBubble(t *testing.T, crm *fakeCRM, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, crm)
		test(r)
		r.stop()
	})
}

func TestDelivery(t *testing.T) {
	inBubble(t, &fakeCRM{create: created}, func(r *rig) {
		id, outcome := r.submit(phoneA, 3*time.Second)
		if outcome.State != outbox.Delivered || outcome.LeadID != ok.LeadID {
			r.t.Errorf("outcome %+v", outcome)
		}
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered || e.LeadID != ok.LeadID || e.Attempts != 1 || e.Reason != "" {
			r.t.Errorf("entry %+v", e)
		}
	})
}

// A lead that becomes due without a word of the outbox, because the outbox was repaired, is sent within
// minutes.
func TestRepairedEntriesAreSentSoon(t *testing.T) {
	inBubble(t, &fakeCRM{create: created}, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		time.Sleep(time.Minute)
		e := r.entry(id)
		e.ID, e.State, e.Attempts, e.BegunAt, e.SettledAt = "01900000-0000-7000-8000-000000000002", outbox.Waiting, 0, time.Time{}, time.Time{}
		e.DueAt = time.Now()
		if err := r.store.Append(r.t.Context(), e); err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if e := r.entry(e.ID); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
	})
}

// The visitor waits no longer than the budget, and the delivery continues.
func TestSubmitWaitsWithinBudget(t *testing.T) {
	slow := &fakeCRM{create: func(_ context.Context, _ int, _ telecrm.Lead) telecrm.Answer {
		time.Sleep(9 * time.Second)
		return ok
	}}
	inBubble(t, slow, func(r *rig) {
		start := time.Now()
		id, outcome := r.submit(phoneA, 3*time.Second)
		if outcome.State != outbox.Waiting || time.Since(start) != 3*time.Second {
			r.t.Errorf("outcome %v after %v", outcome.State, time.Since(start))
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
	})
}

func TestRetryDelays(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(down)}, func(r *rig) {
		start := time.Now()
		id, _ := r.submit(phoneA, 0)
		time.Sleep(90 * time.Hour)
		synctest.Wait()
		var at time.Duration
		for i, c := range r.crm.calls() {
			took := c.at.Sub(start)
			want := time.Duration(0)
			if i > 0 {
				want = lastRetryDelay
				if i <= len(retryDelays) {
					want = retryDelays[i-1]
				}
			}
			// A pause of the account may extend a short delay.
			if wait := took - at; wait < want*84/100 || wait > want*116/100+lastPause*116/100 {
				r.t.Errorf("attempt %d came %v later, want about %v", i+1, wait, want)
			}
			at = took
		}
		e := r.entry(id)
		if e.State != outbox.Parked || e.SettledAt.Sub(start) < 72*time.Hour || e.SettledAt.Sub(start) > 78*time.Hour {
			r.t.Errorf("entry %+v, settled after %v", e, e.SettledAt.Sub(start))
		}
	})
}

// A waiting entry is retried when it is due, after a restart too, and not earlier.
func TestRestartKeepsRetryTime(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(down, ok)}, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		synctest.Wait()
		due := r.entry(id).DueAt
		r.stop()
		r.start()
		synctest.Wait()
		if len(r.crm.calls()) != 1 {
			r.t.Fatalf("retried early: %v, due %v, now %v", r.crm.calls(), due, time.Now())
		}
		time.Sleep(time.Until(due) + 3*time.Second)
		synctest.Wait()
		calls := r.crm.calls()
		if len(calls) != 2 || calls[1].at.Sub(due) > time.Second {
			r.t.Errorf("calls %v, due %v", calls, due)
		}
	})
}

// If TeleCRM turns an account away, it is put on hold: one event, probes at growing intervals, no
// other attempts, and no lead is lost. The first success ends the hold.
func TestHold(t *testing.T) {
	var fixed atomic.Bool
	inBubble(t, brokenUntil(&fixed, revoked), func(r *rig) {
		ids := make([]string, 0, 50)
		for i := range 50 {
			id, outcome := r.submit(fmt.Sprintf("9181234567%02d", i), 3*time.Second)
			if i > 0 && outcome.Answer.Verdict == telecrm.Hold {
				r.t.Error("a visitor waited for an account on hold")
			}
			ids = append(ids, id)
			synctest.Wait()
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		calls := r.crm.calls()
		if n := len(calls); n < 12 || n > 20 {
			r.t.Errorf("%d attempts in two hours on hold", n)
		}
		phones := make(map[string]bool)
		for i, c := range calls {
			phones[c.phone] = true
			if i == 0 {
				continue
			}
			if wait := c.at.Sub(calls[i-1].at); wait < 50*time.Second || wait > 12*time.Minute {
				r.t.Errorf("probe %d after %v", i, wait)
			}
		}
		if len(phones) < len(calls)-1 {
			r.t.Errorf("the probes use too few leads: %d leads in %d probes", len(phones), len(calls))
		}
		if s := r.engine.Status()[0]; !s.Held || s.HeldReason == "" {
			r.t.Errorf("status %+v", s)
		}
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Waiting || e.Attempts != 0 {
				r.t.Fatalf("entry %+v", e)
			}
		}
		fixed.Store(true)
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Delivered {
				r.t.Errorf("entry %+v", e)
			}
		}
		if got := r.eventLog(); !slices.Equal(got, []string{"held default", "resumed default"}) {
			r.t.Errorf("events %v", got)
		}
	})
}

// Answers to requests sent before the hold do not end it.
func TestLateSuccessDoesNotEndAHold(t *testing.T) {
	crm := &fakeCRM{create: func(_ context.Context, n int, _ telecrm.Lead) telecrm.Answer {
		switch {
		case n <= 4: // opens the window
			return ok
		case n == 5:
			time.Sleep(time.Second)
			return ok
		}
		return revoked
	}}
	inBubble(t, crm, func(r *rig) {
		for i := range 4 {
			r.submit(fmt.Sprintf("91812345670%d", i), time.Second)
		}
		r.submit(phoneA, 0) // its answer is late
		time.Sleep(10 * time.Millisecond)
		r.submit(phoneB, 0) // the token is revoked meanwhile
		synctest.Wait()
		for i := range 5 {
			r.submit(fmt.Sprintf("91812345671%d", i), 0)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := len(crm.calls()); n != 6 {
			r.t.Errorf("%d attempts, want 6: the account is on hold", n)
		}
		if got := r.eventLog(); !slices.Equal(got, []string{"held default"}) {
			r.t.Errorf("events %v", got)
		}
	})
}

// A new token is tried at once. A reload with the same token is not.
func TestHoldEndsWithAnotherToken(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(revoked, ok)}, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		synctest.Wait()
		r.engine.Configure(r.config)
		synctest.Wait()
		if len(r.crm.calls()) != 1 {
			r.t.Error("a reload without a change sent a request")
		}
		r.config.Accounts[0].Key = "b"
		r.engine.Configure(r.config)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
	})
}

// A Retry-After pauses the whole account.
func TestRetryAfterPausesAccount(t *testing.T) {
	busy := telecrm.Answer{Verdict: telecrm.Retry, Status: 429, RetryAfter: 10 * time.Minute}
	inBubble(t, &fakeCRM{create: answers(busy, ok)}, func(r *rig) {
		start := time.Now()
		r.submit(phoneA, 0)
		synctest.Wait()
		_, outcome := r.submit(phoneB, 9*time.Minute)
		if outcome.State != outbox.Waiting || time.Since(start) != 0 {
			r.t.Errorf("a visitor waited %v for a paused account", time.Since(start))
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		calls := r.crm.calls()
		if len(calls) != 3 {
			r.t.Fatalf("%d attempts, want 3", len(calls))
		}
		for _, c := range calls[1:] {
			if c.at.Sub(start) < 10*time.Minute {
				r.t.Errorf("next request after %v", c.at.Sub(start))
			}
		}
	})
}

// The rate limit applies to every request and survives a change of the configuration.
func TestRateLimit(t *testing.T) {
	crm := &fakeCRM{create: created}
	inBubble(t, crm, func(r *rig) {
		r.config.Accounts[0].Rate, r.config.Accounts[0].Burst = 2, 3
		r.engine.Configure(r.config)
		for i := range 41 {
			r.submit(fmt.Sprintf("9181234567%02d", i), 0)
		}
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			r.engine.Configure(r.config)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		calls := crm.calls()
		if len(calls) != 41 {
			r.t.Fatalf("%d attempts, want 41", len(calls))
		}
		for i := range calls {
			for j := i + 1; j < len(calls); j++ {
				window := calls[j].at.Sub(calls[i].at)
				if allowed := 3 + window.Seconds()*2 + 0.01; float64(j-i+1) > allowed {
					r.t.Fatalf("%d requests within %v, at most %.1f allowed", j-i+1, window, allowed)
				}
			}
		}
	})
}

// Leads with the same identifier are sent one after the other, and others at the same time. A slow
// account does not delay another account.
func TestConcurrency(t *testing.T) {
	slow := &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer {
		time.Sleep(10 * time.Second)
		return ok
	}}
	fast := &fakeCRM{create: created}
	inBubble(t, slow, func(r *rig) {
		r.config.Accounts = append(r.config.Accounts, r.account("fast", fast))
		r.engine.Configure(r.config)
		r.submit("warm-up", 0)
		time.Sleep(11 * time.Second) // the first answer opens the window
		start := time.Now()
		r.submit(phoneA, 0)
		r.submit(phoneA, 0)
		r.submit(phoneB, 0)
		if _, outcome := r.submitTo("fast", phoneA, time.Second); outcome.State != outbox.Delivered || time.Since(start) > 0 {
			r.t.Errorf("the other account's lead is %v after %v", outcome.State, time.Since(start))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		began := make(map[string][]time.Duration)
		for _, c := range slow.calls()[1:] {
			began[c.phone] = append(began[c.phone], c.at.Sub(start))
		}
		if a := began[phoneA]; len(a) != 2 || a[0] != 0 || a[1] < 10*time.Second || a[1] > 12*time.Second {
			r.t.Errorf("the same person's leads began after %v", a)
		}
		if b := began[phoneB]; len(b) != 1 || b[0] != 0 {
			r.t.Errorf("another person's lead began after %v", b)
		}
	})
}

// After a lost answer the lead may exist or not. The search decides.
func TestAmbiguousAttempts(t *testing.T) {
	attempt := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // the start of a bubble's clock
	row := func(created time.Time) telecrm.FoundLead {
		return telecrm.FoundLead{ID: "64c1f0aa12bb34cc56dd78ef", Identifier: "+" + phoneA, CreatedOn: created}
	}
	other := telecrm.FoundLead{ID: "x", Identifier: "+" + phoneB, CreatedOn: attempt}
	for name, test := range map[string]struct {
		found    func(n int) telecrm.Found
		state    outbox.State
		reason   string
		searches int
	}{
		"ours": {
			func(int) telecrm.Found {
				return telecrm.Found{Leads: []telecrm.FoundLead{row(attempt.Add(time.Second))}}
			},
			outbox.Delivered, reasonFoundAgain, 1,
		},
		"ours, server an hour behind": {
			func(int) telecrm.Found {
				return telecrm.Found{Leads: []telecrm.FoundLead{row(attempt.Add(time.Second - time.Hour))}, ServerTime: time.Now().Add(-time.Hour)}
			},
			outbox.Delivered, reasonFoundAgain, 1,
		},
		"ours, beside another": {
			func(int) telecrm.Found {
				return telecrm.Found{Leads: []telecrm.FoundLead{other, row(attempt)}}
			},
			outbox.Delivered, reasonFoundAgain, 1,
		},
		"an older one": {
			func(int) telecrm.Found {
				return telecrm.Found{Leads: []telecrm.FoundLead{row(attempt.Add(-time.Minute))}}
			},
			outbox.Parked, reasonNothingToAdd, 1,
		},
		"two": {
			func(int) telecrm.Found {
				return telecrm.Found{Leads: []telecrm.FoundLead{row(attempt), row(attempt.Add(-time.Hour))}}
			},
			outbox.Parked, reasonSeveral, 1,
		},
		"more than the search shows": {
			func(int) telecrm.Found {
				return telecrm.Found{Leads: []telecrm.FoundLead{row(attempt)}, More: true}
			},
			outbox.Parked, reasonSeveral, 1,
		},
		"without a date": {
			func(int) telecrm.Found { return telecrm.Found{Leads: []telecrm.FoundLead{row(time.Time{})}} },
			outbox.Parked, reasonUndated, 1,
		},
		"at the third search": {
			func(n int) telecrm.Found {
				if n < 3 {
					return telecrm.Found{}
				}
				return telecrm.Found{Leads: []telecrm.FoundLead{row(attempt)}}
			},
			outbox.Delivered, reasonFoundAgain, 3,
		},
		"never": {
			func(int) telecrm.Found { return telecrm.Found{Leads: []telecrm.FoundLead{other}} },
			outbox.Parked, reasonNotFound, 7,
		},
		"search not supported": {
			func(int) telecrm.Found {
				return telecrm.Found{Failure: &telecrm.Answer{Verdict: telecrm.Hold, Status: 404}}
			},
			outbox.Parked, reasonUnsearchable, 1,
		},
		"after a failed search": {
			func(n int) telecrm.Found {
				if n == 1 {
					return telecrm.Found{Failure: &down}
				}
				return telecrm.Found{Leads: []telecrm.FoundLead{row(attempt)}}
			},
			outbox.Delivered, reasonFoundAgain, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &fakeCRM{create: answers(lost, duplicate), find: test.found}, func(r *rig) {
				id, _ := r.submit(phoneA, 0)
				time.Sleep(12 * time.Hour)
				synctest.Wait()
				e := r.entry(id)
				if e.State != test.state || e.Reason != test.reason {
					r.t.Errorf("entry is %s: %s; want %s: %s", e.State, e.Reason, test.state, test.reason)
				}
				if n := len(r.crm.searches); n != test.searches {
					r.t.Errorf("%d searches, want %d", n, test.searches)
				}
			})
		})
	}
}

func TestCrashDuringAnAttemptIsAmbiguous(t *testing.T) {
	crm := &fakeCRM{
		create: func(ctx context.Context, n int, _ telecrm.Lead) telecrm.Answer {
			if n == 1 {
				<-ctx.Done() // the process ends before the answer
				return lost
			}
			return duplicate
		},
		find: func(int) telecrm.Found {
			return telecrm.Found{Leads: []telecrm.FoundLead{{ID: "64c1", Identifier: phoneA, CreatedOn: time.Now()}}}
		},
	}
	inBubble(t, crm, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		synctest.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.store.setError(errors.New("the process has crashed"))
		if err := r.engine.Stop(ctx); err == nil {
			r.t.Error("Stop returned no error, although it canceled attempts")
		}
		r.store.setError(nil)
		r.store.reopen(time.Now())
		r.start()
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered || e.LeadID != "64c1" {
			r.t.Errorf("entry %+v", e)
		}
	})
}

// A duplicate without an ambiguous attempt is parked, without a search, and so is a refused lead.
func TestDuplicateAndRejectedAreParked(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(duplicate, rejected)}, func(r *rig) {
		for i, want := range []telecrm.Verdict{telecrm.Duplicate, telecrm.Rejected} {
			id, outcome := r.submit([]string{phoneA, phoneB}[i], time.Second)
			if outcome.Answer.Verdict != want {
				r.t.Errorf("outcome %+v, want %v", outcome, want)
			}
			synctest.Wait()
			if e := r.entry(id); e.State != outbox.Parked || e.Reason == "" {
				r.t.Errorf("entry %+v", e)
			}
		}
		if len(r.crm.searches) != 0 {
			r.t.Error("searched although nothing was ambiguous")
		}
	})
}

// While TeleCRM is down, waiting leads do not flood it and visitors do not wait for it. When it is
// back, every lead is delivered.
func TestOutage(t *testing.T) {
	var back atomic.Bool
	inBubble(t, brokenUntil(&back, down), func(r *rig) {
		ids := make([]string, 0, 600)
		waited := time.Duration(0)
		for i := range 600 {
			start := time.Now()
			id, _ := r.submit(fmt.Sprintf("918123%06d", i), 3*time.Second)
			waited += time.Since(start)
			ids = append(ids, id)
			time.Sleep(time.Second)
		}
		if waited > 10*time.Second {
			r.t.Errorf("visitors waited %v in total", waited)
		}
		if n := len(r.crm.calls()); n > 100 {
			r.t.Errorf("%d requests in ten minutes while TeleCRM was down", n)
		}
		back.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		for _, id := range ids {
			if e := r.entry(id); e.State != outbox.Delivered {
				r.t.Fatalf("entry %+v", e)
			}
		}
	})
}

// Attempts that fail at the same time count as one failure, so after a short outage delivery soon
// continues.
func TestShortOutage(t *testing.T) {
	var away atomic.Bool
	crm := &fakeCRM{}
	crm.create = func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		time.Sleep(100 * time.Millisecond)
		if away.Load() {
			return down
		}
		return created(ctx, n, lead)
	}
	inBubble(t, crm, func(r *rig) {
		for i := range 400 {
			if i == 200 {
				away.Store(true)
			}
			if i == 300 {
				away.Store(false)
			}
			r.submit(fmt.Sprintf("918123%06d", i), 0)
			time.Sleep(20 * time.Millisecond)
		}
		back := time.Now().Add(-100 * 20 * time.Millisecond)
		time.Sleep(time.Minute)
		synctest.Wait()
		calls := crm.calls()
		i := slices.IndexFunc(calls, func(c call) bool { return c.at.After(back) })
		if i < 0 || calls[i].at.Sub(back) > 5*time.Second {
			r.t.Errorf("next request %v after the outage", calls[i].at.Sub(back))
		}
		if n := len(r.settledAs(outbox.Delivered)); n != 400 {
			r.t.Errorf("%d leads delivered, want 400", n)
		}
	})
}

// An entry due later than any delay was written before the clock was set back, and is due now.
func TestClockSetBackBetweenTwoRuns(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(down, ok)}, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		synctest.Wait()
		r.stop()
		r.store.mu.Lock()
		e := r.store.entries[id]
		e.DueAt = e.DueAt.Add(24 * time.Hour)
		r.store.entries[id] = e
		r.store.mu.Unlock()
		r.start()
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered || e.BegunAt.After(time.Now()) {
			r.t.Errorf("entry %+v", e)
		}
	})
}

func TestFailingOutbox(t *testing.T) {
	inBubble(t, &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer {
		time.Sleep(time.Second)
		return ok
	}}, func(r *rig) {
		full := errors.New("no space left on device")
		id, _ := r.submit(phoneA, 0)
		synctest.Wait()
		r.store.setError(full) // after the attempt has begun
		_, err := r.engine.Submit(context.Background(), Submission{ID: "x", Account: "default"}, 0)
		if !errors.Is(err, full) {
			r.t.Errorf("Submit returned %v", err)
		}
		time.Sleep(10 * time.Second)
		r.store.setError(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
		if n := len(r.crm.calls()); n != 1 {
			r.t.Errorf("%d attempts, want 1", n)
		}
	})
}

// A visitor waits for a slow outbox only until the timeout. If the outbox stores the lead later, it
// is delivered without a restart.
func TestSlowOutbox(t *testing.T) {
	inBubble(t, &fakeCRM{create: created}, func(r *rig) {
		r.store.slow = time.Minute
		start := time.Now()
		_, err := r.engine.Submit(context.Background(), Submission{
			ID: "x", Account: "default", Job: Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": phoneA}}},
		}, time.Second)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != appendTimeout {
			r.t.Errorf("Submit returned %v after %v", err, time.Since(start))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if e := r.entry("x"); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
	})
}

func TestUnknownAccounts(t *testing.T) {
	inBubble(t, &fakeCRM{create: created}, func(r *rig) {
		if _, err := r.engine.Submit(context.Background(), Submission{ID: "x", Account: "nobody"}, 0); err == nil {
			r.t.Error("a lead of an unknown account was accepted")
		}
		accounts := r.config.Accounts
		r.config.Accounts = nil
		r.engine.Configure(r.config)
		id, _ := r.submit(phoneA, time.Hour) // its form is still served
		r.engine.Configure(r.config)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if len(r.crm.calls()) != 0 {
			r.t.Error("a lead of a removed account was sent")
		}
		if got := r.eventLog(); !slices.Contains(got, "orphaned default 1") {
			r.t.Errorf("events %v", got)
		}
		r.config.Accounts = accounts
		r.engine.Configure(r.config)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
	})
}

func TestRetention(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(ok, rejected)}, func(r *rig) {
		delivered, _ := r.submit(phoneA, time.Second)
		parked, _ := r.submit(phoneB, time.Second)
		gone := func(id string) bool {
			_, err := r.store.Get(context.Background(), id)
			return errors.Is(err, outbox.ErrNotFound)
		}
		time.Sleep(7*24*time.Hour - time.Minute)
		synctest.Wait()
		if gone(delivered) {
			r.t.Error("a delivered lead was removed early")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if !gone(delivered) || gone(parked) {
			r.t.Errorf("after a week: delivered gone %v, parked gone %v", gone(delivered), gone(parked))
		}
		time.Sleep(83 * 24 * time.Hour)
		synctest.Wait()
		if !gone(parked) {
			r.t.Error("a parked lead was kept too long")
		}
	})
}
