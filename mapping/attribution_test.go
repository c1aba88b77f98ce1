package mapping

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/form"
)

func attributed(t *testing.T, a *Attribution, set ...Setting) (*Mapping, Draft) {
	t.Helper()
	m, err := New(Config{Fields: []Field{{Name: "phone"}}, Set: set, Attribution: a, Identifier: "phone", Locale: Locale{Country: "IN"}})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{
		"{telecrm.first.utm_source}": "google", "{telecrm.last.utm_source}": "{env.HOME}", "{telecrm.last.channel}": "Paid Search", "{telecrm.visits}": "2",
		"{telecrm.first.ref}": "friend",
	}
	posted := &form.Form{Entries: []form.Entry{{Name: "phone", Value: "081234 56789"}}}
	return m, m.Lead(posted, func(template string) string { return known[template] }, nil)
}

// The values that there are become fields with the prefix. They are optional unless they are
// listed, and never replace what the form sets itself.
func TestAttribution(t *testing.T) {
	m, draft := attributed(t, &Attribution{Prefix: "web_"}, Setting{Name: "web_last_channel", Value: "fixed"})
	want := map[string]any{
		"phone": "918123456789", "web_first_utm_source": "google", "web_last_utm_source": "{env.HOME}", "web_last_channel": "fixed", "web_visits": "2",
	}
	if diff := cmp.Diff(want, draft.Lead.Fields); diff != "" {
		t.Error(diff)
	}
	got := m.Optional(draft.Lead)
	slices.Sort(got)
	if diff := cmp.Diff([]string{"web_first_utm_source", "web_last_utm_source", "web_visits"}, got); diff != "" {
		t.Errorf("optional: %s", diff)
	}
	if labels := m.RemarkLabels(); labels["fields.web_first_utm_source"] != "" || labels["fields.web_last_channel"] == "" {
		t.Errorf("got labels %v", labels)
	}
	m, draft = attributed(t, &Attribution{Fields: []string{"first_ref", "last_channel"}})
	if diff := cmp.Diff(map[string]any{"phone": "918123456789", "first_ref": "friend", "last_channel": "Paid Search"}, draft.Lead.Fields); diff != "" {
		t.Error(diff)
	}
	if got := m.Optional(draft.Lead); len(got) > 0 {
		t.Errorf("listed ones are optional: %q", got)
	}
}

func TestAttributionMistakes(t *testing.T) {
	for want, c := range map[string]Config{
		`got "utm_source"`:             {Attribution: &Attribution{Fields: []string{"utm_source"}}},
		`got "first_"`:                 {Attribution: &Attribution{Fields: []string{"first_"}}},
		`got "first_{env.HOME}"`:       {Attribution: &Attribution{Fields: []string{"first_{env.HOME}"}}},
		"last_channel: is given twice": {Attribution: &Attribution{Fields: []string{"last_channel", "last_channel"}}},
	} {
		c.Fields, c.Identifier, c.Locale = []Field{{Name: "phone"}}, "phone", Locale{Country: "IN"}
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want one with %s", err, want)
		}
	}
	if err := (&Attribution{}).Check(false); err == nil {
		t.Error("an account without a token cannot tell which fields there are")
	}
}
