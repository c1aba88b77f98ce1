//go:build linux

package faulttest

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// A CRM that answers with Retry-After does not get a request before that time.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const wait = 4 * time.Second
	for _, tc := range []struct {
		name   string
		header func(until time.Time) string
	}{
		{"seconds", func(time.Time) string { return strconv.Itoa(int(wait / time.Second)) }},
		{"date", func(until time.Time) string { return until.UTC().Format(http.TimeFormat) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings{})
			r.during(t, 50, func() {
				pass(t, time.Second)
				for range sized(2, 10) {
					r.refuseOnce(t, wait, tc.header)
					pass(t, time.Second)
				}
			})
			l := r.drain(t, 40*time.Second)
			allThanked(t, l.posts)
			r.verify(t, l, false)
			l.report(t, "429 with Retry-After in "+tc.name)
		})
	}
}

// refuseOnce answers the next request and those in flight with 429, and checks the time of the
// following request.
func (r *rig) refuseOnce(t *testing.T, wait time.Duration, header func(until time.Time) string) {
	t.Helper()
	begin := time.Now()
	r.crm.fail(func(int) sandbox.Fault {
		fault := sandbox.Faults()[sandbox.FaultRateLimited]
		fault.Header = http.Header{"Retry-After": {header(time.Now().Add(wait))}}
		return fault
	})
	var refused []request
	await(t, "pause after 429", patience, func() bool {
		refused = slices.DeleteFunc(r.crm.seenAfter(begin), func(q request) bool { return q.status != http.StatusTooManyRequests })
		return len(refused) > 0 && time.Since(r.crm.quietSince()) > wait/8
	})
	r.crm.heal()
	last := refused[len(refused)-1]
	until := last.arrived.Add(wait)
	if date, err := http.ParseTime(header(until)); err == nil {
		until = date // a date does not have fractions of a second
	}
	await(t, "request after the 429", time.Until(until)+patience, func() bool { return len(r.crm.seenAfter(last.answered)) > 0 })
	next := r.crm.seenAfter(last.answered)[0].arrived
	if next.Before(until) {
		t.Errorf("a request %v before the time of Retry-After", until.Sub(next))
	}
	t.Logf("429 to %d concurrent requests; the next one came %v after the time of Retry-After", len(refused), next.Sub(until))
}
