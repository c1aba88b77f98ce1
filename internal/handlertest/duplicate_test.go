package handlertest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// policyBlocks has a block for each on_duplicate policy.
var policyBlocks = map[string]string{
	"actions": "action 1042 {\nfield note message\n}\n",
	"update":  "action 1042 {\nfield note message\n}\non_duplicate update name\n",
	"ignore":  "on_duplicate ignore\n",
	"park":    "on_duplicate park\n",
}

// Answers do not reveal whether TeleCRM knows a person. They are identical to the byte except for
// ids, in any order of posts.
func TestKnownVisitorsLookLikeNewOnes(t *testing.T) {
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	for policy, words := range policyBlocks {
		for _, accept := range []string{"text/html", "application/json"} {
			t.Run(policy+" "+accept, func(t *testing.T) {
				crm := newCRM(t)
				// Without dedupe, TeleCRM and not the handler recognizes the second post.
				h := newHandler(t, crm.url, simpleBlock+words+"dedupe off")
				_, _, _ = withOutbox(t, h)
				order := make([]int, 0, 2*people)
				for i := range people {
					order = append(order, i, i) // the second of each is known
				}
				rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				answers := make(map[string]map[string]int)
				seen := make(map[int]bool)
				for _, person := range order {
					r := postForm(greeting(person, "Hello"))
					r.Header.Set("Accept", accept)
					answer := textOf(h.mustServe(t, r))
					kind := map[bool]string{false: "new", true: "known"}[seen[person]]
					seen[person] = true
					if answers[answer] == nil {
						answers[answer] = make(map[string]int)
					}
					answers[answer][kind]++
				}
				if len(answers) != 1 {
					t.Errorf("got different answers: %v", answers)
				}
				for _, kinds := range answers {
					if kinds["new"] != 40 || kinds["known"] != 40 {
						t.Errorf("answers by kind: got %v, want 40 of each", kinds)
					}
				}
				eventually(t, "the delivery of all", func() bool { return len(crm.Leads()) == people && crm.Creates() >= 2*people })
			})
		}
	}
}

// Waiting times do not reveal whether TeleCRM knows a person, neither for the first post nor for
// the next.
func TestWaitingTimesLookAlike(t *testing.T) {
	const latency, people = 100 * time.Millisecond, 12
	stand, err := sandbox.New(sandbox.Config{Token: testToken, AsyncToken: testAsyncToken, EnterpriseID: testEnterprise, Latency: latency})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stand)
	defer server.Close()
	defer stand.Close()
	for policy, words := range policyBlocks {
		t.Run(policy, func(t *testing.T) {
			stand.Reset()
			post := func(h testHandler, person int, message string) time.Duration {
				start := time.Now()
				w, _, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}, "phone": {fmt.Sprintf("81234567%02d", person)}, "message": {message}}))
				if err != nil || w.Code != http.StatusSeeOther {
					t.Fatalf("status %d, error %v", w.Code, err)
				}
				return time.Since(start)
			}
			before := newHandler(t, server.URL+"/autoupdate/v2", simpleBlock+words+"\ndedupe off")
			for person := range people { // known to TeleCRM
				post(before, person, "Long ago")
			}
			h := newHandler(t, server.URL+"/autoupdate/v2", simpleBlock+words+"\ndedupe off")
			_, _, _ = withOutbox(t, h)
			waits := make(map[string][]time.Duration)
			for round := range rounds {
				first := round * 2 * people // and as many new people after those
				makeKnown(t, crm, first, people)
				for _, n := range rand.Perm(2 * people) {
					kind := "new"
					if n < people {
						kind = "known"
					}
					waits["first, "+kind] = append(waits["first, "+kind], h.waitOf(t, greeting(first+n, "Hello")))
					waits["second, "+kind] = append(waits["second, "+kind], h.waitOf(t, greeting(first+n, "Hello again")))
				}
				waits["first, "+kind] = append(waits["first, "+kind], post(h, person, "Hello"))
				waits["second, "+kind] = append(waits["second, "+kind], post(h, person, "Hello again"))
			}
			for _, turn := range []string{"first", "second"} {
				share := precedes(waits[turn+", new"], waits[turn+", known"])
				difference := median(waits[turn+", known"]) - median(waits[turn+", new"])
				if (share < 0.1 || share > 0.9) && difference.Abs() > latency/4 {
					t.Errorf("%s posts: new visitors wait less in %.0f %% of all pairs, by %v:\nnew %v\nknown %v", turn, 100*share, difference, waits[turn+", new"], waits[turn+", known"])
				}
			}
			t.Errorf("after %d rounds known people wait longer by %v, and by %v the second time: %v", rounds, gap(waits, "first, "), gap(waits, "second, "), waits)
		})
	}
}

// precedes returns the fraction of all pairs in which a's duration is shorter. It is one half if
// they are indistinguishable.
func precedes(a, b []time.Duration) float64 {
	shorter := 0
	for _, x := range a {
		for _, y := range b {
			if x < y {
				shorter++
			}
		})
	}
	posts.Wait()
}

// waitOf returns how long the post's visitor waits to be thanked.
func (h testHandler) waitOf(t *testing.T, values url.Values) time.Duration {
	t.Helper()
	start := time.Now()
	w := h.mustServe(t, postForm(values))
	took := time.Since(start)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("status %d", w.Code)
	}
	return took
}

// gap returns how much longer known people wait than new ones, by the median.
func gap(waits map[string][]time.Duration, turn string) time.Duration {
	return median(waits[turn+"known"]) - median(waits[turn+"new"])
}

func median(list []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}

// Each on_duplicate policy has the same effect with and without an outbox.
func TestOnDuplicate(t *testing.T) {
	for policy, want := range map[string]struct {
		name    string // in the resulting lead
		actions int
		outcome outcome
	}{
		"actions": {"Ravi Menon", 2, outcomeKnown},
		"update":  {"R Menon", 2, outcomeKnown},
		"ignore":  {"Ravi Menon", 0, outcomeKnown},
		"park":    {"Ravi Menon", 0, outcomeKnown},
	} {
		for _, keep := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, outbox %v", policy, keep), func(t *testing.T) {
				crm := newCRM(t)
				h := newHandler(t, crm.url, simpleBlock+policyBlocks[policy])
				if keep {
					_, _, _ = withOutbox(t, h)
				}
				for _, name := range []string{"Ravi Menon", "R Menon"} {
					w, _, err := h.serve(postForm(url.Values{"name": {name}, "phone": {"081234 56789"}, "message": {"From " + name}}))
					if err != nil || w.Code != http.StatusSeeOther {
						t.Fatalf("status %d, %v", w.Code, err)
					}
				}
				outcome := want.outcome
				if keep { // a visitor does not wait for a number that was just seen
					outcome = outcomeWaiting
				}
				if got := h.submission(t)["outcome"]; got != string(outcome) {
					t.Errorf("outcome %v, want %v", got, outcome)
				}
				var lead sandbox.Lead
				eventually(t, "the effect of on_duplicate", func() bool {
					lead = crm.Leads()[0]
					return lead.Fields["name"] == want.name && len(lead.Actions) == want.actions
				})
				if n := len(crm.Leads()); n != 1 {
					t.Errorf("%d leads, want 1", n)
				}
			})
		}
	}
}

func TestAsyncOnly(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("outbox %v", keep), func(t *testing.T) {
			crm := newCRM(t)
			r := newRig(crm.url, simpleBlock+strings.Replace(policyBlocks["actions"], "on_duplicate actions", "", 1))
			r.settings.Token = ""
			h := r.handler(t)
			if keep {
				withOutbox(t, h)
			}
			w, _, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}, "phone": {"081234 56789"}, "message": {"Hello"}}))
			if err != nil || w.Code != http.StatusSeeOther {
				t.Fatalf("status %d, %v", w.Code, err)
			}
			if got := h.submission(t)["outcome"]; got != string(outcomeAccepted) {
				t.Errorf("outcome %v", got)
			}
			leads := crm.Leads()
			if len(leads) != 1 || len(leads[0].Actions) != 1 || crm.Count(sandbox.OpUpsert) != 1 || crm.Requests() != 1 {
				t.Errorf("leads %v after %d requests", leads, crm.Requests())
			}
		})
	}
}
