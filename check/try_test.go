package check_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/trial"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// posted makes a form of names and values.
func posted(pairs ...string) *form.Form {
	f := new(form.Form)
	for i := 0; i < len(pairs); i += 2 {
		f.Entries = append(f.Entries, form.Entry{Name: pairs[i], Value: pairs[i+1]})
	}
	return f
}

// judged is the record of a handler that maps a post as the form says.
func judged(t *testing.T, f *check.Form, outcome trial.Outcome, body *form.Form) *trial.Record {
	t.Helper()
	m, err := mapping.New(mapping.Config{
		Fields: f.Fields, Set: f.Set, Actions: f.Actions, Unmapped: f.Unmapped, Identifier: "phone", Locale: mapping.Locale{Country: "IN"},
	})
	if err != nil {
		t.Fatal(err)
	}
	expand := strings.NewReplacer("{env.SECRET}", "hush", "{form.name}", body.First("name"), "{query.utm_source}", "").Replace
	return &trial.Record{Form: f.Name, Outcome: outcome, Posted: body, Draft: m.Lead(body, expand, nil)}
}

func explained(t *testing.T, f *check.Form, record *trial.Record) *check.Trial {
	t.Helper()
	post := trial.Post{URL: "https://www.example.com/enquire", Header: http.Header{"Referer": {"https://www.example.com/contact"}}}
	return check.Explain(f, post, record)
}

func TestExplain(t *testing.T) {
	t.Parallel()
	f := newSite(t).form
	f.Account.EnterpriseID = "66aa00bb11cc22dd33ee44ff"
	f.Unmapped = "more"
	f.Set = append(f.Set,
		mapping.Setting{Name: "title", Value: "Lead of {form.name}"}, mapping.Setting{Name: "key", Value: "k-{env.SECRET}"},
		mapping.Setting{Name: "campaign", Value: "{query.utm_source}"})
	record := judged(t, f, trial.Sent, posted("name", "Ravi Menon", "phone", "081234 56789", "consent", "Yes", "message", "Call me", "city", "Pune", "blank", " ",
		"_gotcha", "", "g-recaptcha-response", "y", "card_number", "4111"))
	record.Posted.Files = []string{"bill"}
	record.Guards = []trial.Guard{{Name: "origins", Result: trial.Passes}}
	record.Signals = guard.Opinion{{Reason: "sent by a program", Weight: 2}}
	got := explained(t, f, record)
	inputs := []check.TriedInput{
		{Name: "name", Value: "Ravi Menon", Becomes: []string{"name", "title"}},
		{Name: "phone", Value: "081234 56789", Becomes: []string{"phone"}},
		{Name: "consent", Value: "Yes", Becomes: []string{"consent"}},
		{Name: "message", Value: "Call me", Becomes: []string{"message", "action 1042 note"}},
		{Name: "city", Value: "Pune", Becomes: []string{"more"}},
		{Name: "blank", Value: " ", Reason: "it is empty"},
		{Name: "_gotcha", Reason: "it is a trap; people leave it empty"},
		{Name: "g-recaptcha-response", Value: "y", Reason: "it is for a form service or a captcha"},
		{Name: "card_number", Value: "(not shown)", Reason: "its name says that it is a secret"},
	}
	if diff := cmp.Diff(inputs, got.Inputs); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	reasons := make(map[string]string)
	for _, v := range got.Values {
		reasons[v.Field] = v.Reason
	}
	for field, want := range map[string]string{
		"name": "input name", "phone": "input phone, as written in IN", "product": "the input product was not sent", "status": "set", "title": "set Lead of {form.name}",
		"key": "set; the value is not shown", "campaign": "set {query.utm_source} is empty here, or not a valid text",
		"action 1042 note": "input message", "more": "unmapped: city",
	} {
		if reasons[field] != want {
			t.Errorf("%s: got reason %q, want %q", field, reasons[field], want)
		}
	}
	if got.Score != 2 || len(got.Signals) != 1 || got.Outcome != trial.Sent || got.Page != "https://www.example.com/contact" || !cmp.Equal(got.Files, []string{"bill"}) {
		t.Errorf("got %+v", got)
	}
	if got.Request == nil || got.Request.URL != "https://next.telecrm.in/autoupdate/v2/enterprise/66aa00bb11cc22dd33ee44ff/lead" {
		t.Fatalf("got request %+v", got.Request)
	}
	all, err := json.Marshal(got)
	if err != nil || strings.Contains(string(all), "hush") || strings.Contains(string(all), "4111") || got.Request.Lead.Fields["key"] != "k-{env.SECRET}" {
		t.Errorf("a secret is shown, error %v: %s", err, all)
	}
	if record.Draft.Lead.Fields["key"] != "k-hush" {
		t.Error("the record was changed")
	}
}

// Leads that go through the Async API have another request.
func TestExplainAsync(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*check.Form){
		"upsert":      func(f *check.Form) { f.OnDuplicate = "upsert" },
		"only async":  func(f *check.Form) { f.Account.IsAsync = true },
		"another one": func(f *check.Form) { f.OnDuplicate, f.Account.AsyncBaseURL = "upsert", "http://localhost:8081/" },
	} {
		f := newSite(t).form
		change(f)
		got := explained(t, f, judged(t, f, trial.Sent, posted("phone", "8123456789", "name", "x", "consent", "yes")))
		if got.Request == nil || !strings.HasSuffix(got.Request.URL, "/autoupdatelead") || strings.Contains(got.Request.URL, "//enterprise") {
			t.Errorf("%s: got request %+v", name, got.Request)
		}
	}
}

func TestExplainProblems(t *testing.T) {
	t.Parallel()
	f := newSite(t).form
	got := explained(t, f, judged(t, f, "invalid", posted("phone", "12", "product", "Wind", "visit", "05/12/2026")))
	codes := make(map[string]string)
	for _, p := range got.Problems {
		codes[p.Input] = p.Code
		if p.Message == "" {
			t.Errorf("%s does not have a message", p.Input)
		}
	}
	for input, want := range map[string]string{"name": "REQUIRED_FIELD_MISSING", "product": "NOT_AN_OPTION", "consent": "REQUIRED_FIELD_MISSING"} {
		if codes[input] != want {
			t.Errorf("%s: got %q, want %q", input, codes[input], want)
		}
	}
	if got.Request != nil {
		t.Errorf("got request %+v", got.Request)
	}
	for _, v := range got.Values {
		if v.Field == "phone" && v.Reason != "the input phone must be corrected" {
			t.Errorf("got %+v", v)
		}
	}
	unread := explained(t, f, &trial.Record{Form: f.Name, Outcome: "not_a_form", Reason: "reading form: no"})
	if unread.Reason == "" || len(unread.Values) > 0 || unread.Request != nil {
		t.Errorf("got %+v", unread)
	}
}
