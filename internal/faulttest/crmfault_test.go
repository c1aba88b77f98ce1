//go:build linux

package faulttest

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// Whenever the CRM fails, visitors are thanked within the budget, and the CRM gets each of their
// leads once when it works again.
func TestCRMFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fault string
		begin func(*crm)
	}{
		{"down", "CRM down", (*crm).close},
		{"500", "CRM answers 500, having stored every other lead", func(c *crm) {
			c.fail(inTurn(sandbox.FaultServerError, sandbox.FaultServerErrorAfterStore))
		}},
		{"hanging", "CRM hangs", func(c *crm) { c.fail(always(sandbox.FaultSlow)) }},
		{"reset", "CRM resets after reading, having stored every other lead", func(c *crm) {
			c.fail(inTurn(sandbox.FaultDropped, sandbox.FaultDroppedAfterStore))
		}},
		{"late", "CRM answers after our timeout", func(c *crm) { c.fail(always(sandbox.FaultSlowAfterStore)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings{
				deliver: sized("now 500ms", "now 3s"),
				timeout: sized(2*time.Second, 10*time.Second),
			})
			r.during(t, 50, func() {
				pass(t, time.Second)
				tc.begin(r.crm)
				pass(t, sized(3*time.Second, 10*time.Minute))
				r.crm.heal()
				if tc.name == "down" {
					r.crm.listen(t)
				}
				r.resumes(t, sized(6*time.Second, 40*time.Second))
				pass(t, time.Second)
			})
			// Full size: a lead that failed at the last moment of ten minutes may be retried
			// fifteen minutes later.
			l := r.drain(t, sized(90*time.Second, 20*time.Minute))
			allThanked(t, l.posts)
			r.verify(t, l, false)
			l.report(t, tc.fault)
		})
	}
}

// resumes checks that requests to the CRM start again soon.
func (r *rig) resumes(t *testing.T, within time.Duration) {
	t.Helper()
	back := time.Now()
	await(t, "request to the recovered CRM", time.Minute, func() bool { return len(r.crm.seenAfter(back)) > 0 })
	wait := time.Since(back)
	t.Logf("the first request came %v after the CRM recovered", wait)
	if wait > within {
		t.Errorf("LATE: the first request came %v after the CRM recovered, want %v at most", wait, within)
	}
}
