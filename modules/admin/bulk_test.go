package admin

import (
	"slices"
	"testing"
)

// A person is found by the number as it is typed into a form, with or without the country code.
func TestIdentifierSpellings(t *testing.T) {
	for text, want := range map[string][]string{
		"81234 56789":      {"81234 56789", "8123456789", "918123456789"},
		"081234-56789":     {"081234-56789", "08123456789", "918123456789"},
		"+91 81234 56789":  {"+91 81234 56789", "918123456789"},
		"918123456789":     {"918123456789"},
		"+1 201-555-0123":  {"+1 201-555-0123", "12015550123"},
		"Ravi@Example.org": {"ravi@example.org"},
		" 1042 ":           {"1042"},
		"":                 nil,
	} {
		if got, err := identifierSpellings(text, []string{"IN", "IN"}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is spelt %q, error %v; want %q", text, got, err, want)
		}
	}
	if got, err := identifierSpellings("81234 56789", []string{"IN", "US"}); err == nil {
		t.Errorf("a number of two countries is spelt %q", got)
	}
}
