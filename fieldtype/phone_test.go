package fieldtype_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

func phoneIn(country string) fieldtype.Rules {
	return fieldtype.Rules{Type: fieldtype.Phone, Country: country}
}

func TestConvertPhone(t *testing.T) {
	t.Parallel()
	checkConversions(t, phoneIn("IN"), []conversion{
		{"8123456789", "918123456789"},
		{"081234 56789", "918123456789"},
		{"+91 81234-56789", "918123456789"},
		{"(+91) 81234.56789", "918123456789"},
		{"+91 (0) 81234 56789", "918123456789"},
		{"91 81234 56789", "918123456789"},
		{"00918123456789", "918123456789"},
		{"+0091 8123456789", "918123456789"},
		{"++91 8123456789", "918123456789"},
		{"tel:+91-81234-56789", "918123456789"},
		{"Tel: 081234/56789", "918123456789"},
		{"８１２３４５６７８９", "918123456789"},
		{"८१२३४५६७८९", "918123456789"},
		{"＋९१ ८१२३४ ५६७८९", "918123456789"},
		{"\u202a+91\u00a081234\u201156789\u202c", "918123456789"},
		{"\u2066\u200e8123456789\u2069", "918123456789"},
		{"+1 201-555-0123", "12015550123"},
		{"00 44 (0)7400 123456", "447400123456"},
		{"1800 123456", "911800123456"},
		{"812345678", fieldtype.TypePhone},
		{"81234567890", fieldtype.TypePhone},
		{"123456", fieldtype.TypePhone},
		{"447400123456", fieldtype.TypePhone},
		{"+91 918123456789", "918123456789"},
		{"0 91 8123456789", fieldtype.TypePhone},
		{"+999 8123456789", fieldtype.TypePhone},
		{"8123456789 / 8123456789", fieldtype.TypePhone},
		{"8123456789, 8123456789", fieldtype.TypePhone},
		{"81234-56789/90", fieldtype.TypePhone},
		{"81234+56789", fieldtype.TypePhone},
		{"81234 CALLME", fieldtype.TypePhone},
		{"phone 8123456789", fieldtype.TypePhone},
		{"-8123456789", "918123456789"},
		{"+", fieldtype.TypePhone},
		{"()", fieldtype.TypePhone},
		{"0", fieldtype.TypePhone},
		{"tel:", fieldtype.TypePhone},
		{"0000000000", fieldtype.TypePhone},
		{"📞8123456789", fieldtype.TypePhone},
		{"8123456789\x00", "918123456789"},
		{"8123456789'; DROP TABLE leads; --", fieldtype.TypePhone},
		{strings.Repeat("9", 16), fieldtype.TypePhone},
		{"8123456789" + strings.Repeat(" -", 26), fieldtype.TypePhone},
		{strings.Repeat("9", 1_000_000), fieldtype.TypePhone},
	})
	checkConversions(t, phoneIn("us"), []conversion{
		{"(201) 555-0123", "12015550123"},
		{"1-201-555-0123", "12015550123"},
		{"011 91 81234 56789", "918123456789"},
		{"00 91 81234 56789", "918123456789"},
		{"555-0123", fieldtype.TypePhone},
		{"1-800-FLOWERS", fieldtype.TypePhone},
	})
	checkConversions(t, phoneIn("GB"), []conversion{
		{"07400 123456", "447400123456"},
		{"+44 07400 123456", "447400123456"},
		{"+44 07400 1234", fieldtype.TypePhone},
	})
	checkConversions(t, phoneIn("IT"), []conversion{{"+39 02 1234 5678", "390212345678"}, {"02 1234 5678", "390212345678"}})
	checkConversions(t, phoneIn(""), []conversion{{"+91 81234 56789", "918123456789"}, {"081234 56789", fieldtype.TypePhone}})
	// 001 is Korea's own international prefix. The rest is one digit short, and must not become a
	// US number.
	checkConversions(t, phoneIn("KR"), []conversion{
		{"001 44 7400 123456", "447400123456"},
		{"001 44 74001234", fieldtype.TypePhone},
	})
}

func TestConvertPhoneExtension(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"081234 56789 ext. 12", "081234 56789x12", "081234 56789 #12", "081234 56789, Extn 12", "tel:+91-81234-56789;ext=12",
		"+91 81234 56789 extension: 1234567",
	} {
		value, err := phoneIn("IN").Convert([]string{text})
		if err != nil || value.JSON != "918123456789" || !strings.Contains(value.Note, "extension") {
			t.Errorf("%q: got %+v, %v", text, value, err)
		}
	}
	checkConversions(t, phoneIn("IN"), []conversion{
		{"081234 56789 ext", fieldtype.TypePhone},
		{"081234 56789 ext 12345678", fieldtype.TypePhone},
		{"ext 12", fieldtype.TypePhone},
	})
}

// TestPhoneRoundTrip reads the example number of every region back in every format of
// libphonenumber.
func TestPhoneRoundTrip(t *testing.T) {
	t.Parallel()
	formats := map[string]phonenumbers.PhoneNumberFormat{
		"national": phonenumbers.NATIONAL, "international": phonenumbers.INTERNATIONAL,
		"E.164": phonenumbers.E164, "RFC 3966": phonenumbers.RFC3966,
	}
	regions := slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))
	if len(regions) < 200 {
		t.Fatalf("got only %d regions", len(regions))
	}
	for _, region := range regions {
		for _, kind := range []phonenumbers.PhoneNumberType{phonenumbers.FIXED_LINE, phonenumbers.MOBILE} {
			example := phonenumbers.GetExampleNumberForType(region, kind)
			if example == nil {
				continue
			}
			want := strings.TrimPrefix(phonenumbers.Format(example, phonenumbers.E164), "+")
			for name, format := range formats {
				text := phonenumbers.Format(example, format)
				if text == "09 15-2345-6789" {
					// phonenumbers 1.8.1 puts Argentina's mobile 9 in place of the area code.
					// Upstream's libphonenumber writes the number like this.
					text = "011 15-2345-6789"
				}
				if got := outcome(t, phoneIn(region), text); got != want {
					t.Errorf("%s %s: %q became %v, want %s", region, name, text, got, want)
				}
			}
		}
	}
}
