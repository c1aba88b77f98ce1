package sandbox_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	token      = "sync-token"
	enterprise = "66aa00bb11cc22dd33ee44ff"
	leadPath   = "/autoupdate/v2/enterprise/" + enterprise + "/lead"
)

var noon = time.Date(2026, time.January, 2, 12, 0, 0, 0, time.UTC)

func newSandbox(t *testing.T, change ...func(*sandbox.Config)) *sandbox.Sandbox {
	t.Helper()
	cfg := sandbox.Config{Token: token, EnterpriseID: enterprise, Now: func() time.Time { return noon }}
	for _, c := range change {
		c(&cfg)
	}
	s, err := sandbox.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newRequest(t *testing.T, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, leadPath, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return r
}

func create(t *testing.T, s *sandbox.Sandbox, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, newRequest(t, body))
	return w
}

// phoneBody returns a valid lead for the default schema. Each n gives another lead.
func phoneBody(n int) string {
	return fmt.Sprintf(`{"fields":{"phone":"9181234%05d"}}`, n)
}

func errorCode(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("error body %q: %v", w.Body, err)
	}
	if body.Error.Message == "" {
		t.Errorf("error body %q has no message", w.Body)
	}
	return body.Error.Code
}

func TestNewRefusesConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		change     func(*sandbox.Config)
	}{
		{"no token", "token", func(c *sandbox.Config) { c.Token = "" }},
		{"token with space", "token", func(c *sandbox.Config) { c.Token = "a b" }},
		{"no enterprise", "enterprise id", func(c *sandbox.Config) { c.EnterpriseID = "" }},
		{"async token with space", "async token", func(c *sandbox.Config) { c.AsyncToken = "a b" }},
		{"one token for both", "async token", func(c *sandbox.Config) { c.AsyncToken = c.Token }},
		{"negative async delay", "async delay", func(c *sandbox.Config) { c.AsyncDelay = -1 }},
		{"negative latency", "latency", func(c *sandbox.Config) { c.Latency = -1 }},
		{"negative keep", "leads to keep", func(c *sandbox.Config) { c.KeepLeads = -1 }},
		{"negative index delay", "index delay", func(c *sandbox.Config) { c.Search.IndexDelay = -1 }},
		{"negative index searches", "index", func(c *sandbox.Config) { c.Search.IndexSearches = -1 }},
		{"share above 1", "share", func(c *sandbox.Config) { c.FailShare, c.FailStatus = 1.5, 500 }},
		{"share not a number", "share", func(c *sandbox.Config) { c.FailShare, c.FailStatus = math.NaN(), 500 }},
		{"share without status", "status", func(c *sandbox.Config) { c.FailShare = 0.5 }},
		{"broken schema", "identifier", func(c *sandbox.Config) { c.Schema = &sandbox.Schema{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := sandbox.Config{Token: token, EnterpriseID: enterprise}
			tt.change(&cfg)
			_, err := sandbox.New(cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not mention %q", err, tt.want)
			}
		})
	}
}

func TestNewCopiesSchema(t *testing.T) {
	t.Parallel()
	schema := sandbox.DefaultSchema()
	s := newSandbox(t, func(c *sandbox.Config) { c.Schema = schema })
	schema.Identifier = "email"
	if w := create(t, s, phoneBody(1)); w.Code != http.StatusCreated {
		t.Errorf("status %d: the sandbox uses the caller's schema", w.Code)
	}
}

func TestLeadsAreCopies(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	create(t, s, `{"fields":{"phone":"918123456789","interests":["Subsidy"],"product":"Yurt","rating":9},
		"actions":[{"type":"1042","fields":{"note":"Hello"}}]}`)
	ask(t, s, leadPath+"/"+s.Leads()[0].ID, token, `{"fields":{"interests":["Financing"]}}`)
	before := s.Leads()
	changed := s.Leads()
	changed[0].Fields["phone"] = "1"
	changed[0].Fields["interests"].([]any)[0] = "changed"
	changed[0].Actions[0].Fields["note"] = "changed"
	changed[0].Actions[0].ID = "changed"
	changed[0].Changes[0].Fields["interests"].([]any)[0] = "changed"
	changed[0].Changes[0].At = noon.Add(time.Hour)
	changed[0].Remarks[0].Field = "changed"
	changed[0].NewOptions[0] = "changed"
	if diff := cmp.Diff(before, s.Leads()); diff != "" {
		t.Errorf("changing the returned leads changed the stored ones:\n%s", diff)
	}
}

func TestConcurrentCreatesOfOneIdentifier(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	spellings := []string{"918123456789", "+918123456789", "8123456789", "08123456789", "00918123456789"}
	statuses := make(chan int, 4*len(spellings))
	var wg sync.WaitGroup
	for range 4 {
		for _, phone := range spellings {
			r := newRequest(t, `{"fields":{"phone":"`+phone+`"}}`)
			wg.Go(func() {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				statuses <- w.Code
			})
		}
	}
	wg.Wait()
	close(statuses)
	seen := map[int]int{}
	for status := range statuses {
		seen[status]++
	}
	want := map[int]int{http.StatusCreated: 1, http.StatusConflict: 4*len(spellings) - 1}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if n := len(s.Leads()); n != 1 {
		t.Errorf("%d leads stored, want 1", n)
	}
}

func TestKeepLeadsForgetsTheOldest(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(c *sandbox.Config) { c.KeepLeads = 2 })
	for n := range 3 {
		create(t, s, phoneBody(n))
	}
	if w := create(t, s, phoneBody(2)); w.Code != http.StatusConflict {
		t.Errorf("a kept lead's identifier: status %d, want 409", w.Code)
	}
	if w := create(t, s, phoneBody(0)); w.Code != http.StatusCreated {
		t.Errorf("a forgotten lead's identifier: status %d, want 201", w.Code)
	}
	var got []any
	for _, lead := range s.Leads() {
		got = append(got, lead.Fields["phone"])
	}
	if diff := cmp.Diff([]any{"918123400002", "918123400000"}, got); diff != "" {
		t.Errorf("kept leads (-want +got):\n%s", diff)
	}
}

// A sandbox that continues another has its leads, but counts its own requests.
func TestContinue(t *testing.T) {
	t.Parallel()
	first := newSandbox(t)
	create(t, first, phoneBody(1))
	second := newSandbox(t, func(c *sandbox.Config) { c.Continue = first })
	first.Close()
	if w := create(t, second, phoneBody(1)); w.Code != http.StatusConflict {
		t.Errorf("the identifier of an earlier lead: status %d, want 409", w.Code)
	}
	create(t, second, phoneBody(2))
	create(t, first, phoneBody(3))
	if leads, requests := len(second.Leads()), second.Requests(); leads != 3 || requests != 2 {
		t.Errorf("got %d leads and %d requests, want 3 and 2", leads, requests)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	create(t, s, phoneBody(1))
	search(t, s, `{}`)
	s.Inject(sandbox.Faults()[sandbox.FaultServerError])
	s.Reset()
	if s.Requests()+s.Creates()+s.Searches() != 0 || len(s.Leads()) != 0 {
		t.Errorf("after Reset: %d requests, %d leads", s.Requests(), len(s.Leads()))
	}
	if w := create(t, s, phoneBody(1)); w.Code != http.StatusCreated {
		t.Errorf("the same lead after Reset: status %d, want 201", w.Code)
	}
}
