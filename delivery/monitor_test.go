package delivery

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// An outage is announced without an outbox too, once when it begins and once when it is over, and the
// status says what is wrong. There, an account that is turned away is failing.
func TestMonitor(t *testing.T) {
	for name, answer := range map[string]telecrm.Answer{"down": down, "503": failing(503), "not TeleCRM": failing(200), "401": revoked} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lines []string
				m := NewMonitor("default",
					func(trouble Trouble) { lines = append(lines, fmt.Sprintf("%s: %s", trouble.Condition, trouble.Reason)) },
					func(r Recovery) { lines = append(lines, "over: "+string(r.Condition)) })
				var crm fakeCRM
				send := func(answer telecrm.Answer) {
					crm.create = answers(answer)
					account := Account{Name: "default", Client: &crm, Identifier: "phone"}
					SendOnce(context.Background(), account, rate.NewLimiter(rate.Inf, 1), Submission{
						ID: "01900000-0000-7000-8000-000000000001", Account: "default",
						Job: Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": phoneA}}},
					}, func() {}, m)
					time.Sleep(time.Second)
				}
				for range 5 {
					send(answer)
				}
				if s := m.Status(); s.Condition != Failing || s.Reason != answer.Problem() || s.LastError.Cause != answer.Cause() {
					t.Errorf("status %+v", s)
				}
				send(ok)
				send(answer)
				if s := m.Status(); s.Condition != Sending || s.LastError.At.IsZero() {
					t.Errorf("status %+v", s)
				}
				if want := []string{"failing: " + answer.Problem(), "over: failing"}; !slices.Equal(lines, want) {
					t.Errorf("announced %q, want %q", lines, want)
				}
			})
		})
	}
	(*Monitor)(nil).Observe(ok, 0)
}

// If the outbox cannot keep leads, TeleCRM's answers to the direct requests still say how the account
// is doing.
func TestDirectRequestsCount(t *testing.T) {
	inBubble(t, &fakeCRM{create: answers(down, down, down, ok)}, func(r *rig) {
		o := watch(r)
		for i := range 4 {
			if _, _, err := r.engine.SendOnce(context.Background(), r.config.Accounts[0], Submission{
				ID: fmt.Sprintf("01900000-0000-7000-8000-%012d", i), Account: "default",
				Job: Job{Lead: telecrm.Lead{Fields: map[string]any{"phone": phoneA}}},
			}, func() {}); err != nil {
				t.Fatal(err)
			}
			want := Sending
			if i == 2 {
				want = Failing
			}
			if s := o.status(); s.Condition != want {
				r.t.Errorf("status after %d requests: %+v", i+1, s)
			}
		}
		if got := o.log(); len(got) != 2 {
			r.t.Errorf("announced %q", got)
		}
	})
}
