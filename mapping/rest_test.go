package mapping_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The remark about an unmapped value that was cut is for values that are forwarded, and says how
// much of one is.
func TestUnmappedValueThatIsTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", form.MostCharacters+1)
	m, err := mapping.New(mapping.Config{Fields: []mapping.Field{{Name: "name"}}, Identifier: "name", Unmapped: "more"})
	if err != nil {
		t.Fatal(err)
	}
	m.Ignore([]string{"leave_empty"})
	cut := []telecrm.Remark{{Field: "fields.more", Status: "CHANGED", Text: "an unmapped value was cut to 10000 characters"}}
	for input, want := range map[string][]telecrm.Remark{
		"signature": cut, "__VIEWSTATE": nil, "csrf_token": nil, "leave_empty": nil, "g-recaptcha-response": nil,
	} {
		posted := &form.Form{Entries: []form.Entry{{Name: "city", Value: "Pune"}}, Skipped: []form.Entry{{Name: input, Value: long}}}
		draft := m.Lead(posted, func(template string) string { return template }, nil)
		if diff := cmp.Diff(want, draft.Remarks); diff != "" {
			t.Errorf("%s (-want +got):\n%s", input, diff)
		}
		if text := draft.Lead.Fields["more"].(string); !strings.HasPrefix(text, "City: Pune") || strings.Contains(text, "é") != (want != nil) {
			t.Errorf("%s: %.40q is forwarded", input, text)
		}
	}
}

// What visitors sent for a value that is put together is not lost if it is not one of its type.
func TestInvalidSettingIsForwardedAsText(t *testing.T) {
	t.Parallel()
	date := mapping.Setting{Name: "visit_date", Value: "{form.day}/{form.month}/{form.year}", Type: "date"}
	note := mapping.Action{Code: "1042", Fields: []mapping.Field{{Name: "note", Input: "message"}}}
	for name, test := range map[string]struct {
		config mapping.Config
		fields map[string]any
		note   any
		remark string
	}{
		"unmapped": {mapping.Config{Set: []mapping.Setting{date}, Unmapped: "more"}, map[string]any{"more": "Visit date: 31/2/2027"}, nil, "added to fields.more"},
		"note":     {mapping.Config{Set: []mapping.Setting{date}, Actions: []mapping.Action{note}}, map[string]any{}, "Hello\nVisit date: 31/2/2027", "added to actions[0].fields.note"},
		"nowhere":  {mapping.Config{Set: []mapping.Setting{date}}, map[string]any{}, nil, "left out, because"},
		"of an action": {
			mapping.Config{Actions: []mapping.Action{{Code: "1042", Fields: note.Fields, Set: []mapping.Setting{date}}}},
			map[string]any{},
			"Hello\nVisit date: 31/2/2027", "added to actions[0].fields.note",
		},
		"tags": {
			mapping.Config{Set: []mapping.Setting{{Name: "stars", Value: "{form.day}", Type: "rating"}}, Unmapped: "more"},
			map[string]any{"more": "Stars: 31"},
			nil, "added to fields.more",
		},
		"without an input": {
			mapping.Config{Set: []mapping.Setting{{Name: "visit_date", Value: "{form}", Type: "date"}}, Unmapped: "more"}, map[string]any{}, nil, "TYPE_DATE",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draft := lead(t, test.config, "day", "31", "month", "2", "year", "2027", "message", "Hello")
			delete(draft.Lead.Fields, "id")
			if text, _ := draft.Lead.Fields["more"].(string); text != "" { // beside the others
				draft.Lead.Fields["more"] = text[strings.LastIndex(text, "\n")+1:]
			}
			if name == "without an input" {
				delete(draft.Lead.Fields, "more")
			}
			if diff := cmp.Diff(test.fields, draft.Lead.Fields); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if test.note != nil && draft.Lead.Actions[0].Fields["note"] != test.note {
				t.Errorf("note %q, want %q", draft.Lead.Actions[0].Fields["note"], test.note)
			}
			if len(draft.Remarks) != 1 || draft.Remarks[0].Status != "NOT_SENT" || !strings.Contains(draft.Remarks[0].Text, test.remark) || strings.Contains(draft.Remarks[0].Text, "31") {
				t.Errorf("remarks %v, want %q", draft.Remarks, test.remark)
			}
		})
	}
}
