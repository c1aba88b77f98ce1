package fieldtype_test

import (
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

// TestCountryCodeOfAList joins a country code from a list with a number as visitors type it.
func TestCountryCodeOfAList(t *testing.T) {
	t.Parallel()
	for country, table := range map[string][]conversion{
		"IN": {
			{"+91+91 81234 56789", "918123456789"},
			{"+91 +91 81234 56789", "918123456789"},
			{"+91 0091 81234 56789", "918123456789"},
			{"+9100918123456789", "918123456789"},
			{"+91 91 81234 56789", "918123456789"},
			{"+91918123456789", "918123456789"},
			{"+91 081234 56789", "918123456789"},
			{"+91 81234 56789", "918123456789"},
			{"+91-+91-81234-56789", "918123456789"},
			{"(+91) +91 81234 56789", "918123456789"},
			{"+91 (+91) 81234 56789", "918123456789"},
			{"+91, +91 81234 56789", "918123456789"},
			{"+91, 81234 56789", "918123456789"},
			{"91 +91 81234 56789", "918123456789"},
			{"91, +91 81234 56789", "918123456789"},
			{"0091 +91 81234 56789", "918123456789"},
			{"0091 0091 81234 56789", "918123456789"},
			{"0091 81234 56789", "918123456789"},
			{"91 91 81234 56789", "918123456789"},
			{"91 0091 81234 56789", "918123456789"},
			{"+91 +91 +91 81234 56789", "918123456789"},
			{"+91 tel:+91-81234-56789", "918123456789"},
			{"+91 +91 81234 56789 ext. 12", "918123456789"},
			{"+९१ +९१ ८१२३४ ५६७८९", "918123456789"},
			{"+91 9100000000", "919100000000"}, // a number that begins with 91
			{"+91 +1 201-555-0123", "12015550123"},
			{"+91 001 201-555-0123", "12015550123"},
			{"+91 +44 07400 123456", "447400123456"},
			{"+1 +91 81234 56789", "918123456789"},
			{"+1 0091 81234 56789", "918123456789"},
			{"+1 201-555-0123", "12015550123"},
			{"+91 +91", fieldtype.PhoneTooShort},
			{"+91 81234", fieldtype.PhoneTooShort},
			{"+91 +91 81234", fieldtype.PhoneTooShort},
			{"+91 918123456", fieldtype.PhoneTooShort},
			{"+91 12015550123", fieldtype.PhoneTooLong}, // not a code without its plus
			{"+999 +91 81234 56789", fieldtype.TypePhone},
			{"81234 56789 +91 81234 56789", fieldtype.PhoneSeveral},
			{"81234 56789, +91 81234 56789", fieldtype.PhoneSeveral},
			{"81234 +91 56789", fieldtype.TypePhone},
			{"+91 81234 56789 +91", fieldtype.TypePhone},
			{"+91, 81234 56789, 81234 56788", fieldtype.PhoneSeveral},
		},
		"US": {
			{"+1+1 201-555-0123", "12015550123"},
			{"+1 1 201-555-0123", "12015550123"},
			{"+1 (201) 555-0123", "12015550123"},
			{"+1 011 91 81234 56789", "918123456789"},
			{"+91 81234 56789", "918123456789"},
		},
		"GB": {
			{"+44 +44 7400 123456", "447400123456"},
			{"+44 0044 7400 123456", "447400123456"},
			{"+44 44 7400 123456", "447400123456"},
			{"+44 (0)7400 123456", "447400123456"},
		},
		"DE": {
			{"+49 +49 1512 3456789", "4915123456789"},
			{"+49 0049 1512 3456789", "4915123456789"},
			{"+49 01512 3456789", "4915123456789"},
		},
		"RU": {{"+7 +7 912 345-67-89", "79123456789"}, {"+7 7 912 345-67-89", "79123456789"}, {"+7 8 912 345-67-89", "79123456789"}},
		"":   {{"+91 +91 81234 56789", "918123456789"}, {"91 81234 56789", fieldtype.TypePhone}},
	} {
		t.Run(country, func(t *testing.T) {
			t.Parallel()
			checkConversions(t, phoneIn(country), table)
		})
	}
}

// TestCountryCodeOfAnInput sends the list and the number as two inputs with the same name.
func TestCountryCodeOfAnInput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		sent []string
		want any
	}{
		{[]string{"+91", "81234 56789"}, "918123456789"},
		{[]string{"+91", "+91 81234 56789"}, "918123456789"},
		{[]string{"+1", "201-555-0123"}, "12015550123"},
		{[]string{"+1", "+91 81234 56789"}, "918123456789"},
		{[]string{"91", "81234 56789"}, "918123456789"},
		{[]string{"", "81234 56789"}, "918123456789"},
		{[]string{"+12015550123", "81234 56789"}, "918123456789"},
	} {
		if got := outcome(t, phoneIn("IN"), tt.sent...); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.sent, got, tt.want)
		}
	}
}

// TestCountryCodeTwice writes every country's example number after the country's own code, in the
// ways that visitors write theirs. There is one country code in the result, or the visitor is asked.
func TestCountryCodeTwice(t *testing.T) {
	t.Parallel()
	var examples []*phonenumbers.PhoneNumber
	for region := range phonenumbers.GetSupportedRegions() {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE} {
			if example := phonenumbers.GetExampleNumberForType(region, kind); example != nil {
				examples = append(examples, example)
			}
		}
	}
	for _, example := range examples {
		region := phonenumbers.GetRegionCodeForNumber(example)
		international := phonenumbers.Format(example, phonenumbers.E164)
		want := international[1:]
		code := "+" + strings.SplitN(phonenumbers.Format(example, phonenumbers.INTERNATIONAL)[1:], " ", 2)[0]
		for _, text := range []string{
			code + international, code + " " + phonenumbers.Format(example, phonenumbers.INTERNATIONAL), code[1:] + " " + international,
			code + "00" + want,
		} {
			if got := outcome(t, phoneIn(region), text); got != want {
				t.Errorf("%s: %q became %v, want %s", region, text, got, want)
			}
		}
		// Without its plus, the second code may be an area code, such as 46 of Lund in Sweden.
		asWritten, err := phonenumbers.Parse(code+want, "")
		isNumber := err == nil && phonenumbers.IsPossibleNumber(asWritten)
		if got := outcome(t, phoneIn(region), code+want); got != want && !isNumber && got != fieldtype.TypePhone {
			t.Errorf("%s: %q became %v, want %s", region, code+want, got, want)
		}
		national := strings.Replace(phonenumbers.Format(example, phonenumbers.NATIONAL), "09 15-2345", "011 15-2345", 1) // see TestPhoneRoundTrip
		if got := outcome(t, phoneIn(region), code+" "+national); got != want && got != fieldtype.TypePhone {
			t.Errorf("%s: %q became %v, want %s", region, code+" "+national, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		example := rapid.SampledFrom(examples).Draw(t, "number")
		other := rapid.SampledFrom(examples).Draw(t, "list")
		want := phonenumbers.Format(example, phonenumbers.E164)
		list := "+" + strings.SplitN(phonenumbers.Format(other, phonenumbers.INTERNATIONAL)[1:], " ", 2)[0]
		for _, text := range []string{list + want, list + " " + phonenumbers.Format(example, phonenumbers.INTERNATIONAL)} {
			value, err := phoneIn("IN").Convert([]string{text})
			if err != nil || value.JSON != want[1:] {
				t.Fatalf("%q became %v, %v, want %s", text, value.JSON, err, want)
			}
		}
	})
}
