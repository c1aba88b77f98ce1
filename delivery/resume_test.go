package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Resume sends a probe at once. If it fails, the intervals start over; if it succeeds, everything
// is delivered.
func TestResumeHeldAccount(t *testing.T) {
	crm := &fakeCRM{}
	crm.create = answers(revoked, revoked, revoked, revoked, ok)
	inBubble(t, crm, func(r *rig) {
		for i := range 5 {
			r.submit(fmt.Sprintf("9181234567%02d", i), 0)
		}
		time.Sleep(75 * time.Second) // the intervals have grown
		synctest.Wait()
		before := len(crm.calls())
		for range 4 - before {
			r.resume("default", true)
		}
		calls := crm.calls()
		if len(calls) != 4 {
			r.t.Fatalf("%d attempts, want one per Resume after the first %d", len(calls), before)
		}
		start := time.Now()
		time.Sleep(90 * time.Second)
		synctest.Wait()
		calls = crm.calls()
		if len(calls) != 4+5 {
			r.t.Fatalf("%d attempts, want 9", len(calls))
		}
		if wait := calls[4].at.Sub(start); wait < 50*time.Second || wait > 70*time.Second {
			r.t.Errorf("the probe after a failed Resume came after %v", wait)
		}
		r.resume("default", false)
	})
}

// resume resumes the account and checks whether that was necessary.
func (r *rig) resume(account string, want bool) {
	r.t.Helper()
	got, err := r.engine.Resume(context.Background(), account)
	if err != nil || got.Resumed != want {
		r.t.Errorf("resumption %+v, error %v", got, err)
	}
	synctest.Wait()
}

func TestResumePausedAccount(t *testing.T) {
	busy := telecrm.Answer{Verdict: telecrm.Retry, Status: 429, RetryAfter: time.Hour}
	crm := &fakeCRM{create: answers(busy, ok)}
	inBubble(t, crm, func(r *rig) {
		r.submit(phoneA, 0)
		synctest.Wait()
		second, _ := r.submit(phoneB, 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(crm.calls()); n != 1 {
			r.t.Fatalf("%d attempts while the account is paused", n)
		}
		r.resume("default", true)
		if e := r.entry(second); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
		if s := r.engine.Status()[0]; !s.PausedUntil.IsZero() {
			r.t.Errorf("status %+v", s)
		}
	})
}

// Resume tries a lead before it is due, and reports whether there is one.
func TestResumeWithWaitingLead(t *testing.T) {
	crm := &fakeCRM{create: answers(down, down, down, ok, revoked, ok)}
	inBubble(t, crm, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		for len(crm.calls()) < failuresBeforePause {
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if !r.engine.Status()[0].PausedUntil.After(time.Now()) {
			r.t.Errorf("status %+v", r.engine.Status())
		}
		r.resume("default", true)
		if e := r.entry(id); e.State != outbox.Delivered {
			r.t.Errorf("resumed, but the waiting lead is %s until %v", e.State, e.DueAt)
		}
		id, _ = r.submit(phoneB, 0) // it is turned away
		synctest.Wait()
		r.park(id)
		if got, err := r.engine.Resume(context.Background(), "default"); err != nil || !got.Resumed || got.Waiting {
			r.t.Errorf("resumption %+v, error %v, without a lead", got, err)
		}
		synctest.Wait()
		id, _ = r.submit(phoneA, 0)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered {
			r.t.Errorf("the next lead after Resume is %s", e.State)
		}
	})
}

// park parks a waiting lead.
func (r *rig) park(id string) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	e := r.store.entries[id]
	e.State = outbox.Parked
	r.store.entries[id] = e
}

// If the identifier of the only waiting lead has an attempt in flight, the probe follows when that
// ends.
func TestProbeWaitsForABusyIdentifier(t *testing.T) {
	crm := &fakeCRM{create: func(_ context.Context, n int, _ telecrm.Lead) telecrm.Answer {
		switch n {
		case 4: // of phoneA, before the hold
			time.Sleep(5 * time.Minute)
		case 5:
			return revoked
		}
		return ok
	}}
	inBubble(t, crm, func(r *rig) {
		for i := range 3 { // opens the window
			r.submit(fmt.Sprintf("9181234568%02d", i), time.Second)
		}
		r.submit(phoneA, 0)
		time.Sleep(time.Second)
		held, _ := r.submit(phoneB, 0)
		synctest.Wait()
		r.park(held)
		id, _ := r.submit(phoneA, 0)
		time.Sleep(7 * time.Minute)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
	})
}

func TestResumeUnknownAccount(t *testing.T) {
	inBubble(t, &fakeCRM{create: created}, func(r *rig) {
		if _, err := r.engine.Resume(context.Background(), "other"); !errors.Is(err, ErrNotConfigured) {
			r.t.Errorf("error %v", err)
		}
		r.config.Accounts = nil
		r.engine.Configure(r.config)
		if _, err := r.engine.Resume(context.Background(), "default"); !errors.Is(err, ErrNotConfigured) {
			r.t.Errorf("removed account: error %v", err)
		}
	})
}

// A retried lead is sent at once, even if the lane is idle.
func TestRetryWakesTheLane(t *testing.T) {
	crm := &fakeCRM{create: answers(rejected, ok)}
	inBubble(t, crm, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Parked {
			r.t.Fatalf("entry %+v", e)
		}
		if err := r.engine.Retry(context.Background(), id); err != nil {
			r.t.Fatal(err)
		}
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered || e.Attempts != 1 {
			r.t.Errorf("entry %+v", e)
		}
		if err := r.engine.Retry(context.Background(), id); !errors.Is(err, outbox.ErrState) {
			r.t.Errorf("delivered lead: error %v", err)
		}
		if err := r.engine.Retry(context.Background(), "x"); !errors.Is(err, outbox.ErrNotFound) {
			r.t.Errorf("unknown lead: error %v", err)
		}
	})
}

// Resume makes due what waits after an outage, whatever the state, and may be called again.
func TestResumeAfterAnOutage(t *testing.T) {
	for name, outage := range map[string][]telecrm.Answer{
		"refused":        {down},
		"503":            {failing(503)},
		"503, wait 300s": {throttling(503, 5*time.Minute)},
		"429":            {throttling(429, 0)},
		"429, wait 300s": {throttling(429, 5*time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			var healed atomic.Bool
			crm := &fakeCRM{create: func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
				if healed.Load() {
					return ok
				}
				return answers(outage...)(ctx, n, lead)
			}}
			inBubble(t, crm, func(r *rig) {
				for i := range 3 {
					r.submit(fmt.Sprintf("918123456%03d", i), 0)
				}
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				for range 2 { // TeleCRM is still down
					if got, err := r.engine.Resume(context.Background(), "default"); err != nil || !got.Resumed || !got.Waiting || got.Due != 3 {
						r.t.Errorf("resumption %+v, error %v", got, err)
					}
				}
				synctest.Wait()
				if s := r.engine.Status()[0]; s.Condition == Sending {
					r.t.Errorf("status %+v after Resume while TeleCRM is down", s)
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				healed.Store(true)
				began := time.Now()
				if got, err := r.engine.Resume(context.Background(), "default"); err != nil || !got.Resumed || got.Due != 3 {
					r.t.Errorf("resumption %+v, error %v", got, err)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if n := len(r.settledAs(outbox.Delivered)); n != 3 {
					r.t.Errorf("%d leads were delivered within %v of Resume", n, time.Since(began))
				}
				if got, err := r.engine.Resume(context.Background(), "default"); err != nil || got != (Resumption{}) {
					r.t.Errorf("resumption %+v, error %v, with nothing to do", got, err)
				}
			})
		})
	}
}

// After a restart nothing is known of the outage, but Resume makes due what has failed.
func TestResumeAfterARestart(t *testing.T) {
	crm := &fakeCRM{create: answers(down, ok)}
	inBubble(t, crm, func(r *rig) {
		id, _ := r.submit(phoneA, 0)
		synctest.Wait()
		r.stop()
		r.start()
		synctest.Wait()
		if got, err := r.engine.Resume(context.Background(), "default"); err != nil || !got.Resumed || got.Due != 1 {
			r.t.Errorf("resumption %+v, error %v", got, err)
		}
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered {
			r.t.Errorf("entry %+v", e)
		}
	})
}

// If the outbox fails, Resume says so, and ends the pause.
func TestResumeWithoutOutbox(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(throttling(429, time.Hour))}, func(r *rig) {
		r.submit(phoneA, 0)
		synctest.Wait()
		r.store.setError(outbox.ErrFull)
		if _, err := r.engine.Resume(context.Background(), "default"); !errors.Is(err, outbox.ErrFull) {
			r.t.Errorf("error %v", err)
		}
		if s := r.engine.Status()[0]; !s.PausedUntil.IsZero() {
			r.t.Errorf("status %+v", s)
		}
		r.store.setError(nil)
	})
}
