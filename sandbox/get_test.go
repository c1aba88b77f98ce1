package sandbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

func TestGet(t *testing.T) {
	t.Parallel()
	const fields = `"fields":{"phone":"918123456789","name":"Ravi Menon","status":"Won","source":"Expo"}`
	first := fmt.Sprintf(`{"type":"1042","fields":{"note":"first"},"creationTimestamp":%d}`, noon.UnixMilli())
	payment := fmt.Sprintf(`{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":"1","creationTimestamp":%d}`, noon.UnixMilli())
	live := func(c *sandbox.Config) { c.LiveShapes = true }
	for _, tt := range []struct {
		name   string
		config func(*sandbox.Config)
		query  string
		status int
		answer string
	}{
		{"fields alone", withAsync, "", 200, `{` + fields + `}`},
		{"actions refused", withAsync, "?includeActions=false&skip=0&limit=20", 200, `{` + fields + `}`},
		{
			"with actions", withAsync, "?includeActions=true", 200,
			`{` + fields + `,"actions":[` + first + `,` + payment + `],"actions_skip":0,"actions_limit":10}`,
		},
		{
			"one page", withAsync, "?includeActions=true&skip=1&limit=1", 200,
			`{` + fields + `,"actions":[` + payment + `],"actions_skip":1,"actions_limit":1}`,
		},
		{
			"behind the last page", withAsync, "?includeActions=true&skip=7&limit=100", 200,
			`{` + fields + `,"actions":[],"actions_skip":7,"actions_limit":100}`,
		},
		{
			"as seen live", live, "?includeActions=true", 200,
			`{"status":"Won","fields":{"phone":"918123456789","name":"Ravi Menon","source":"Expo"},"actions":[` +
				strings.Replace(first, "1042", "ACTION_1042", 1) + `,` + payment + `],"actions_skip":0,"actions_limit":10}`,
		},
		{"limit beyond all", withAsync, "?includeActions=true&limit=101", 400, "BAD_REQUEST"},
		{"no limit at all", withAsync, "?limit=0", 400, "BAD_REQUEST"},
		{"negative skip", withAsync, "?skip=-1", 400, "BAD_REQUEST"},
		{"flag that is none", withAsync, "?includeActions=yes", 400, "BAD_REQUEST"},
		{"malformed query", withAsync, "?includeActions=%zz", 400, "BAD_REQUEST"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, id := newKnown(t, tt.config)
			ask(t, s, leadPath+"/"+id+"/action", token, `{"actions":[{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":"1"}]}`)
			checkAnswer(t, ask(t, s, leadPath+"/"+id+tt.query, token, ""), tt.status, tt.answer)
			if s.Count(sandbox.OpGet) != 1 {
				t.Errorf("%d reads, want 1", s.Count(sandbox.OpGet))
			}
		})
	}
}

func TestCustomFields(t *testing.T) {
	t.Parallel()
	schema := &sandbox.Schema{
		Identifier: "email",
		Fields: []sandbox.Field{
			{APIName: "email", Type: sandbox.TypeEmail},
			{APIName: "source", Type: sandbox.TypeDropdown, Options: []string{"Website", "Expo"}, LockAfterCreate: true},
		},
	}
	const summary = `{"customFields":[
		{"type":"EMAIL","apiName":"email","lockAfterCreate":false,"isLeadid":true},
		{"type":"DROPDOWN","apiName":"source","lockAfterCreate":true,"isLeadid":false,"options":["Website","Expo"]}]}`
	for query, want := range map[string]string{"": summary, "?detail=false": summary, "?detail=1": "BAD_REQUEST"} {
		s := newSandbox(t, func(c *sandbox.Config) { c.Schema = schema })
		status := 200
		if want != summary {
			status = 400
		}
		checkAnswer(t, ask(t, s, syncRoot+"/custom-fields"+query, token, ""), status, want)
	}
	s := newSandbox(t, func(c *sandbox.Config) { c.Schema = schema })
	var detailed struct {
		CustomFields []struct {
			ID, APIName, Description string
			LockAfterCreate          bool
			Options                  []struct{ ID, Label string }
		}
	}
	w := ask(t, s, syncRoot+"/custom-fields?detail=true", token, "")
	if err := json.Unmarshal(w.Body.Bytes(), &detailed); err != nil || len(detailed.CustomFields) != 2 {
		t.Fatalf("answered %s: %v", w.Body, err)
	}
	source := detailed.CustomFields[1]
	if !idSyntax.MatchString(source.ID) || source.Description == "" || !source.LockAfterCreate || len(source.Options) != 2 ||
		source.Options[1].Label != "Expo" || !idSyntax.MatchString(source.Options[1].ID) {
		t.Errorf("answered %s", w.Body)
	}
}
