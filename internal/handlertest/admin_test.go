package handlertest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/console"
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/admin"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// adminEndpoint starts an admin endpoint with the plugin's routes that writes errors as Caddy's
// does.
func adminEndpoint(t testing.TB) *adminapi.Client {
	t.Helper()
	mux := http.NewServeMux()
	for _, route := range (admin.API{}).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			err := route.Handler.ServeHTTP(w, r)
			if err == nil {
				return
			}
			refused, ok := err.(caddy.APIError) // Caddy does not unwrap errors
			if !ok {
				t.Errorf("%s %s: got error %T, want caddy.APIError: %v", r.Method, r.URL, err, err)
			}
			if refused.Message == "" {
				refused.Message = refused.Err.Error()
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(refused.HTTPStatus)
			_ = json.NewEncoder(w).Encode(refused)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &adminapi.Client{HTTP: server.Client(), Origin: server.URL, Address: server.Listener.Addr().String()}
}

// ask makes a raw request, which the client may not offer.
func ask(t testing.TB, c *adminapi.Client, method, path, body string) (status int, header http.Header, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.Origin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// quiet is an open outbox without deliveries, because its config does not have accounts.
type quiet struct{ *dispatch.Dispatcher }

func quietOutbox(t testing.TB) quiet {
	t.Helper()
	guest := &outboxes.SQLite{File: filepath.Join(t.TempDir(), "outbox.db")}
	d, err := dispatch.Open(guest.File, guest, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	d.Adopt(guest, dispatch.Config{
		Delivery: delivery.Config{Logger: zap.NewNop()},
		Heir:     func(string) (delivery.Account, bool) { return delivery.Account{}, false },
	})
	t.Cleanup(func() {
		d.Release(guest)
		_ = d.Close()
	})
	return quiet{d}
}

// keep adds a lead with that phone number to the outbox.
func (a quiet) keep(t testing.TB, account string, state outbox.State, phone string) (id string) {
	t.Helper()
	return a.keepOf(t, "enquiry", account, state, phone)
}

// keepOf adds a lead from that form.
func (a quiet) keepOf(t testing.TB, form, account string, state outbox.State, phone string) (id string) {
	t.Helper()
	store := a.Store
	payload, err := delivery.EncodeJob(delivery.Job{
		Lead: telecrm.Lead{
			Fields:  map[string]any{"name": "Meera Iyer", "phone": phone, "budget": json.Number("12345678901234567890")},
			Actions: []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": "Please call."}}},
		},
		OnDuplicate: delivery.OnDuplicate{Policy: delivery.UpdateFields, Fields: []string{"name", "city"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	entry := outbox.Entry{
		ID: uuid.Must(uuid.NewV7()).String(), Account: account, Form: form,
		Identifier: phone, Payload: payload, CreatedAt: now, DueAt: now.Add(time.Hour),
	}
	settlement := outbox.Settlement{State: state, At: now}
	switch state {
	case outbox.Waiting:
	case outbox.Parked:
		entry.BegunAt, settlement.Reason = now, "TeleCRM has another lead with this identifier"
	case outbox.Delivered, inFlight:
		entry.BegunAt, settlement.LeadID = now, "64c1f0aa12bb34cc56dd78ee"
	}
	if err := store.Append(context.Background(), entry); err != nil {
		t.Fatal(err)
	}
	if state != outbox.Waiting && state != inFlight {
		if err := store.Settle(context.Background(), entry.ID, settlement); err != nil {
			t.Fatal(err)
		}
	}
	return entry.ID
}

// inFlight stands for a waiting lead with an attempt in flight.
const inFlight outbox.State = "in flight"

const (
	phoneOfMeera = "918123456789"
	phoneOfRavi  = "918123456780"
)

func TestAdminListAndLead(t *testing.T) {
	app := quietOutbox(t)
	c := adminEndpoint(t)
	var ids []string
	for i := range 25 {
		state := outbox.States()[i%3]
		ids = append(ids, app.keep(t, []string{"default", "north"}[i%2], state, phoneOfMeera))
	}
	for _, test := range []struct {
		name   string
		filter adminapi.Filter
		want   int
	}{
		{"everything", adminapi.Filter{}, 25},
		{"pages", adminapi.Filter{Limit: 7}, 25},
		{"pages that fill exactly", adminapi.Filter{Limit: 5}, 25},
		{"state", adminapi.Filter{State: outbox.Parked, Limit: 3}, 8},
		{"account", adminapi.Filter{Account: "north", Limit: 5}, 12},
		{"state and account", adminapi.Filter{State: outbox.Waiting, Account: "default"}, 5},
		{"full", adminapi.Filter{Full: true, Limit: 10}, 25},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			f := test.filter
			for {
				page, err := c.List(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, lead := range page.Leads {
					got = append(got, lead.ID)
					if f.State != "" && lead.State != f.State || f.Account != "" && lead.Account != f.Account {
						t.Errorf("lead %+v", lead)
					}
					if (lead.Content != nil) != f.Full {
						t.Errorf("content %v", lead.Content)
					}
				}
				if f.After = page.Next; f.After == "" {
					break
				}
			}
			if len(got) != test.want || !slices.IsSorted(got) || len(slices.Compact(got)) != test.want {
				t.Errorf("%d leads, want %d, each once and in order", len(got), test.want)
			}
		})
	}

	lead, err := c.Get(t.Context(), ids[2])
	if err != nil {
		t.Fatal(err)
	}
	want := adminapi.Content{
		Identifier:  phoneOfMeera,
		Fields:      map[string]any{"name": "Meera Iyer", "phone": phoneOfMeera, "budget": json.Number("12345678901234567890")},
		Actions:     []adminapi.Action{{Type: "1042", Fields: map[string]any{"note": "Please call."}}},
		OnDuplicate: "update name city",
	}
	if diff := cmp.Diff(&want, lead.Content); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	if lead.State != outbox.Parked || lead.Reason == "" || lead.SettledAt.IsZero() || lead.Attempts != 1 {
		t.Errorf("lead %+v", lead)
	}

	// Only requests for a single lead or for full leads return personal data.
	for _, path := range []string{"/telecrm/leads", "/telecrm/leads?full=false&state=parked", "/telecrm/status"} {
		status, header, answer := ask(t, c, http.MethodGet, path, "")
		if status != http.StatusOK || strings.Contains(answer, "Meera") || caddyproc.HasPhone(answer) {
			t.Errorf("%s: status %d: %s", path, status, answer)
		}
		if header.Get("Cache-Control") != "no-store" || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: header %v", path, header)
		}
	}
}

// A search finds a person's leads from all outboxes, however the identifier is written, and says
// when the form that it looks for may be misspelt.
func TestAdminSearch(t *testing.T) {
	first, second := quietOutbox(t), quietOutbox(t)
	c := adminEndpoint(t)
	var ids []string
	for i := range 8 {
		app := []quiet{first, second}[i%2]
		ids = append(ids, app.keepOf(t, []string{"/enquire", "/visit"}[i/2%2], "default", outbox.States()[i%3], []string{phoneOfMeera, "+91 81234 56789"}[i/4]))
		app.keepOf(t, "/enquire", "north", outbox.Parked, phoneOfRavi)
	}
	all := func(f adminapi.Filter) (got []string, note string) {
		for {
			page, err := c.List(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, lead := range page.Leads {
				got = append(got, lead.ID)
			}
			if f.After = page.Next; f.After == "" {
				return got, page.Note
			}
		}
	}
	for _, test := range []struct {
		filter adminapi.Filter
		want   []string
		note   string
	}{
		{adminapi.Filter{Identifier: "+91 81234 56789"}, ids, ""},
		{adminapi.Filter{Identifier: "+91 81234 56789", Limit: 3}, ids, ""},
		{adminapi.Filter{Identifier: "+91 81234 56789", Form: "/visit", Limit: 1}, []string{ids[2], ids[3], ids[6], ids[7]}, ""},
		{adminapi.Filter{Identifier: "+91 81234 56789", State: outbox.Parked}, []string{ids[2], ids[5]}, ""},
		{adminapi.Filter{Identifier: "918123456789"}, ids[:4], ""},
		{adminapi.Filter{Account: "default", Since: "1h", Limit: 5}, ids, ""},
		{adminapi.Filter{Account: "default", Until: "1h"}, nil, ""},
		{adminapi.Filter{Account: "default", Since: time.Now().Format(time.DateOnly), Until: time.Now().AddDate(0, 0, 1).Format(time.DateOnly)}, ids, ""},
		{adminapi.Filter{Form: "/enquir"}, nil, `does not have the form "/enquir"`},
		{adminapi.Filter{Form: "/visit", Identifier: phoneOfRavi}, nil, `does not have the form "/visit"`},
	} {
		got, note := all(test.filter)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.filter, diff)
		}
		if !strings.Contains(note, test.note) || (note == "") != (test.note == "") {
			t.Errorf("%+v: note %q, want %q", test.filter, note, test.note)
		}
	}
	query := url.Values{"form": {"/visit"}, "since": {"1h"}, "until": {"0s"}}
	if _, _, answer := ask(t, c, http.MethodGet, "/telecrm/leads?"+query.Encode(), ""); strings.Count(answer, `"form":"/visit"`) != 4 || strings.Contains(answer, "/enquire") || caddyproc.HasPhone(answer) {
		t.Errorf("the list of a form is %s", answer)
	}
}

func TestAdminStatus(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	guest, d, _ := withOutbox(t, h)
	app := quiet{d}
	crm.Inject(sandbox.Faults()[sandbox.FaultUnauthorizedToken])
	if _, _, err := h.serve(postForm(meera)); err != nil {
		t.Fatal(err)
	}
	c := adminEndpoint(t)
	first := app.keep(t, "gone", outbox.Waiting, phoneOfMeera)
	app.keep(t, "gone", outbox.Waiting, phoneOfRavi)
	app.keep(t, "gone", outbox.Parked, phoneOfRavi)
	var got adminapi.Status
	eventually(t, "the hold", func() bool {
		var err error
		if got, err = c.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		a := got.Outboxes[0].Accounts[0]
		return a.Held && a.InFlight == 0
	})
	held := got.Outboxes[0].Accounts[0]
	if held.HeldReason == "" || held.HeldSince.IsZero() || held.OldestWaiting == nil {
		t.Errorf("held account %+v", held)
	}
	if held.State != delivery.OnHold || held.StateReason != held.HeldReason || !held.StateSince.Equal(held.HeldSince) ||
		held.LastError == nil || held.LastError.Cause != telecrm.CauseAccount {
		t.Errorf("held account %+v", held)
	}
	held.HeldReason, held.HeldSince, held.OldestWaiting = "", time.Time{}, nil
	held.State, held.StateReason, held.StateSince, held.LastError = "", "", time.Time{}, nil
	gone := got.Outboxes[0].Accounts[1]
	if gone.OldestWaiting == nil || gone.OldestWaiting.ID != first {
		t.Errorf("oldest waiting %+v, want %s", gone.OldestWaiting, first)
	}
	gone.OldestWaiting = nil
	want := adminapi.Outbox{Resource: guest.File, Accounts: []adminapi.Account{
		{Name: "default", Configured: true, Held: true, Waiting: 1},
		{Name: "gone", State: adminapi.NotConfigured, Waiting: 2, Parked: 1},
	}}
	if diff := cmp.Diff(want, adminapi.Outbox{Resource: got.Outboxes[0].Resource, Accounts: []adminapi.Account{held, gone}}); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}

	// A resumed account is probed at once.
	crm.Reset()
	if resumed, err := c.Resume(t.Context(), "default"); err != nil || !resumed.Resumed || !resumed.Waiting {
		t.Errorf("resumed %v, error %v", resumed, err)
	}
	eventually(t, "the delivery", func() bool { return len(crm.Leads()) == 1 })
	eventually(t, "the end of the hold", func() bool {
		got, err := c.Status(t.Context())
		return err == nil && !got.Outboxes[0].Accounts[0].Held
	})
	if resumed, err := c.Resume(t.Context(), "default"); err != nil || resumed.Resumed {
		t.Errorf("resuming an account that is not on hold: resumed %v, error %v", resumed, err)
	}
}

func TestAdminRefuses(t *testing.T) {
	app := quietOutbox(t)
	c := adminEndpoint(t)
	delivered := app.keep(t, "default", outbox.Delivered, phoneOfMeera)
	attempted := app.keep(t, "default", inFlight, phoneOfRavi)
	const unknown = "01900000-0000-7000-8000-000000000000"
	for _, test := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"GET", "/telecrm/leads/" + unknown, "", 404, "lead " + unknown + " not found"},
		{"GET", "/telecrm/leads/nonsense", "", 404, "lead nonsense not found"},
		{"POST", "/telecrm/leads/" + unknown + "/retry", "", 404, " not found"},
		{"DELETE", "/telecrm/leads/" + unknown, "", 404, " not found"},
		{"GET", "/telecrm/leads?state=lost", "", 400, "known states are: waiting, delivered, parked"},
		{"GET", "/telecrm/leads?account=south", "", 400, `unknown account "south"; known accounts are: default`},
		{"GET", "/telecrm/leads?acount=default", "", 400, "unknown parameter"},
		{"GET", "/telecrm/leads?state=parked&state=waiting", "", 400, "more than once"},
		{"GET", "/telecrm/leads?limit=0", "", 400, "1 to 1000"},
		{"GET", "/telecrm/leads?limit=1001", "", 400, "1 to 1000"},
		{"GET", "/telecrm/leads?limit=many", "", 400, "1 to 1000"},
		{"GET", "/telecrm/leads?after=x", "", 400, "after: must be the id"},
		{"GET", "/telecrm/leads?full=perhaps", "", 400, "true or false"},
		{"GET", "/telecrm/leads?state=%zz", "", 400, "malformed"},
		{"GET", "/telecrm/leads?identifier=%2B918123456789", "", 400, "use POST /telecrm/leads/search"},
		{"GET", "/telecrm/leads?since=yesterday", "", 400, "since: must be a date such as "},
		{"GET", "/telecrm/leads?until=25/11/2026", "", 400, "or how long ago, such as 24h"},
		{"GET", "/telecrm/leads?since=1h&until=2h", "", 400, "since: must be before until"},
		{"GET", "/telecrm/leads/search", "", 405, "use POST"},
		{"POST", "/telecrm/leads/search", "", 400, "body: must be JSON with state, account, form, identifier, since, until, after, limit, full"},
		{"POST", "/telecrm/leads/search", `{"phone":"1"}`, 400, "body: must be JSON"},
		{"POST", "/telecrm/leads/search", `{"form":1}`, 400, "body: must be JSON"},
		{"POST", "/telecrm/leads/search", `{} {}`, 400, "body: must be JSON"},
		{"POST", "/telecrm/leads/search?form=a", `{}`, 400, "unknown parameter"},
		{"POST", "/telecrm/leads/search", `{"identifier":" "}`, 400, "identifier: is missing"},
		{"POST", "/telecrm/leads/search", `{"state":"lost"}`, 400, "known states are: waiting, delivered, parked"},
		{"POST", "/telecrm/leads/search", `{"account":"south"}`, 400, "known accounts are: default"},
		{"POST", "/telecrm/leads/search", `{"after":"x"}`, 400, "after: must be the id"},
		{"POST", "/telecrm/leads/search", `{"limit":1001}`, 400, "1 to 1000"},
		{"POST", "/telecrm/leads/search", `{"limit":-1}`, 400, "1 to 1000"},
		{"POST", "/telecrm/leads/search", `{"since":"24"}`, 400, "since: must be a date such as "},
		{"POST", "/telecrm/leads/search", `{"since":"2026-11-24T00:00:00Z","until":"2026-11-24T00:00:00Z"}`, 400, "since: must be before until"},
		{"GET", "/telecrm/status?verbose=1", "", 400, "unknown parameter"},
		{"POST", "/telecrm/leads/" + delivered + "/retry", "", 409, "is delivered and cannot be retried"},
		{"POST", "/telecrm/leads/" + attempted + "/retry", "", 409, "is in flight"},
		{"DELETE", "/telecrm/leads/" + attempted, "", 409, "is in flight"},
		{"POST", "/telecrm/leads/retry", "", 400, "say which leads"},
		{"POST", "/telecrm/leads/retry?state=delivered", "", 409, "cannot be retried"},
		{"POST", "/telecrm/leads/retry?state=parked&suspected_spam=maybe", "", 400, "must be true or false"},
		{"POST", "/telecrm/leads/retry?state=lost", "", 400, "known states are"},
		{"POST", "/telecrm/leads/retry?state=parked&account=south", "", 400, "known accounts are"},
		{"POST", "/telecrm/leads/erase", "", 400, "JSON"},
		{"POST", "/telecrm/leads/erase", `{"phone":"1"}`, 400, "JSON"},
		{"POST", "/telecrm/leads/erase", `{"identifier":"  "}`, 400, "identifier: is missing"},
		{"POST", "/telecrm/leads/erase", `{"identifier":"a","after":"b"}`, 400, "after: must be the id"},
		{"POST", "/telecrm/leads/erase?identifier=a", `{"identifier":"a"}`, 400, "unknown parameter"},
		{"POST", "/telecrm/accounts/south/resume", "", 400, "known accounts are: default"},
		{"POST", "/telecrm/accounts/default/resume", "", 409, "is not in the running config"},
		{"POST", "/telecrm/status", "", 405, "use GET"},
		{"PUT", "/telecrm/leads/" + delivered, "", 405, "use DELETE or GET"},
		{"GET", "/telecrm/leads/retry", "", 405, "use POST"},
		{"GET", "/telecrm/leads/" + delivered + "/retry", "", 405, "use POST"},
	} {
		status, header, answer := ask(t, c, test.method, test.path, test.body)
		var refused struct {
			Error string `json:"error"`
		}
		if err := json.Unmarshal([]byte(answer), &refused); err != nil || status != test.status || !strings.Contains(refused.Error, test.message) {
			t.Errorf("%s %s %s: status %d, answer %s; want %d, %q", test.method, test.path, test.body, status, answer, test.status, test.message)
		}
		if (header.Get("Allow") != "") != (status == http.StatusMethodNotAllowed) {
			t.Errorf("%s %s: allows %q", test.method, test.path, header.Get("Allow"))
		}
	}
	if status, _, _ := ask(t, c, http.MethodHead, "/telecrm/status", ""); status != http.StatusOK {
		t.Errorf("HEAD: status %d", status)
	}
}

func TestAdminRetryAndDiscard(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	_, d, _ := withOutbox(t, h)
	app := quiet{d}
	c := adminEndpoint(t)
	id := app.keep(t, "default", outbox.Parked, phoneOfMeera)
	if err := c.Retry(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the delivery", func() bool {
		lead, err := c.Get(t.Context(), id)
		return err == nil && lead.State == outbox.Delivered && lead.LeadID != ""
	})
	for range 2 * 64 {
		app.keep(t, "gone", outbox.Parked, phoneOfRavi)
	}
	app.keep(t, "default", outbox.Parked, phoneOfRavi)
	retried, err := c.RetryAll(t.Context(), outbox.Parked, "gone", "", false)
	if diff := cmp.Diff(adminapi.Retried{Retried: 2 * 64}, retried); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if retried, err = c.RetryAll(t.Context(), outbox.Parked, "", "", false); err != nil || retried.Retried != 1 {
		t.Errorf("retried %+v, error %v", retried, err)
	}

	id = app.keep(t, "gone", outbox.Parked, phoneOfMeera)
	if err := c.Discard(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := c.Discard(t.Context(), id); err == nil || !strings.Contains(err.Error(), " not found") {
		t.Errorf("discarding twice: error %v", err)
	}
}

func TestAdminErase(t *testing.T) {
	// The names of these tests are in the paths of outboxes, which pages show.
	for name, test := range map[string]struct{ written, phone string }{
		"as stored": {phoneOfMeera, phoneOfMeera},
		"as typed":  {" +91 (81234) 56789", phoneOfMeera},
		"email":     {"Meera@Example.com ", "meera@example.com"},
		"text":      {"Customer 17", "customer 17"},
	} {
		written, phone := test.written, test.phone
		t.Run(name, func(t *testing.T) {
			app := quietOutbox(t)
			c := adminEndpoint(t)
			for _, state := range outbox.States() {
				app.keep(t, "default", state, phone)
				app.keep(t, "north", state, phone)
			}
			busy := app.keep(t, "north", inFlight, phone)
			other := app.keep(t, "default", outbox.Delivered, phoneOfRavi)
			erased, err := c.Erase(t.Context(), adminapi.Erasure{Identifier: written})
			if err != nil {
				t.Fatal(err)
			}
			want := adminapi.Erased{Erased: 6, InFlight: []string{busy}, Examined: 8, Forgotten: 2}
			if diff := cmp.Diff(want, erased); diff != "" {
				t.Errorf("erased (-want +got):\n%s", diff)
			}
			page, err := c.List(t.Context(), adminapi.Filter{})
			if err != nil || len(page.Leads) != 2 || page.Leads[0].ID != busy || page.Leads[1].ID != other {
				t.Errorf("%d leads remain, error %v", len(page.Leads), err)
			}
			for account, left := range map[string]bool{"default": false, "north": false} {
				if _, known, err := app.Store.Recall(t.Context(), account, phone); err != nil || known != left {
					t.Errorf("account %s remembers the person: %t, error %v", account, known, err)
				}
			}
		})
	}
}

// Erase finds a form's lead by its identifier in any spelling.
func TestEraseFindsFormLeads(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	withOutbox(t, h)
	c := adminEndpoint(t)
	if _, _, err := h.serve(postForm(meera)); err != nil {
		t.Fatal(err)
	}
	// A lead that is delivered while the first call runs may be forgotten by it and erased by the next.
	var leads, ids int
	eventually(t, "the erasure", func() bool {
		erased, err := c.Erase(t.Context(), adminapi.Erasure{Identifier: "+91 81234-56789"})
		leads += erased.Erased
		ids += erased.Forgotten
		return err == nil && leads == 1 && ids == 1
	})
}

func TestAdminWithTwoOutboxes(t *testing.T) {
	first, second := quietOutbox(t), quietOutbox(t)
	c := adminEndpoint(t)
	var ids []string
	for i := range 20 {
		ids = append(ids, []quiet{first, second}[i%2].keep(t, "default", outbox.Parked, phoneOfMeera))
	}
	var got []string
	for f := (adminapi.Filter{Limit: 3}); ; {
		page, err := c.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, lead := range page.Leads {
			got = append(got, lead.ID)
		}
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("leads (-want +got):\n%s", diff)
	}
	for _, id := range ids[:2] {
		if err := c.Discard(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if retried, err := c.RetryAll(t.Context(), outbox.Parked, "", "", false); err != nil || retried.Retried != 18 {
		t.Errorf("retried %+v, error %v", retried, err)
	}
	status, err := c.Status(t.Context())
	if err != nil || len(status.Outboxes) != 2 {
		t.Errorf("status %+v, error %v", status, err)
	}
}

func TestAdminWithoutAnOutbox(t *testing.T) {
	c := adminEndpoint(t)
	status, err := c.Status(t.Context())
	if err != nil || len(status.Outboxes) != 0 || !strings.Contains(status.Note, "does not use telecrm") {
		t.Errorf("status %+v, error %v", status, err)
	}
	for path, method := range map[string]string{
		"/telecrm/leads":                    http.MethodGet,
		"/telecrm/leads/x":                  http.MethodDelete,
		"/telecrm/leads/retry?state=parked": http.MethodPost,
		"/telecrm/accounts/default/resume":  http.MethodPost,
	} {
		if status, _, answer := ask(t, c, method, path, ""); status != http.StatusServiceUnavailable || !strings.Contains(answer, "does not use telecrm") {
			t.Errorf("%s %s: status %d: %s", method, path, status, answer)
		}
	}
}

func TestAdminPage(t *testing.T) {
	crm := newCRM(t)
	h := newHandler(t, crm.url, simpleBlock)
	guest, d, _ := withOutbox(t, h)
	app := quiet{d}
	c := adminEndpoint(t)
	crm.Inject(sandbox.Faults()[sandbox.FaultRemarks])
	if _, _, err := h.serve(postForm(meera)); err != nil {
		t.Fatal(err)
	}
	parked := app.keep(t, "default", outbox.Parked, phoneOfMeera)
	eventually(t, "the counts", func() bool {
		c := app.Tally.Counted()
		return c.Hours[len(c.Hours)-1].Delivered == 1 && len(c.Remarks) > 0
	})
	c.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, test := range []struct {
		method, path string
		status       int
		location     string
		has          string
	}{
		{"GET", "/telecrm", 301, "/telecrm/", ""},
		{"GET", "/telecrm/", 200, "", "1 accepted, 1 delivered, 0 parked"},
		{"GET", "/telecrm/?after=" + parked, 200, "", "There are no more."},
		{"GET", "/telecrm/?after=x", 400, "", "after: must be the id of a lead"},
		{"GET", "/telecrm/?page=2", 400, "", "unknown parameter"},
		{"GET", "/telecrm/page/leads/" + parked + "/discard", 200, "", "Discard this lead?"},
		{"POST", "/telecrm/page/leads/" + parked + "/discard", 303, "/telecrm/?done=discarded", ""},
		{"GET", "/telecrm/page/leads/" + parked + "/discard", 404, "", " not found"},
		{"POST", "/telecrm/page/leads/" + parked + "/retry", 404, "", " not found"},
		{"POST", "/telecrm/page/accounts/default/resume", 303, "/telecrm/?done=not-resumed", ""},
		{"POST", "/telecrm/page/accounts/south/resume", 400, "", "known accounts are: default"},
	} {
		status, header, body := ask(t, c, test.method, test.path, "")
		if status != test.status || header.Get("Location") != test.location || !strings.Contains(body, test.has) {
			t.Errorf("%s %s: status %d to %q, want %d to %q with %q:\n%s", test.method, test.path, status, header.Get("Location"), test.status, test.location, test.has, body)
		}
		if strings.Contains(body, "Meera") || caddyproc.HasPhone(body) {
			t.Errorf("%s %s shows personal data", test.method, test.path)
		}
		if test.has != "" && (header.Get("Content-Security-Policy") != console.Policy || header.Get("Cache-Control") != "no-store" ||
			header.Get("Referrer-Policy") != "same-origin" || header.Get("Content-Type") != "text/html; charset=utf-8") {
			t.Errorf("%s %s: header %v", test.method, test.path, header)
		}
	}

	// The page shows a field name from TeleCRM only if the config contains it.
	crm.Inject(sandbox.Fault{Store: true, Status: http.StatusCreated, Body: `{"lead_id":"{lead_id}","remarks":[{"field":"fields.phone"},{"field":"Iyer, 1 High Street"}]}`})
	if _, _, err := h.serve(postForm(with(meera, "phone", "08123456781"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the counts", func() bool {
		c := app.Tally.Counted()
		return c.Hours[len(c.Hours)-1].Delivered == 2 && len(c.Remarks) == 2
	})
	_, _, body := ask(t, c, http.MethodGet, "/telecrm/", "")
	if !strings.Contains(body, "<code>phone</code>") || !strings.Contains(body, "<code>other</code>") || strings.Contains(body, "High Street") {
		t.Errorf("page with remarks:\n%s", body)
	}

	// The next config keeps the counts.
	next := newRig(crm.url, simpleBlock)
	next.guest = guest
	next.handler(t)
	if err := next.app.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.app.Cleanup() }()
	if _, _, body := ask(t, c, http.MethodGet, "/telecrm/", ""); !strings.Contains(body, "2 accepted, 2 delivered, 0 parked") {
		t.Error("the next config lost the counts")
	}
}

// The page that finds leads shows leads in all states. What is searched for is not in any address.
func TestAdminLeadsPage(t *testing.T) {
	app := quietOutbox(t)
	c := adminEndpoint(t)
	delivered := app.keep(t, "default", outbox.Delivered, phoneOfMeera)
	parked := app.keep(t, "default", outbox.Parked, phoneOfMeera)
	waiting := app.keep(t, "north", outbox.Waiting, phoneOfRavi)
	other := []string{delivered, parked, waiting}
	for range 21 {
		app.keepOf(t, "/busy", "north", outbox.Delivered, phoneOfRavi)
	}
	send := func(path string, form url.Values) (int, string) {
		resp, err := c.HTTP.PostForm(c.Origin+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, test := range []struct {
		form   url.Values
		status int
		has    []string
		finds  []string
	}{
		{url.Values{"identifier": {"+91 81234 56789"}}, 200, []string{`value="&#43;91 81234 56789"`}, []string{delivered, parked}},
		{url.Values{"identifier": {"+91 81234 56789"}, "state": {"parked"}}, 200, []string{"<option selected>parked"}, []string{parked}},
		{url.Values{"identifier": {" "}, "form": {"enquiry"}, "account": {"north"}, "since": {"1h"}}, 200, nil, []string{waiting}},
		{url.Values{"since": {"1h"}}, 200, []string{"The next"}, other},
		{url.Values{"since": {"1h"}, "after": {waiting}}, 200, []string{"The oldest", "/busy"}, nil},
		{url.Values{"form": {"/gone"}}, 200, []string{"does not have the form &#34;/gone&#34;"}, nil},
		{url.Values{"since": {"lately"}, "identifier": {phoneOfMeera}}, 400, []string{"since: must be a date", `value="lately"`, `value="` + phoneOfMeera}, nil},
		{url.Values{"since": {"1h"}, "until": {"2h"}}, 400, []string{"since: must be before until"}, nil},
		{url.Values{"account": {"south"}}, 400, []string{"known accounts are: default, north"}, nil},
		{url.Values{"phone": {"1"}}, 400, []string{"known fields are: identifier"}, nil},
	} {
		status, body := send("/telecrm/page/leads", test.form)
		if status != test.status {
			t.Errorf("%v: status %d, want %d", test.form, status, test.status)
		}
		for _, want := range test.has {
			if !strings.Contains(body, want) {
				t.Errorf("%v: %q is missing in\n%s", test.form, want, body)
			}
		}
		for _, id := range other {
			if strings.Contains(body, "<code>"+id) != slices.Contains(test.finds, id) {
				t.Errorf("%v: lead %s is found or missing", test.form, id)
			}
		}
		if strings.Contains(body, "Meera") {
			t.Errorf("%v: the page shows what visitors sent", test.form)
		}
	}
	if status, _, body := ask(t, c, http.MethodGet, "/telecrm/page/leads", ""); status != http.StatusOK || !strings.Contains(body, delivered) || !strings.Contains(body, "autofocus") {
		t.Errorf("the page opens with status %d:\n%s", status, body)
	}
	if status, _, body := ask(t, c, http.MethodGet, "/telecrm/page/leads?identifier=1", ""); status != http.StatusBadRequest || !strings.Contains(body, "unknown parameter") {
		t.Errorf("a search by the address: status %d:\n%s", status, body)
	}

	// The search is still there after a retry.
	again := url.Values{"state": {""}, "identifier": {phoneOfRavi}, "form": {"enquiry"}}
	status, body := send("/telecrm/page/leads/"+waiting+"/retry", again)
	if status != http.StatusOK || !strings.Contains(body, "The lead is being retried.") ||
		!strings.Contains(body, "<code>"+waiting) || strings.Contains(body, "<code>"+parked) {
		t.Errorf("retried with status %d:\n%s", status, body)
	}
}

func TestAdminPageWithoutAnOutbox(t *testing.T) {
	c := adminEndpoint(t)
	if status, _, body := ask(t, c, http.MethodGet, "/telecrm/", ""); status != http.StatusOK || !strings.Contains(body, "does not use telecrm") {
		t.Errorf("status %d: %s", status, body)
	}
	if status, _, body := ask(t, c, http.MethodGet, "/telecrm/page/leads", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "does not use telecrm") {
		t.Errorf("status %d: %s", status, body)
	}
	if status, _, body := ask(t, c, http.MethodPost, "/telecrm/page/accounts/default/resume", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "<h1>Not done</h1>") {
		t.Errorf("status %d: %s", status, body)
	}
}

// BenchmarkAdmin measures the calls that operators make while many leads wait.
func BenchmarkAdmin(b *testing.B) {
	app := quietOutbox(b)
	c := adminEndpoint(b)
	const leads = 4_000
	for range leads {
		app.keep(b, "gone", outbox.Waiting, phoneOfMeera)
	}
	get := func(path string) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if status, _, _ := ask(b, c, http.MethodGet, path, ""); status != http.StatusOK {
					b.Fatal(status)
				}
			}
		}
	}
	b.Run("status", get("/telecrm/status"))
	b.Run("page", get("/telecrm/leads?"+url.Values{"limit": {fmt.Sprint(adminapi.MaxPage)}}.Encode()))
	b.Run("full page", get("/telecrm/leads?full=true&limit=1000"))
	b.Run("erase", func(b *testing.B) {
		for b.Loop() {
			erased, err := c.Erase(b.Context(), adminapi.Erasure{Identifier: phoneOfRavi})
			if err != nil || erased.Examined != leads || erased.Next != "" {
				b.Fatal(erased, err)
			}
		}
	})
	b.Run("retry", func(b *testing.B) {
		for b.Loop() {
			for after := ""; ; {
				retried, err := c.RetryAll(b.Context(), outbox.Waiting, "gone", after, false)
				if err != nil {
					b.Fatal(err)
				}
				if after = retried.Next; after == "" {
					break
				}
			}
		}
	})
}
