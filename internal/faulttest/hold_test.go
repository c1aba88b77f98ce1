//go:build linux

package faulttest

import (
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// shortestProbe is the least time between probes of an account on hold.
const shortestProbe = 50 * time.Second

// A fault of the account, not of a lead, puts the account on hold: one error is logged, only probes
// are sent, visitors are thanked, and everything is delivered after the fix: at once after a reload
// with another token, otherwise after the next probe.
func TestAccountHeld(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, fault string
		begin       func(*crm)
		fix         func(*crm)
	}{
		{"token", "token revoked", func(c *crm) { c.revoke(firstToken) }, func(c *crm) { c.issue(firstToken) }},
		{"licence", "licence expired", func(c *crm) { c.fail(always(sandbox.FaultLicenseExpired)) }, (*crm).heal},
		{"payment", "payment required", func(c *crm) { c.fail(always(sandbox.FaultPaymentRequired)) }, (*crm).heal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, way := range ways {
				t.Run(way.name, func(t *testing.T) {
					t.Parallel()
					r := newRig(t, settings{})
					r.during(t, 50, func() {
						pass(t, 500*time.Millisecond)
						tc.begin(r.crm)
						await(t, "error about the account", patience, func() bool { return len(r.held()) > 0 })
						await(t, "end of the requests in flight", patience, func() bool { return time.Since(r.crm.quietSince()) > quiet })
						held := time.Now()
						pass(t, sized(time.Second, 5*time.Minute))
						if status := r.load(t, r.caddyfile()); status != 200 {
							t.Fatalf("reloading the same config: status %d", status)
						}
						pass(t, sized(time.Second, 5*time.Minute))
						onlyProbes(t, held, r.crm.seenAfter(held))
						tc.fix(r.crm)
						way.release(t, r)
						pass(t, time.Second)
					})
					l := r.drain(t, sized(30*time.Second, 15*time.Minute))
					r.allReachedThanked(t, l)
					r.verify(t, l, false)
					if errors := r.logged("error", ""); len(errors) != 1 {
						t.Errorf("%d errors were logged, want 1: %v", len(errors), errors)
					}
					l.report(t, tc.fault+", released by "+way.name)
				})
			}
		})
	}
}

// held returns the logged errors about an account on hold.
func (r *rig) held() []logLine { return r.logged("error", "does not accept leads from this account") }

// way is a way to release an account on hold.
type way struct {
	name    string
	release func(*testing.T, *rig)
}

// ways leaves out the probe in CI, because it takes a minute.
var ways = sized([]way{byReload}, []way{byReload, byProbe})

var byReload = way{"reload", func(t *testing.T, r *rig) {
	r.crm.issue(secondToken)
	write(t, r.token, secondToken)
	if status := r.load(t, r.caddyfile()); status != 200 {
		t.Fatalf("reloading with another token: status %d", status)
	}
}}

var byProbe = way{"probe", func(*testing.T, *rig) {}}

// onlyProbes checks that the requests for an account on hold are as far apart as probes.
func onlyProbes(t *testing.T, last time.Time, requests []request) {
	t.Helper()
	for _, r := range requests {
		if wait := r.arrived.Sub(last); wait < shortestProbe {
			t.Errorf("account on hold: a request only %v after the previous one", wait)
		}
		last = r.arrived
	}
	if fullSize {
		t.Logf("%d probes in %v", len(requests), 10*time.Minute)
	}
}
