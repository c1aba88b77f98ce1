package delivery

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// A held account that is resumed is probed at once, and everything follows
// when that works; when it does not, the probes begin anew.
func TestResumeHeldAccount(t *testing.T) {
	crm := &fakeCRM{}
	crm.create = answers(revoked, revoked, revoked, revoked, ok)
	inBubble(t, crm, func(r *rig) {
		for i := range 5 {
			r.submit(fmt.Sprintf("9181234567%02d", i), 0)
		}
		time.Sleep(75 * time.Second) // the probes have grown rarer
		synctest.Wait()
		before := len(crm.calls())
		for range 4 - before {
			r.resume("default", true)
		}
		calls := crm.calls()
		if len(calls) != 4 {
			r.t.Fatalf("%d attempts after %d and as many resumptions", len(calls), before)
		}
		start := time.Now()
		time.Sleep(90 * time.Second)
		synctest.Wait()
		calls = crm.calls()
		if len(calls) != 4+5 {
			r.t.Fatalf("%d attempts; the shortest wait between probes was to follow", len(calls))
		}
		if wait := calls[4].at.Sub(start); wait < 50*time.Second || wait > 70*time.Second {
			r.t.Errorf("the probe after a resumption that failed came after %v", wait)
		}
		r.resume("default", false)
	})
}

// resume resumes the account, and expects that to have been of use or not.
func (r *rig) resume(account string, want bool) {
	r.t.Helper()
	resumed, err := r.engine.Resume(account)
	if err != nil || resumed != want {
		r.t.Errorf("resumed %t, error %v", resumed, err)
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
			r.t.Fatalf("%d attempts while TeleCRM is to be left alone", n)
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

func TestResumeUnknownAccount(t *testing.T) {
	inBubble(t, &fakeCRM{create: created}, func(r *rig) {
		if _, err := r.engine.Resume("other"); !errors.Is(err, errUnconfigured) {
			r.t.Errorf("error %v", err)
		}
		r.config.Accounts = nil
		r.engine.Configure(r.config)
		if _, err := r.engine.Resume("default"); !errors.Is(err, errUnconfigured) {
			r.t.Errorf("error %v of an account that is gone from the config", err)
		}
	})
}

// What is retried goes out at once, though its lane sleeps.
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
			r.t.Errorf("error %v of a delivered lead", err)
		}
		if err := r.engine.Retry(context.Background(), "x"); !errors.Is(err, outbox.ErrNotFound) {
			r.t.Errorf("error %v of an unknown lead", err)
		}
	})
}
