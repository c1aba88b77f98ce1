package fieldtype_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

// outcome converts and returns the JSON value, or the error's code.
func outcome(t *testing.T, rules fieldtype.Rules, sent ...string) any {
	t.Helper()
	value, err := rules.Convert(sent)
	if err == nil {
		return value.JSON
	}
	failure, ok := errors.AsType[*fieldtype.Error](err)
	if !ok {
		t.Fatalf("%T is not *fieldtype.Error", err)
	}
	if failure.Type != rules.Type {
		t.Errorf("error is about type %q, want %q", failure.Type, rules.Type)
	}
	return failure.Code
}

type conversion struct {
	text string
	want any
}

func checkConversions(t *testing.T, rules fieldtype.Rules, table []conversion) {
	t.Helper()
	for _, tt := range table {
		if diff := cmp.Diff(tt.want, outcome(t, rules, tt.text)); diff != "" {
			t.Errorf("%+q (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestConvertEmpty(t *testing.T) {
	t.Parallel()
	blanks := []string{"", " ", "\t\r\n", "\u00a0\u3000", "\ufeff", "\u200b\u200d \u2060", "\x00", "\u202a\u202c", "\u2800"}
	for _, typ := range fieldtype.Types() {
		t.Run(string(typ), func(t *testing.T) {
			t.Parallel()
			optional := fieldtype.Rules{Type: typ, Country: "IN"}
			required := fieldtype.Rules{Type: typ, Country: "IN", Required: true, Min: new(float64(3))}
			if got := outcome(t, optional); got != nil {
				t.Errorf("optional and missing: %v", got)
			}
			if got := outcome(t, required); got != fieldtype.RequiredMissing {
				t.Errorf("required and missing: %v", got)
			}
			for _, blank := range blanks {
				if got := outcome(t, optional, blank); got != nil {
					t.Errorf("optional and %+q: %v", blank, got)
				}
				if got := outcome(t, required, blank, blank); got != fieldtype.RequiredEmpty {
					t.Errorf("required and %+q: %v", blank, got)
				}
			}
		})
	}
}

func TestConvertDefault(t *testing.T) {
	t.Parallel()
	rules := fieldtype.Rules{Type: fieldtype.Text, Required: true, Default: " Web "}
	checkConversions(t, rules, []conversion{{"", "Web"}, {" \u200b", "Web"}, {"Shop", "Shop"}})
	if got := outcome(t, rules); got != "Web" {
		t.Errorf("missing: %v", got)
	}
	tags := fieldtype.Rules{Type: fieldtype.Tags, Default: "VIP, North"}
	checkConversions(t, tags, []conversion{{" , ,", []string{"VIP", "North"}}})
}

func TestConvertSeveralValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ      fieldtype.Type
		sent     []string
		want     any
		wantNote bool
	}{
		{fieldtype.Text, []string{" a", "b", "", "a "}, "a, b", false},
		{fieldtype.Tags, []string{"a", "b,A", "", "c", "A"}, []string{"a", "b,A", "c"}, false},
		{fieldtype.Tags, []string{"Subsidy", "Other, misc"}, []string{"Subsidy", "Other, misc"}, false},
		{fieldtype.Tags, []string{"Other, misc", "Subsidy"}, []string{"Other, misc", "Subsidy"}, false},
		{fieldtype.Tags, []string{"Other, misc", "Other,  misc"}, []string{"Other, misc"}, false},
		{fieldtype.Tags, []string{"", "Other, misc"}, []string{"Other, misc"}, false}, // a hidden input before the boxes
		{fieldtype.Tags, []string{"Pune, MH", "Delhi, DL", "Goa"}, []string{"Pune, MH", "Delhi, DL", "Goa"}, false},
		{fieldtype.Tags, []string{",", "a,"}, []string{",", "a,"}, false},
		{fieldtype.Tags, []string{"Other, misc"}, []string{"Other", "misc"}, false}, // a text input
		{fieldtype.Dropdown, []string{"no", "yes"}, "yes", true},
		{fieldtype.Dropdown, []string{"yes", " "}, "yes", false},
		{fieldtype.Dropdown, []string{"yes ", "yes"}, "yes", false},
		{fieldtype.Rating, []string{"1", "2", ""}, int64(2), true},
		{fieldtype.Phone, []string{"nonsense", "+12015550123"}, "12015550123", true},
		{fieldtype.Phone, []string{"+12015550123", "nonsense"}, fieldtype.PhoneWords, false},
	} {
		rules := fieldtype.Rules{Type: tt.typ}
		if diff := cmp.Diff(tt.want, outcome(t, rules, tt.sent...)); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", tt.typ, tt.sent, diff)
		}
		if value, _ := rules.Convert(tt.sent); (value.Note != "") != tt.wantNote {
			t.Errorf("%s %q: note %q", tt.typ, tt.sent, value.Note)
		}
	}
}

func TestConvertText(t *testing.T) {
	t.Parallel()
	for _, typ := range []fieldtype.Type{fieldtype.Text, fieldtype.Dropdown, fieldtype.Status, fieldtype.LostReason} {
		checkConversions(t, fieldtype.Rules{Type: typ}, []conversion{
			{" Asha  Rao\t", "Asha  Rao"},
			{"one\r\ntwo\rthree\vfour", "one\ntwo\nthree\nfour"},
			{"\ufeffZoë 🙂", "Zoë 🙂"},
			{"-1", "-1"},
			{"'; DROP TABLE leads; --", "'; DROP TABLE leads; --"},
			{"a\x00b\x1bc\td", "abc\td"},
			{"a\xffb", "a\ufffdb"},
			{"ന്\u200d", "ന്\u200d"},
			{"می\u200cخواهم", "می\u200cخواهم"},
			{"👩\u200d🔧", "👩\u200d🔧"},
			{"\u202eoaR ahsA", "oaR ahsA"},
			{"Asha\u202e\u2066 (approved)", "Asha (approved)"},
			{"one\u202c\ntwo\u2069", "one\ntwo"},
			{strings.Repeat("é", 100_000), strings.Repeat("é", 100_000)},
		})
	}
}

func TestConvertOneLine(t *testing.T) {
	t.Parallel()
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Text, OneLine: true}, []conversion{
		{" Asha \r\n\tRao\v", "Asha Rao"},
		{"Asha\u2028Bcc: all@example.org", "Asha Bcc: all@example.org"},
		{"As\u200bha\u2060 R\ufeffao", "Asha Rao"},
		{"\u202eoaR ahsA\u2069", "oaR ahsA"},
		{"ന്\u200d", "ന്\u200d"},
		{"می\u200cخواهم", "می\u200cخواهم"},
		{"👩\u200d🔧", "👩\u200d🔧"},
		{"\u200b\n", nil},
	})
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Tags}, []conversion{
		{"a\u202eb\u200b, a\nb", []string{"ab", "a b"}},
	})
}

func TestConvertTextLengthCountsCharacters(t *testing.T) {
	t.Parallel()
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Text, Min: new(float64(2)), Max: new(float64(3))}, []conversion{
		{"é", fieldtype.TooShort}, {"é ", fieldtype.TooShort}, {"éé", "éé"}, {"🙂🙂🙂", "🙂🙂🙂"}, {"abcd", fieldtype.TooLong},
	})
	_, err := fieldtype.Rules{Type: fieldtype.Text, Max: new(float64(3))}.Convert([]string{"abcd"})
	if failure, ok := errors.AsType[*fieldtype.Error](err); !ok || failure.Limit != 3 {
		t.Errorf("got %v, want limit 3", err)
	}
}

func TestConvertPatternMatchesWhole(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`a|ab`)
	for _, typ := range []fieldtype.Type{fieldtype.Text, fieldtype.Status} {
		checkConversions(t, fieldtype.Rules{Type: typ, Pattern: pattern}, []conversion{
			{"a", "a"},
			{"ab", "ab"},
			{"abc", fieldtype.PatternMismatch},
			{"ca", fieldtype.PatternMismatch},
		})
	}
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Tags, Pattern: pattern}, []conversion{
		{"a,ab", []string{"a", "ab"}},
		{"a,b", fieldtype.PatternMismatch},
	})
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Email, Pattern: regexp.MustCompile(`.*@example\.org`)}, []conversion{
		{"asha@Example.org", "asha@example.org"},
		{"asha@example.com", fieldtype.PatternMismatch},
	})
	if got := pattern.FindString("ab"); got != "a" {
		t.Errorf("the operator's pattern was changed; it now finds %q", got)
	}
}

func TestConvertOptions(t *testing.T) {
	t.Parallel()
	options := []string{"Walk  in", "Straße", "VIP, gold"}
	for _, typ := range []fieldtype.Type{fieldtype.Text, fieldtype.Dropdown, fieldtype.Status, fieldtype.LostReason} {
		checkConversions(t, fieldtype.Rules{Type: typ, Options: options}, []conversion{
			{" walk IN\u00a0", "Walk  in"},
			{"STRAßE", "Straße"},
			{"strasse", fieldtype.NotAnOption},
			{"vip,gold", fieldtype.NotAnOption},
			{"vip,\u00a0gold", "VIP, gold"},
			{"walkin", fieldtype.NotAnOption},
			{"Walk in, Straße", fieldtype.NotAnOption},
		})
	}
	text := fieldtype.Rules{Type: fieldtype.Text, Options: options}
	if got := outcome(t, text, "walk in", "straße", "WALK IN"); got != "Walk  in, Straße" {
		t.Errorf("several: %v", got)
	}
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Assignee, Options: []string{"Agent7@Example.org"}}, []conversion{
		{"agent7@example.org", "Agent7@Example.org"},
		{"agent8@example.org", fieldtype.NotAnOption},
	})
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Rating, Options: []string{"4", "5"}}, []conversion{
		{"5.0", int64(5)},
		{"3", fieldtype.NotAnOption},
		{"9", fieldtype.TooLarge},
	})
}

func TestConvertTags(t *testing.T) {
	t.Parallel()
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Tags}, []conversion{
		{"VIP", []string{"VIP"}},
		{" VIP ,, North  West,vip", []string{"VIP", "North West"}},
		{"🙂,-1\n2", []string{"🙂", "-1 2"}},
		{",", nil},
	})
	rules := fieldtype.Rules{Type: fieldtype.Tags, Options: []string{"VIP, gold", "North"}, Max: new(float64(1))}
	checkConversions(t, rules, []conversion{
		{"vip, GOLD", []string{"VIP, gold"}},
		{"VIP", fieldtype.NotAnOption},
	})
	if got := outcome(t, rules, "north", "vip, gold"); got != fieldtype.TooLong {
		t.Errorf("two of at most one: %v", got)
	}
	if got := outcome(t, rules, "north", "NORTH"); !cmp.Equal(got, []string{"North"}) {
		t.Errorf("the same one twice: %v", got)
	}
	if got := outcome(t, fieldtype.Rules{Type: fieldtype.Tags, Min: new(float64(2))}, "a"); got != fieldtype.TooShort {
		t.Errorf("one of at least two: %v", got)
	}
}

func TestConvertDoesNotModifyInput(t *testing.T) {
	t.Parallel()
	for _, typ := range fieldtype.Types() {
		sent := []string{" a ", "b, c", "A"}
		options := []string{"a", "b, c"}
		_, _ = fieldtype.Rules{Type: typ, Options: options}.Convert(sent)
		if !cmp.Equal(sent, []string{" a ", "b, c", "A"}) || !cmp.Equal(options, []string{"a", "b, c"}) {
			t.Errorf("%s: now %q and %q", typ, sent, options)
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	for _, bench := range []struct {
		typ  fieldtype.Type
		text string
	}{
		{fieldtype.Text, "Asha Rao"},
		{fieldtype.Email, "asha@example.org"},
		{fieldtype.Phone, "081234 56789"},
		{fieldtype.Number, "1,23,456.50"},
		{fieldtype.Money, "₹ 1,23,456.50"},
		{fieldtype.Date, "2026-11-22T10:30"},
		{fieldtype.Website, "www.example.org/a"},
	} {
		b.Run(string(bench.typ), func(b *testing.B) {
			rules := fieldtype.Rules{Type: bench.typ, Country: "IN"}
			sent := []string{bench.text}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rules.Convert(sent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
