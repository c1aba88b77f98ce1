package check_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/form"
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

func TestTry(t *testing.T) {
	t.Parallel()
	f := newSite(t).form
	f.Set = append(f.Set, mapping.Setting{Name: "page_url", Value: "{http.request.header.Referer}", Type: "website"}, mapping.Setting{Name: "title", Value: "Lead of {form.name}"})
	got, err := check.Try(f, posted("name", "Ravi Menon", "phone", "081234 56789", "consent", "Yes", "message", "Call me", "city", "Pune", "_gotcha", "x", "g-recaptcha-response", "y", "card_number", "z"))
	if err != nil {
		t.Fatal(err)
	}
	inputs := []check.TriedInput{
		{Name: "name", Value: "Ravi Menon", Becomes: []string{"name", "title"}},
		{Name: "phone", Value: "081234 56789", Becomes: []string{"phone"}},
		{Name: "consent", Value: "Yes", Becomes: []string{"consent"}},
		{Name: "message", Value: "Call me", Becomes: []string{"message", "action 1042 note"}},
		{Name: "city", Value: "Pune", Reason: "no line of the config takes it"},
		{Name: "_gotcha", Value: "x", Reason: "it is a trap; people leave it empty"},
		{Name: "g-recaptcha-response", Value: "y", Reason: "it is for a form service or a captcha"},
		{Name: "card_number", Value: "z", Reason: "its name says that it is a secret"},
	}
	if diff := cmp.Diff(inputs, got.Inputs); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
	if got.Trap != "_gotcha" || len(got.Problems) > 0 || !cmp.Equal(got.Empty, []string{"{http.request.header.Referer}"}) {
		t.Errorf("got trap %q, problems %v, empty placeholders %q", got.Trap, got.Problems, got.Empty)
	}
	lead, err := json.Marshal(got.Lead)
	const want = `{"fields":{"assignee":"agent7@example.org","consent":"yes","message":"Call me","name":"Ravi Menon","phone":"918123456789","source":"Website","status":"Fresh","title":"Lead of Ravi Menon"},` +
		`"actions":[{"fields":{"note":"Call me","slot":"Morning"},"type":"1042"}]}`
	if err != nil || string(lead) != want {
		t.Errorf("got %s, error %v; want %s", lead, err, want)
	}
}

func TestTryWithProblems(t *testing.T) {
	t.Parallel()
	got, err := check.Try(newSite(t).form, posted("phone", "12", "product", "Wind", "visit", "05/12/2026"))
	if err != nil {
		t.Fatal(err)
	}
	codes := make(map[string]string)
	for _, p := range got.Problems {
		codes[p.Input] = p.Code
		if p.Message == "" {
			t.Errorf("%s does not have a message", p.Input)
		}
	}
	want := map[string]string{"name": "REQUIRED_FIELD_MISSING", "phone": "PHONE_TOO_SHORT", "product": "NOT_AN_OPTION", "visit": "TYPE_DATE", "consent": "REQUIRED_FIELD_MISSING"}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	f := newSite(t).form
	f.Honeypot, f.Unmapped, f.TimeZone = []string{"url2"}, "more", "Nowhere/Here"
	if _, err := check.Try(f, posted()); err == nil {
		t.Error("an unknown time zone is accepted")
	}
	f.TimeZone = ""
	if got, err = check.Try(f, posted("url2", " ", "city", "Pune")); err != nil || got.Trap != "" || !cmp.Equal(got.Inputs[1].Becomes, []string{"more"}) || got.Lead.Fields["more"] != "City: Pune" {
		t.Errorf("got %+v, error %v", got, err)
	}
}
