package handlertest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

const simpleBlock = `
	field name
	field phone
	thank_you /thanks?id={telecrm.id}
`

func TestPostCreatesLead(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	w, next, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}, "phone": {"081234 56789"}}))
	if err != nil {
		t.Fatal(err)
	}
	if next.requests != 0 {
		t.Error("the request was passed on")
	}
	if w.Code != http.StatusSeeOther {
		t.Fatalf("status %d, want 303; body %s", w.Code, w.Body)
	}
	location := w.Header().Get("Location")
	entry := h.submission(t)
	if want := "/thanks?id=" + entry["id"].(string); location != want {
		t.Errorf("got redirect to %s, want %s", location, want)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
	leads := crm.Leads()
	if len(leads) != 1 {
		t.Fatalf("%d leads, want 1", len(leads))
	}
	if leads[0].Fields["phone"] != "918123456789" || leads[0].Fields["name"] != "Ravi Menon" || len(leads[0].Fields) != 2 {
		t.Errorf("got lead fields %v", leads[0].Fields)
	}
	if entry["outcome"] != "created" || entry["lead_id"] != leads[0].ID || entry["form"] != "form" {
		t.Errorf("logged %v", entry)
	}
}

func TestOtherRequestsArePassedOn(t *testing.T) {
	h := newHandler(t, newCRM(t).url, simpleBlock)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		r := postForm(url.Values{"phone": {"08123456789"}})
		r.Method = method
		w, next, err := h.serve(r)
		if err != nil || next.requests != 1 || len(w.Header()) != 0 {
			t.Errorf("%s: passed on %d times, headers %v, error %v", method, next.requests, w.Header(), err)
		}
	}
}

// TestAnswersOfTheCRM checks the visitor's answer and the log for every fault of the stand-in.
func TestAnswersOfTheCRM(t *testing.T) {
	type expected struct {
		status  int
		outcome outcome
		warning string // part of another log entry
	}
	created := expected{http.StatusSeeOther, outcomeCreated, ""}
	unconfirmed := expected{http.StatusSeeOther, outcomeCreated, "without returning its id"}
	refused := expected{http.StatusUnprocessableEntity, outcomeRefused, "refused the lead"}
	held := expected{http.StatusServiceUnavailable, outcomeUnavailable, "does not accept leads from this account"}
	later := expected{http.StatusServiceUnavailable, outcomeUnavailable, "could not be delivered"}
	want := map[string]expected{
		sandbox.FaultNullLists:     created,
		sandbox.FaultNoLists:       created,
		sandbox.FaultStatus200:     created,
		sandbox.FaultRemarks:       {http.StatusSeeOther, outcomeCreated, "not stored as sent"},
		sandbox.FaultNoLeadID:      unconfirmed,
		sandbox.FaultEmptyBody:     unconfirmed,
		sandbox.FaultHTML2xx:       later,
		sandbox.FaultTruncatedJSON: later,
		sandbox.FaultErrorIn2xx:    refused,

		sandbox.FaultInvalidLead:         refused,
		sandbox.FaultBadRequest:          refused,
		sandbox.FaultTooLarge:            refused,
		sandbox.FaultUnsupportedMedia:    refused,
		sandbox.FaultUnauthorizedToken:   held,
		sandbox.FaultUnauthorizedAccount: held,
		sandbox.FaultUnauthorizedString:  held,
		sandbox.FaultPaymentRequired:     held,
		sandbox.FaultForbidden:           held,
		sandbox.FaultLicenseExpired:      held,
		sandbox.FaultNotFoundJSON:        held,
		sandbox.FaultNotFoundHTML:        held,
		sandbox.FaultMethodHTML:          held,
		sandbox.FaultRedirect:            held,
		sandbox.FaultConflict:            {http.StatusSeeOther, outcomeKnown, "already has a lead"},

		sandbox.FaultRequestTimeout:        later,
		sandbox.FaultRateLimited:           later,
		sandbox.FaultRateLimitedAfter:      later,
		sandbox.FaultServerError:           later,
		sandbox.FaultServerErrorAfterStore: later,
		sandbox.FaultBadGatewayHTML:        later,
		sandbox.FaultUnavailable:           later,
		sandbox.FaultDropped:               later,
		sandbox.FaultDroppedAfterStore:     later,
		sandbox.FaultSlow:                  later,
		sandbox.FaultSlowAfterStore:        later,
	}
	for name, fault := range sandbox.Faults() {
		t.Run(name, func(t *testing.T) {
			want, listed := want[name]
			if !listed {
				t.Fatal("the table has no expectation for this fault")
			}
			crm := newCRM(t)
			h := newHandler(t, crm.url, simpleBlock+"\ndeliver now 150ms")
			crm.Inject(fault)
			w, _, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}, "phone": {"08123456789"}}))
			if err != nil {
				t.Fatal(err)
			}
			if w.Code != want.status {
				t.Errorf("status %d, want %d", w.Code, want.status)
			}
			entry := h.submission(t)
			if entry["outcome"] != string(want.outcome) {
				t.Errorf("outcome %v, want %s", entry["outcome"], want.outcome)
			}
			if want.warning != "" && len(h.logged(want.warning)) == 0 {
				t.Errorf("no log entry contains %q: %v", want.warning, h.log.All())
			}
			if want.warning == "" && h.log.Len() != 1 {
				t.Errorf("unexpected log entries: %v", h.log.All())
			}
			if crm.Requests() != 1 {
				t.Errorf("%d requests, want 1", crm.Requests())
			}
		})
	}
}

func TestVisitorLeavesEarly(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	r := postForm(url.Values{"phone": {"08123456789"}})
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	if _, _, err := h.serve(r.WithContext(ctx)); err != nil {
		t.Fatal(err)
	}
	if len(crm.Leads()) != 1 {
		t.Error("the lead was not created")
	}
}

// A matcher accepts both the requested path, before try_files rewrites it, and the path that is
// left after handle_path.
func TestMatchesRequestedPath(t *testing.T) {
	for _, test := range []struct {
		name, asked, now string
		handled          bool
	}{
		{"unchanged", "/enquire", "/enquire", true},
		{"rewritten to a file", "/enquire", "/enquire.html", true},
		{"prefix stripped", "/site/enquire", "/enquire", true},
		{"another page", "/about", "/about", false},
		{"another page, rewritten", "/about", "/about.html", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			crm := newCRM(t)
			rig := newRig(crm.url, simpleBlock)
			rig.paths = []string{"/enquire"}
			h := rig.handler(t)
			r := postForm(url.Values{"phone": {"08123456789"}})
			r.URL.Path = test.asked
			w := httptest.NewRecorder()
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
			r.URL.Path = test.now
			next := &passed{}
			if err := h.ServeHTTP(w, r, next); err != nil {
				t.Fatal(err)
			}
			if handled := len(crm.Leads()) == 1; handled != test.handled || next.requests == 1 == test.handled {
				t.Errorf("handled %v, want %v; passed on %d times", handled, test.handled, next.requests)
			}
		})
	}
}

// Logs and errors contain neither tokens nor anything that the visitor typed.
func TestNothingLeaks(t *testing.T) {
	values := url.Values{
		"name": {"Zenobia Quartermaine"}, "phone": {"08123456789"}, "email": {"zenobia@quartermaine.example"},
		"message": {"my secret garden"}, "stray": {"a stray value"},
	}
	secrets := []string{testToken, "Zenobia", "8123456789", "quartermaine", "secret garden", "stray value"}
	for name, fault := range sandbox.Faults() {
		t.Run(name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, simpleBlock+"\nfield email\nfield message\nerrors handle\ndeliver now 100ms")
			fault.Body = strings.ReplaceAll(fault.Body, "Rating must", "ZENOBIA@quartermaine.example and my secret garden must")
			crm.Inject(fault)
			_, _, err := h.serve(postForm(values))
			var said strings.Builder
			if err != nil {
				said.WriteString(err.Error())
			}
			for _, entry := range h.log.All() {
				line, marshalErr := json.Marshal(entry.ContextMap())
				if marshalErr != nil {
					t.Fatal(marshalErr)
				}
				said.WriteString(entry.Message)
				said.Write(line)
			}
			for _, secret := range secrets {
				if strings.Contains(strings.ToLower(said.String()), strings.ToLower(secret)) {
					t.Errorf("%q shows in %s", secret, said.String())
				}
			}
		})
	}
}
