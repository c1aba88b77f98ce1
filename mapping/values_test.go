package mapping_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// lead maps a form of names and values, as the handler does.
func lead(t *testing.T, config mapping.Config, pairs ...string) mapping.Draft {
	t.Helper()
	return leadOffered(t, config, nil, pairs...)
}

// leadOffered maps a form whose page offers values.
func leadOffered(t *testing.T, config mapping.Config, offers mapping.Offers, pairs ...string) mapping.Draft {
	t.Helper()
	if config.Identifier == "" {
		config.Identifier = "id"
		config.Set = append([]mapping.Setting{{Name: "id", Value: "1"}}, config.Set...)
	}
	m, err := mapping.New(config)
	if err != nil {
		t.Fatal(err)
	}
	posted := new(form.Form)
	for i := 0; i < len(pairs); i += 2 {
		posted.Entries = append(posted.Entries, form.Entry{Name: pairs[i], Value: pairs[i+1]})
	}
	return m.Lead(posted, func(template string) string {
		for _, entry := range posted.Entries {
			template = strings.ReplaceAll(template, "{form."+entry.Name+"}", strings.Join(posted.Values(entry.Name), ", "))
		}
		return unknownInput.ReplaceAllString(template, "")
	}, offers)
}

var unknownInput = regexp.MustCompile(`\{form\.\w+\}`)

func TestDateOrderOfTheInnermost(t *testing.T) {
	t.Parallel()
	may := time.Date(2026, time.May, 12, 0, 0, 0, 0, time.UTC).UnixMilli()
	december := time.Date(2026, time.December, 5, 0, 0, 0, 0, time.UTC).UnixMilli()
	config := mapping.Config{
		Fields: []mapping.Field{
			{Name: "visit", Type: "date"},
			{Name: "arrival", Input: "visit", Type: "date", DateOrder: "mdy"},
		},
		Set:     []mapping.Setting{{Name: "joined", Value: "{form.d}/{form.m}/{form.y}", Type: "date"}},
		Actions: []mapping.Action{{Code: "1042", Fields: []mapping.Field{{Name: "visit", Type: "date"}}}},
		Locale:  mapping.Locale{DateOrder: fieldtype.DayFirst},
	}
	draft := lead(t, config, "visit", "05/12/2026", "d", "5", "m", "12", "y", "2026")
	want := map[string]any{"id": "1", "visit": december, "arrival": may, "joined": december}
	if diff := cmp.Diff(want, draft.Lead.Fields); diff != "" || len(draft.Problems)+len(draft.Remarks) > 0 {
		t.Errorf("fields (-want +got):\n%s%v %v", diff, draft.Problems, draft.Remarks)
	}
	if got := draft.Lead.Actions[0].Fields["visit"]; got != december {
		t.Errorf("action: got %v, want %d", got, december)
	}

	draft = lead(t, config, "visit", "", "d", "", "m", "", "y", "")
	if diff := cmp.Diff(map[string]any{"id": "1"}, draft.Lead.Fields); diff != "" || len(draft.Problems)+len(draft.Remarks) > 0 {
		t.Errorf("fields of an empty form (-want +got):\n%s%v %v", diff, draft.Problems, draft.Remarks)
	}

	config.Locale.DateOrder = ""
	draft = lead(t, config, "visit", "05/12/2026")
	if len(draft.Problems) != 2 || draft.Problems[0].Code != fieldtype.TypeDate || draft.Lead.Fields["arrival"] != may {
		t.Errorf("without an order: got %v and problems %v", draft.Lead.Fields, draft.Problems)
	}
}

func TestDateOrderOfAnotherTypeIsAnError(t *testing.T) {
	t.Parallel()
	for _, field := range []mapping.Field{{Name: "id", Type: "text", DateOrder: "dmy"}, {Name: "id", Type: "date", DateOrder: "dym"}} {
		if _, err := mapping.New(mapping.Config{Fields: []mapping.Field{field}, Identifier: "id"}); err == nil {
			t.Errorf("%+v is accepted", field)
		}
	}
}

// TestTagsOfSetAreNotSplit ticks boxes with commas in their values.
func TestTagsOfSetAreNotSplit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		template string
		ticked   []string
		want     []string
	}{
		{"{form.interests}", []string{"Subsidy", "Other, misc"}, []string{"Subsidy", "Other, misc"}},
		{"Website, {form.interests}", []string{"Subsidy", "Other, misc"}, []string{"Website", "Subsidy", "Other, misc"}},
		{"{form.interests},VIP", []string{"Pune, MH", "Goa"}, []string{"Pune, MH", "Goa", "VIP"}},
		{"Website, {form.interests}", nil, []string{"Website"}},
		{"{form.interests}", []string{"a, b"}, []string{"a", "b"}}, // a text input
		{"from {form.interests}", []string{"a", "b"}, []string{"from a", "b"}},
		{"{form.interests} ,", []string{"a", "b,c"}, []string{"a", "b,c"}},
		{"North, South", nil, []string{"North", "South"}},
	} {
		var pairs []string
		for _, value := range tt.ticked {
			pairs = append(pairs, "interests", value)
		}
		draft := lead(t, mapping.Config{Set: []mapping.Setting{{Name: "tags", Value: tt.template, Type: "tags"}}}, append(pairs, "x", "y")...)
		if diff := cmp.Diff(any(tt.want), draft.Lead.Fields["tags"]); diff != "" {
			t.Errorf("%q of %q (-want +got):\n%s", tt.template, tt.ticked, diff)
		}
	}
}

func TestBlankOfField(t *testing.T) {
	t.Parallel()
	config := mapping.Config{Fields: []mapping.Field{
		{Name: "town", Type: "dropdown", Options: []string{"Pune", "Delhi"}, Blank: []string{"Bitte wählen"}},
		{Name: "note", Blank: []string{"none"}},
		{Name: "size", Type: "number", Required: true},
	}}
	draft := lead(t, config, "town", "bitte wählen", "note", "None", "size", "-None-")
	if len(draft.Problems) != 1 || draft.Problems[0].Code != fieldtype.RequiredEmpty || draft.Problems[0].Input != "size" || len(draft.Lead.Fields) != 1 {
		t.Errorf("got %v and problems %v", draft.Lead.Fields, draft.Problems)
	}
	draft = lead(t, config, "town", "--None--", "note", "-None-", "size", "5")
	if _, given := draft.Lead.Fields["town"]; given || draft.Lead.Fields["note"] != "-None-" || len(draft.Problems) > 0 {
		t.Errorf("got %v and problems %v", draft.Lead.Fields, draft.Problems)
	}
}

func TestPhoneOfAListAndAnInput(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"{form.code}{form.number}", "{form.code} {form.number}", "{form.code}-{form.number}"} {
		for _, code := range []string{"+91", "0091", "91", "(+91)"} {
			for typed, want := range map[string]string{
				"81234 56789": "918123456789", "081234 56789": "918123456789", "+91 81234 56789": "918123456789", "0091 81234 56789": "918123456789",
				"91 81234 56789": "918123456789", "+91-8123456789": "918123456789", "+1 201-555-0123": "12015550123", "+44 7400 123456": "447400123456", "001 201-555-0123": "12015550123",
			} {
				config := mapping.Config{
					Set:        []mapping.Setting{{Name: "phone", Value: template}},
					Identifier: "phone",
					Locale:     mapping.Locale{Country: "IN"},
				}
				draft := lead(t, config, "code", code, "number", typed)
				if got := draft.Lead.Fields["phone"]; got != want {
					t.Errorf("%s of %q and %q: got %v, want %s", template, code, typed, got, want)
				}
			}
		}
	}
}
