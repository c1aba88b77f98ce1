package fieldtype_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

// ignorable lists the characters with the property Default_Ignorable_Code_Point, as in Unicode's
// DerivedCoreProperties.txt. Of a large block without characters, it has a few.
func ignorable() []rune {
	var runes []rune
	for _, block := range [][2]rune{
		{0x00AD, 0x00AD},
		{0x034F, 0x034F},
		{0x061C, 0x061C},
		{0x115F, 0x1160},
		{0x17B4, 0x17B5},
		{0x180B, 0x180F},
		{0x200B, 0x200F},
		{0x202A, 0x202E},
		{0x2060, 0x206F},
		{0x3164, 0x3164},
		{0xFE00, 0xFE0F},
		{0xFEFF, 0xFEFF},
		{0xFFA0, 0xFFA0},
		{0xFFF0, 0xFFF8},
		{0x1BCA0, 0x1BCA3},
		{0x1D173, 0x1D17A},
		{0xE0000, 0xE0FFF},
	} {
		for r := block[0]; r <= block[1]; r++ {
			if r < 0xE0200 || r%97 == 0 || r == block[1] { // the others are not assigned
				runes = append(runes, r)
			}
		}
	}
	return runes
}

// seen holds rules of every type but text, and a text that is right as it is shown.
func seen() map[string]fieldtype.Rules {
	return map[string]fieldtype.Rules{
		"+91 81234 56789":         phoneIn("IN"),
		"८१२३४ ५६७८९":             phoneIn("IN"),
		"asha@example.org":        {Type: fieldtype.Email},
		"asha@bücher.example":     {Type: fieldtype.Email},
		"31/03/2027":              {Type: fieldtype.Date},
		"5 March 2027 10:30 AM":   {Type: fieldtype.Date},
		"1,23,456.50":             numberIn("IN"),
		"₹ 1,500/-":               moneyIn("IN"),
		"1.500,50":                moneyIn("DE"),
		"4":                       {Type: fieldtype.Rating},
		"www.example.org/a?b=c":   {Type: fieldtype.Website},
		"https://example.org/a":   {Type: fieldtype.MediaLink},
		"agent@example.org":       {Type: fieldtype.Assignee},
		"Rooftop solar":           {Type: fieldtype.Dropdown, Options: []string{"Rooftop solar", "Other"}},
		"छत पर सोलर":              {Type: fieldtype.Dropdown, Options: []string{"छत पर सोलर", "Other"}},
		"Other":                   {Type: fieldtype.Text, Options: []string{"Rooftop solar", "Other"}},
		"Fresh lead":              {Type: fieldtype.Status},
		"Too dear":                {Type: fieldtype.LostReason},
		"Subsidy, Zoë":            {Type: fieldtype.Tags},
		"Financing":               {Type: fieldtype.Tags, Options: []string{"Financing"}},
		"asha.rao@agents.example": {Type: fieldtype.Assignee, Options: []string{"asha.rao@agents.example"}},
		"15":                      {Type: fieldtype.Number, Options: []string{"15\u200b", "20"}},
	}
}

// TestInvisibleCharacters puts characters that nobody sees into texts that are right as shown.
func TestInvisibleCharacters(t *testing.T) {
	t.Parallel()
	check := func(t interface{ Fatalf(string, ...any) }, text, with string, rules fieldtype.Rules) {
		want, err := rules.Convert([]string{text})
		if err != nil {
			t.Fatalf("%s %q: %v", rules.Type, text, err)
		}
		got, err := rules.Convert([]string{with})
		if err != nil || fmt.Sprintf("%+q", got) != fmt.Sprintf("%+q", want) {
			t.Fatalf("%s %+q: got %+q, %v; want %+q", rules.Type, with, got, err, want)
		}
	}
	for text, rules := range seen() {
		if rules.Type == fieldtype.Dropdown && text[0] > unicode.MaxASCII {
			continue
		}
		runes := []rune(text)
		for _, r := range ignorable() {
			middle := len(runes) / 2
			check(t, text, string(r)+string(runes[:middle])+string(r)+string(runes[middle:])+string(r), rules)
		}
	}
	all, texts := ignorable(), slices.Sorted(maps.Keys(seen()))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(texts).Draw(t, "text")
		var with strings.Builder
		for _, r := range text {
			with.WriteRune(r)
			if rapid.Bool().Draw(t, "insert") {
				with.WriteRune(rapid.SampledFrom(all).Draw(t, "rune"))
			}
		}
		check(t, text, with.String(), seen()[text])
	})
	checkConversions(t, phoneIn("IN"), []conversion{{"81234\ufe0d56789", "918123456789"}})
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Email}, []conversion{{"asha\u200b@example.org", "asha@example.org"}})
}

// TestInvisibleCharactersOfWords keeps the joiners and selectors that words and emoji are spelled
// with.
func TestInvisibleCharactersOfWords(t *testing.T) {
	t.Parallel()
	words := []string{
		"ന്\u200d", "می\u200cخواهم", "شركة \u0645\u064e\u200dع", "👩\u200d🔧", "❤\ufe0f", "👁\ufe0f\u200d🗨\ufe0f", "🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
		"1\ufe0f\u20e3 Basic", "葛\U000E0100城", "©\ufe0f", "\u1820\u180b",
	}
	for _, word := range words {
		for _, typ := range []fieldtype.Type{fieldtype.Text, fieldtype.Dropdown, fieldtype.Status, fieldtype.LostReason} {
			checkConversions(t, fieldtype.Rules{Type: typ}, []conversion{{word, word}})
		}
		checkConversions(t, fieldtype.Rules{Type: fieldtype.Tags}, []conversion{{word, []string{word}}})
	}
	// A control character is dropped, so a selector after it belongs to nothing.
	checkConversions(t, fieldtype.Rules{Type: fieldtype.LostReason}, []conversion{{"\u0080\U000E0100A", "A"}, {"葛\u0080\U000E0100城", "葛城"}})
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Dropdown, Options: words}, []conversion{
		{"میخواهم", "می\u200cخواهم"},
		{"❤", "❤\ufe0f"},
		{"1\u20e3 basic", "1\ufe0f\u20e3 Basic"},
	})
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Website}, []conversion{
		{"https://fa.example.org/می\u200cخواهم", "https://fa.example.org/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85"},
		{"https://example.org/a\u200cb", "https://example.org/ab"},
		{"نامه\u200cای.example", "https://xn--mgba3gch31f060k.example"},
	})
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Text}, []conversion{
		{"soft\u00adhyphen", "soft\u00adhyphen"},
		{"សួស្តី\u200bបង", "សួស្តី\u200bបង"},
		{"\u200fשלום\u200e", "\u200fשלום\u200e"},
		{"\ufe0f\u200b\U000E0061", nil},
	})
}
