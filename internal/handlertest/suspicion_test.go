package handlertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/challenge"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

const guardedBlock = `
	field name
	field phone
	field message
	thank_you /thanks?id={telecrm.id}
`

// advertised is a post that is suspected spam because of its links.
var advertised = url.Values{
	"name": {"Meera Iyer"}, "phone": {"08123456789"},
	"message": {strings.Repeat("https://a.example ", 6)},
}

func with(values url.Values, name, value string) url.Values {
	changed := url.Values{name: {value}}
	for other, list := range values {
		if other != name {
			changed[other] = list
		}
	}
	return changed
}

// mustServe is serve for requests that must not fail.
func (h testHandler) mustServe(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w, _, err := h.serve(r)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// outcomes returns the outcomes of the submissions so far.
func (h testHandler) outcomes() []string {
	var list []string
	for _, entry := range h.log.FilterMessage("submission").All() {
		list = append(list, entry.ContextMap()["outcome"].(string))
	}
	return list
}

// kept returns the outbox's entries.
func kept(t *testing.T, d *dispatch.Dispatcher) []outbox.Entry {
	t.Helper()
	entries, err := d.Store.List(t.Context(), outbox.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// A post that fills in a trap is parked, and the answer does not reveal it.
func TestTrappedPostsAreParked(t *testing.T) {
	for name, values := range map[string]url.Values{
		"otherwise valid":   with(meera, "_gotcha", "buy"),
		"otherwise invalid": {"name": {"Meera Iyer"}, "phone": {"12"}, "bot-field": {"x"}},
		"many links":        with(advertised, "_honey", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, guardedBlock)
			_, app, log := withOutbox(t, h)
			w := h.mustServe(t, postForm(values))
			id := h.submission(t)["id"].(string)
			if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/thanks?id="+id {
				t.Fatalf("status %d to %s", w.Code, w.Header().Get("Location"))
			}
			entries := kept(t, app)
			if len(entries) != 1 || entries[0].ID != id || entries[0].State != outbox.Parked || entries[0].Attempts != 0 ||
				!strings.HasPrefix(entries[0].Reason, "suspected spam: a trap was filled in") {
				t.Fatalf("kept %+v", entries)
			}
			job, err := delivery.DecodeJob(entries[0].Payload)
			if err != nil || job.Fields["name"] != "Meera Iyer" || job.Fields["phone"] == nil {
				t.Errorf("kept %v, error %v", job.Fields, err)
			}
			var all adminapi.Retried
			retry := func(query string) error {
				status, _, body := ask(t, adminEndpoint(t), http.MethodPost, adminapi.Prefix+"/leads/retry?state=parked"+query, "")
				if status != http.StatusOK {
					return fmt.Errorf("status %d: %s", status, body)
				}
				all = adminapi.Retried{}
				return json.Unmarshal([]byte(body), &all)
			}
			err = retry("")
			if err != nil || all.Retried != 0 || all.SuspectedSpam != 1 {
				t.Errorf("retrying all: %+v, error %v", all, err)
			}
			err = retry("&suspected_spam=true")
			if err != nil || all.Retried != 1 || all.SuspectedSpam != 0 {
				t.Fatalf("retrying suspected spam: %+v, error %v", all, err)
			}
			if values.Get("phone") != "12" {
				eventually(t, "the delivery after a retry", func() bool { return len(crm.Leads()) == 1 })
				if _, has := crm.Leads()[0].Fields["_gotcha"]; has {
					t.Error("the lead contains the trap")
				}
			} else {
				eventually(t, "TeleCRM's refusal", func() bool { return log.FilterMessage("lead parked").Len() == 1 })
			}
		})
	}
}

// Without an outbox, suspected spam cannot be parked, so the visitor is not thanked but must send
// it again.
func TestTrappedPostsWithoutOutbox(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock)
	trapped := with(meera, "_gotcha", "buy")
	w := h.mustServe(t, postForm(trapped))
	if w.Code != http.StatusUnprocessableEntity || len(crm.Leads()) != 0 || strings.Contains(w.Body.String(), "_gotcha") {
		t.Fatalf("status %d, %d leads: %s", w.Code, len(crm.Leads()), w.Body)
	}
	w = h.mustServe(t, postForm(with(meera, confirmInput, confirmation(t, w))))
	if w.Code != http.StatusSeeOther || len(crm.Leads()) != 1 {
		t.Errorf("sent again: status %d, %d leads", w.Code, len(crm.Leads()))
	}
}

// While the disk is full, suspected spam cannot be parked either, and the visitor is not thanked.
func TestTrappedPostsWhileTheDiskIsFull(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock)
	guest, _, _ := withOutbox(t, h)
	guest.full.Store(true)
	if w := h.mustServe(t, postForm(with(meera, "_gotcha", "buy"))); w.Code != http.StatusServiceUnavailable {
		t.Errorf("trapped: status %d", w.Code)
	}
	if w := h.mustServe(t, postForm(advertised)); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("suspicious: status %d", w.Code)
	}
}

var confirmationInPage = regexp.MustCompile(`name="_confirm" value="([^"]+)"`)

// confirmation returns the confirmation in the page.
func confirmation(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	found := confirmationInPage.FindStringSubmatch(w.Body.String())
	if found == nil {
		t.Fatalf("status %d, no confirmation in the page: %s", w.Code, w.Body)
	}
	return found[1]
}

// A suspicious post is parked and the visitor is asked to send it again. Doing so makes one lead.
func TestSuspiciousPostsAreAskedAbout(t *testing.T) {
	for name, second := range map[string]url.Values{
		"unchanged":     advertised,
		"changed":       with(advertised, "message", strings.Repeat("https://d.example ", 7)),
		"without links": with(advertised, "message", "Please call"),
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, guardedBlock)
			_, app, _ := withOutbox(t, h)
			w := h.mustServe(t, postForm(advertised))
			entries := kept(t, app)
			if w.Code != http.StatusUnprocessableEntity || len(crm.Leads()) != 0 || len(entries) != 1 || entries[0].State != outbox.Parked {
				t.Fatalf("status %d, %d leads, kept %+v", w.Code, len(crm.Leads()), entries)
			}
			if body := w.Body.String(); !strings.Contains(body, "Meera Iyer") || !strings.Contains(body, "once more") || strings.Contains(body, "junk") {
				t.Errorf("the page: %s", body)
			}
			w = h.mustServe(t, postForm(with(second, confirmInput, confirmation(t, w))))
			if w.Code != http.StatusSeeOther || len(crm.Leads()) != 1 {
				t.Fatalf("sent again: status %d, %d leads: %s", w.Code, len(crm.Leads()), w.Body)
			}
			if entries := kept(t, app); len(entries) != 1 || entries[0].State == outbox.Parked {
				t.Errorf("kept %+v", entries)
			}
			if want := []string{"asked", "created"}; !slices.Equal(h.outcomes(), want) {
				t.Errorf("outcomes %v, want %v", h.outcomes(), want)
			}
		})
	}
}

// A program that repeats the same suspicious post does not get through, and adds only one entry to
// the outbox.
func TestSuspiciousPostsRepeatedBlindly(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock)
	_, app, _ := withOutbox(t, h)
	var first string
	for range 5 {
		w := h.mustServe(t, postForm(advertised))
		if w.Code != http.StatusUnprocessableEntity {
			t.Fatalf("status %d", w.Code)
		}
		if got := confirmation(t, w); first == "" {
			first = got
		} else if got != first {
			t.Error("got a different confirmation for the same post")
		}
	}
	if entries := kept(t, app); len(entries) != 1 || len(crm.Leads()) != 0 {
		t.Errorf("kept %+v, %d leads", entries, len(crm.Leads()))
	}
}

// A confirmation neither lets a trapped post through nor removes another visitor's lead.
func TestConfirmationsAreLimited(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock)
	_, app, _ := withOutbox(t, h)
	confirmed := confirmation(t, h.mustServe(t, postForm(advertised)))
	trapped := with(with(meera, "_gotcha", "x"), confirmInput, confirmed)
	if w := h.mustServe(t, postForm(trapped)); w.Code != http.StatusSeeOther || len(crm.Leads()) != 0 {
		t.Errorf("trapped: status %d, %d leads", w.Code, len(crm.Leads()))
	}
	forged := with(advertised, confirmInput, kept(t, app)[1].ID+"."+strings.Repeat("A", 24))
	if w := h.mustServe(t, postForm(forged)); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("forged: status %d", w.Code)
	}
	if entries := kept(t, app); len(entries) != 2 {
		t.Errorf("kept %+v", entries)
	}
}

// Scripts do not have a page with a confirmation. What they send again after a while gets through.
func TestSuspiciousPostsFromScripts(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock)
	_, app, _ := withOutbox(t, h)
	send := func() (int, failureBody) {
		r := postForm(advertised)
		r.Header.Set("Accept", "application/json")
		w := h.mustServe(t, r)
		var body failureBody
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		return w.Code, body
	}
	status, body := send()
	if status != http.StatusUnprocessableEntity || len(body.Errors) != 1 || body.Errors[0].Code != "CONFIRM" || body.Message == "" {
		t.Fatalf("status %d, %+v", status, body)
	}
	if status, _ := send(); status != http.StatusUnprocessableEntity {
		t.Errorf("sent again at once: status %d", status)
	}
	eventually(t, "the lead", func() bool {
		status, _ = send()
		return status == http.StatusOK
	})
	if entries := kept(t, app); len(entries) != 1 || len(crm.Leads()) != 1 {
		t.Errorf("kept %+v, %d leads", entries, len(crm.Leads()))
	}
}

// A double click makes one lead, and all answers are the same success.
func TestRepeatsAreOneLead(t *testing.T) {
	for _, deliver := range []string{"now", "later"} {
		t.Run(deliver, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, guardedBlock)
			h.Deliver = deliver
			withOutbox(t, h)
			var (
				posts     sync.WaitGroup
				mu        sync.Mutex
				locations []string
			)
			for range 8 {
				posts.Go(func() {
					w, _, err := h.serve(postForm(meera))
					if err != nil || w.Code != http.StatusSeeOther {
						t.Errorf("status %d, error %v", w.Code, err)
					}
					mu.Lock()
					defer mu.Unlock()
					locations = append(locations, w.Header().Get("Location"))
				})
			}
			posts.Wait()
			slices.Sort(locations)
			if distinct := slices.Compact(locations); len(distinct) != 1 {
				t.Errorf("got redirects to %v, want one target", distinct)
			}
			eventually(t, "the delivery", func() bool { return len(crm.Leads()) == 1 })
			if n := crm.Requests(); n != 1 {
				t.Errorf("%d requests to TeleCRM", n)
			}
			h.mustServe(t, postForm(with(meera, "message", "One thing more")))
			if last := h.outcomes(); last[len(last)-1] == string(outcomeRepeat) {
				t.Error("a post with another message counts as a repeat")
			}
		})
	}
}

// A post that failed can be sent again; it is not a repeat.
func TestRepeatAfterFailure(t *testing.T) {
	h := newHandler(t, "http://127.0.0.1:1/autoupdate/v2", guardedBlock)
	guest, _, _ := withOutbox(t, h)
	guest.full.Store(true)
	if w := h.mustServe(t, postForm(meera)); w.Code != http.StatusServiceUnavailable {
		t.Fatalf("status %d", w.Code)
	}
	guest.full.Store(false)
	if w := h.mustServe(t, postForm(meera)); w.Code != http.StatusSeeOther {
		t.Errorf("sent again: status %d", w.Code)
	}
}

func TestDedupeOff(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock+"dedupe off")
	_, app, _ := withOutbox(t, h)
	for range 2 {
		h.mustServe(t, postForm(meera))
	}
	if entries := kept(t, app); len(entries) != 2 {
		t.Errorf("%d entries, want 2", len(entries))
	}
}

// After a trapped post was parked, the same post without the trap is not a repeat.
func TestRepeatOfParkedPost(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock)
	withOutbox(t, h)
	h.mustServe(t, postForm(with(meera, "_gotcha", "x")))
	h.mustServe(t, postForm(meera))
	if want := []string{"aside", "created"}; !slices.Equal(h.outcomes(), want) || len(crm.Leads()) != 1 {
		t.Errorf("outcomes %v, want %v", h.outcomes(), want)
	}
}

// With protect, a post made without the page must be sent again, and a post that fills in the
// page's trap is parked.
func TestSealsAreJudged(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock+"protect")
	withOutbox(t, h)
	trap, old := h.seal(t, time.Minute)
	for _, test := range []struct {
		what          string
		stamp, filled string
		want          outcome
	}{
		{"from the page", old, "", outcomeCreated},
		{"without the page", "", "", outcomeAsked},
		{"trap filled in", old, "buy", outcomeAside},
	} {
		values := with(meera, "message", test.what)
		if test.stamp != "" {
			values = with(with(values, guard.StampInput, test.stamp), trap, test.filled)
		}
		w := h.mustServe(t, postForm(values))
		if got := h.submission(t)["outcome"]; got != string(test.want) {
			t.Errorf("%s: outcome %v, want %s; status %d", test.what, got, test.want, w.Code)
		}
	}
}

// If the challenge was not passed, the visitor must send the form again, or the post is refused
// with `fail closed`.
func TestChallengesAreJudged(t *testing.T) {
	for fail, want := range map[string]outcome{"open": outcomeAsked, "closed": outcomeUnproven} {
		t.Run(fail, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, guardedBlock+"challenge altcha {\ncomplexity 1000\nfail "+fail+"\n}")
			withOutbox(t, h)
			w := h.mustServe(t, postForm(meera))
			if got := h.submission(t)["outcome"]; got != string(want) || w.Code != http.StatusUnprocessableEntity || len(crm.Leads()) != 0 {
				t.Fatalf("outcome %v, want %s; status %d", got, want, w.Code)
			}
			if fail == "open" {
				w = h.mustServe(t, postForm(with(meera, confirmInput, confirmation(t, w))))
			} else {
				w = h.mustServe(t, postForm(with(meera, challenge.AltchaInput, solved(t, fetchChallenge(t, h, "/enquire?altcha")))))
			}
			if w.Code != http.StatusSeeOther || len(crm.Leads()) != 1 {
				t.Errorf("sent again: status %d, %d leads", w.Code, len(crm.Leads()))
			}
		})
	}
}

// A post accepted before a reload is a repeat after it. The memory ends with the last config that
// has the form.
func TestRepeatsSurviveReload(t *testing.T) {
	crm := newCRM(t)
	block := guardedBlock + "form outlives"
	before := newHandler(t, crm.url, block)
	before.mustServe(t, postForm(meera))
	after := newHandler(t, crm.url, block)
	if err := before.Cleanup(); err != nil {
		t.Fatal(err)
	}
	after.mustServe(t, postForm(meera))
	if got := after.submission(t)["outcome"]; got != string(outcomeRepeat) || len(crm.Leads()) != 1 {
		t.Errorf("after the reload: outcome %v, %d leads", got, len(crm.Leads()))
	}
	if err := after.Cleanup(); err != nil {
		t.Fatal(err)
	}
	fresh := newHandler(t, crm.url, block)
	fresh.mustServe(t, postForm(meera))
	if got := fresh.submission(t)["outcome"]; got == string(outcomeRepeat) {
		t.Error("the post is remembered after the last config ended")
	}
}
