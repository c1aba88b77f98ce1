package fieldtype

import (
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"
)

// The quick way for usual numbers gives what libphonenumber gives, with any prefix and in any
// country.
func TestUsualDigitsAreParsed(t *testing.T) {
	var regions []string
	for region := range phonenumbers.GetSupportedRegions() {
		regions = append(regions, region)
	}
	kinds := []phonenumbers.PhoneNumberType{
		phonenumbers.MOBILE, phonenumbers.FIXED_LINE, phonenumbers.TOLL_FREE, phonenumbers.VOIP, phonenumbers.UAN,
	}
	rapid.Check(t, func(t *rapid.T) {
		country := rapid.SampledFrom(regions).Draw(t, "country")
		region := country
		if rapid.Bool().Draw(t, "abroad") {
			region = rapid.SampledFrom(regions).Draw(t, "region")
		}
		digits := []byte(rapid.StringMatching(`[0-9]{5,13}`).Draw(t, "digits"))
		if example := phonenumbers.GetExampleNumberForType(region, rapid.SampledFrom(kinds).Draw(t, "kind")); example != nil {
			digits = []byte(phonenumbers.GetNationalSignificantNumber(example))
			for range rapid.IntRange(0, 4).Draw(t, "changes") {
				digits[rapid.IntRange(0, len(digits)-1).Draw(t, "at")] = byte('0' + rapid.IntRange(0, 9).Draw(t, "digit"))
			}
		}
		code := strconv.Itoa(phonenumbers.GetCountryCodeForRegion(region))
		prefix := rapid.SampledFrom([]string{
			"", "+", "+" + code, "+" + code + "0", code, code + "0", "0", "00", "00" + code, "1", "8", "01", "+" + code + "1",
		}).Draw(t, "prefix")
		checkUsual(t, prefix+string(digits), country)
	})
}

func checkUsual(t rapid.TB, dialled, country string) {
	got, ok := usualDigits(dialled, country)
	if !ok {
		return
	}
	want, code := parsedDigits(dialled, country)
	if code != "" || got != want {
		t.Fatalf("%s in %s: got %s, want %s %s", dialled, country, got, want, code)
	}
}

// The quick way is that of most numbers.
func TestUsualDigitsOfExamples(t *testing.T) {
	usual, all := 0, 0
	for region := range phonenumbers.GetSupportedRegions() {
		example := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
		if example == nil {
			continue
		}
		international := phonenumbers.Format(example, phonenumbers.E164)
		for _, dialled := range []string{international, phonenumbers.GetNationalSignificantNumber(example)} {
			all++
			if _, ok := usualDigits(dialled, region); ok {
				usual++
			}
			checkUsual(t, dialled, region)
		}
		if got, code := internationalDigits(international, "IN"); code != "" || got != strings.TrimPrefix(international, "+") {
			t.Errorf("%s: got %s %s", international, got, code)
		}
	}
	if usual < all*3/4 {
		t.Errorf("%d of %d example numbers are usual", usual, all)
	}
	for _, number := range []string{"+918123456789", "8123456789", "08123456789", "+9108123456789", "+442079460958"} {
		if _, ok := usualDigits(number, "IN"); !ok {
			t.Errorf("%s is not usual", number)
		}
	}
}
