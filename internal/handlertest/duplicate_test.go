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

// everPolicies are blocks for each thing to do about known people.
var everPolicies = map[string]string{
	"actions": "action 1042 {\nfield note message\n}\n",
	"update":  "action 1042 {\nfield note message\n}\non_duplicate update name\n",
	"ignore":  "on_duplicate ignore\n",
	"park":    "on_duplicate park\n",
}

// The answer does not tell whether TeleCRM knows a person: over many posts, in any order, all
// answers are the same to the byte but for their ids.
func TestKnownVisitorsLookLikeNewOnes(t *testing.T) {
	people := 40
	if testing.Short() {
		people = 10
	}
	for policy, words := range everPolicies {
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
					t.Errorf("there are different answers: %v", answers)
				}
				for _, kinds := range answers {
					if kinds["new"] != people || kinds["known"] != people {
						t.Errorf("they went to %v", kinds)
					}
				}
				eventually(t, "the delivery of all", func() bool { return len(crm.Leads()) == people && crm.Creates() >= 2*people })
			})
		}
	}
}

// greeting returns the post of one of 100 people.
func greeting(person int, message string) url.Values {
	return url.Values{"name": {"Ravi Menon"}, "phone": {fmt.Sprintf("81234567%02d", person)}, "message": {message}}
}

var submissionID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

// textOf returns an answer without its ids.
func textOf(w *httptest.ResponseRecorder) string {
	var headers strings.Builder
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		fmt.Fprintln(&headers, name, w.Header()[name])
	}
	return submissionID.ReplaceAllString(fmt.Sprint(w.Code, "\n", headers.String(), "\n", w.Body), "ID")
}

// The time that a visitor waits does not tell whether TeleCRM knew them: neither the first time that
// they post nor right after it. One request more takes the stand-in's latency. A busy machine can
// make waits differ by as much, but not in every round.
func TestTimeTellsNothing(t *testing.T) {
	const latency, people, rounds = 100 * time.Millisecond, 5, 8
	for policy, words := range everPolicies {
		t.Run(policy, func(t *testing.T) { // one after the other: Caddy sets its default log for each config
			crm := startCRM(t, sandbox.Config{Token: testToken, AsyncToken: testAsyncToken, EnterpriseID: testEnterprise, Latency: latency})
			h := newHandler(t, crm.url, simpleBlock+words+"dedupe off")
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
				if gap(waits, "first, ").Abs() <= latency/4 && gap(waits, "second, ").Abs() <= latency/4 {
					return
				}
			}
			t.Errorf("after %d rounds known people wait longer by %v, and by %v the second time: %v", rounds, gap(waits, "first, "), gap(waits, "second, "), waits)
		})
	}
}

// makeKnown has TeleCRM know some people, before and not through the outbox of the handler under
// test.
func makeKnown(t *testing.T, crm crm, first, people int) {
	t.Helper()
	before := newHandler(t, crm.url, simpleBlock+everPolicies["ignore"])
	var posts sync.WaitGroup
	for person := range people {
		posts.Go(func() {
			w, _, err := before.serve(postForm(greeting(first+person, "Long ago")))
			if err != nil || w.Code != http.StatusSeeOther {
				t.Errorf("status %d, error %v", w.Code, err)
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

// What the Caddyfile says is done, whichever way the lead goes.
func TestOnDuplicate(t *testing.T) {
	for policy, want := range map[string]struct {
		name    string // in the lead that is there, in the end
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
				h := newHandler(t, crm.url, simpleBlock+everPolicies[policy])
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
				if keep { // nobody waits for a number that has just been seen
					outcome = outcomeWaiting
				}
				if got := h.submission(t)["outcome"]; got != string(outcome) {
					t.Errorf("outcome %v, want %v", got, outcome)
				}
				var lead sandbox.Lead
				eventually(t, "what on_duplicate says", func() bool {
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
			r := newRig(crm.url, simpleBlock+strings.Replace(everPolicies["actions"], "on_duplicate actions", "", 1))
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
