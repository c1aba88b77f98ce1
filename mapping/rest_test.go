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
