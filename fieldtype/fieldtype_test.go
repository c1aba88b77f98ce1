package fieldtype_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

func TestParseKnowsEveryType(t *testing.T) {
	t.Parallel()
	for _, want := range fieldtype.Types() {
		got, err := fieldtype.Parse(string(want))
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %q, %v", want, got, err)
		}
	}
}

func TestParseListsTheKnownWords(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"", "Text", "lostReason", "integer", " text"} {
		_, err := fieldtype.Parse(word)
		if err == nil {
			t.Errorf("Parse(%q): no error", word)
			continue
		}
		for _, known := range fieldtype.Types() {
			if !strings.Contains(err.Error(), string(known)) {
				t.Errorf("Parse(%q): %v does not list %s", word, err, known)
			}
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for apiName, want := range map[string]fieldtype.Type{
		"name": fieldtype.Text, "phone": fieldtype.Phone, "email": fieldtype.Email, "rating": fieldtype.Rating,
		"status": fieldtype.Status, "assignee": fieldtype.Assignee, "date": fieldtype.Text, "Phone": fieldtype.Text,
		"": fieldtype.Text,
	} {
		if got := fieldtype.Of(apiName); got != want {
			t.Errorf("Of(%q) = %q, want %q", apiName, got, want)
		}
	}
}

func TestErrorNamesTheCodeAndTheType(t *testing.T) {
	t.Parallel()
	texts := make([]string, 0, len(fieldtype.Codes()))
	for _, code := range fieldtype.Codes() {
		text := (&fieldtype.Error{Code: code, Type: fieldtype.Tags, Limit: 2.5}).Error()
		if !strings.Contains(text, string(code)) || !strings.Contains(text, string(fieldtype.Tags)) {
			t.Errorf("%s: %q", code, text)
		}
		if limited := strings.HasPrefix(string(code), "TOO_"); limited != strings.Contains(text, "2.5") {
			t.Errorf("%s: limit missing is %t: %q", code, limited, text)
		}
		if slices.Contains(texts, text) {
			t.Errorf("%s: same text as another code: %q", code, text)
		}
		texts = append(texts, text)
	}
}
