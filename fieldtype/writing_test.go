package fieldtype_test

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

func moneyIn(country string) fieldtype.Rules {
	return fieldtype.Rules{Type: fieldtype.Money, Country: country}
}

// TestNumbersOfACountry reads text with one separator as the country of the field writes numbers.
func TestNumbersOfACountry(t *testing.T) {
	t.Parallel()
	n := func(s string) json.Number { return json.Number(s) }
	for countries, table := range map[string][]conversion{
		"DE de AT IT ES NL BR ID TR VN DK GR AR CL CO RO RS BE LU": {
			{"1,5", n("1.5")},
			{"1.5", n("1.5")},
			{"1.50", n("1.5")},
			{"0.500", n("0.5")},
			{"0,500", n("0.5")},
			{"1.2345", n("1.2345")},
			{"1.234.567", n("1234567")},
			{"1.234,5", n("1234.5")},
			{"1,500", fieldtype.TypeNumeric},
			{"1234,500", fieldtype.TypeNumeric},
			{"1234.500", fieldtype.TypeNumeric},
			{"1e3", n("1000")},
			{"1.500e0", n("1.5")},
			{"١٫٥٠٠", n("1.5")},
			{"1.500", n("1500")},
			{"-50.000", n("-50000")},
			{"１．５００", n("1500")},
		},
		"FR PL SE FI NO CZ HU UA RU PT ZA BG": {
			{"1.500", fieldtype.TypeNumeric},
			{"1,500", fieldtype.TypeNumeric},
			{"1.5", n("1.5")},
			{"1,5", n("1.5")},
			{"1\u202f500", n("1500")},
			{"1\u00a0500,25", n("1500.25")},
			{"12 345,5", n("12345.5")},
			{"1\u2009234\u2009567", n("1234567")},
		},
		"CH": {
			{"1’500", n("1500")},
			{"1'500.25", n("1500.25")},
			{"1’234’567,5", n("1234567.5")},
			{"1.500", fieldtype.TypeNumeric},
			{"1,500", fieldtype.TypeNumeric},
			{"1,5", n("1.5")},
		},
		"CA": {
			{"1.500", n("1.5")},
			{"1,500", fieldtype.TypeNumeric},
			{"1 500,5", n("1500.5")},
			{"1,5", n("1.5")},
		},
		"IN in US GB AU JP CN TW HK SG MY PH PK NG KE MX AE IL TH PE GT": {
			{"1.500", n("1.5")},
			{"1,500", n("1500")},
			{"1234.500", n("1234.5")},
			{"1,5", fieldtype.TypeNumeric},
			{"0,500", fieldtype.TypeNumeric},
			{"1500,000", fieldtype.TypeNumeric},
			{"1,50,000", n("150000")},
			{"1,500.25", n("1500.25")},
		},
		" XX 001": {
			{"1.500", fieldtype.TypeNumeric},
			{"-12.345", fieldtype.TypeNumeric},
			{"1234.567", fieldtype.TypeNumeric},
			{"1,500", fieldtype.TypeNumeric},
			{"1,5", fieldtype.TypeNumeric},
			{"1.5", n("1.5")},
			{"0.125", n("0.125")},
			{".125", n("0.125")},
			{"1.2345", n("1.2345")},
			{"1.234,5", n("1234.5")},
			{"1,234.567", n("1234.567")},
			{"1 500", n("1500")},
		},
	} {
		for country := range strings.SplitSeq(countries, " ") {
			t.Run(country, func(t *testing.T) {
				t.Parallel()
				checkConversions(t, numberIn(country), table)
			})
		}
	}
}

func TestMoneyOfACountry(t *testing.T) {
	t.Parallel()
	for country, table := range map[string][]conversion{
		"DE": {
			{"€ 50.000", "50000"},
			{"50.000 €", "50000"},
			{"EUR 1.500", "1500"},
			{"1.500,00 €", "1500"},
			{"€ 1.500,-", "1500"},
			{"50,-- €", "50"},
			{"50,– €", "50"},
			{"0,50 €", "0.5"},
			{"€.5", "0.5"},
			{",-", fieldtype.TypeNumeric},
			{"$5,000", fieldtype.TypeNumeric},
			{"KWD 1.500", fieldtype.TypeNumeric}, // a dinar has 1000 fils
		},
		"BR": {{"R$ 50.000", "50000"}, {"R$ 1.500,50", "1500.5"}},
		"DK": {{"1.500 kr.", "1500"}, {"kr. 1.500", "1500"}, {"1.500,- kr", "1500"}, {"kr.5", fieldtype.TypeNumeric}, {"DKK.5", fieldtype.TypeNumeric}, {"DKK. 5", "5"}},
		"ID": {{"Rp 50.000", "50000"}, {"Rp. 50.000", "50000"}, {"Rp50.000", "50000"}},
		"PL": {{"1 500 zł", "1500"}, {"1\u00a0500,50 zł", "1500.5"}, {"1.500 zł", fieldtype.TypeNumeric}},
		"FR": {{"1\u202f500,50\u00a0€", "1500.5"}, {"€ 50.000", fieldtype.TypeNumeric}, {"50 000 €", "50000"}},
		"CH": {{"CHF 1'500.-", "1500"}, {"CHF 50.—", "50"}, {"1’500.50", "1500.5"}},
		"TN": {{"TND 1.500", fieldtype.TypeNumeric}, {"1.500", fieldtype.TypeNumeric}, {"1.500,500", "1500.5"}},
		"IN": {
			{"€ 50.000", "50"},
			{"₹ 1.500", "1.5"},
			{"₹ 1,50,000", "150000"},
			{"₹1,500/-", "1500"},
			{"Rs.500", "500"},
			{"Rs .500", "500"},
			{"Rs . 500/-", "500"},
			{"INR. 500", "500"},
			{"INR.\u00a01,500.50", "1500.5"},
			{"₹. 500", "500"},
			{"₹.50", "0.5"},
			{"₹ .5", "0.5"},
			{"INR.5", fieldtype.TypeNumeric}, // "Rs.5" is five
			{"INR .500", fieldtype.TypeNumeric},
			{"₹.500", fieldtype.TypeNumeric}, // half a rupee has no third decimal
			{". 500", fieldtype.TypeNumeric},
			{"X. 500", fieldtype.TypeNumeric},
			{".500", "0.5"},
		},
		"": {{"€ 50.000", fieldtype.TypeNumeric}, {"50.00 €", "50"}, {"€ 50.000,00", "50000"}, {"€ 50.000,-", "50000"}},
	} {
		t.Run(country, func(t *testing.T) {
			t.Parallel()
			checkConversions(t, moneyIn(country), table)
		})
	}
	for country, text := range map[string]string{"TR": "₺ 500", "DK": "500 kr.", "PL": "500 zł", "ID": "Rp 500", "RU": "500 ₽", "IN": "₹ 500"} {
		if value, err := moneyIn(country).Convert([]string{text}); err != nil || value.JSON != "500" || value.Note != "" {
			t.Errorf("%s %s: got %+v, %v", country, text, value, err)
		}
	}
}

// TestNumbersAsShown writes numbers as x/text does for the languages of a country. What is read is
// the number written, or the visitor is asked.
func TestNumbersAsShown(t *testing.T) {
	t.Parallel()
	locales := []string{
		"en-IN", "hi-IN", "ta-IN", "bn-IN", "en-US", "es-US", "en-GB", "de-DE", "de-AT", "de-CH", "fr-CH", "it-CH", "fr-FR", "nl-NL", "nl-BE",
		"fr-BE", "es-ES", "es-MX", "es-PE", "es-CL", "pt-BR", "pt-PT", "it-IT", "pl-PL", "cs-CZ", "sv-SE", "nb-NO", "da-DK", "fi-FI", "ru-RU",
		"uk-UA", "tr-TR", "id-ID", "vi-VN", "th-TH", "ja-JP", "zh-CN", "ko-KR", "en-CA", "fr-CA", "en-ZA", "ar-EG", "ar-MA", "ar-AE", "fa-IR",
		"he-IL", "el-GR", "ro-RO", "hu-HU", "sr-RS", "fil-PH", "ms-MY", "ur-PK", "bn-BD", "ne-NP",
	}
	accepted := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		digits := strconv.FormatInt(rapid.Int64Range(-99_999_999, 99_999_999).Draw(t, "number"), 10)
		decimals := rapid.IntRange(0, 4).Draw(t, "decimals")
		want, _ := new(big.Rat).SetString(digits + "e-" + strconv.Itoa(decimals))
		float, _ := want.Float64()
		for _, locale := range locales {
			tag := language.MustParse(locale)
			region, _ := tag.Region()
			text := message.NewPrinter(tag).Sprint(number.Decimal(float, number.Scale(decimals)))
			for _, rules := range []fieldtype.Rules{numberIn(region.String()), numberIn(""), moneyIn(region.String()), moneyIn("")} {
				value, err := rules.Convert([]string{text})
				if err != nil {
					continue
				}
				accepted[string(rules.Type)+rules.Country]++
				sent, isDecimal := new(big.Rat).SetString(strings.Trim(string(mustJSON(t, value.JSON)), `"`))
				if !isDecimal || sent.Cmp(want) != 0 {
					t.Fatalf("%s %s in %q: %q became %v", tag, want.FloatString(decimals), rules.Country, text, value.JSON)
				}
			}
		}
	})
	for _, country := range []string{"", "IN", "DE", "FR", "US", "CH", "BR"} {
		if accepted["number"+country] == 0 {
			t.Errorf("no number was accepted in %q", country)
		}
	}
}

func mustJSON(t interface{ Fatal(...any) }, value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}
