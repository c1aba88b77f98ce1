package caddytelecrm

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	testToken      = "11111111-2222-3333-1700000000000:44444444-5555-6666"
	testAsyncToken = "77777777-8888-9999-1700000000000:00000000-1111-2222"
	testEnterprise = "66aa00bb11cc22dd33ee44ff"
)

// crm is a stand-in for TeleCRM that listens.
type crm struct {
	*sandbox.Sandbox
	url string
}

func newCRM(t testing.TB) crm {
	t.Helper()
	return startCRM(t, sandbox.Config{Token: testToken, AsyncToken: testAsyncToken, EnterpriseID: testEnterprise})
}

func startCRM(t testing.TB, config sandbox.Config) crm {
	t.Helper()
	stand, err := sandbox.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(stand)
	t.Cleanup(func() {
		stand.Close()
		server.Close()
	})
	return crm{stand, server.URL + "/autoupdate/v2"}
}

// testHandler is a handler with its log.
type testHandler struct {
	*Handler
	log *observer.ObservedLogs
}

// newHandler provisions the handler that block, the inside of a telecrm
// directive, describes, with a default account at baseURL.
func newHandler(t testing.TB, baseURL, block string) testHandler {
	t.Helper()
	h, err := provisionHandler(t, baseURL, block)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func provisionHandler(t testing.TB, baseURL, block string) (testHandler, error) {
	t.Helper()
	return provisionIn(newAppContext(t, &Account{
		Token: testToken, AsyncToken: testAsyncToken, EnterpriseID: testEnterprise,
		BaseURL: baseURL, AsyncBaseURL: strings.TrimSuffix(baseURL, "/autoupdate/v2"), CRMRate: "1000000/s 1000",
		Country: "IN", TimeZone: "Asia/Kolkata",
	}), block)
}

// newAppContext returns the context of a config with a default account and no
// outbox.
func newAppContext(t testing.TB, acct *Account) caddy.Context {
	t.Helper()
	app, err := json.Marshal(App{
		OutboxRaw: json.RawMessage(`{"store":"off"}`), Accounts: map[string]*Account{defaultAccount: acct},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		AppsRaw: caddy.ModuleMap{"telecrm": app},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "FATAL"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// provisionIn provisions one more handler of a config.
func provisionIn(ctx caddy.Context, block string) (testHandler, error) {
	h := new(Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("telecrm {\n" + block + "\n}")); err != nil {
		return testHandler{}, err
	}
	if err := h.Provision(ctx); err != nil {
		return testHandler{}, err
	}
	core, log := observer.New(zapcore.DebugLevel)
	h.logger = zap.New(core)
	return testHandler{h, log}, h.Validate()
}

// serve lets h answer r, as Caddy would.
func (h testHandler) serve(r *http.Request) (*httptest.ResponseRecorder, *passed, error) {
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	next := &passed{}
	err := h.ServeHTTP(w, r, next)
	return w, next, err
}

// passed is a next handler that remembers what came to it.
type passed struct{ requests int }

func (p *passed) ServeHTTP(http.ResponseWriter, *http.Request) error {
	p.requests++
	return nil
}

func postForm(values url.Values) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "https://www.example.com/enquire", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

const simpleBlock = `
	field name
	field phone
	thank_you /thanks?id={telecrm.id}
`

func TestLeadIsCreatedAndVisitorThanked(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	w, next, err := h.serve(postForm(url.Values{"name": {"Ravi Menon"}, "phone": {"081234 56789"}}))
	if err != nil {
		t.Fatal(err)
	}
	if next.requests != 0 {
		t.Error("the handled request was passed on")
	}
	if w.Code != http.StatusSeeOther {
		t.Fatalf("status %d, want 303; body %s", w.Code, w.Body)
	}
	location := w.Header().Get("Location")
	entry := h.submission(t)
	if want := "/thanks?id=" + entry["id"].(string); location != want {
		t.Errorf("redirected to %s, want %s", location, want)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", got)
	}
	leads := crm.Leads()
	if len(leads) != 1 {
		t.Fatalf("%d leads, want 1", len(leads))
	}
	if leads[0].Fields["phone"] != "918123456789" || leads[0].Fields["name"] != "Ravi Menon" || len(leads[0].Fields) != 2 {
		t.Errorf("the lead holds %v", leads[0].Fields)
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

// What the visitor and the log get for every answer that the stand-in knows.
func TestAnswersOfTheCRM(t *testing.T) {
	type expected struct {
		status  int
		outcome outcome
		warning string // a part of what is logged beside the submission
	}
	created := expected{http.StatusSeeOther, outcomeCreated, ""}
	unconfirmed := expected{http.StatusSeeOther, outcomeCreated, "without naming it"}
	refused := expected{http.StatusUnprocessableEntity, outcomeRefused, "refused the lead"}
	held := expected{http.StatusServiceUnavailable, outcomeUnavailable, "takes no lead from this account"}
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
				t.Fatal("the table does not say what to expect of this answer")
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
				t.Errorf("nothing like %q was logged: %v", want.warning, h.log.All())
			}
			if want.warning == "" && h.log.Len() != 1 {
				t.Errorf("logged besides the submission: %v", h.log.All())
			}
			if crm.Requests() != 1 {
				t.Errorf("%d requests, want 1", crm.Requests())
			}
		})
	}
}

// submission returns the last submission's line of the log.
func (h testHandler) submission(t testing.TB) map[string]any {
	t.Helper()
	entries := h.log.FilterMessage("submission").All()
	if len(entries) == 0 {
		t.Fatal("no submission was logged")
	}
	return entries[len(entries)-1].ContextMap()
}

// logged returns the entries above info level whose message holds part.
func (h testHandler) logged(part string) []observer.LoggedEntry {
	return h.log.Filter(func(e observer.LoggedEntry) bool {
		return e.Level > zapcore.InfoLevel && strings.Contains(e.Message, part)
	}).All()
}

func TestVisitorWhoLeavesStopsNothing(t *testing.T) {
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

// A form that posts to its own clean URL is found although try_files has
// rewritten it, and one below handle_path by what is left of the path.
func TestMatchesWhatTheVisitorAskedFor(t *testing.T) {
	for _, test := range []struct {
		name, asked, now string
		taken            bool
	}{
		{"as asked", "/enquire", "/enquire", true},
		{"rewritten to a file", "/enquire", "/enquire.html", true},
		{"prefix stripped", "/site/enquire", "/enquire", true},
		{"another page", "/about", "/about", false},
		{"another page, rewritten", "/about", "/about.html", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			crm := newCRM(t)
			h := newHandler(t, crm.url, simpleBlock)
			h.matchers = caddyhttp.MatcherSets{caddyhttp.MatcherSet{caddyhttp.MatchPath{"/enquire"}}}
			r := postForm(url.Values{"phone": {"08123456789"}})
			r.URL.Path = test.asked
			w := httptest.NewRecorder()
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
			r.URL.Path = test.now
			next := &passed{}
			if err := h.ServeHTTP(w, r, next); err != nil {
				t.Fatal(err)
			}
			if taken := len(crm.Leads()) == 1; taken != test.taken || next.requests == 1 == test.taken {
				t.Errorf("taken %v, want %v; passed on %d times", taken, test.taken, next.requests)
			}
		})
	}
}

// What the operator may not see in logs, labels or errors, and nobody else
// anywhere.
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
