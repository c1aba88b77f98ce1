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

// announcements records what is announced of an account, and when.
type announcements struct {
	*rig

	start time.Time
	lines []string
}

// watch records the incidents of the rig.
func watch(r *rig) *announcements {
	o := &announcements{rig: r, start: time.Now()}
	note := func(format string, args ...any) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.lines = append(o.lines, fmt.Sprintf(format, args...))
	}
	r.config.Hooks.Troubled = func(t Trouble) { note("%s: %s", t.Condition, t.Reason) }
	r.config.Hooks.Recovered = func(e Recovery) { note("over: %s, %d go", e.Condition, e.Due) }
	r.config.Hooks.Held = func(_, reason string) { note("held: %s", reason) }
	r.config.Hooks.Resumed = func(e Recovery) { note("resumed, %d go", e.Due) }
	r.engine.Configure(r.config)
	return o
}

func (o *announcements) log() []string {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

func (o *announcements) status() Status {
	synctest.Wait()
	return o.engine.Status()[0]
}

func failing(status int) telecrm.Answer {
	return telecrm.Answer{Verdict: telecrm.Retry, Status: status}
}

// throttling asks to slow down.
func throttling(status int, after time.Duration) telecrm.Answer {
	return telecrm.Answer{Verdict: telecrm.Retry, Status: status, RetryAfter: after}
}

// Each kind of outage is announced once when it begins and once when it is over, with a reason that says
// what is wrong. The status says the same meanwhile.
func TestOutagesAreAnnounced(t *testing.T) {
	timeout := func(context.Context, int, telecrm.Lead) telecrm.Answer {
		time.Sleep(10 * time.Second)
		return telecrm.Answer{Verdict: telecrm.Retry, Ambiguous: true, Err: context.DeadlineExceeded}
	}
	for name, tc := range map[string]struct {
		outage    func(context.Context, int, telecrm.Lead) telecrm.Answer
		condition Condition
		reason    string
		within    time.Duration
		cause     telecrm.Cause
	}{
		"refused":           {answers(down), Failing, "connection refused", 30 * time.Second, telecrm.CauseConnection},
		"time-outs":         {timeout, Failing, "context deadline exceeded", time.Minute, telecrm.CauseTimeout},
		"500":               {answers(failing(500)), Failing, "HTTP 500", 30 * time.Second, telecrm.CauseServer},
		"503":               {answers(failing(503)), Failing, "HTTP 503", 30 * time.Second, telecrm.CauseServer},
		"502":               {answers(failing(502)), Failing, "HTTP 502", 30 * time.Second, telecrm.CauseServer},
		"not TeleCRM":       {answers(failing(200)), Failing, "HTTP 200", 30 * time.Second, telecrm.CauseUnreadable},
		"429":               {answers(failing(429)), Slow, "HTTP 429", 2 * time.Minute, telecrm.CauseBusy},
		"429, wait 5s":      {answers(throttling(429, 5*time.Second)), Slow, "HTTP 429", 2 * time.Minute, telecrm.CauseBusy},
		"429, wait an hour": {answers(throttling(429, time.Hour)), Paused, "HTTP 429", time.Second, telecrm.CauseBusy},
		"503, wait an hour": {answers(throttling(503, time.Hour)), Paused, "HTTP 503", time.Second, telecrm.CauseServer},
		"503, wait 40s":     {answers(throttling(503, 40*time.Second)), Failing, "HTTP 503", 2 * time.Minute, telecrm.CauseServer},
		"429 and 503":       {answers(failing(429), failing(503), failing(429), failing(503), failing(429), failing(503)), Failing, "HTTP 503", 10 * time.Minute, telecrm.CauseServer},
		"401":               {answers(revoked), OnHold, "HTTP 401 NOT_AUTHORIZED", time.Second, telecrm.CauseAccount},
		"403":               {answers(telecrm.Answer{Verdict: telecrm.Hold, Status: 403}), OnHold, "HTTP 403", time.Second, telecrm.CauseAccount},
	} {
		t.Run(name, func(t *testing.T) {
			var healed atomic.Bool
			crm := &fakeCRM{create: func(ctx context.Context, n int, lead telecrm.Lead) telecrm.Answer {
				if healed.Load() {
					return ok
				}
				return tc.outage(ctx, n, lead)
			}}
			inBubble(t, crm, func(r *rig) {
				o := watch(r)
				for i := range 3 {
					r.submit(fmt.Sprintf("918123456%03d", i), 0)
					time.Sleep(100 * time.Millisecond)
				}
				for began := time.Now(); o.status().Condition != tc.condition; time.Sleep(time.Second) {
					if time.Since(began) > tc.within {
						r.t.Fatalf("status after %v: %+v", tc.within, o.status())
					}
				}
				time.Sleep(tc.within)
				s := o.status()
				if s.Condition != tc.condition || !strings.Contains(s.Reason, tc.reason) || s.Since.Before(o.start) || s.Since.After(o.start.Add(2*time.Minute)) {
					r.t.Errorf("status %+v", s)
				}
				if s.LastError.Cause != tc.cause || !strings.Contains(s.LastError.Problem, tc.reason) || s.LastErrors[tc.cause] != s.LastError.At || time.Since(s.LastError.At) > tc.within+time.Minute {
					r.t.Errorf("last error %+v, by cause %v", s.LastError, s.LastErrors)
				}
				if s.PausedUntil.After(time.Now()) && s.PauseReason == "" {
					r.t.Errorf("paused until %v without a reason", s.PausedUntil)
				}
				healed.Store(true)
				r.resume("default", true)
				time.Sleep(2 * time.Minute)
				if s := o.status(); s.Condition != Sending || s.Reason != "" || !s.Since.IsZero() || s.LastError.Cause != tc.cause {
					r.t.Errorf("status after the outage: %+v", s)
				}
				if n := len(r.settledAs(outbox.Delivered)); n != 3 {
					r.t.Errorf("%d leads are delivered", n)
				}
				got := o.log()
				want := []string{string(tc.condition) + ": ", "over: " + string(tc.condition) + ", 2 go"}
				if tc.condition == OnHold {
					want = []string{"held: ", "resumed, 2 go"}
				}
				if name == "503, wait 40s" { // it is paused before it is failing
					want = append([]string{"paused: HTTP 503"}, want...)
				}
				if !slices.EqualFunc(got, want, strings.Contains) {
					r.t.Errorf("announced %q, want %q", got, want)
				}
			})
		})
	}
}

// A single failure is not an outage, and neither is a lead that fails while others pass.
func TestSingleFailuresAreNotAnnounced(t *testing.T) {
	crm := &fakeCRM{create: func(_ context.Context, n int, lead telecrm.Lead) telecrm.Answer {
		if lead.Fields["phone"] == phoneA || n%3 == 0 {
			return failing(500)
		}
		return ok
	}}
	inBubble(t, crm, func(r *rig) {
		o := watch(r)
		r.submit(phoneA, 0)
		for i := range 300 {
			r.submit(fmt.Sprintf("918123456%03d", i), 0)
			time.Sleep(time.Second)
		}
		if s := o.status(); s.Condition != Sending || s.LastError.Problem != "HTTP 500" {
			r.t.Errorf("status %+v", s)
		}
		if got := o.log(); len(got) > 0 {
			r.t.Errorf("announced %q", got)
		}
	})
}

// An account that fails and recovers all the time is announced announceBurst times, then at most
// every announceInterval, and the last announcement says how it is.
func TestFlappingIsAnnouncedRarely(t *testing.T) {
	for _, period := range []time.Duration{20 * time.Second, 90 * time.Second, 7 * time.Minute} {
		t.Run(period.String(), func(t *testing.T) {
			var began time.Time
			crm := &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer {
				if since := time.Since(began); (since/period)%2 == 0 && since < 2*time.Hour {
					return failing(503)
				}
				return ok
			}}
			inBubble(t, crm, func(r *rig) {
				began = time.Now()
				o := watch(r)
				for i := range 150 * 12 {
					r.submit(fmt.Sprintf("9181%08d", i), 0)
					time.Sleep(5 * time.Second)
				}
				got := o.log()
				if most := 2 * (int(2*time.Hour/announceInterval) + announceBurst); len(got) < 2 || len(got) > most {
					r.t.Errorf("announced %d times, want at most %d", len(got), most)
				}
				for i, line := range got {
					if want := []string{"failing: HTTP 503", "over: failing"}[i%2]; !strings.HasPrefix(line, want) {
						r.t.Fatalf("announced %q", got)
					}
				}
				if len(got)%2 != 0 {
					r.t.Errorf("the last announcement is %q", got[len(got)-1])
				}
			})
		})
	}
}

// If an account fails again soon after an incident, that is announced as soon as the first one. Only
// an account that keeps failing and recovering is announced late.
func TestSecondOutageIsAnnouncedAtOnce(t *testing.T) {
	var broken atomic.Bool
	crm := &fakeCRM{create: func(context.Context, int, telecrm.Lead) telecrm.Answer {
		if broken.Load() {
			return failing(503)
		}
		return ok
	}}
	inBubble(t, crm, func(r *rig) {
		o := watch(r)
		var announced []int
		for i := range 16 { // odd half minutes are outages, and the fourth one goes on
			broken.Store(i%2 == 1 || i > 7)
			for range 6 {
				r.submit(fmt.Sprintf("9181%08d", time.Since(o.start)/time.Second), 0)
				time.Sleep(5 * time.Second)
			}
			announced = append(announced, len(o.log()))
		}
		if want := []int{0, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7}; !slices.Equal(announced, want) {
			r.t.Errorf("announcements after each half minute: %v, want %v: %q", announced, want, o.log())
		}
	})
}

// An account whose crm_rate is too low for its leads is slow, and so is one that catches up for
// long. A queue that is gone within a minute is not.
func TestTooLowARateIsAnnounced(t *testing.T) {
	inBubble(t, &fakeCRM{create: created}, func(r *rig) {
		o := watch(r)
		r.setRate(1, 5)
		for i := range 50 {
			r.submit(fmt.Sprintf("918123456%03d", i), 0)
		}
		for range 10 {
			time.Sleep(10 * time.Second)
			if s := o.status(); s.Condition != Sending {
				r.t.Fatalf("status %+v", s)
			}
		}
		for i := range 400 {
			r.submit(fmt.Sprintf("918123457%03d", i), 0)
		}
		time.Sleep(70 * time.Second)
		if s := o.status(); s.Condition != Slow || !strings.Contains(s.Reason, "crm_rate") {
			r.t.Errorf("status %+v", s)
		}
		time.Sleep(10 * time.Minute)
		if got := o.log(); len(got) != 2 || !strings.HasPrefix(got[0], "slow: leads wait 2m") || !strings.HasPrefix(got[1], "over: slow") {
			r.t.Errorf("announced %q", got)
		}
		if s := o.status(); s.Condition != Sending {
			r.t.Errorf("status %+v", s)
		}
	})
}

// A reload with other settings starts over, and one with the same settings changes nothing.
func TestReloadDuringAnOutage(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(down)}, func(r *rig) {
		o := watch(r)
		r.submit(phoneA, 0)
		time.Sleep(time.Minute)
		r.engine.Configure(r.config)
		if s := o.status(); s.Condition != Failing {
			r.t.Errorf("status %+v", s)
		}
		r.config.Accounts[0].Key = "b"
		r.engine.Configure(r.config)
		if s := o.status(); s.Condition != Sending || s.LastError.At.IsZero() {
			r.t.Errorf("status after the settings changed: %+v", s)
		}
		r.submit(phoneB, 0)
		time.Sleep(time.Minute)
		if got := o.log(); !slices.Equal(got, []string{"failing: connection refused", "failing: connection refused"}) {
			r.t.Errorf("announced %q", got)
		}
	})
}

// The conditions are ordered, and a worse one is announced during an incident.
func TestConditionsGetWorse(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(throttling(429, time.Minute), failing(503), failing(503), failing(503), ok)}, func(r *rig) {
		o := watch(r)
		r.submit(phoneA, 0)
		time.Sleep(time.Hour)
		if got := o.log(); !slices.Equal(got, []string{"paused: HTTP 429", "failing: HTTP 503", "over: failing, 0 go"}) {
			r.t.Errorf("announced %q", got)
		}
	})
	for i, c := range Conditions() {
		for j, other := range Conditions() {
			if c.WorseThan(other) != (i > j) {
				t.Errorf("%s is worse than %s: %v", c, other, c.WorseThan(other))
			}
		}
	}
}
