//go:build linux

package faulttest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// ledger compares the answers to visitors with the leads in the CRM.
type ledger struct {
	posts    []post
	leads    map[string][]sandbox.Lead // by name
	requests []request
}

func (r *rig) ledger() ledger {
	l := ledger{posts: r.all(), requests: r.crm.seen(), leads: make(map[string][]sandbox.Lead)}
	for _, lead := range r.crm.sandbox.Leads() {
		name, _ := lead.Fields["name"].(string)
		l.leads[name] = append(l.leads[name], lead)
	}
	return l
}

// missing returns the posts of thanked visitors who are not in the CRM.
func (l ledger) missing() []post {
	var list []post
	for _, p := range l.posts {
		if p.thanked() && len(l.leads[p.name]) == 0 {
			list = append(list, p)
		}
	}
	return list
}

// unsettled counts the leads that wait for a retry, according to the log. The CRM may already have
// them, if an answer was lost.
func (r *rig) unsettled() int {
	waiting := make(map[string]bool)
	for _, line := range r.logged("", "lead ") {
		switch line.Msg {
		case "lead waiting":
			waiting[line.ID] = true
		case "lead delivered", "lead parked":
			delete(waiting, line.ID)
		}
	}
	return len(waiting)
}

// quiet is the time without requests after which everything counts as delivered.
const quiet = time.Second

// drain waits until the leads of all thanked visitors are in the CRM and nothing more is sent.
func (r *rig) drain(t *testing.T, within time.Duration) ledger {
	t.Helper()
	return r.drainBut(t, within, func() int { return 0 })
}

// drainBut is like drain, but allows as many missing leads as lost returns.
func (r *rig) drainBut(t *testing.T, within time.Duration, lost func() int) ledger {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		l := r.ledger()
		if len(l.missing()) <= lost() && time.Since(r.crm.quietSince()) > quiet && r.unsettled() <= lost() {
			return l
		}
		if time.Now().After(deadline) {
			t.Errorf("LOST: after %v, %d thanked visitors are not in the CRM, and %d leads are still waiting; at most %d may be missing; the first is %q\n%s",
				within, len(l.missing()), r.unsettled(), lost(), first(l.missing()), tail(r.earlier+r.Log()))
			return l
		}
		pass(t, sized(100*time.Millisecond, 2*time.Second))
	}
}

func first(posts []post) string {
	if len(posts) == 0 {
		return ""
	}
	return posts[0].name
}

// tail returns the end of a log.
func tail(text string) string { return text[max(0, len(text)-6000):] }

// crashed reports whether a process was killed. A lead may then be sent again although its answer
// had come; the CRM answers that it has it.
type crashed bool

// verify checks that no lead or action is in the CRM twice or changed, that nothing was sent again
// after an answer, and that nothing was parked, because no two visitors have the same number.
func (r *rig) verify(t *testing.T, l ledger, killed crashed) {
	t.Helper()
	sent := make(map[string]post, len(l.posts))
	for _, p := range l.posts {
		sent[p.name] = p
	}
	for name, leads := range l.leads {
		p, known := sent[name]
		if !known {
			t.Errorf("the CRM has the lead %q, which no visitor sent", name)
			continue
		}
		if len(leads) > 1 {
			t.Errorf("DOUBLED: the CRM has %d leads of %q", len(leads), name)
		}
		for _, lead := range leads {
			p.check(t, lead)
		}
	}
	// On a busy machine an answer may come too late for Caddy, which then retries.
	again, late := l.sentAgain(r.timeout), r.attemptsTimedOut()
	if len(again) > late && !bool(killed) {
		t.Errorf("SENT AGAIN: %d leads were sent again after the CRM had confirmed them, although only %d attempts had timed out; the first is %q",
			len(again), late, again[0])
	}
	if parked := r.logged("warn", "lead parked"); len(parked) > 0 {
		t.Errorf("PARKED: %d leads; the first: %s", len(parked), parked[0].text)
	}
	if log := r.earlier + r.Log(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic") {
		t.Errorf("caddy raced or panicked:\n%s", log)
	}
}

// attemptsTimedOut counts the attempts that timed out.
func (r *rig) attemptsTimedOut() int {
	n := 0
	for _, line := range r.logged("info", "lead waiting") {
		if strings.Contains(line.text, "deadline exceeded") {
			n++
		}
	}
	return n
}

// check compares a lead with its post.
func (p post) check(t *testing.T, lead sandbox.Lead) {
	t.Helper()
	switch {
	case lead.Fields["phone"] != p.phone()[1:] || lead.Fields["message"] != p.message():
		t.Errorf("CHANGED: %q arrived with phone %v and message %v", p.name, lead.Fields["phone"], lead.Fields["message"])
	case len(lead.Actions) != 1:
		t.Errorf("DOUBLED: %q arrived with %d actions, want 1", p.name, len(lead.Actions))
	case lead.Actions[0].Fields["note"] != p.message():
		t.Errorf("CHANGED: %q arrived with note %v", p.name, lead.Actions[0].Fields["note"])
	}
}

// sentAgain returns the leads that were sent again after the CRM had confirmed them.
func (l ledger) sentAgain(timeout time.Duration) []string {
	confirmed := make(map[string]time.Time)
	for _, r := range l.requests {
		// A slow answer may have come too late.
		if r.lead != "" && r.status == http.StatusCreated && !r.gone && r.answered.Sub(r.arrived) < timeout/2 {
			confirmed[r.lead] = r.answered
		}
	}
	var list []string
	for _, r := range l.requests {
		if at, ok := confirmed[r.lead]; ok && r.arrived.After(at) {
			list = append(list, r.lead)
		}
	}
	return list
}

// report logs a row for docs/reliability.md, and the command that reproduces it.
func (l ledger) report(t *testing.T, fault string) {
	t.Helper()
	creates := 0
	for _, r := range l.requests {
		if r.lead != "" {
			creates++
		}
	}
	thanked := count(l.posts, http.StatusSeeOther)
	cut := count(l.posts, 0)
	doubled := 0
	for _, leads := range l.leads {
		doubled += len(leads) - 1
	}
	size := ""
	if fullSize {
		size = "FAULT_FULL=1 "
	}
	t.Log(fmt.Sprintf("\n| fault | posts | thanked | refused | cut off | creates sent | other requests | in the CRM | lost | doubled | wait of the thanked |\n"+
		"| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %s |\n", fault,
		len(l.posts), thanked, len(l.posts)-thanked-cut, cut, creates, len(l.requests)-creates, len(l.leads), len(l.missing()), doubled, waits(l.posts)) +
		fmt.Sprintf("%sgo test -v -count=1 -run '^%s$' ./internal/faulttest", size, strings.ReplaceAll(t.Name(), "/", "$/^")))
}

// allThanked checks that every visitor saw the thank-you page.
func allThanked(t *testing.T, posts []post) {
	t.Helper()
	for _, p := range posts {
		if !p.thanked() {
			t.Errorf("FAILED VISITOR: %q got status %d after %v: %v", p.name, p.status, p.took, p.err)
			return
		}
	}
}
