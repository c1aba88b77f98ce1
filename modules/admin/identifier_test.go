package admin

import (
	"slices"
	"strings"
	"testing"
)

// A person is found by the number as it is typed into a form, with or without the country code.
func TestSpellings(t *testing.T) {
	for text, want := range map[string][]string{
		"81234 56789":        {"81234 56789", "8123456789", "918123456789"},
		"081234-56789":       {"081234-56789", "08123456789", "918123456789"},
		"81234 56789 ext. 7": {"81234 56789 ext. 7", "918123456789"},
		"tel:+918123456789":  {"918123456789", "tel:+918123456789"},
		"८१२३४ ५६७८९":        {"918123456789", "८१२३४ ५६७८९"},
		"+91 81234 56789":    {"+91 81234 56789", "918123456789"},
		"918123456789":       {"918123456789"},
		"+1 201-555-0123":    {"+1 201-555-0123", "12015550123"},
		"Ravi@Example.org":   {"ravi@example.org"},
		"Customer 17":        {"customer 17"},
		" 1042 ":             {"1042"},
		"-":                  {"-"},
	} {
		if got, err := spellings(text, []string{"IN", "IN"}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is spelt %q, error %v; want %q", text, got, err, want)
		}
	}
	if got, err := spellings(" \t", []string{"IN"}); err == nil {
		t.Errorf("a blank identifier is spelt %q", got)
	}
}

// The error for a number of two countries gets into Caddy's log, so it does not contain the number.
func TestSpellingsOfSeveralPeople(t *testing.T) {
	got, err := spellings("81234 56789", []string{"US", "IN"})
	if err == nil || !strings.Contains(err.Error(), "a number of IN or US") || strings.Contains(err.Error(), "81234") {
		t.Errorf("a number of two countries is spelt %q, error %v", got, err)
	}
}
