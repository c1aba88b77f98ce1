package sandbox_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

type created struct {
	LeadID  *string `json:"lead_id"`
	Actions []struct {
		ActionID *string `json:"action_id"`
		Status   string  `json:"status"`
	} `json:"actions"`
	Remarks []sandbox.Remark `json:"remarks"`
}

var idSyntax = regexp.MustCompile(`^[0-9a-f]{24}$`)

func mustCreate(t *testing.T, s *sandbox.Sandbox, body string) created {
	t.Helper()
	w := create(t, s, body)
	if w.Code != http.StatusCreated {
		t.Fatalf("status %d with %s, want 201", w.Code, w.Body)
	}
	var answer created
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestCreateAnswer(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	answer := mustCreate(t, s, `{
		"fields": {"phone":"918123456789","name":"Ravi Menon","rating":4,"interests":["Subsidy","Financing"],"nickname":"R"},
		"actions": [
			{"type":"1042","fields":{"note":"After 5 pm","slot":"Evening","colour":"red"}},
			{"type":"7"},
			{"type":"PAYMENT","status":"PENDING","currency":"INR","amount":"2499"},
			{"type":"1043"}
		]}`)
	leads := s.Leads()
	if len(leads) != 1 {
		t.Fatalf("%d leads, want 1", len(leads))
	}
	lead := leads[0]
	remarks := []sandbox.Remark{
		{Field: "fields.nickname", Status: "IGNORED", Remark: "Field does not exist"},
		{Field: "actions[0].fields.colour", Status: "IGNORED", Remark: "Field does not exist"},
		{Field: "actions[1].type", Status: "IGNORED", Remark: "Action type does not exist"},
	}
	want := sandbox.Lead{
		ID:        lead.ID,
		CreatedAt: noon,
		Fields: map[string]any{
			"phone": "918123456789", "name": "Ravi Menon", "rating": json.Number("4"),
			"interests": []any{"Subsidy", "Financing"},
		},
		Actions: []sandbox.Action{
			{Type: "1042", Fields: map[string]any{"note": "After 5 pm", "slot": "Evening"}},
			{Type: "PAYMENT", Fields: map[string]any{"status": "PENDING", "currency": "INR", "amount": "2499"}},
			{Type: "1043", Fields: map[string]any{}},
		},
		Changes:    []sandbox.Change{},
		Remarks:    remarks,
		NewOptions: []string{},
	}
	for i := range min(len(want.Actions), len(lead.Actions)) {
		want.Actions[i].ID, want.Actions[i].CreatedAt = lead.Actions[i].ID, noon
	}
	if diff := cmp.Diff(want, lead); diff != "" {
		t.Errorf("stored lead (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(remarks, answer.Remarks); diff != "" {
		t.Errorf("answered remarks (-want +got):\n%s", diff)
	}
	if answer.LeadID == nil || *answer.LeadID != lead.ID || !idSyntax.MatchString(lead.ID) {
		t.Errorf("lead_id %v, stored %q, want the same 24 hexadecimal digits", answer.LeadID, lead.ID)
	}
	stored := lead.Actions
	for i, status := range []string{"CREATED", "IGNORED", "CREATED", "CREATED"} {
		got := answer.Actions[i]
		if got.Status != status || (got.ActionID == nil) != (status == "IGNORED") {
			t.Errorf("action %d: %+v, want %s", i, got, status)
		}
		if got.ActionID != nil {
			if *got.ActionID != stored[0].ID || !idSyntax.MatchString(*got.ActionID) {
				t.Errorf("action %d: id %q, stored %q", i, *got.ActionID, stored[0].ID)
			}
			stored = stored[1:]
		}
	}
}

func TestCreateAnswersEmptyLists(t *testing.T) {
	t.Parallel()
	var raw map[string]json.RawMessage
	w := create(t, newSandbox(t), phoneBody(1))
	if err := json.Unmarshal(w.Body.Bytes(), &raw); err != nil {
		t.Fatal(err)
	}
	if string(raw["actions"]) != "[]" || string(raw["remarks"]) != "[]" || len(raw) != 3 {
		t.Errorf("answer %s, want lead_id and two empty lists", w.Body)
	}
}

func TestCreateRefusesBody(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty":               ``,
		"not JSON":            `{"fields":`,
		"not closed":          `{"fields":{"phone":"918123456789"}`,
		"two values":          `{"fields":{"phone":"918123456789"}} {}`,
		"trailing garbage":    `{"fields":{"phone":"918123456789"}}x`,
		"invalid UTF-8":       "{\"fields\":{\"phone\":\"918123456789\",\"name\":\"\xff\"}}",
		"array":               `[]`,
		"null":                `null`,
		"string":              `"fields"`,
		"empty object":        `{}`,
		"fields null":         `{"fields":null}`,
		"fields array":        `{"fields":[]}`,
		"actions null":        `{"fields":{"phone":"918123456789"},"actions":null}`,
		"actions object":      `{"fields":{"phone":"918123456789"},"actions":{}}`,
		"unknown key":         `{"fields":{"phone":"918123456789"},"lead":{}}`,
		"name twice":          `{"fields":{"phone":"918123456789","phone":"918123456789"}}`,
		"fields twice":        `{"fields":{"phone":"918123456789"},"fields":{"phone":"918123456789"}}`,
		"deeply nested":       `{"fields":{"phone":"918123456789"},"actions":` + strings.Repeat("[", 1<<18),
		"no identifier":       `{"fields":{"name":"Ravi Menon"}}`,
		"identifier empty":    `{"fields":{"phone":""}}`,
		"identifier null":     `{"fields":{"phone":null}}`,
		"identifier number":   `{"fields":{"phone":918123456789}}`,
		"identifier short":    `{"fields":{"phone":"12345"}}`,
		"identifier spaced":   `{"fields":{"phone":"+91 81234 56789"}}`,
		"identifier in caps":  `{"fields":{"Phone":"918123456789"}}`,
		"identifier too long": `{"fields":{"phone":"1234567890123456"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			w := create(t, s, body)
			if w.Code != http.StatusBadRequest {
				t.Fatalf("status %d, want 400", w.Code)
			}
			if code := errorCode(t, w); code != "INVALID_LEAD" {
				t.Errorf("code %q, want INVALID_LEAD", code)
			}
			if strings.Contains(w.Body.String(), "81234") || strings.Contains(w.Body.String(), "12345") {
				t.Errorf("%s repeats a value", w.Body)
			}
			if len(s.Leads()) != 0 {
				t.Error("a refused request stored a lead")
			}
		})
	}
}

func TestFieldValues(t *testing.T) {
	t.Parallel()
	const long = "918123456789"
	for field, values := range map[string]struct{ accepted, dropped []string }{
		"name": {
			accepted: []string{`"Ravi Menon"`, `" "`, `"रवि"`, `"a\nb"`, `"<script>"`},
			dropped:  []string{`""`, `null`, `1`, `true`, `["Ravi"]`, `{"first":"Ravi"}`},
		},
		"rating": {
			accepted: []string{`1`, `5`},
			dropped:  []string{`0`, `6`, `3.5`, `3.0`, `3e0`, `-1`, `"3"`, `null`, `true`, `[3]`},
		},
		"employees": {
			accepted: []string{`0`, `156`, `156.5`, `-2`, `1e3`},
			dropped:  []string{`"156"`, `1e999`, `true`, `null`, `[]`},
		},
		"budget": {
			accepted: []string{`"24999"`, `"24999.50"`, `"-5"`, `"0"`},
			dropped:  []string{`24999`, `"₹24999"`, `"24,999"`, `"24 999"`, `"1e3"`, `".5"`, `"5."`, `"NaN"`, `""`, `null`},
		},
		"interests": {
			accepted: []string{`["Subsidy"]`, `["Subsidy","Subsidy"]`, `["Something new"]`},
			dropped:  []string{`"Subsidy, Financing"`, `[]`, `[""]`, `["Subsidy",1]`, `[null]`, `[["Subsidy"]]`, `null`},
		},
		"visit_date": {
			accepted: []string{`1767240000000`, `631152000000`, `-315619200000`, `"01/06/2026"`, `"31/12/2026 23:59:59"`},
			dropped: []string{
				`1767240000000000`, `1767240000000.5`, `"1767240000000"`, `"2026-06-01"`,
				`"2026-06-01T10:30:00Z"`, `"1/6/2026"`, `"31/02/2026"`, `"12/31/2026"`, `"01/06/2026 10:30"`,
				`"01/06/2026 1:30:00"`, `"01/06/2026 10:30:00.5"`, `""`, `null`, `99999999999999999999`, `-9223372036854775808`,
			},
		},
		"callback_phone": {
			accepted: []string{`"` + long + `"`, `"+918123456789"`, `"1234567"`, `"123456789012345"`, `"+447400123456"`},
			dropped: []string{
				`"123456"`, `"1234567890123456"`, `"81234 56789"`, `"81234-56789"`, `"(201)5550123"`, `"++918123456789"`,
				`"918123456789+"`, `"+0123456789"`, `"९१८१२३४५६"`, `"` + long + `\n"`, `918123456789`, `""`, `null`,
			},
		},
		"work_email": {
			accepted: []string{`"ravi@example.org"`, `"ravi+solar@mail.example.org"`, `" ravi@example.org "`},
			dropped: []string{
				`"ravi"`, `"ravi@"`, `"@example.org"`, `"ravi@example"`, `"Ravi <ravi@example.org>"`, `"a@example.org,b@example.org"`,
				`"ravi menon@example.org"`, `"` + strings.Repeat("a", 250) + `@example.org"`, `""`, `null`, `1`,
			},
		},
		"product": {
			accepted: []string{`"Rooftop solar"`, `"A label nobody has set up"`},
			dropped:  []string{`""`, `null`, `["Rooftop solar"]`, `1`},
		},
		"status": {
			accepted: []string{`"Fresh"`, `"Lost"`},
			dropped:  []string{`"fresh"`, `"Archived"`, `""`, `null`, `1`},
		},
		"lost_reason": {
			accepted: []string{`"Too costly"`},
			dropped:  []string{`"too costly"`, `"Unheard of"`, `""`, `null`},
		},
		"assignee": {
			accepted: []string{`"agent7@example.org"`, `"Agent7@Example.org"`},
			dropped:  []string{`"agent8@example.org"`, `"agent7"`, `""`, `null`},
		},
		"website": {
			accepted: []string{`"https://example.org/a?b=c#d"`, `"http://example.org"`},
			dropped: []string{
				`"example.org"`, `"/a"`, `"//example.org/a"`, `"javascript:alert(1)"`, `"mailto:a@example.org"`, `"https://"`,
				`"https://:80"`, `"ht tp://example.org"`, `""`, `null`, `1`,
			},
		},
		"brochure": {
			accepted: []string{`"https://cdn.example.org/f.pdf"`},
			dropped:  []string{`"f.pdf"`, `["https://cdn.example.org/f.pdf"]`, `""`, `null`},
		},
		"City":    {dropped: []string{`"Pune"`}},
		"unknown": {dropped: []string{`"x"`, `1`, `null`}},
		"":        {dropped: []string{`"x"`}},
	} {
		for _, value := range values.accepted {
			t.Run(field+"="+value, func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				answer := mustCreate(t, s, fmt.Sprintf(`{"fields":{"phone":%q,%q:%s}}`, long, field, value))
				if len(answer.Remarks) != 0 {
					t.Errorf("remarks %+v, want none", answer.Remarks)
				}
				got, err := json.Marshal(s.Leads()[0].Fields[field])
				if err != nil {
					t.Fatal(err)
				}
				if !jsonEqual(t, string(got), value) {
					t.Errorf("stored %s, want %s", got, value)
				}
			})
		}
		for _, value := range values.dropped {
			t.Run(field+"!="+value, func(t *testing.T) {
				t.Parallel()
				s := newSandbox(t)
				answer := mustCreate(t, s, fmt.Sprintf(`{"fields":{"phone":%q,%q:%s}}`, long, field, value))
				if len(answer.Remarks) != 1 || answer.Remarks[0].Field != "fields."+field ||
					answer.Remarks[0].Status != "IGNORED" || answer.Remarks[0].Remark == "" {
					t.Errorf("remarks %+v, want one about fields.%s", answer.Remarks, field)
				}
				if diff := cmp.Diff(map[string]any{"phone": long}, s.Leads()[0].Fields); diff != "" {
					t.Errorf("stored fields (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func jsonEqual(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatal(err)
	}
	return cmp.Equal(x, y)
}

func TestNewOptions(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	answer := mustCreate(t, s, `{
		"fields":{"phone":"918123456789","source":"website","product":"Rooftop solar","contact_by":"Pigeon","interests":["New"]},
		"actions":[{"type":"1043"},{"type":"1042","fields":{"slot":"Night"}}]}`)
	want := []string{"contact_by", "source", "actions[1].fields.slot"}
	if diff := cmp.Diff(want, s.Leads()[0].NewOptions); diff != "" {
		t.Errorf("new options (-want +got):\n%s", diff)
	}
	if len(answer.Remarks) != 0 {
		t.Errorf("remarks %+v, want none: the label becomes an option", answer.Remarks)
	}
}

// TestNothingVanishes sends arbitrary values: each field is either stored as sent or has a remark,
// never both or neither.
func TestNothingVanishes(t *testing.T) {
	t.Parallel()
	schema := sandbox.DefaultSchema()
	names := []string{"unknown", "Name"}
	for _, field := range schema.Fields {
		names = append(names, field.APIName)
	}
	scalar := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.Int64(), func(v int64) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.Map(rapid.String(), func(v string) any { return v }),
		rapid.Map(rapid.SampledFrom([]string{"Fresh", "01/06/2026", "24999", "https://example.org"}), func(v string) any { return v }),
	)
	value := rapid.OneOf(scalar, rapid.Map(rapid.SliceOfN(scalar, 0, 3), func(v []any) any { return v }))
	rapid.Check(t, func(rt *rapid.T) {
		sent := rapid.MapOfN(rapid.SampledFrom(names), value, 0, 8).Draw(rt, "fields")
		sent["phone"] = "918123456789"
		body, err := json.Marshal(map[string]any{"fields": sent})
		if err != nil {
			rt.Fatal(err)
		}
		s, err := sandbox.New(sandbox.Config{Token: token, EnterpriseID: enterprise, Schema: schema})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, newRequest(t, string(body)))
		if w.Code != http.StatusCreated {
			rt.Fatalf("status %d", w.Code)
		}
		lead := s.Leads()[0]
		seen := slices.Collect(maps.Keys(lead.Fields))
		for _, remark := range lead.Remarks {
			seen = append(seen, strings.TrimPrefix(remark.Field, "fields."))
		}
		slices.Sort(seen)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(sent)), seen); diff != "" {
			rt.Fatalf("fields (-sent +accounted for):\n%s", diff)
		}
		for name, v := range lead.Fields {
			got, _ := json.Marshal(v)
			want, _ := json.Marshal(sent[name])
			if !jsonEqual(t, string(got), string(want)) {
				rt.Fatalf("%s stored as %s, sent as %s", name, got, want)
			}
		}
	})
}

func FuzzCreate(f *testing.F) {
	f.Add([]byte(phoneBody(1)))
	f.Add([]byte(`{"fields":{"phone":"918123456789"},"actions":[{"type":"PAYMENT"},null,[[]]]}`))
	f.Add([]byte(`{"a":1,`))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := create(t, newSandbox(t), string(body))
		if w.Code != http.StatusCreated && w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d", w.Code)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("answer %q is not JSON", w.Body)
		}
	})
}
