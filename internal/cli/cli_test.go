package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// endpoint is an admin endpoint with leads that the test chooses.
type endpoint struct {
	*httptest.Server
	status   adminapi.Status
	leads    []adminapi.Lead
	lists    int // number of list requests
	filters  []adminapi.Filter
	note     string      // on each page
	onList   func(n int) // called before the nth list is answered
	failAt   int         // number of the list that fails
	answers  []string    // to the other requests, in order
	requests []string    // all but lists and status
	bodies   []string    // of requests
	longest  int         // the longest page requested
}

func newEndpoint(t *testing.T, leads ...adminapi.Lead) *endpoint {
	t.Helper()
	e := &endpoint{leads: leads}
	e.status.Outboxes = []adminapi.Outbox{{Resource: "/srv/outbox.db", Accounts: []adminapi.Account{{
		Name: "default", Configured: true, Parked: len(leads),
	}}}}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/telecrm/status":
		_ = json.NewEncoder(w).Encode(e.status)
	case "/telecrm/leads/search":
		var f adminapi.Filter
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		e.lists++
		e.filters = append(e.filters, f)
		if e.onList != nil {
			e.onList(e.lists)
		}
		if e.lists == e.failAt {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"error":"the outbox has just been closed; try again"}`)
			return
		}
		e.longest = max(e.longest, f.Limit)
		from := 1 + slices.IndexFunc(e.leads, func(l adminapi.Lead) bool { return l.ID == f.After })
		page := adminapi.Page{Leads: e.leads[from:min(from+f.Limit, len(e.leads))], Note: e.note}
		if len(page.Leads) == f.Limit {
			page.Next = page.Leads[f.Limit-1].ID
		}
		_ = json.NewEncoder(w).Encode(page)
	default:
		body, _ := io.ReadAll(r.Body)
		e.requests = append(e.requests, r.Method+" "+r.URL.RequestURI())
		e.bodies = append(e.bodies, strings.TrimSpace(string(body)))
		if len(e.answers) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer := e.answers[0]
		e.answers = e.answers[1:]
		if strings.Contains(answer, `"error"`) {
			w.WriteHeader(http.StatusConflict)
		}
		_, _ = io.WriteString(w, answer)
	}
}

// run runs a command and returns its output.
func (e *endpoint) run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return run(t, e.URL, "", args...)
}

func run(t *testing.T, origin, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	return runChecking(t, nil, origin, stdin, args...)
}

func runChecking(t *testing.T, inspect Inspect, origin, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	root := &cobra.Command{Use: "telecrm", SilenceUsage: true, SilenceErrors: true}
	Build(root, func(string, string, string) (*adminapi.Client, error) {
		return &adminapi.Client{HTTP: http.DefaultClient, Origin: origin, Address: "localhost:2019"}, nil
	}, inspect, rehearsing, nil)
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(stdin))
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

// someLeads returns n parked leads with content.
func someLeads(n int) []adminapi.Lead {
	leads := make([]adminapi.Lead, 0, n)
	for i := range n {
		leads = append(leads, adminapi.Lead{
			ID: fmt.Sprintf("01900000-0000-7000-8000-%012d", i), State: outbox.Parked, Account: "default", Form: "enquiry",
			CreatedAt: time.Now().Add(-3 * time.Minute), Attempts: 1, Reason: "TeleCRM has another lead with this identifier",
			Content: &adminapi.Content{Identifier: "918123456789", Fields: map[string]any{"name": "Meera Iyer"}},
		})
	}
	return leads
}

func TestListPagesThroughEverything(t *testing.T) {
	e := newEndpoint(t, someLeads(1234)...)
	stdout, _, err := e.run(t, "leads", "list")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(stdout, "\n"); lines != 1234+1 {
		t.Errorf("%d lines", lines)
	}
	if e.longest > adminapi.MaxPage || !strings.Contains(stdout, "3 minutes") {
		t.Errorf("pages of %d; %s", e.longest, stdout[:300])
	}
	e.lists = 0
	stdout, _, err = e.run(t, "leads", "list", "--json", "--limit", "150")
	if err != nil || strings.Count(stdout, "\n") != 150 || e.lists != 2 {
		t.Errorf("%d lines of %d lists, error %v", strings.Count(stdout, "\n"), e.lists, err)
	}
	if stdout, _, err := newEndpoint(t).run(t, "leads", "list"); err != nil || stdout != "No leads found.\n" {
		t.Errorf("without leads: %q, error %v", stdout, err)
	}
}

// The flags of a list choose leads by more than their state. Times are those of the shell.
func TestListSearches(t *testing.T) {
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.Local)
	for _, test := range []struct {
		stdin string
		args  []string
		want  adminapi.Filter
	}{
		{"", []string{"--form", "/enquire", "--state", "parked"}, adminapi.Filter{Form: "/enquire", State: outbox.Parked}},
		{"", []string{"--identifier", " 81234 56789"}, adminapi.Filter{Identifier: "81234 56789"}},
		{"81234 56789\nmore", []string{"--identifier", "-"}, adminapi.Filter{Identifier: "81234 56789"}},
		{"", []string{"--since", "2026-11-24", "--until", "2026-11-24", "--account", "north"}, adminapi.Filter{
			Account: "north", Since: midnight.Format(time.RFC3339), Until: midnight.AddDate(0, 0, 1).Format(time.RFC3339),
		}},
	} {
		for command, more := range map[string][]string{"list": nil, "export": {"--format", "ndjson"}} {
			e := newEndpoint(t, someLeads(1)...)
			_, stderr, err := run(t, e.URL, test.stdin, slices.Concat([]string{"leads", command}, test.args, more)...)
			if err != nil || stderr != "" || len(e.filters) != 1 {
				t.Fatalf("%s %q: %d lists, printed %q, error %v", command, test.args, len(e.filters), stderr, err)
			}
			got := e.filters[0]
			got.Limit, got.Full = 0, false
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s %q (-want +got):\n%s", command, test.args, diff)
			}
		}
	}

	// A duration is resolved once, so that all pages have the same beginning.
	e := newEndpoint(t, someLeads(250)...)
	if _, _, err := e.run(t, "leads", "list", "--since", "24h"); err != nil || len(e.filters) != 3 {
		t.Fatalf("%d lists, error %v", len(e.filters), err)
	}
	for _, f := range e.filters {
		since, err := time.Parse(time.RFC3339, f.Since)
		if age := time.Since(since); err != nil || age < 24*time.Hour || age > 25*time.Hour || f.Since != e.filters[0].Since {
			t.Errorf("since %q, error %v", f.Since, err)
		}
	}
}

// The server's note does not mix with the output.
func TestListPrintsTheNote(t *testing.T) {
	e := newEndpoint(t)
	e.note = `the running config does not have the form "/enquir"`
	for _, test := range []struct {
		args   []string
		stdout string
	}{
		{[]string{"leads", "list", "--form", "/enquir"}, "No leads found.\n"},
		{[]string{"leads", "list", "--form", "/enquir", "--json"}, ""},
		{[]string{"leads", "export", "--form", "/enquir", "--format", "ndjson"}, ""},
		{
			[]string{"leads", "export", "--form", "/enquir", "--format", "csv"},
			"id,state,account,form,received,settled,due,attempts,reason,telecrm_id,identifier,actions,more_fields\n",
		},
	} {
		stdout, stderr, err := e.run(t, test.args...)
		if err != nil || stdout != test.stdout || stderr != "Note: "+e.note+"\n" {
			t.Errorf("%q printed %q and %q, error %v", test.args, stdout, stderr, err)
		}
	}
}

func TestExportCSV(t *testing.T) {
	leads := someLeads(600)
	leads[0].Content.Fields = map[string]any{"name": "=cmd|' /C calc'!A0", "tags": []any{"a", "-b"}, "rating": 4}
	leads[0].Content.Actions = []adminapi.Action{{Type: "1042", Fields: map[string]any{"note": "Call"}}}
	leads[599].Content.Fields = map[string]any{"name": "Two\nlines, \"quoted\"", "city": "+1"}
	leads[1].Content = &adminapi.Content{Unreadable: true}
	e := newEndpoint(t, leads...)
	e.onList = func(n int) {
		if n == 4 { // the second pass has begun
			leads[2].Content.Fields["late"] = "came in between"
		}
	}
	path := filepath.Join(t.TempDir(), "leads.csv")
	stdout, stderr, err := e.run(t, "leads", "export", "--format", "csv", "--output", path)
	if err != nil || stderr != "" || stdout != "600 leads written to "+path+"\n" {
		t.Fatalf("printed %q and %q, error %v", stdout, stderr, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, error %v", info.Mode(), err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) != 601 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	for row, want := range map[int]map[string]string{
		1: {
			"fields.name": "'=cmd|' /C calc'!A0", "fields.tags": "a, '-b", "fields.rating": "4", "fields.city": "",
			"actions": `[{"type":"1042","fields":{"note":"Call"}}]`, "more_fields": "", "state": "parked",
		},
		2:   {"fields.name": "", "actions": ""},
		3:   {"fields.name": "Meera Iyer", "more_fields": `{"late":"came in between"}`},
		600: {"fields.name": "Two\nlines, \"quoted\"", "fields.city": "'+1"},
	} {
		for column, value := range want {
			if got := rows[row][slices.Index(rows[0], column)]; got != value {
				t.Errorf("row %d: %s is %q, want %q", row, column, got, value)
			}
		}
	}
}

func TestExportNDJSON(t *testing.T) {
	e := newEndpoint(t, someLeads(300)...)
	stdout, _, err := e.run(t, "leads", "export", "--format", "ndjson")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(stdout))
	for i := range 300 {
		var lead adminapi.Lead
		if err := decoder.Decode(&lead); err != nil || lead.ID != e.leads[i].ID || lead.Content.Fields["name"] != "Meera Iyer" {
			t.Fatalf("lead %d: %+v, error %v", i, lead, err)
		}
	}
}

// An export does not overwrite a file, and removes a file that it could not finish.
func TestExportKeepsFilesAndRemovesPartialOnes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "leads.csv")
	e := newEndpoint(t, someLeads(600)...)
	e.failAt = 5
	if _, _, err := e.run(t, "leads", "export", "--format", "csv", "-o", path); err == nil || !strings.Contains(err.Error(), "just been closed") {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.run(t, "leads", "export", "--format", "csv", "-o", path); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("error %v", err)
	}
	if kept, _ := os.ReadFile(path); string(kept) != "precious" {
		t.Errorf("the file contains %q", kept)
	}
	if _, _, err := e.run(t, "leads", "export", "--format", "xlsx"); err == nil || !strings.Contains(err.Error(), "must be csv or ndjson, got \"xlsx\"") {
		t.Errorf("error %v", err)
	}
}

func TestRetry(t *testing.T) {
	e := newEndpoint(t, someLeads(3)...)
	e.answers = []string{
		`{"retried":2000,"skipped":1,"next":"01900000-0000-7000-8000-000000000001"}`,
		`{"retried":5,"skipped":1,"set_aside":3}`,
	}
	stdout, stderr, err := e.run(t, "leads", "retry", "--all", "--state", "parked", "--account", "default")
	if err != nil || stderr != "" || stdout != "2,005 leads will be retried at once\n2 leads skipped: in flight, delivered or removed in the meantime\n3 leads stay parked as suspected spam; use --suspected-spam to retry suspected spam too\n" {
		t.Errorf("printed %q and %q, error %v", stdout, stderr, err)
	}
	want := []string{
		"POST /telecrm/leads/retry?account=default&state=parked",
		"POST /telecrm/leads/retry?account=default&after=01900000-0000-7000-8000-000000000001&state=parked",
	}
	if diff := cmp.Diff(want, e.requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, flags := range [][]string{{"--suspected-spam"}, {"--state", "parked", "--suspected-spam"}, {"--all", "--state", "parked", "--suspected-spam"}} {
		e.requests, e.answers = nil, []string{`{"retried":7}`}
		stdout, _, err = e.run(t, append([]string{"leads", "retry"}, flags...)...)
		if err != nil || stdout != "7 leads will be retried at once\n" {
			t.Errorf("%v: printed %q, error %v", flags, stdout, err)
		}
		if diff := cmp.Diff([]string{"POST /telecrm/leads/retry?state=parked&suspected_spam=true"}, e.requests); diff != "" {
			t.Errorf("%v: requests (-want +got):\n%s", flags, diff)
		}
	}
	e.answers = []string{`{"error":"lead a is delivered and cannot be retried"}`}
	stdout, stderr, err = e.run(t, "leads", "retry", "a", "b")
	if err == nil || err.Error() != "1 of 2 leads not retried" || stdout != "b retried\n" || stderr != "lead a is delivered and cannot be retried\n" {
		t.Errorf("printed %q and %q, error %v", stdout, stderr, err)
	}
	e.answers = []string{`{"error":"lead a is delivered and cannot be retried"}`}
	stdout, stderr, err = e.run(t, "leads", "retry", "a")
	if err == nil || err.Error() != "lead a is delivered and cannot be retried" || stdout+stderr != "" {
		t.Errorf("printed %q and %q, error %v", stdout, stderr, err)
	}
	e.answers = []string{`{"error":"the lead is in flight"}`}
	stdout, _, err = e.run(t, "leads", "discard", "--json", "a", "b")
	if err == nil || stdout != `{"id":"a","done":false,"error":"the lead is in flight"}`+"\n"+`{"id":"b","done":true}`+"\n" {
		t.Errorf("printed %q, error %v", stdout, err)
	}
}

// Retried leads of an account that cannot send wait, so the command does not leave it at "at once".
func TestRetryOfAnAccountThatCannotSend(t *testing.T) {
	until := time.Date(2026, 11, 25, 5, 26, 9, 0, time.UTC)
	for state, want := range map[delivery.Condition]string{
		delivery.Sending:       "",
		delivery.Failing:       "",
		adminapi.NotConfigured: "Note: north is not in the running config; its leads wait until it is again\n",
		delivery.OnHold:        "Note: north is on hold; its leads wait until TeleCRM takes one: see caddy telecrm status\n",
		delivery.Paused:        "Note: north is paused until " + moment(until) + "; its leads wait until then: see caddy telecrm status\n",
	} {
		for _, account := range []string{"north", "south"} {
			e := newEndpoint(t)
			e.status.Outboxes[0].Accounts = []adminapi.Account{{Name: "north", Configured: true, State: state, Waiting: 1, PausedUntil: until}}
			e.answers = []string{`{}`, fmt.Sprintf(`{"account":%q}`, account)}
			if account != "north" {
				want = ""
			}
			if _, stderr, err := e.run(t, "leads", "retry", "a"); err != nil || stderr != want {
				t.Errorf("%s: a lead of %s: printed %q, error %v", state, account, stderr, err)
			}
			e.answers = []string{`{"retried":2}`}
			if _, stderr, err := e.run(t, "leads", "retry", "--all", "--state", "parked", "--account", account); err != nil || stderr != want {
				t.Errorf("%s: all leads of %s: printed %q, error %v", state, account, stderr, err)
			}
			e.answers = []string{`{"skipped":2}`}
			if _, stderr, err := e.run(t, "leads", "retry", "--all", "--state", "parked"); err != nil || stderr != "" {
				t.Errorf("%s: no leads: printed %q, error %v", state, stderr, err)
			}
		}
	}
}

func TestErase(t *testing.T) {
	e := newEndpoint(t, someLeads(3)...)
	answers := []string{
		`{"erased":1,"examined":9000,"forgotten":0,"next":"01900000-0000-7000-8000-000000000001"}`,
		`{"erased":2,"under_way":["c"],"examined":10,"forgotten":1}`,
	}
	e.answers = slices.Clone(answers)
	stdout, _, err := run(t, e.URL, "+91 81234 56789\n", "leads", "erase", "--identifier", "-")
	if err == nil || !strings.Contains(err.Error(), "in flight cannot be erased: c") ||
		stdout != "3 leads erased, 9,010 leads searched\nremembered TeleCRM lead id removed from 1 account\n" {
		t.Errorf("printed %q, error %v", stdout, err)
	}
	want := []string{
		`{"identifier":"+91 81234 56789"}`,
		`{"identifier":"+91 81234 56789","after":"01900000-0000-7000-8000-000000000001"}`,
	}
	if diff := cmp.Diff(want, e.bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	for _, request := range e.requests {
		if request != "POST /telecrm/leads/erase" {
			t.Errorf("request %q", request)
		}
	}
}

// Control characters in a visitor's text are escaped.
func TestShowIsPlainText(t *testing.T) {
	e := newEndpoint(t)
	e.answers = []string{`{"id":"a","state":"parked","account":"default","form":"f","created_at":"2026-11-24T12:00:00Z","attempts":1,` +
		`"content":{"fields":{"message":"one\n\u001b[2Jtwo\u202ethree","tags":["x","y"]}}}`}
	stdout, _, err := e.run(t, "leads", "show", "a")
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(stdout, "\x1b\u202e") || !strings.Contains(stdout, `\u001b[2Jtwo\u202ethree`) || !strings.Contains(stdout, "x, y") {
		t.Errorf("printed %q", stdout)
	}
}

// No command prints a control or invisible character in any format, and JSON keeps its meaning.
func TestOutputsEscapeControlCharacters(t *testing.T) {
	const hostile = "one\x1b[2Jtwo\u009b31mthree\x7f\u202efour\u2066five\u2028six\U000e0041 क्\u200dष"
	leads := someLeads(1)
	leads[0].Account, leads[0].Form, leads[0].Reason, leads[0].LeadID = hostile, hostile, hostile, hostile
	leads[0].Content.Identifier = hostile
	leads[0].Content.Fields = map[string]any{"name": hostile, hostile: []any{hostile}}
	leads[0].Content.Actions = []adminapi.Action{{Type: hostile, Fields: map[string]any{"note": hostile, hostile: hostile}}}
	shown, err := json.Marshal(leads[0])
	if err != nil {
		t.Fatal(err)
	}
	e := newEndpoint(t, leads...)
	e.status = adminapi.Status{Note: hostile, Outboxes: []adminapi.Outbox{{Resource: hostile, Accounts: []adminapi.Account{
		{Name: hostile, Configured: true, State: delivery.Slow, StateReason: hostile},
		{Name: hostile, Configured: true, State: delivery.Sending, LastError: &adminapi.LastError{Problem: hostile}},
		{Name: hostile, Configured: true, State: hostile, StateReason: hostile},
		{Name: hostile + "2", State: adminapi.NotConfigured, Waiting: 1},
	}}}}
	for _, command := range [][]string{
		{"leads", "list"},
		{"leads", "list", "--json"},
		{"leads", "show", leads[0].ID},
		{"leads", "show", leads[0].ID, "--json"},
		{"leads", "export", "--format", "csv"},
		{"leads", "export", "--format", "ndjson"},
		{"status"},
		{"status", "--json"},
		{"status", "--quiet"},
		{"accounts", "resume", hostile},
		{"leads", "retry", hostile},
	} {
		if strings.Join(command[:min(2, len(command))], " ") == "leads show" {
			e.answers = []string{string(shown)}
		}
		stdout, stderr, err := e.run(t, command...)
		e.answers = nil
		if err != nil {
			stderr += err.Error()
		}
		for _, r := range stdout + stderr {
			if r != '\n' && adminapi.Steers(r) {
				t.Errorf("%q: %U is printed: %q", command, r, stdout+stderr)
				break
			}
		}
		if !strings.Contains(stdout+stderr, `one\u001b[2Jtwo\u009b31m`) {
			t.Errorf("%q: printed %q", command, stdout+stderr)
		}
	}
	stdout, _, err := e.run(t, "leads", "export", "--format", "ndjson")
	var lead adminapi.Lead
	if err != nil || json.Unmarshal([]byte(stdout), &lead) != nil || lead.Content.Fields["name"] != hostile {
		t.Errorf("exported %q, error %v", stdout, err)
	}
}

func TestStatus(t *testing.T) {
	e := newEndpoint(t)
	now := time.Now()
	e.status.Outboxes[0].Trouble = "the outbox's disk is full"
	e.status.Outboxes[0].Accounts = []adminapi.Account{
		{Name: "default", Configured: true, State: delivery.Sending, Waiting: 12345, Delivered: 2, OldestWaiting: &adminapi.Waiting{ID: "a", CreatedAt: now.Add(-3 * time.Minute)}},
		{Name: "old", State: adminapi.NotConfigured, Waiting: 1},
		{Name: "my north", Configured: true, State: delivery.OnHold, Held: true, HeldSince: now.Add(-2 * time.Hour), HeldReason: "HTTP 401"},
		{
			Name: "south", Configured: true, State: delivery.Paused, StateSince: now.Add(-time.Minute), StateReason: "HTTP 429",
			PausedUntil: now.Add(90 * time.Second), PauseReason: "HTTP 429",
		},
		{
			Name: "east", Configured: true, State: delivery.Failing, StateSince: now.Add(-4 * time.Minute), StateReason: "dial tcp: connection refused",
			NextAttempt: now.Add(150 * time.Second),
		},
		{
			Name: "west", Configured: true, State: delivery.Sending,
			LastError: &adminapi.LastError{Cause: telecrm.CauseServer, Problem: "HTTP 503", At: now.Add(-time.Hour)},
		},
	}
	stdout, _, err := e.run(t, "status")
	wantExit(t, err, 3)
	for _, want := range []string{
		"default   sending         12,345 ", "3 minutes  a\n", "not in the running config", "my north has been on hold since ",
		"(2 hours ago): HTTP 401", "resume 'my north'", "/srv/outbox.db\n\nthe outbox's disk is full\n",
		"south has been paused since ", ", paused until ", "(in 1 minute): HTTP 429",
		"east has been failing since ", "(4 minutes ago): dial tcp: connection refused\n", "(in 2 minutes). To retry at once", "resume east\n",
		"west: the last error was at ", "(1 hour ago): HTTP 503\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	e.status = adminapi.Status{Note: "the outbox is off", Direct: []adminapi.Account{
		{Name: "north", Configured: true, State: delivery.Failing, StateSince: now.Add(-time.Hour), StateReason: "HTTP 401"},
		{Name: "south", Configured: true, State: delivery.Sending},
	}}
	stdout, _, err = e.run(t, "status")
	wantExit(t, err, 4)
	for _, want := range []string{"the outbox is off\n\nACCOUNT  STATE\nnorth    failing\nsouth    sending\n", "north has been failing since ", "(1 hour ago): HTTP 401\n", "are not kept"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	stdout, _, err = e.run(t, "status", "--quiet")
	wantExit(t, err, 4)
	if !strings.HasPrefix(stdout, "north: failing since ") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("printed %q", stdout)
	}
	e.status = adminapi.Status{Note: "the outbox is off"}
	if stdout, _, err := e.run(t, "status"); err != nil || stdout != "the outbox is off\n" {
		t.Errorf("printed %q, error %v", stdout, err)
	}
	if stdout, _, err := e.run(t, "status", "--json"); err != nil || !strings.Contains(stdout, `"note":"the outbox is off"`) {
		t.Errorf("printed %q, error %v", stdout, err)
	}
}

// wantExit checks the exit status of a command that printed everything.
func wantExit(t *testing.T, err error, want int) {
	t.Helper()
	got := 0
	if exit, exits := errors.AsType[*ExitError](err); exits {
		got = exit.Status
	} else if err != nil {
		t.Errorf("error %v", err)
	}
	if got != want {
		t.Errorf("exit status %d, want %d", got, want)
	}
}

// The exit status tells cron what is wrong, and --quiet prints a line for each account that is not
// sending.
func TestStatusForCron(t *testing.T) {
	since := time.Now().Add(-4 * time.Minute)
	in := func(state delivery.Condition) adminapi.Account {
		return adminapi.Account{
			Name: "a", Configured: true, State: state, StateSince: since, StateReason: "HTTP 503", Waiting: 3,
			LastError: &adminapi.LastError{Problem: "HTTP 503", At: since},
		}
	}
	for _, test := range []struct {
		name     string
		accounts []adminapi.Account
		trouble  string
		exit     int
		lines    []string
	}{
		{"nothing", nil, "", 0, nil},
		{"all well", []adminapi.Account{in(delivery.Sending), in(delivery.Sending)}, "", 0, nil},
		{"slow", []adminapi.Account{in(delivery.Slow)}, "", 0, []string{"a: slow since "}},
		{"paused", []adminapi.Account{in(delivery.Paused)}, "", 0, []string{"a: paused since "}},
		{"failing", []adminapi.Account{in(delivery.Failing), in(delivery.Sending)}, "", 4, []string{"a: failing since "}},
		{"on hold", []adminapi.Account{in(delivery.OnHold)}, "", 3, []string{"a: on hold since "}},
		{"both", []adminapi.Account{in(delivery.Failing), in(delivery.OnHold)}, "", 3, []string{"a: failing since ", "a: on hold since "}},
		{"gone", []adminapi.Account{{Name: "a", State: adminapi.NotConfigured, Waiting: 3}}, "", 0, []string{"a: not in the running config, 3 leads wait"}},
		{"gone, with nothing to send", []adminapi.Account{{Name: "a", State: adminapi.NotConfigured, Parked: 3}}, "", 0, nil},
		{"full", []adminapi.Account{in(delivery.Sending)}, "the outbox's disk is full", 0, []string{"outbox /srv/outbox.db: the outbox's disk is full"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(t)
			e.status.Outboxes[0].Accounts, e.status.Outboxes[0].Trouble = test.accounts, test.trouble
			for _, args := range [][]string{{"status"}, {"status", "--json"}, {"status", "--quiet"}, {"status", "-q", "--json"}} {
				_, stderr, err := e.run(t, args...)
				wantExit(t, err, test.exit)
				if stderr != "" {
					t.Errorf("%q on standard error", stderr)
				}
			}
			stdout, _, _ := e.run(t, "status", "--quiet")
			lines := slices.Collect(strings.Lines(stdout))
			if !slices.EqualFunc(lines, test.lines, strings.HasPrefix) {
				t.Errorf("printed %q, want %q", lines, test.lines)
			}
			asJSON, _, _ := e.run(t, "status", "--quiet", "--json")
			objects := json.NewDecoder(strings.NewReader(asJSON))
			for n := range lines {
				if err := objects.Decode(new(map[string]any)); err != nil {
					t.Errorf("as JSON, object %d of %d: %v", n+1, len(lines), err)
				}
			}
			if objects.More() {
				t.Errorf("as JSON, there are more than %d objects: %s", len(lines), asJSON)
			}
			for _, line := range lines {
				if strings.Contains(line, " since ") && (!strings.Contains(line, "(4 minutes ago)") || !strings.HasSuffix(line, ": HTTP 503, 3 leads wait\n")) {
					t.Errorf("printed %q", line)
				}
			}
		})
	}
}

// resume says what was done, and no more.
func TestResume(t *testing.T) {
	e := newEndpoint(t)
	for answer, want := range map[string]string{
		`{"resumed":true,"waiting":true,"due":3}`:   "north: 3 leads are due now; one is tried first, and the others follow when TeleCRM takes it\n",
		`{"resumed":true,"waiting":true,"due":1}`:   "north: 1 lead is due now\n",
		`{"resumed":false,"waiting":true,"due":2}`:  "north: 2 leads are due now\n",
		`{"resumed":true,"waiting":true,"due":0}`:   "north: its last leads are being sent\n",
		`{"resumed":true,"waiting":false,"due":0}`:  "north: no lead is waiting; the next one is sent as soon as it arrives\n",
		`{"resumed":false,"waiting":false,"due":0}`: "north: nothing to do: it is sending, and no lead is waiting\n",
	} {
		e.answers = []string{answer, answer}
		if stdout, _, err := e.run(t, "accounts", "resume", "north"); err != nil || stdout != want {
			t.Errorf("printed %q, error %v, want %q", stdout, err, want)
		}
		if stdout, _, err := e.run(t, "accounts", "resume", "north", "--json"); err != nil || stdout != answer+"\n" {
			t.Errorf("printed %q, error %v, want %q", stdout, err, answer)
		}
	}
}

func TestMistakes(t *testing.T) {
	e := newEndpoint(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"stats"}, `unknown command "stats"`},
		{[]string{"leads", "lits"}, `unknown command "lits"`},
		{[]string{"leads", "list", "--limit", "-1"}, "must be 0 or more, got -1"},
		{[]string{"leads", "list", "--since", "yesterday"}, "--since: must be a date such as "},
		{[]string{"leads", "list", "--until", "25/11/2026"}, "or how long ago, such as 24h or 7d, got \"25/11/2026\""},
		{[]string{"leads", "list", "--since", "1h", "--until", "2h"}, "--since: must be before --until"},
		{[]string{"leads", "list", "--since", "2026-11-24", "--until", "2026-11-23"}, "--since: must be before --until"},
		{[]string{"leads", "list", "--identifier", ""}, "--identifier: is blank"},
		{[]string{"leads", "list", "--identifier", "-"}, "reading the identifier"},
		{[]string{"leads", "export", "--format", "csv", "--since", "-1h"}, "--since: must be"},
		{[]string{"leads", "retry"}, "leads missing"},
		{[]string{"leads", "retry", "--all"}, "--all: state missing"},
		{[]string{"leads", "retry", "--all", "--state", "parked", "a"}, "but not both"},
		{[]string{"leads", "retry", "a", "--state", "parked"}, "only allowed with --all"},
		{[]string{"leads", "retry", "a", "--suspected-spam"}, "but not both"},
		{[]string{"leads", "retry", "--state", "waiting", "--suspected-spam"}, "suspected spam is parked"},
		{[]string{"leads", "erase"}, "identifier"},
		{[]string{"leads", "erase", "--identifier", " "}, "--identifier: is blank"},
		{[]string{"leads", "export"}, "format"},
		{[]string{"leads", "show"}, "leads show takes the id of one lead, got 0 arguments"},
		{[]string{"leads", "discard"}, "leads discard takes the ids of one or more leads, got 0 arguments"},
		{[]string{"accounts", "resume", "a", "b"}, "accounts resume takes the name of one account, got 2 arguments"},
		{[]string{"outbox", "copy", "sqlite"}, "outbox copy takes two outboxes, each in quotes, got 1 argument;"},
		{[]string{"outbox", "backup"}, "outbox backup takes the file to write, got 0 arguments"},
		{[]string{"leads", "list", "parked"}, "leads list takes no arguments, got 1 argument; see"},
	} {
		if _, _, err := e.run(t, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %q", test.args, err, test.want)
		}
	}
	if len(e.requests) > 0 {
		t.Errorf("requests %q", e.requests)
	}
}

// The error distinguishes a server without the plugin from one that does not run.
func TestWrongServers(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<p>Hello") }))
	defer page.Close()
	down := "http://127.0.0.1:" + caddyproc.FreePort(t)
	for _, command := range [][]string{
		{"status"},
		{"leads", "list"},
		{"leads", "show", "a"},
		{"leads", "retry", "a", "b"},
		{"leads", "retry", "--all", "--state", "parked"},
		{"leads", "discard", "a"},
		{"leads", "export", "--format", "csv"},
		{"leads", "erase", "--identifier", "a"},
		{"accounts", "resume", "a"},
	} {
		for origin, want := range map[string]string{
			other.URL: "this server does not have the telecrm plugin",
			page.URL:  "this server does not have the telecrm plugin",
			down:      "no Caddy answers there",
		} {
			_, stderr, err := run(t, origin, "", command...)
			if err == nil || !strings.Contains(err.Error(), "localhost:2019: "+want) || stderr != "" {
				t.Errorf("%v: printed %q, error %v, want %q", command, stderr, err, want)
			}
		}
	}
}

func TestCompletion(t *testing.T) {
	e := newEndpoint(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"leads", "list", "--state", ""}, "waiting\ndelivered\nparked\n:4\n"},
		{[]string{"leads", "list", "--account", ""}, "default\n:4\n"},
		{[]string{"leads", "list", "--since", ""}, ":4\n"},
		{[]string{"leads", "export", "--format", ""}, "csv\nndjson\n:4\n"},
		{[]string{"accounts", "resume", ""}, "default\n:4\n"},
	} {
		stdout, _, err := e.run(t, append([]string{"__complete"}, test.args...)...)
		if err != nil || stdout != test.want {
			t.Errorf("%v: %q, error %v", test.args, stdout, err)
		}
	}
}

func TestProgressIsForTerminals(t *testing.T) {
	var err bytes.Buffer
	for _, redraws := range []bool{false, true} {
		bar := (&terminal{err: &err, redraws: redraws}).progress("Exporting", 200)
		bar.at(100)
		bar.at(101) // too soon to be drawn
		bar.end()
	}
	want := "\r\x1b[KExporting [===============               ]  50 %  100 of 200\r\x1b[K"
	if err.String() != want {
		t.Errorf("drew %q", err.String())
	}
}

func TestColorsAreForTerminals(t *testing.T) {
	var out bytes.Buffer
	tb := &table{t: &terminal{out: &out, colors: true}}
	tb.print(header("A", "B"), []cell{{"on hold", bad}, {"x", plain}})
	if want := "\x1b[1mA\x1b[0m        \x1b[1mB\x1b[0m\n\x1b[31mon hold\x1b[0m  x\n"; out.String() != want {
		t.Errorf("printed %q", out.String())
	}
}
