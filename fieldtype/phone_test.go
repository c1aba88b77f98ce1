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
		{"812345678", fieldtype.PhoneTooShort},
		{"81234567890", fieldtype.PhoneTooLong},
		{"123456", fieldtype.PhoneTooShort},
		{"447400123456", fieldtype.PhoneTooLong},
		{"+91 918123456789", "918123456789"},
		{"0 91 8123456789", fieldtype.PhoneTooLong},
		{"+999 8123456789", fieldtype.TypePhone},
		{"8123456789 / 8123456789", fieldtype.PhoneSeveral},
		{"8123456789, 8123456789", fieldtype.PhoneSeveral},
		{"81234-56789/90", fieldtype.PhoneSeveral},
		{"81234+56789", fieldtype.TypePhone},
		{"81234 CALLME", fieldtype.PhoneTooShort},
		{"phone 8123456789", "918123456789"},
		{"-8123456789", "918123456789"},
		{"+", fieldtype.TypePhone},
		{"()", fieldtype.TypePhone},
		{"0", fieldtype.TypePhone},
		{"tel:", fieldtype.PhoneWords},
		{"0000000000", fieldtype.TypePhone},
		{"📞8123456789", "918123456789"},
		{"81234 56789 📱", "918123456789"},
		{"☎\ufe0f +91 81234 56789 ☎\ufe0f.", "918123456789"},
		{"8123456789;", "918123456789"},
		{"8123456789 ; ", "918123456789"},
		{"8123456789 & 📱", fieldtype.TypePhone},
		{"8123456789\x00", "918123456789"},
		{"8123456789'; DROP TABLE leads; --", fieldtype.PhoneWords},
		{strings.Repeat("9", 16), fieldtype.PhoneTooLong},
		{"1234567890", fieldtype.TypePhone},
		{"8123456789" + strings.Repeat(" -", 26), fieldtype.TypePhone},
		{strings.Repeat("9", 1_000_000), fieldtype.PhoneTooLong},
	})
	// Whatever separates the digits, as libphonenumber knows it or as a Japanese keyboard writes it.
	for _, between := range []string{
		"-", "\u2010", "\u2013", "\u2015", "−", "ー", "ｰ", "－", "／", " ", "\u00a0", "\u00ad", "\u200b", "\u2060", "\u3000", ".", "·", "・", "･", "•", "∙", "~", "⁓", "∼", "～", "〜",
	} {
		checkConversions(t, phoneIn("JP"), []conversion{{"090" + between + "1234" + between + "5678", "819012345678"}})
	}
	checkConversions(t, phoneIn("JP"), []conversion{
		{"０９０ー１２３４ー５６７８", "819012345678"},
		{"［０９０］（１２３４）５６７８", "819012345678"},
		{"メーカー ０９０ー１２３４ー５６７８", "819012345678"},
		{"０９０ー１２３４ー５６７８ メーカー", "819012345678"},
	})
	checkConversions(t, phoneIn("us"), []conversion{
		{"(201) 555-0123", "12015550123"},
		{"1-201-555-0123", "12015550123"},
		{"011 91 81234 56789", "918123456789"},
		{"00 91 81234 56789", "918123456789"},
		{"555-0123", fieldtype.PhoneTooShort},
		{"1-800-FLOWERS", fieldtype.PhoneWords},
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
		{"001 44 74001234", fieldtype.PhoneTooShort},
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
		{"081234 56789 ext", "918123456789"},
		{"081234 56789 ext 12345678", fieldtype.PhoneWords},
		{"ext 12", fieldtype.PhoneTooShort},
	})
}

// Words that say what kind of number it is do not stand in its way.
func TestConvertPhoneBesideWords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Mob: 81234 56789", "+91 81234 56789 (WhatsApp)", "WhatsApp 8123456789", "Ph. No. 081234-56789", "(M) 81234 56789", "81234 56789 - home",
		"मोबाइल: ८१२३४ ५६७८९", "கைபேசி 8123456789", "الجوال: 8123456789", "Mobile number: +91-81234-56789 (office).", "📱 Mob 8123456789", "+91 Mob: 8123456789",
	} {
		value, err := phoneIn("IN").Convert([]string{text})
		if err != nil || value.JSON != "918123456789" || !strings.Contains(value.Note, "words around") {
			t.Errorf("%q: got %+v, %v", text, value, err)
		}
	}
	value, err := phoneIn("IN").Convert([]string{"Mob: 81234 56789 ext. 12 (work)"})
	if err != nil || value.JSON != "918123456789" || !strings.Contains(value.Note, "extension") || !strings.Contains(value.Note, "words around") {
		t.Errorf("with an extension: got %+v, %v", value, err)
	}
	value, err = phoneIn("IN").Convert([]string{"+91", "Mob: 81234 56789"})
	if err != nil || value.JSON != "918123456789" {
		t.Errorf("after a country code from a list: got %+v, %v", value, err)
	}
}

// Each mistake has a code of its own, so that the visitor reads what to mend.
func TestPhoneMistakes(t *testing.T) {
	t.Parallel()
	for code, texts := range map[fieldtype.Code][]string{
		fieldtype.PhoneTooShort: {
			"8", "81234", "812345678", "+91 81234 5678", "Mob: 81234", "+1 201 555", "00 91 8123", "+44 7400 1234", "८१२३४ ५६७८",
		},
		fieldtype.PhoneTooLong: {
			"81234567890", "+91 81234 567890", "8123456789012345", "81234 56789 0 (WhatsApp)", "+1 201 555 01234", "00 91 81234 5678901",
			"९१८१२३४५६७८९०", strings.Repeat("8", 61),
		},
		fieldtype.PhoneSeveral: {
			"8123456789, 9123456789", "8123456789 / 9123456789", "8123456789 9123456789", "8123456789 or 9123456789", "81234 56789\n91234 56789",
			"+91 81234 56789 +91 91234 56789", "8123456789;9123456789", "8123456789 & 9123456789", "81234 56789 - 91234 56789", "81234-56789/90",
			"Mob: 8123456789, Res: 9123456789", "8123456789 और 9123456789",
		},
		fieldtype.PhoneWords: {
			"call me", "ask at the office", "81234 56789 after 6 pm", "Please call 81234 56789 only in the evening", "eight one two three", "81234-ABCDE-56789",
			"ravi@example.com 8123456789", "नहीं है", "Call me on 81234 56789 any time that suits you, I am at home",
		},
		fieldtype.TypePhone: {
			"1234567890", "01234567890", "1111111111", "5555555555", "+91 1234567890", "+999 8123456789", "0000000000", "?", "Mob: 1234567890", "+1 123 555 0123",
		},
	} {
		for _, text := range texts {
			if got := outcome(t, phoneIn("IN"), text); got != code {
				t.Errorf("%q: got %v, want %s", text, got, code)
			}
		}
	}
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
