package telecrm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

func TestSpellings(t *testing.T) {
	t.Parallel()
	const phone, email, text = telecrm.PhoneIdentifier, telecrm.EmailIdentifier, telecrm.TextIdentifier
	for _, tc := range []struct {
		kind  telecrm.IdentifierKind
		value string
		want  []string
	}{
		{phone, "918123456789", []string{"918123456789", "+918123456789", "8123456789", "08123456789"}},
		{phone, "+918123456789", []string{"+918123456789", "918123456789", "8123456789", "08123456789"}},
		{phone, " +91 81234 56789 ", []string{"+91 81234 56789", "918123456789", "+918123456789", "8123456789", "08123456789"}},
		{phone, "447400123456", []string{"447400123456", "+447400123456", "7400123456", "07400123456"}},
		{phone, "12015550123", []string{"12015550123", "+12015550123", "2015550123", "02015550123"}},
		// Italian numbers keep their zero.
		{phone, "390212345678", []string{"390212345678", "+390212345678", "0212345678"}},
		// No country has the code 999 or such long numbers.
		{phone, "9991234567", []string{"9991234567", "+9991234567"}},
		{phone, strings.Repeat("9", 40), []string{strings.Repeat("9", 40), "+" + strings.Repeat("9", 40)}},
		{phone, "91", []string{"91", "+91"}},
		{phone, "unknown", []string{"unknown"}},
		{phone, "", nil},
		{phone, " \t", nil},
		{email, " Ravi@example.org ", []string{"Ravi@example.org"}},
		{email, "", nil},
		{text, "918123456789", []string{"918123456789"}},
		{text, "A 7", []string{"A 7"}},
		{"dropdown", "A 7", []string{"A 7"}},
	} {
		if diff := cmp.Diff(tc.want, tc.kind.Spellings(tc.value)); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", tc.kind, tc.value, diff)
		}
	}
}

// The spellings of each country's example number can be dialled there.
func TestSpellingsOfEveryCountry(t *testing.T) {
	t.Parallel()
	for region := range phonenumbers.GetSupportedRegions() {
		number := phonenumbers.GetExampleNumber(region)
		sent := strings.TrimPrefix(phonenumbers.Format(number, phonenumbers.E164), "+")
		national := phonenumbers.GetNationalSignificantNumber(number)
		got := telecrm.PhoneIdentifier.Spellings(sent)
		for _, want := range []string{sent, "+" + sent, national} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: the spellings %q of %s lack %s", region, got, sent, want)
			}
		}
	}
}

func TestSpellingsProperties(t *testing.T) {
	t.Parallel()
	kinds := []telecrm.IdentifierKind{telecrm.PhoneIdentifier, telecrm.EmailIdentifier, telecrm.TextIdentifier}
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`\+?[0-9 ()-]{0,30}`)).Draw(t, "value")
		got := kind.Spellings(value)
		trimmed := strings.TrimSpace(value)
		if trimmed == "" {
			if got != nil {
				t.Fatalf("a blank value has the spellings %q", got)
			}
			return
		}
		if len(got) == 0 || got[0] != trimmed || len(got) > 5 {
			t.Fatalf("spellings of %q are %q", value, got)
		}
		if sorted := slices.Sorted(slices.Values(got)); len(slices.Compact(sorted)) != len(got) {
			t.Fatalf("spellings of %q are not unique: %q", value, got)
		}
		if slices.Contains(got, "") {
			t.Fatalf("spellings of %q contain a blank one: %q", value, got)
		}
	})
}

func TestSame(t *testing.T) {
	t.Parallel()
	const phone, email, text = telecrm.PhoneIdentifier, telecrm.EmailIdentifier, telecrm.TextIdentifier
	for _, tc := range []struct {
		kind telecrm.IdentifierKind
		a, b string
		want bool
	}{
		{phone, "918123456789", "918123456789", true},
		{phone, "918123456789", "+918123456789", true},
		{phone, "918123456789", "+91 81234-56789", true},
		{phone, "918123456789", "8123456789", false},
		{phone, "918123456789", "08123456789", false},
		{phone, "918123456789", "918123456788", false},
		{phone, "918123456789", "9181234567890", false},
		{phone, "918123456789", "", false},
		{phone, "", "", false},
		{phone, "+", "unknown", false},
		{phone, "unknown", "unknown", false},
		{phone, "a7@example.org", "b7@example.org", false},
		{phone, "a7@example.org", "A7@example.org", true},
		{phone, "Flat 12", "12", false},
		{email, "Ravi@Example.org", " ravi@example.ORG ", true},
		{email, "ravi@example.org", "ravi@example.com", false},
		{email, " ", "", false},
		{text, "Straße 7", "STRASSE 7", false},
		{text, "ΣΑΣ", "σας", true},
		{text, "A 7", "a 7", true},
		{text, "A 7", "A7", false},
		{text, "+7", "7", false},
		{text, "", "", false},
	} {
		for _, pair := range [][2]string{{tc.a, tc.b}, {tc.b, tc.a}} {
			if tc.want && tc.a != "ΣΑΣ" && tc.kind.Key(pair[0]) != tc.kind.Key(pair[1]) {
				t.Errorf("%s: the keys of %q and %q differ", tc.kind, pair[0], pair[1])
			}
			if got := tc.kind.Same(pair[0], pair[1]); got != tc.want {
				t.Errorf("%s: Same(%q, %q) = %t, want %t", tc.kind, pair[0], pair[1], got, tc.want)
			}
		}
	}
}
