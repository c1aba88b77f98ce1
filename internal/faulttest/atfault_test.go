//go:build linux

package faulttest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// resume resumes the account, as an operator does after fixing the cause.
func (r *rig) resume(t *testing.T) (resumed adminapi.Resumed) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.admin+"/telecrm/accounts/default/resume", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&resumed); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("resuming: status %d, error %v", resp.StatusCode, err)
	}
	return resumed
}

// An append is stored but its answer is lost, and the token is revoked and issued again. The first
// probe only reads and finds everything stored, and the waiting leads behind it are delivered all
// the same.
func TestProbeThatOnlyReads(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{deliver: "later"})
	r.people = 1
	r.one(t)
	await(t, "lead in the CRM", patience, func() bool { return len(r.crm.sandbox.Leads()) == 1 })
	r.crm.sandbox.Inject(sandbox.Faults()[sandbox.FaultDroppedAfterStore].On(sandbox.OpAppend))
	second := r.one(t)
	await(t, "lost answer", patience, func() bool { return len(r.logged("info", "lead waiting")) == 1 })
	r.crm.revoke(firstToken)
	r.people = 0
	r.one(t) // is refused
	await(t, "error about the account", patience, func() bool { return len(r.held()) == 1 })
	pass(t, 6*time.Second) // until the append is due again, before all others
	r.during(t, 50, func() { pass(t, sized(time.Second, time.Minute)) })
	r.crm.issue(firstToken)
	if resumed := r.resume(t); !resumed.Resumed || !resumed.Waiting {
		t.Errorf("resumed: %+v", resumed)
	}
	resumed := time.Now()
	// The second enquiry is in the timeline of the first one's lead.
	l := r.drainBut(t, sized(30*time.Second, 5*time.Minute), func() int { return 1 })
	await(t, "delivery of everything", patience, func() bool { return r.unsettled() == 0 })
	if missing := l.missing(); len(missing) != 1 || missing[0].name != second.name {
		t.Errorf("LOST: %d leads", len(missing)-1)
	}
	t.Logf("all %d leads were delivered %v after resuming", len(l.posts), time.Since(resumed))
	allThanked(t, l.posts)
	if n := r.notes()[second.message()]; n != 1 {
		t.Errorf("the append with the lost answer is stored %d times", n)
	}
	l.report(t, "append stored, its answer lost, then the token revoked and issued again")
}

// Leads that a firewall in front of the CRM refuses delay the others briefly, and are parked with
// the reason.
func TestSomeLeadsTurnedAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{deliver: "later"})
	bad := []string{"Load 000003"}
	if fullSize {
		bad = append(bad, "Load 000004", "Load 000005", "Load 000006", "Load 000007", "Load 000008")
	}
	r.crm.refuse(func(lead string) sandbox.Fault {
		if slices.Contains(bad, lead) {
			return sandbox.Faults()[sandbox.FaultForbidden]
		}
		return sandbox.Fault{}
	})
	r.during(t, 50, func() { pass(t, sized(3*time.Second, time.Minute)) })
	l := r.drainBut(t, sized(time.Minute, 10*time.Minute), func() int { return len(bad) })
	await(t, "parked leads", patience, func() bool { return len(r.logged("warn", "lead parked")) == len(bad) })
	for _, line := range r.logged("warn", "lead parked") {
		if !strings.Contains(line.text, "refuses this lead and accepts others") || !strings.Contains(line.text, "HTTP 403") {
			t.Errorf("parked: %s", line.text)
		}
	}
	allThanked(t, l.posts)
	if missing := len(l.missing()); missing != len(bad) {
		t.Errorf("LOST: %d leads are not in the CRM, want the %d refused ones", missing, len(bad))
	}
	t.Logf("%d leads refused; the account was put on hold %d times, and the longest time without a delivery was %v",
		len(bad), len(r.held()), longestSilence(l.requests))
	l.report(t, "some leads refused with a 403")
}

// longestSilence returns the longest time between two successful creates.
func longestSilence(requests []request) (longest time.Duration) {
	var last time.Time
	for _, r := range requests {
		if r.status == http.StatusCreated {
			if !last.IsZero() {
				longest = max(longest, r.arrived.Sub(last))
			}
			last = r.arrived
		}
	}
	return longest
}

// If the CRM refuses every lead in the same way, because its identifier was changed, at most one
// visitor is asked to correct anything, and all leads are delivered after the fix.
func TestEveryLeadRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{deliver: "now 3s"})
	r.during(t, 50, func() {
		pass(t, time.Second)
		r.crm.refuse(func(string) sandbox.Fault { return sandbox.Faults()[sandbox.FaultInvalidLead] })
		await(t, "error about the account", patience, func() bool { return len(r.held()) == 1 })
		pass(t, sized(3*time.Second, 5*time.Minute))
		r.crm.refuse(nil)
		r.resume(t)
		pass(t, time.Second)
	})
	l := r.drain(t, sized(30*time.Second, 5*time.Minute))
	await(t, "delivery of the refused leads", patience, func() bool { return len(r.crm.sandbox.Leads()) == len(r.all()) })
	blamed := count(l.posts, http.StatusUnprocessableEntity)
	t.Logf("%d of %d visitors were asked to correct something; %d leads were parked before they waited again", blamed, len(l.posts), len(r.logged("warn", "lead parked")))
	if blamed > 1 {
		t.Errorf("BLAMED: %d visitors", blamed)
	}
	if others := len(l.posts) - blamed - count(l.posts, http.StatusSeeOther); others > 0 {
		t.Errorf("FAILED VISITORS: %d", others)
	}
	l.report(t, "every lead refused with the same 400")
}
