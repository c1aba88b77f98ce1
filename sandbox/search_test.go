package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

const searchPath = leadPath + "/search"

type searched struct {
	Data []struct {
		ID     string         `json:"id"`
		Fields map[string]any `json:"fields"`
	} `json:"data"`
	TotalCount int `json:"total_count"`
	Skip       int `json:"skip"`
	Limit      int `json:"limit"`
}

// phones returns the phone numbers of the found leads, in order.
func (s searched) phones() []string {
	var phones []string
	for _, row := range s.Data {
		phones = append(phones, fmt.Sprint(row.Fields["phone"]))
	}
	return phones
}

// search sends a search, with an optional query.
func search(t *testing.T, s *sandbox.Sandbox, body string, query ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, searchPath+strings.Join(query, ""), strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func mustSearch(t *testing.T, s *sandbox.Sandbox, body string, query ...string) searched {
	t.Helper()
	w := search(t, s, body, query...)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d with %s, want 200", w.Code, w.Body)
	}
	var answer searched
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestSearchAnswer(t *testing.T) {
	t.Parallel()
	at := noon.Add(1234 * time.Millisecond)
	s := newSandbox(t, func(c *sandbox.Config) { c.Now = func() time.Time { return at } })
	created := mustCreate(t, s, `{"fields":{"phone":"918123456789","name":"Ravi Menon","rating":3,"callback_phone":"08123456789",
		"assignee":"agent7@example.org","interests":["Subsidy"]},"actions":[{"type":"1042"}]}`)
	w := search(t, s, `{"fields":{"phone":"918123456789"}}`)
	var got any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	millis := float64(s.Leads()[0].CreatedAt.UnixMilli())
	want := map[string]any{
		"data": []any{map[string]any{
			"id": *created.LeadID, "status": "Fresh", "employeeid": "agent7@example.org", "rating": 3.0,
			"createdBy": "API Integrator", "isArchived": false, "isSpam": false, "actions": []any{},
			"fields": map[string]any{
				"phone": "+918123456789", "name": "Ravi Menon", "callback_phone": "+918123456789",
				"interests": []any{"Subsidy"}, "created_on": millis, "modified_on": millis,
			},
		}},
		"total_count": 1.0, "skip": 0.0, "limit": 10.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if date := w.Header().Get("Date"); date != "Fri, 02 Jan 2026 12:00:01 GMT" {
		t.Errorf("Date %q is not by the sandbox's clock", date)
	}
	if phone := s.Leads()[0].Fields["phone"]; phone != "918123456789" {
		t.Errorf("the search changed the stored phone to %v", phone)
	}
}

func TestSearchFilters(t *testing.T) {
	t.Parallel()
	const all = 3
	s := newSandbox(t)
	mustCreate(t, s, `{"fields":{"phone":"918123400001","name":"Ravi Menon","status":"Won","rating":3,"email":" ravi@example.org"}}`)
	mustCreate(t, s, `{"fields":{"phone":"8123400002","name":"Asha","city":"Pune","interests":["Subsidy","Financing"]}}`)
	mustCreate(t, s, `{"fields":{"phone":"+447400123456","name":"ravi menon"}}`)
	millis := noon.UnixMilli()
	for _, tt := range []struct {
		body string
		want int
	}{
		{`{}`, all},
		{`{"fields":{},"actions":{}}`, all},
		{`{"fields":{"phone":"918123400001"}}`, 1},
		{`{"fields":{"phone":"+918123400001"}}`, 1},
		{`{"fields":{"phone":["+918123400001","447400123456","12015550123"]}}`, 2},
		// Only all digits find a number, in whatever form it was sent.
		{`{"fields":{"phone":"918123400002"}}`, 1},
		{`{"fields":{"phone":"8123400002"}}`, 0},
		{`{"fields":{"phone":"08123400001"}}`, 0},
		{`{"fields":{"phone":"00918123400001"}}`, 0},
		{`{"fields":{"phone":"9181234"}}`, 0},
		{`{"fields":{"phone":918123400001}}`, 0},

		{`{"fields":{"name":"RAVI MENON"}}`, 2},
		{`{"fields":{"name":"Ravi"}}`, 0},
		{`{"fields":{"name":"Ravi Menon","status":"Won"}}`, 1},
		{`{"fields":{"name":"Asha","status":"Won"}}`, 0},
		{`{"fields":{"status":["Fresh","Won"]}}`, all},
		{`{"fields":{"status":"won"}}`, 0},
		{`{"fields":{"email":"Ravi@example.org "}}`, 1},
		{`{"fields":{"rating":3}}`, 1},
		{`{"fields":{"rating":"3"}}`, 0},
		{`{"fields":{"interests":"financing"}}`, 1},
		{`{"fields":{"city":"Pune"}}`, 1},

		{fmt.Sprintf(`{"fields":{"created_on":{"from":%d,"to":%d}}}`, millis, millis), all},
		{fmt.Sprintf(`{"fields":{"created_on":{"from":%d}}}`, millis), all},
		{fmt.Sprintf(`{"fields":{"created_on":{"from":%d}}}`, millis+1), 0},
		{fmt.Sprintf(`{"fields":{"created_on":{"to":%d}}}`, millis-1), 0},
		{fmt.Sprintf(`{"fields":{"modified_on":{"to":%d},"name":"Asha"}}`, millis), 1},
	} {
		if got := mustSearch(t, s, tt.body); len(got.Data) != tt.want || got.TotalCount != tt.want {
			t.Errorf("%s found %q of %d, want %d", tt.body, got.phones(), got.TotalCount, tt.want)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	for _, tt := range []struct{ body, query string }{
		{``, ""},
		{`{"fields":`, ""},
		{`[]`, ""},
		{`{"fields":[]}`, ""},
		{`{"fields":null}`, ""},
		{`{"phone":"918123456789"}`, ""},
		{`{"fields":{"phone":"918123456789","phone":"918123456789"}}`, ""},
		{`{"actions":{"type":"1042"}}`, ""},
		{`{"fields":{"Phone":"918123456789"}}`, ""},
		{`{"fields":{"phone":""}}`, ""},
		{`{"fields":{"phone":[]}}`, ""},
		{`{"fields":{"phone":["918123456789",""]}}`, ""},
		{`{"fields":{"phone":null}}`, ""},
		{`{"fields":{"phone":true}}`, ""},
		{`{"fields":{"phone":{"from":1}}}`, ""},
		{`{"fields":{"created_on":1767240000000}}`, ""},
		{`{"fields":{"created_on":{}}}`, ""},
		{`{"fields":{"created_on":{"since":1767240000000}}}`, ""},
		{`{"fields":{"created_on":{"from":"01/01/2026"}}}`, ""},
		{`{"fields":{"created_on":{"from":1767240000000000}}}`, ""},
		{`{}`, "?limit=0"},
		{`{}`, "?limit=101"},
		{`{}`, "?limit=-1"},
		{`{}`, "?limit=ten"},
		{`{}`, "?limit="},
		{`{}`, "?skip=-1"},
		{`{}`, "?skip=x"},
		{`{}`, "?skip=%zz"},
	} {
		w := search(t, s, tt.body, tt.query)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s%s: status %d, want 400", tt.body, tt.query, w.Code)
			continue
		}
		if code := errorCode(t, w); code != "BAD_REQUEST" {
			t.Errorf("%s%s: code %q", tt.body, tt.query, code)
		}
		if strings.Contains(w.Body.String(), "81234") {
			t.Errorf("%s repeats a value", w.Body)
		}
	}
}

func TestSearchPages(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	for n := range 12 {
		mustCreate(t, s, phoneBody(n))
	}
	for _, tt := range []struct {
		query             string
		rows, skip, limit int
		first             string // digits that end the first row's phone
	}{
		{"", 10, 0, 10, "11"},
		{"?skip=0&limit=1", 1, 0, 1, "11"},
		{"?limit=100", 12, 0, 100, "11"},
		{"?skip=10", 2, 10, 10, "01"},
		{"?skip=11&limit=5", 1, 11, 5, "00"},
		{"?skip=12", 0, 12, 10, ""},
		{"?skip=9223372036854775807", 0, 1<<63 - 1, 10, ""},
	} {
		got := mustSearch(t, s, `{}`, tt.query)
		if len(got.Data) != tt.rows || got.TotalCount != 12 || got.Skip != tt.skip || got.Limit != tt.limit {
			t.Errorf("%q: %d rows of %d, skip %d, limit %d", tt.query, len(got.Data), got.TotalCount, got.Skip, got.Limit)
		}
		if tt.rows > 0 && !strings.HasSuffix(got.phones()[0], tt.first) {
			t.Errorf("%q: phones are %q, want newest first from %s", tt.query, got.phones(), tt.first)
		}
	}
	if w := search(t, s, `{}`, "?skip=12"); !strings.Contains(w.Body.String(), `"data":[]`) {
		t.Errorf("%s has no empty list", w.Body)
	}
}

func TestSearchNormalizesPhones(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(c *sandbox.Config) { c.Search.NormalizePhones = true })
	mustCreate(t, s, `{"fields":{"phone":"918123456789"}}`)
	for _, spelling := range []string{"918123456789", "+918123456789", "8123456789", "08123456789", "00918123456789"} {
		if got := mustSearch(t, s, `{"fields":{"phone":"`+spelling+`"}}`); len(got.Data) != 1 {
			t.Errorf("%s found %d leads, want 1", spelling, len(got.Data))
		}
	}
}

func TestSearchRowIDs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		search sandbox.Search
		rows   int
		ids    bool
	}{
		"usual":  {sandbox.Search{}, 1, true},
		"hidden": {sandbox.Search{HideIDs: true}, 1, false},
		"twins":  {sandbox.Search{Twins: true}, 2, true},
		"both":   {sandbox.Search{HideIDs: true, Twins: true}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, func(c *sandbox.Config) { c.Search = tt.search })
			id := *mustCreate(t, s, phoneBody(1)).LeadID
			got, again := mustSearch(t, s, `{}`), mustSearch(t, s, `{}`)
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("the same search found something else:\n%s", diff)
			}
			if len(got.Data) != tt.rows || got.TotalCount != tt.rows {
				t.Fatalf("%d rows of %d, want %d", len(got.Data), got.TotalCount, tt.rows)
			}
			for i, row := range got.Data {
				if (row.ID != "") != tt.ids || tt.ids && ((row.ID == id) != (i == 0) || !idSyntax.MatchString(row.ID)) {
					t.Errorf("row %d has the id %q, want one: %t", i, row.ID, tt.ids)
				}
			}
			if len(s.Leads()) != 1 {
				t.Errorf("%d leads stored, want 1", len(s.Leads()))
			}
		})
	}
}

func TestSearchIndexDelay(t *testing.T) {
	t.Parallel()
	now := noon
	s := newSandbox(t, func(c *sandbox.Config) {
		c.Now = func() time.Time { return now }
		c.Search.IndexDelay = time.Minute
	})
	mustCreate(t, s, phoneBody(1))
	now = now.Add(time.Second)
	mustCreate(t, s, phoneBody(2))
	for _, step := range []struct {
		at   time.Duration
		want int
	}{{time.Second, 0}, {time.Minute - 1, 0}, {time.Minute, 1}, {time.Minute + time.Second, 2}} {
		now = noon.Add(step.at)
		if got := mustSearch(t, s, `{}`); len(got.Data) != step.want || got.TotalCount != step.want {
			t.Errorf("after %v: %q of %d, want %d leads", step.at, got.phones(), got.TotalCount, step.want)
		}
	}
}

func TestSearchIndexSearches(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(c *sandbox.Config) { c.Search.IndexSearches = 2 })
	mustCreate(t, s, phoneBody(1))
	mustCreate(t, s, phoneBody(2))
	const one, other = `{"fields":{"phone":"918123400001"}}`, `{"fields":{"phone":"918123400002"}}`
	s.Inject(sandbox.Fault{Status: 500}, sandbox.Fault{Status: 500, Store: true})
	search(t, s, one) // not handled, so it does not count
	search(t, s, one) // counts, although the answer is a fault
	for i, step := range []struct {
		body string
		want int
	}{{one, 0}, {other, 0}, {one, 1}, {`{}`, 1}, {other, 1}, {`{}`, 2}} {
		if got := mustSearch(t, s, step.body); len(got.Data) != step.want {
			t.Errorf("search %d found %q, want %d leads", i, got.phones(), step.want)
		}
	}
}

func TestSearchSharesFailShare(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, func(c *sandbox.Config) { c.FailStatus, c.FailShare = http.StatusServiceUnavailable, 0.5 })
	got := []int{create(t, s, phoneBody(1)).Code, search(t, s, `{}`).Code, search(t, s, `{}`).Code, create(t, s, phoneBody(2)).Code}
	if diff := cmp.Diff([]int{201, 503, 200, 503}, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}
