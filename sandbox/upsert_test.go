package sandbox_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

func TestUpsertCreates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		fields     map[string]any // nil: no lead
		actions    []string       // types
	}{
		{
			"lead", `{"fields":{"phone":"918123456789","source":"Website"},"actions":[{"type":"ACTION_1042","fields":{"note":"x"}},{"type":"ACTION_1043"}]}`,
			map[string]any{"phone": "918123456789", "source": "Website"},
			[]string{"1042", "1043"},
		},
		{
			"payment", `{"fields":{"phone":"918123456789"},"actions":[{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":"1"}]}`,
			map[string]any{"phone": "918123456789"},
			[]string{"PAYMENT"},
		},
		{
			"bad values", `{"fields":{"phone":"918123456789","rating":"3","visit_date":"2026-01-02","nickname":"R"}}`,
			map[string]any{"phone": "918123456789"},
			nil,
		},
		{
			"bad actions", `{"fields":{"phone":"918123456789"},"actions":[{"type":"1042"},{"type":"ACTION_7"},{"type":"PAYMENT"},{"type":"SYSTEM_NOTE"},7]}`,
			map[string]any{"phone": "918123456789"},
			nil,
		},
		{"no identifier", `{"fields":{"name":"Ravi Menon"},"actions":[{"type":"ACTION_1043"}]}`, nil, nil},
		{"bad identifier", `{"fields":{"phone":"12345"}}`, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, withAsync)
			checkAnswer(t, ask(t, s, asyncPath, asyncToken, tt.body), 200, `{"status":"QUEUED"}`)
			if tt.fields == nil {
				if n := len(s.Leads()); n != 0 {
					t.Errorf("%d leads, want none", n)
				}
				return
			}
			lead := onlyLead(t, s)
			var actions []string
			for _, action := range lead.Actions {
				actions = append(actions, action.Type)
			}
			if diff := cmp.Diff(tt.fields, lead.Fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.actions, actions); diff != "" {
				t.Errorf("actions (-want +got):\n%s", diff)
			}
			if len(lead.Changes) != 0 {
				t.Errorf("a new lead was changed: %v", lead.Changes)
			}
		})
	}
}

func TestUpsertChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		set        map[string]any // nil: nothing
		actions    int
	}{
		{"field", `{"fields":{"phone":"918123456789","city":"Pune"}}`, map[string]any{"city": "Pune"}, 0},
		{"identifier in another spelling", `{"fields":{"phone":"+918123456789","rating":3}}`, map[string]any{"rating": json.Number("3")}, 0},
		{"national number", `{"fields":{"phone":"08123456789","status":"Fresh"}}`, map[string]any{"status": "Fresh"}, 0},
		{"identifier alone", `{"fields":{"phone":"918123456789"}}`, nil, 0},
		{"locked and invalid", `{"fields":{"phone":"918123456789","source":"Website","rating":9,"status":"Nonesuch"}}`, nil, 0},
		{"actions", `{"fields":{"phone":"918123456789"},"actions":[{"type":"ACTION_1043"},{"type":"1043"},{"type":"ACTION_1043"}]}`, nil, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newKnown(t)
			before := onlyLead(t, s)
			checkAnswer(t, ask(t, s, asyncPath, asyncToken, tt.body), 200, `{"status":"QUEUED"}`)
			after := onlyLead(t, s)
			want := before
			if tt.set != nil {
				want.Changes = []sandbox.Change{{At: noon, Fields: tt.set}}
				maps.Copy(want.Fields, tt.set)
			}
			if n := len(after.Actions) - len(before.Actions); n != tt.actions {
				t.Errorf("%d actions came, want %d", n, tt.actions)
			}
			want.Actions, want.Remarks = after.Actions, after.Remarks
			if diff := cmp.Diff(want, after); diff != "" {
				t.Errorf("stored lead (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpsertRefusesBody(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, withAsync)
	for _, body := range []string{`{`, `[]`, `{}`, `{"fields":[]}`, `{"fields":{},"actions":{}}`, `{"fields":{},"leads":[]}`} {
		checkAnswer(t, ask(t, s, asyncPath, asyncToken, body), 400, "BAD_REQUEST")
	}
}

func TestUpsertAnswersPlainOK(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, withAsync, func(c *sandbox.Config) { c.AsyncPlainOK = true })
	w := ask(t, s, asyncPath, asyncToken, phoneBody(1))
	if w.Code != 200 || w.Body.String() != "OK" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("status %d, content type %q, body %q", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	onlyLead(t, s)
}

func TestAsyncDelay(t *testing.T) {
	t.Parallel()
	var at clock
	s := newSandbox(t, at.config, withAsync, func(c *sandbox.Config) { c.AsyncDelay = time.Minute })
	send := func(body string) {
		t.Helper()
		checkAnswer(t, ask(t, s, asyncPath, asyncToken, body), 200, `{"status":"QUEUED"}`)
	}
	send(`{"fields":{"phone":"918123456789","city":"Pune"}}`)
	at.now = noon.Add(30 * time.Second)
	send(`{"fields":{"phone":"918123456789","city":"Nagpur"}}`)
	if found := mustSearch(t, s, `{}`); len(s.Leads()) != 0 || len(found.phones()) != 0 {
		t.Error("a lead is there before its time")
	}
	at.now = noon.Add(time.Minute)
	if city := onlyLead(t, s).Fields["city"]; city != "Pune" {
		t.Errorf("city is %v after a minute, want Pune", city)
	}
	at.now = noon.Add(time.Hour)
	lead := onlyLead(t, s)
	want := []sandbox.Change{{At: noon.Add(90 * time.Second), Fields: map[string]any{"city": "Nagpur"}}}
	if diff := cmp.Diff(want, lead.Changes); diff != "" || !lead.CreatedAt.Equal(noon.Add(time.Minute)) {
		t.Errorf("created at %v, changes (-want +got):\n%s", lead.CreatedAt, diff)
	}
	send(`{"fields":{"phone":"918123456780"}}`)
	s.Reset()
	at.now = at.now.Add(time.Hour)
	if n := len(s.Leads()); n != 0 {
		t.Errorf("%d leads came after a reset", n)
	}
}

// A delayed lead appears on an open page when it is due.
func TestAsyncDelayOnThePage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSandbox(t, withAsync, func(c *sandbox.Config) { c.Now, c.AsyncDelay = time.Now, time.Second })
		w := &recorder{header: http.Header{}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events", nil))
		}()
		synctest.Wait()
		ask(t, s, asyncPath, asyncToken, phoneBody(1))
		synctest.Wait()
		if n := w.count("event: lead"); n != 0 {
			t.Errorf("%d leads before their time", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := w.count("event: lead"); n != 1 {
			t.Errorf("%d leads after their time, want 1", n)
		}
		s.Close()
		<-done
	})
}

// FuzzChanges checks that no body breaks the stand-in or changes the identifier.
func FuzzChanges(f *testing.F) {
	for _, body := range []string{
		known, `{"fields":{"city":"Pune"}}`, `{"fields":{"phone":"1"}}`, `{"actions":[{"type":"1043"},7]}`,
		`{"fields":{"phone":"+918123456789","interests":["a"]},"actions":[{"type":"ACTION_1042","fields":{"slot":"x"}}]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s, id := newKnown(t)
		for path, token := range map[string]string{
			leadPath + "/" + id: token, leadPath + "/" + id + "/action": token, asyncPath: asyncToken,
		} {
			if w := ask(t, s, path, token, body+" "); w.Code >= 500 {
				t.Errorf("status %d with %s", w.Code, w.Body)
			}
		}
		if lead := s.Leads()[0]; lead.ID != id || lead.Fields["phone"] != "918123456789" {
			t.Errorf("the lead %s has become %s", id, lead.ID)
		}
		if w := ask(t, s, leadPath+"/"+id+"?includeActions=true&limit=100", token, ""); w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) {
			t.Errorf("status %d with %s", w.Code, w.Body)
		}
	})
}
