//go:build linux

package faulttest

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// A Caddy that is killed at any moment appends every enquiry of a known person to their lead
// exactly once.
func TestKilledWithKnownPeople(t *testing.T) {
	t.Parallel()
	kills, rate := sized(5, 50), sized(60, 100)
	r := newRig(t, settings{latency: 30 * time.Millisecond})
	r.people = sized(25, 500)
	r.during(t, rate, func() {
		for range kills {
			pass(t, 100*time.Millisecond+rand.N(900*time.Millisecond))
			r.Kill()
			r.start(t)
		}
		pass(t, 500*time.Millisecond)
	})
	settled := func() bool {
		return len(r.unrecorded()) == 0 && r.unsettled() == 0 && time.Since(r.crm.quietSince()) > quiet
	}
	for deadline := time.Now().Add(sized(time.Minute, 5*time.Minute)); !settled(); pass(t, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("LOST: %d enquiries are not in a timeline, and %d leads are still waiting\n%s", len(r.unrecorded()), r.unsettled(), tail(r.earlier+r.Log()))
		}
	}
	r.verifyTimelines(t)
	posts := r.all()
	t.Logf("\n| fault | posts | thanked | people | enquiries in their timelines | lost | doubled | wait of the thanked |\n| kill -9 under load, known people | %d | %d | %d | %d | 0 | 0 | %s |",
		len(posts), count(posts, http.StatusSeeOther), len(r.crm.sandbox.Leads()), len(r.notes()), waits(posts))
}

// notes counts the actions of all leads by message.
func (r *rig) notes() map[string]int {
	notes := make(map[string]int)
	for _, lead := range r.crm.sandbox.Leads() {
		for _, action := range lead.Actions {
			note, _ := action.Fields["note"].(string)
			notes[note]++
		}
	}
	return notes
}

// unrecorded returns the thanked visitors whose message is not in a timeline.
func (r *rig) unrecorded() []string {
	var list []string
	notes := r.notes()
	for _, p := range r.all() {
		if p.thanked() && notes[p.message()] == 0 {
			list = append(list, p.name)
		}
	}
	return list
}

// verifyTimelines checks that each person has one lead, that each message is in a timeline at most
// once, and that nothing was parked.
func (r *rig) verifyTimelines(t *testing.T) {
	t.Helper()
	if n := len(r.crm.sandbox.Leads()); n > r.people {
		t.Errorf("DOUBLED: the CRM has %d leads of %d people", n, r.people)
	}
	for note, n := range r.notes() {
		if n > 1 {
			t.Errorf("DOUBLED: %q is stored %d times", note, n)
		}
	}
	for _, lead := range r.crm.sandbox.Leads() {
		if len(lead.Changes) > 0 {
			t.Errorf("CHANGED: fields of an existing lead: %v", lead.Changes)
		}
	}
	if parked := r.logged("warn", "lead parked"); len(parked) > 0 {
		t.Errorf("PARKED: %d leads; the first: %s", len(parked), parked[0].text)
	}
}
