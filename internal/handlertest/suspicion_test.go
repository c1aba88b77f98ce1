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

// advertised is a post that may be junk, for its links.
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

// mustServe is serve where the handler answers by itself.
func (h testHandler) mustServe(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w, _, err := h.serve(r)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// outcomes are those of the submissions so far.
func (h testHandler) outcomes() []string {
	var list []string
	for _, entry := range h.log.FilterMessage("submission").All() {
		list = append(list, entry.ContextMap()["outcome"].(string))
	}
	return list
}

// kept are the outbox's entries.
func kept(t *testing.T, d *dispatch.Dispatcher) []outbox.Entry {
	t.Helper()
	entries, err := d.Store.List(t.Context(), outbox.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// A trap that is filled in has the post set aside, and the answer says nothing of it.
func TestTrappedPostsAreSetAside(t *testing.T) {
	for name, values := range map[string]url.Values{
		"right otherwise":     with(meera, "_gotcha", "buy"),
		"wrong otherwise":     {"name": {"Meera Iyer"}, "phone": {"12"}, "bot-field": {"x"}},
		"with many links too": with(advertised, "_honey", "x"),
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
					t.Error("the trap is in the lead")
				}
			} else {
				eventually(t, "TeleCRM's refusal", func() bool { return log.FilterMessage("lead parked").Len() == 1 })
			}
		})
	}
}

// Without an outbox nothing can be set aside, so nobody is thanked: what looks like junk has to be
// sent again.
func TestTrappedPostsWithoutAnOutbox(t *testing.T) {
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

// While the disk is full nothing can be set aside either, and nobody is thanked for what is not
// kept.
func TestTrappedPostsWhileTheDiskIsFull(t *testing.T) {
	h := newHandler(t, newCRM(t).url, guardedBlock)
	guest, _, _ := withOutbox(t, h)
	guest.full.Store(true)
	if w := h.mustServe(t, postForm(with(meera, "_gotcha", "buy"))); w.Code != http.StatusServiceUnavailable {
		t.Errorf("trapped: status %d", w.Code)
	}
	if w := h.mustServe(t, postForm(advertised)); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("doubtful: status %d", w.Code)
	}
}

var confirmationInPage = regexp.MustCompile(`name="_confirm" value="([^"]+)"`)

// confirmation is what the page has that lets it pass.
func confirmation(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	found := confirmationInPage.FindStringSubmatch(w.Body.String())
	if found == nil {
		t.Fatalf("status %d, and the page has no confirmation: %s", w.Code, w.Body)
	}
	return found[1]
}

// The soft no: what was sent is kept, the visitor presses send again, and there is one lead.
func TestDoubtfulPostsAreAskedAbout(t *testing.T) {
	for name, second := range map[string]url.Values{
		"as it was":  advertised,
		"changed":    with(advertised, "message", strings.Repeat("https://d.example ", 7)),
		"toned down": with(advertised, "message", "Please call"),
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

// A program that fires the same again and again does not get through, and fills the outbox with one
// entry.
func TestDoubtfulPostsRepeatedBlindly(t *testing.T) {
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
			t.Error("every time another confirmation")
		}
	}
	if entries := kept(t, app); len(entries) != 1 || len(crm.Leads()) != 0 {
		t.Errorf("kept %+v, %d leads", entries, len(crm.Leads()))
	}
}

// What lets a doubtful post pass does not let an unwanted one pass, nor remove anything but what
// its own visitor was asked about.
func TestConfirmationsOpenNothingElse(t *testing.T) {
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

// Scripts have no page that could carry a confirmation: what they send again after a while passes.
func TestDoubtfulPostsOfScripts(t *testing.T) {
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
		t.Errorf("at once again: status %d", status)
	}
	eventually(t, "the lead", func() bool {
		status, _ = send()
		return status == http.StatusOK
	})
	if entries := kept(t, app); len(entries) != 1 || len(crm.Leads()) != 1 {
		t.Errorf("kept %+v, %d leads", entries, len(crm.Leads()))
	}
}

// A double click is one lead, and both answers are the same success.
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
				t.Errorf("redirected to %v", distinct)
			}
			eventually(t, "the delivery", func() bool { return len(crm.Leads()) == 1 })
			if n := crm.Requests(); n != 1 {
				t.Errorf("%d requests to TeleCRM", n)
			}
			h.mustServe(t, postForm(with(meera, "message", "One thing more")))
			if last := h.outcomes(); last[len(last)-1] == string(outcomeRepeat) {
				t.Error("another message is taken for a repeat")
			}
		})
	}
}

// What failed is no success to repeat.
func TestRepeatsOfWhatFailed(t *testing.T) {
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

// A trap that something filled in by itself does not make the visitor's next try a repeat of what
// was set aside.
func TestRepeatsOfWhatWasSetAside(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, guardedBlock)
	withOutbox(t, h)
	h.mustServe(t, postForm(with(meera, "_gotcha", "x")))
	h.mustServe(t, postForm(meera))
	if want := []string{"aside", "created"}; !slices.Equal(h.outcomes(), want) || len(crm.Leads()) != 1 {
		t.Errorf("outcomes %v, want %v", h.outcomes(), want)
	}
}

// With protect, a post that was made without the page has to be sent once more; one that fills in
// the page's trap is set aside.
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
		{"blind", "", "", outcomeAsked},
		{"into the trap", old, "buy", outcomeAside},
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

// A challenge that was not passed has the visitor send the form once more, or refuses it, as the
// operator says.
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

// A reload forgets no post: what the config before has taken is a repeat for the one after it,
// until no config knows the form any more.
func TestRepeatsOutliveAReload(t *testing.T) {
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
		t.Error("it is remembered though no config was left")
	}
}
