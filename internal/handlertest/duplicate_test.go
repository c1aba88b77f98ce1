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

// Nobody learns from an answer whether TeleCRM knows a person: over many posts, in whatever order,
// all are the same to the byte but for their ids.
func TestKnownVisitorsLookLikeNewOnes(t *testing.T) {
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
	for policy, words := range everPolicies {
		for _, accept := range []string{"text/html", "application/json"} {
			t.Run(policy+" "+accept, func(t *testing.T) {
				crm := newCRM(t)
				h := newHandler(t, crm.url, simpleBlock+words)
				_, _, _ = withOutbox(t, h)
				order := make([]int, 0, 80)
				for i := range 40 {
					order = append(order, i, i) // the second of each is known
				}
				rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				answers := map[string]map[string]int{}
				seen := make(map[int]bool)
				for _, person := range order {
					r := postForm(url.Values{"name": {"Ravi Menon"}, "phone": {fmt.Sprintf("81234567%02d", person)}, "message": {"Hello"}})
					r.Header.Set("Accept", accept)
					w, _, err := h.serve(r)
					if err != nil {
						t.Fatal(err)
					}
					var headers strings.Builder
					for _, name := range slices.Sorted(maps.Keys(w.Header())) {
						fmt.Fprintln(&headers, name, w.Header()[name])
					}
					answer := id.ReplaceAllString(fmt.Sprint(w.Code, "\n", headers.String(), "\n", w.Body), "ID")
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
					if kinds["new"] != 40 || kinds["known"] != 40 {
						t.Errorf("they went to %v", kinds)
					}
				}
				eventually(t, "the delivery of all", func() bool { return len(crm.Leads()) == 40 })
			})
		}
	}
}

// How long a visitor waits does not tell whether TeleCRM knew them: neither the first time that
// they post nor right after it.
func TestTimeTellsNothing(t *testing.T) {
	const latency, people = 100 * time.Millisecond, 12
	stand, err := sandbox.New(sandbox.Config{Token: testToken, AsyncToken: testAsyncToken, EnterpriseID: testEnterprise, Latency: latency})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stand)
	defer server.Close()
	defer stand.Close()
	for policy, words := range everPolicies {
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
			for person := range people { // those whom TeleCRM knows
				post(before, person, "Long ago")
			}
			h := newHandler(t, server.URL+"/autoupdate/v2", simpleBlock+words+"\ndedupe off")
			_, _, _ = withOutbox(t, h)
			waits := make(map[string][]time.Duration)
			for _, person := range rand.Perm(2 * people) {
				kind := "new"
				if person < people {
					kind = "known"
				}
				waits["first, "+kind] = append(waits["first, "+kind], post(h, person, "Hello"))
				waits["second, "+kind] = append(waits["second, "+kind], post(h, person, "Hello again"))
			}
			for _, turn := range []string{"first, ", "second, "} {
				share := precedes(waits[turn+"new"], waits[turn+"known"])
				difference := median(waits[turn+"known"]) - median(waits[turn+"new"])
				if (share < 0.1 || share > 0.9) && difference.Abs() > latency/4 {
					t.Errorf("%swaits tell known from new in %.0f %% of all pairs, by %v:\nnew %v\nknown %v", turn, 100*share, difference, waits[turn+"new"], waits[turn+"known"])
				}
			}
		})
	}
}

// precedes returns in what share of all pairs the first is the shorter: one half if they cannot be
// told apart.
func precedes(a, b []time.Duration) float64 {
	shorter := 0
	for _, x := range a {
		for _, y := range b {
			if x < y {
				shorter++
			}
		}
	}
	return float64(shorter) / float64(len(a)*len(b))
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
