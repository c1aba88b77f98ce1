//go:build linux

package faulttest

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// Whatever ails the CRM, visitors are thanked within the budget, and the CRM
// gets all of their leads once it works again, each once.
func TestCRMFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fault string
		begin func(*crm)
	}{
		{"down", "CRM down", (*crm).fall},
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
					r.crm.rise(t)
				}
				r.resumes(t, sized(6*time.Second, 40*time.Second))
				pass(t, time.Second)
			})
			// Full size: a lead that failed at the last moment of ten minutes
			// may be tried again fifteen minutes later.
			l := r.drain(t, sized(90*time.Second, 20*time.Minute))
			allThanked(t, l.posts)
			r.verify(t, l, false)
			l.report(t, tc.fault)
		})
	}
}

// resumes checks that the CRM is asked again soon.
func (r *rig) resumes(t *testing.T, within time.Duration) {
	t.Helper()
	back := time.Now()
	await(t, "request to the CRM that works again", time.Minute, func() bool { return len(r.crm.seenAfter(back)) > 0 })
	wait := time.Since(back)
	t.Logf("the CRM was asked again %v after it was back", wait)
	if wait > within {
		t.Errorf("LATE: the CRM was left alone for %v more, after it had failed for so short a time; want %v at most", wait, within)
	}
}
