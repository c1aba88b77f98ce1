package delivery

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// fleet is several engines that share an outbox, on machines whose clocks differ.
type fleet struct {
	*rig

	accounts *sharedAccounts
	engines  []*Engine
	names    int
}

// inFleet calls test with engines that share an outbox, in a bubble. Change changes their account.
func inFleet(t *testing.T, crm *fakeCRM, engines int, change func(*Account), test func(*fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{rig: newRig(t, crm), accounts: newSharedAccounts(engines)}
		f.stop()
		change(&f.config.Accounts[0])
		for i := range engines {
			// The machines' clocks differ by some minutes.
			ahead := time.Duration(i-1) * 5 * time.Minute
			now := steadyClock()
			e := newEngine(&sharedMemory{
				memory: f.store, sharedAccounts: f.accounts, until: time.Now().Add(1000 * time.Hour), skew: -ahead,
			}, func() time.Time { return now().Add(ahead) })
			c := f.config
			c.Hooks.Held = func(account, _ string) { f.event(fmt.Sprintf("held %s on %d", account, i)) }
			c.Hooks.Resumed = func(r Recovery) { f.event(fmt.Sprintf("resumed %s on %d", r.Account, i)) }
			e.Configure(c)
			f.engines = append(f.engines, e)
		}
		f.engine = f.engines[0]
		test(f)
		for _, e := range f.engines {
			if err := e.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
}

// post submits a lead to an engine and does not wait for the outcome.
func (f *fleet) post(engine int) (id string) {
	f.t.Helper()
	f.names++
	id = uuid.Must(uuid.NewV7()).String()
	phone := fmt.Sprintf("91812345%04d", f.names)
	_, err := f.engines[engine].Submit(f.t.Context(), Submission{ID: id, Account: "default", Form: "enquiry", Job: Job{
		Lead: telecrm.Lead{Fields: map[string]any{"phone": phone}},
	}}, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func (f *fleet) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// mostWithin returns the largest number of requests in any window of the length.
func (f *fleet) mostWithin(window time.Duration) (most int) {
	calls := f.crm.calls()
	slices.SortFunc(calls, func(a, b call) int { return a.at.Compare(b.at) })
	first := 0
	for i, c := range calls {
		for c.at.Sub(calls[first].at) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func (f *fleet) wantDelivered(want int) {
	f.t.Helper()
	if delivered := len(f.settledAs(outbox.Delivered)); delivered != want {
		f.t.Errorf("%d of %d leads are delivered", delivered, want)
	}
}

// wantSending fails the test unless all engines are sending.
func (f *fleet) wantSending() {
	f.t.Helper()
	for i, e := range f.engines {
		if s := e.Status()[0]; s.Condition != Sending {
			f.t.Errorf("engine %d: %+v", i, s)
		}
	}
}

// Together the engines send as fast as the rate allows and no faster, also while the outbox's
// accounts are away and when they are back.
func TestFleetPace(t *testing.T) {
	const rate, burst, engines, leads = 10, 5, 3, 300
	inFleet(t, &fakeCRM{create: created}, engines, func(a *Account) { a.Rate, a.Burst = rate, burst }, func(f *fleet) {
		for i := range leads {
			f.post(i % engines)
		}
		f.after(8 * time.Second)
		f.accounts.setAway(true)
		f.after(9 * time.Second)
		f.accounts.setAway(false)
		f.after(40 * time.Second)
		for _, window := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second} {
			allowed := burst + rate*int(window.Seconds())
			if most := f.mostWithin(window); most > allowed {
				f.t.Errorf("%d requests within %v, more than %d", most, window, allowed)
			}
		}
		f.wantDelivered(leads)
	})
}

// A post is sent at once when its engine can borrow a token, and an engine in the middle of many
// borrows several at once.
func TestFleetBorrowsInSlices(t *testing.T) {
	inFleet(t, &fakeCRM{create: created}, 2, func(a *Account) { a.Rate, a.Burst = 100, 100 }, func(f *fleet) {
		f.post(0)
		synctest.Wait()
		if sent := len(f.crm.calls()); sent != 1 {
			f.t.Fatalf("%d requests were sent at once", sent)
		}
		f.after(time.Minute)
		before := f.accounts.loans
		const leads = 60
		for range leads {
			f.post(1)
		}
		f.after(5 * time.Second)
		if sent, loans := len(f.crm.calls()), f.accounts.loans-before; sent != leads+1 || loans > leads/2 {
			f.t.Errorf("%d requests with %d loans", sent, loans)
		}
	})
}

// An account that TeleCRM turns away is on hold on all engines, and one of them at a time probes it.
func TestFleetHold(t *testing.T) {
	var fixed atomic.Bool
	inFleet(t, brokenUntil(&fixed, revoked), 3, func(*Account) {}, func(f *fleet) {
		f.post(0)
		f.after(maxSharedWait)
		for i := range 3 {
			f.post(i)
		}
		f.after(10 * time.Minute)
		for i, e := range f.engines {
			if s := e.Status()[0]; s.Condition != OnHold || time.Since(s.HeldSince) < 10*time.Minute || s.HeldReason == "" {
				f.t.Errorf("engine %d: %+v", i, s)
			}
		}
		calls := f.crm.calls()
		for i := 1; i < len(calls); i++ {
			if gap := calls[i].at.Sub(calls[i-1].at); gap < firstProbe*4/5 {
				f.t.Errorf("a probe %v after the last", gap)
			}
		}
		if len(calls) < 5 || len(calls) > 8 {
			f.t.Errorf("%d requests in ten minutes", len(calls))
		}
		fixed.Store(true)
		if _, err := f.engines[1].Resume(f.t.Context(), "default"); err != nil {
			f.t.Error(err)
		}
		f.after(2 * maxSharedWait)
		f.wantDelivered(4)
		f.wantSending()
		for _, want := range []string{"held default on ", "resumed default on "} {
			if n := len(slices.DeleteFunc(f.eventLog(), func(e string) bool { return !strings.HasPrefix(e, want) })); n != 3 {
				f.t.Errorf("%d events %q: %q", n, want, f.eventLog())
			}
		}
	})
}

// When TeleCRM asks one engine to wait, all of them wait.
func TestFleetRetryAfter(t *testing.T) {
	inFleet(t, &fakeCRM{create: answers(throttling(http.StatusTooManyRequests, 5*time.Minute), ok)}, 3, func(*Account) {}, func(f *fleet) {
		start := time.Now()
		f.post(0)
		f.after(time.Second)
		f.post(1)
		f.post(2)
		f.after(4 * time.Minute)
		if calls := f.crm.calls(); len(calls) != 1 {
			f.t.Errorf("%d requests while TeleCRM asks to wait", len(calls))
		}
		for i, e := range f.engines {
			if s := e.Status()[0]; s.Condition != Paused || s.Since.Sub(start) > maxSharedWait {
				f.t.Errorf("engine %d: %+v", i, s)
			}
		}
		f.after(2 * time.Minute)
		f.wantDelivered(3)
	})
}

// While TeleCRM is down, the engines together try no more often than one alone, and all of them say
// so. The first answer ends it for all.
func TestFleetOutage(t *testing.T) {
	var back atomic.Bool
	inFleet(t, brokenUntil(&back, down), 3, func(*Account) {}, func(f *fleet) {
		const leads = 60
		for i := range leads {
			f.post(i % 3)
			f.after(time.Second)
		}
		before := len(f.crm.calls())
		f.after(2 * time.Minute)
		if tries := len(f.crm.calls()) - before; tries < 3 || tries > 6 {
			f.t.Errorf("%d requests in two minutes", tries)
		}
		for i, e := range f.engines {
			if s := e.Status()[0]; s.Condition != Failing || s.Reason == "" {
				f.t.Errorf("engine %d: %+v", i, s)
			}
		}
		back.Store(true)
		f.after(lastPause + 15*time.Second)
		f.wantDelivered(leads)
		f.wantSending()
	})
}

// A lead that failed on a machine whose clock is behind is not retried earlier by the others.
func TestFleetClocks(t *testing.T) {
	inFleet(t, &fakeCRM{create: answers(down, ok)}, 3, func(*Account) {}, func(f *fleet) {
		start := time.Now()
		id := f.post(0)
		f.after(maxSharedWait)
		if due := f.entry(id).DueAt.Sub(start); due < 4*time.Second || due > 6*time.Second {
			f.t.Errorf("due again after %v", due)
		}
		f.after(5*time.Second + maxSharedWait)
		if calls := f.crm.calls(); len(calls) != 2 || calls[1].at.Sub(start) < 4*time.Second {
			f.t.Errorf("requests %v", calls)
		}
	})
}

// A process that was stopped while it stored a lead does not send it past the outbox when it goes on,
// because another process may have sent it.
func TestStoppedWhileAppending(t *testing.T) {
	inFleet(t, &fakeCRM{create: created}, 1, func(*Account) {}, func(f *fleet) {
		f.store.setDelay(appendTimeout+time.Second, nil) // the answer comes when all time-outs are over
		id := f.post(0)
		f.after(time.Minute)
		if e := f.entry(id); e.State != outbox.Delivered || len(f.crm.calls()) != 1 {
			f.t.Errorf("entry %+v, requests %v", e, f.crm.calls())
		}
	})
}

// An engine with another token is not bound by the hold of the others.
func TestFleetOfTwoTokens(t *testing.T) {
	inFleet(t, &fakeCRM{create: answers(revoked)}, 2, func(*Account) {}, func(f *fleet) {
		works := &fakeCRM{create: created}
		c := f.config
		c.Accounts = slices.Clone(c.Accounts)
		c.Accounts[0].Client, c.Accounts[0].Key = works, "b"
		f.engines[1].Configure(c)
		f.post(0)
		f.after(maxSharedWait)
		f.post(1)
		f.after(time.Minute)
		if s := f.engines[1].Status()[0]; s.Condition != Sending || len(works.calls()) != 2 {
			f.t.Errorf("%+v, %d requests", s, len(works.calls()))
		}
	})
}
