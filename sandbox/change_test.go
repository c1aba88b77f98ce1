package sandbox_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	syncRoot   = "/autoupdate/v2/enterprise/" + enterprise
	asyncPath  = "/enterprise/" + enterprise + "/autoupdatelead"
	asyncToken = "async-token"
)

// known is a valid lead for the default schema.
const known = `{"fields":{"phone":"918123456789","name":"Ravi Menon","status":"Won","source":"Expo"},
	"actions":[{"type":"1042","fields":{"note":"first"}}]}`

// ask sends one request: a POST if it has a body.
func ask(t *testing.T, s *sandbox.Sandbox, path, token, body string) *httptest.ResponseRecorder {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// clock is a clock that the test sets.
type clock struct{ now time.Time }

func (c *clock) config(cfg *sandbox.Config) {
	c.now = noon
	cfg.Now = func() time.Time { return c.now }
}

func withAsync(c *sandbox.Config) { c.AsyncToken = asyncToken }

// newKnown returns a sandbox with the known lead, and the lead's id.
func newKnown(t *testing.T, change ...func(*sandbox.Config)) (s *sandbox.Sandbox, id string) {
	t.Helper()
	s = newSandbox(t, append(change, withAsync)...)
	return s, *mustCreate(t, s, known).LeadID
}

func onlyLead(t *testing.T, s *sandbox.Sandbox) sandbox.Lead {
	t.Helper()
	leads := s.Leads()
	if len(leads) != 1 {
		t.Fatalf("%d leads, want 1", len(leads))
	}
	return leads[0]
}

// checkAnswer checks the status and the JSON body. A body without { is an error code.
func checkAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d with %s, want %d", w.Code, w.Body, status)
	}
	if !strings.HasPrefix(body, "{") {
		if code := errorCode(t, w); code != body {
			t.Errorf("code %q, want %q", code, body)
		}
		return
	}
	if !jsonEqual(t, body, w.Body.String()) {
		t.Errorf("answered %s, want %s", w.Body, body)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	dropping := func(c *sandbox.Config) { c.DropInvalid = true }
	live := func(c *sandbox.Config) { c.LiveShapes = true }
	plain := func(*sandbox.Config) {}
	now := `{"fields":{"phone":"918123456789","name":"Ravi Menon","status":"Won","source":"Expo"}}`
	for _, tt := range []struct {
		name   string
		config func(*sandbox.Config)
		body   string
		status int
		answer string
		set    map[string]any // nil: nothing
	}{
		{
			"one field", plain, `{"fields":{"city":"Pune"}}`, 200,
			`{"fields":{"phone":"918123456789","name":"Ravi Menon","status":"Won","source":"Expo","city":"Pune"}}`,
			map[string]any{"city": "Pune"},
		},
		{
			"several", plain, `{"fields":{"name":"R. Menon","rating":3,"status":"Fresh"}}`, 200,
			`{"fields":{"phone":"918123456789","name":"R. Menon","status":"Fresh","source":"Expo","rating":3}}`,
			map[string]any{"name": "R. Menon", "rating": json.Number("3"), "status": "Fresh"},
		},
		{"value that is there", plain, `{"fields":{"name":"Ravi Menon"}}`, 200, now, map[string]any{"name": "Ravi Menon"}},
		{"unknown name", plain, `{"fields":{"nickname":"R"}}`, 200, now, nil},
		{"time of creation", plain, `{"fields":{"created_on":1}}`, 200, now, nil},
		{"unknown status", plain, `{"fields":{"status":"Nonesuch"}}`, 200, now, nil},
		{"status of another type", plain, `{"fields":{"status":7}}`, 400, "BAD_REQUEST", nil},
		{"invalid value", plain, `{"fields":{"name":"R. Menon","rating":9}}`, 400, "BAD_REQUEST", nil},
		{"null", plain, `{"fields":{"name":null}}`, 400, "BAD_REQUEST", nil},
		{"empty", plain, `{"fields":{"name":""}}`, 400, "BAD_REQUEST", nil},
		{"locked", plain, `{"fields":{"source":"Website"}}`, 400, "BAD_REQUEST", nil},
		{"locked, as it is", plain, `{"fields":{"source":"Expo"}}`, 400, "BAD_REQUEST", nil},
		{"identifier", plain, `{"fields":{"phone":"918123456780"}}`, 403, "INVALID_LEAD", nil},
		{"identifier, as it is", plain, `{"fields":{"phone":"918123456789","city":"Pune"}}`, 403, "INVALID_LEAD", nil},
		{"no fields", plain, `{}`, 400, "BAD_REQUEST", nil},
		{"empty fields", plain, `{"fields":{}}`, 400, "BAD_REQUEST", nil},
		{"actions too", plain, `{"fields":{"city":"Pune"},"actions":[]}`, 400, "BAD_REQUEST", nil},
		{"list", plain, `[]`, 400, "BAD_REQUEST", nil},
		{"no JSON", plain, `{"fields":`, 400, "BAD_REQUEST", nil},

		{
			"invalid value, dropped", dropping, `{"fields":{"city":"Pune","rating":9,"source":"Website"}}`, 200,
			`{"fields":{"phone":"918123456789","name":"Ravi Menon","status":"Won","source":"Expo","city":"Pune"}}`,
			map[string]any{"city": "Pune"},
		},
		{"identifier all the same", dropping, `{"fields":{"phone":"918123456789"}}`, 403, "INVALID_LEAD", nil},
		{
			"as seen live", live, `{"fields":{"assignee":"agent7@example.org","rating":3}}`, 200,
			`{"status":"Won","rating":3,"employeeid":"agent7@example.org","fields":{"phone":"918123456789","name":"Ravi Menon","source":"Expo"}}`,
			map[string]any{"assignee": "agent7@example.org", "rating": json.Number("3")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var at clock
			s, id := newKnown(t, at.config, tt.config)
			before := onlyLead(t, s)
			at.now = noon.Add(time.Hour)
			checkAnswer(t, ask(t, s, leadPath+"/"+id, token, tt.body), tt.status, tt.answer)
			after := onlyLead(t, s)
			want := before
			if tt.set != nil {
				want.Changes = []sandbox.Change{{At: at.now, Fields: tt.set}}
				maps.Copy(want.Fields, tt.set)
			}
			if tt.status == 200 {
				want.Remarks = after.Remarks // of dropped parts
			}
			if diff := cmp.Diff(want, after); diff != "" {
				t.Errorf("stored lead (-want +got):\n%s", diff)
			}
			if s.Count(sandbox.OpUpdate) != 1 || s.Requests() != 2 {
				t.Errorf("%d updates of %d requests, want 1 of 2", s.Count(sandbox.OpUpdate), s.Requests())
			}
		})
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	const payment = `{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":"2499"}`
	for _, tt := range []struct {
		name, body string
		status     int
		code       string   // of a refusal
		statuses   []string // of the answer's actions
		remarks    []string // fields of the answer's remarks
		stored     []string // types
	}{
		{"custom", `{"actions":[{"type":"1043"}]}`, 200, "", []string{"CREATED"}, nil, []string{"1043"}},
		{
			"several", `{"actions":[{"type":"1042","fields":{"note":"second"}},` + payment + `]}`, 200, "",
			[]string{"CREATED", "CREATED"},
			nil,
			[]string{"1042", "PAYMENT"},
		},
		{
			"unknown field", `{"actions":[{"type":"1042","fields":{"colour":"red"}}]}`, 200, "",
			[]string{"CREATED"},
			[]string{"actions[0].fields.colour"},
			[]string{"1042"},
		},
		{
			"one ignored", `{"actions":[{"type":"PAYMENT","status":"PAID","currency":"INR","amount":"1"},{"type":"1043"}]}`, 200, "",
			[]string{"IGNORED", "CREATED"},
			[]string{"actions[0].status"},
			[]string{"1043"},
		},
		{"unknown type", `{"actions":[{"type":"1043"},{"type":"7"}]}`, 400, "BAD_REQUEST", nil, nil, nil},
		{"prefixed type", `{"actions":[{"type":"ACTION_1043"}]}`, 400, "BAD_REQUEST", nil, nil, nil},
		{"note of the system's", `{"actions":[{"type":"SYSTEM_NOTE","text":"x"}]}`, 400, "BAD_REQUEST", nil, nil, nil},
		{"type as a number", `{"actions":[{"type":1043}]}`, 400, "BAD_REQUEST", nil, nil, nil},
		{"no object", `{"actions":["1043"]}`, 400, "BAD_REQUEST", nil, nil, nil},
		{"no actions", `{}`, 400, "BAD_REQUEST", nil, nil, nil},
		{"empty actions", `{"actions":[]}`, 400, "BAD_REQUEST", nil, nil, nil},
		{"fields too", `{"actions":[{"type":"1043"}],"fields":{}}`, 400, "BAD_REQUEST", nil, nil, nil},
		{"no JSON", `{`, 400, "BAD_REQUEST", nil, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var at clock
			s, id := newKnown(t, at.config)
			at.now = noon.Add(time.Hour)
			before := onlyLead(t, s)
			w := ask(t, s, leadPath+"/"+id+"/action", token, tt.body)
			after := onlyLead(t, s)
			added := after.Actions[len(before.Actions):]
			if diff := cmp.Diff(before.Actions, after.Actions[:len(before.Actions)]); diff != "" {
				t.Errorf("the actions before (-want +got):\n%s", diff)
			}
			if tt.status != 200 {
				checkAnswer(t, w, tt.status, tt.code)
				if len(added) != 0 {
					t.Errorf("a refused request stored %d actions", len(added))
				}
				return
			}
			var answer created
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
				t.Fatalf("status %d with %s: %v", w.Code, w.Body, err)
			}
			if answer.LeadID == nil || *answer.LeadID != id || len(answer.Actions) != len(tt.statuses) {
				t.Fatalf("answered %s", w.Body)
			}
			var remarks, stored []string
			for _, remark := range answer.Remarks {
				remarks = append(remarks, remark.Field)
			}
			for i, action := range answer.Actions {
				if action.Status != tt.statuses[i] || (action.ActionID != nil) != (action.Status == "CREATED") {
					t.Errorf("action %d: %+v, want %s", i, action, tt.statuses[i])
				}
				if action.ActionID != nil && *action.ActionID != added[len(stored)].ID {
					t.Errorf("action %d does not have the stored id", i)
				}
				if action.ActionID != nil {
					stored = append(stored, added[len(stored)].Type)
				}
			}
			if diff := cmp.Diff([][]string{tt.remarks, tt.stored}, [][]string{remarks, stored}); diff != "" {
				t.Errorf("remarks and stored types (-want +got):\n%s", diff)
			}
			for _, action := range added {
				if !action.CreatedAt.Equal(at.now) {
					t.Errorf("an action was created at %v, want %v", action.CreatedAt, at.now)
				}
			}
			if len(after.Changes) != 0 {
				t.Error("appending changed a field")
			}
		})
	}
}
