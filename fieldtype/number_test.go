package fieldtype_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/fieldtype"
)

func numberIn(country string) fieldtype.Rules {
	return fieldtype.Rules{Type: fieldtype.Number, Country: country}
}

func TestConvertNumber(t *testing.T) {
	t.Parallel()
	n := func(s string) json.Number { return json.Number(s) }
	everywhere := []conversion{
		{"0", n("0")},
		{"-0.00", n("0")},
		{"007", n("7")},
		{"+12.50", n("12.5")},
		{".5", n("0.5")},
		{"−3", n("-3")},
		{"1e3", n("1000")},
		{"1.25E-2", n("0.0125")},
		{"-2.5e+1", n("-25")},
		{"१२३.५", n("123.5")},
		{"١٢٣٫٥", n("123.5")},
		{"１，２３４，５６７．８", n("1234567.8")},
		{"1,234.50", n("1234.5")},
		{"1.234,50", n("1234.5")},
		{"1,234,567", n("1234567")},
		{"1.234.567", n("1234567")},
		{"12,34,567", n("1234567")},
		{"1,23,456.75", n("123456.75")},
		{"1 234 567,8", n("1234567.8")},
		{"1\u00a0234", n("1234")},
		{"1\u202f234.5", n("1234.5")},
		{"1'234'567.5", n("1234567.5")},
		{"1’234", n("1234")},
		{"123456789012345", n("123456789012345")},
		{"0.000000000000001", n("0.000000000000001")},
		{"1234567890123456", fieldtype.TypeNumeric},
		{"0.0000000000000001", fieldtype.TypeNumeric},
		{"1e15", fieldtype.TypeNumeric},
		{"1e308", fieldtype.TypeNumeric},
		{"1e99999999999", fieldtype.TypeNumeric},
		{"1e", fieldtype.TypeNumeric},
		{"e3", fieldtype.TypeNumeric},
		{"1,0e3", fieldtype.TypeNumeric},
		{"5.", fieldtype.TypeNumeric},
		{".", fieldtype.TypeNumeric},
		{"-", fieldtype.TypeNumeric},
		{"--1", fieldtype.TypeNumeric},
		{"1-2", fieldtype.TypeNumeric},
		{"1,2,3", fieldtype.TypeNumeric},
		{"1.2.3", fieldtype.TypeNumeric},
		{"1,2345,678", fieldtype.TypeNumeric},
		{"0,123,456", fieldtype.TypeNumeric},
		{"1,234,56", fieldtype.TypeNumeric},
		{"1.23.456", fieldtype.TypeNumeric},
		{"1.234,567,8", fieldtype.TypeNumeric},
		{"12 34", fieldtype.TypeNumeric},
		{"1 23 456", fieldtype.TypeNumeric},
		{"1 234'567", fieldtype.TypeNumeric},
		{"1 234.567 890", fieldtype.TypeNumeric},
		{"1 234.5.6", fieldtype.TypeNumeric},
		{"ten", fieldtype.TypeNumeric},
		{"10%", fieldtype.TypeNumeric},
		{"5k", fieldtype.TypeNumeric},
		{"0x10", fieldtype.TypeNumeric},
		{"1_000", fieldtype.TypeNumeric},
		{"NaN", fieldtype.TypeNumeric},
		{"Infinity", fieldtype.TypeNumeric},
		{"½", fieldtype.TypeNumeric},
		{"1\x002", fieldtype.TypeNumeric},
		{"1; DROP TABLE leads", fieldtype.TypeNumeric},
		{strings.Repeat("9", 1_000_000), fieldtype.TypeNumeric},
	}
	for _, country := range []string{"", "IN", "de", "CA"} {
		checkConversions(t, numberIn(country), everywhere)
	}
	checkConversions(t, numberIn("in"), []conversion{
		{"1,500", n("1500")},
		{"-1,500", n("-1500")},
		{"1,5", fieldtype.TypeNumeric},
		{"1,50,000", n("150000")},
		{"1500,000", fieldtype.TypeNumeric},
		{"0,500", fieldtype.TypeNumeric},
	})
	checkConversions(t, numberIn("DE"), []conversion{
		{"1,500", fieldtype.TypeNumeric},
		{"1,5", n("1.5")},
		{"-1234,75", n("-1234.75")},
		{",5", n("0.5")},
	})
	checkConversions(t, numberIn(""), []conversion{{"1,500", fieldtype.TypeNumeric}, {"1,5", fieldtype.TypeNumeric}})
}

func TestConvertNumberBounds(t *testing.T) {
	t.Parallel()
	rules := fieldtype.Rules{Type: fieldtype.Number, Min: new(-1.5), Max: new(0.1)}
	checkConversions(t, rules, []conversion{
		{"-1.5", json.Number("-1.5")},
		{"0.1", json.Number("0.1")},
		{"-1.50000000000001", fieldtype.TooSmall},
		{"0.10000000000001", fieldtype.TooLarge},
	})
}

func TestConvertMoney(t *testing.T) {
	t.Parallel()
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Money, Country: "IN", Max: new(1e9)}, []conversion{
		{"24999", "24999"},
		{"2499.50", "2499.5"},
		{"1.2345", "1.2345"},
		{"₹24,999", "24999"},
		{"₹ 1,50,000.00", "150000"},
		{"Rs. 500/-", "500"},
		{"rs 500", "500"},
		{"500 Rs.", "500"},
		{"500 /- INR", "500"},
		{"INR1500", "1500"},
		{"$5,000", "5000"},
		{"US$ 5000", "5000"},
		{"5000 usd", "5000"},
		{"€1.234,50", "1234.5"},
		{"२४९९९", "24999"},
		{"0", "0"},
		{"-0", "0"},
		{"1e3", "1000"},
		{"1.23456", fieldtype.TypeNumeric},
		{"-5", fieldtype.TypeNumeric},
		{"₹-5", fieldtype.TypeNumeric},
		{"-₹5", fieldtype.TypeNumeric},
		{"₹", fieldtype.TypeNumeric},
		{"₹₹5", fieldtype.TypeNumeric},
		{"500/-/-", fieldtype.TypeNumeric},
		{"ABCD5", fieldtype.TypeNumeric},
		{"QQQ 5", fieldtype.TypeNumeric},
		{"日5", fieldtype.TypeNumeric},
		{"5 lakh", fieldtype.TypeNumeric},
		{"5k", fieldtype.TypeNumeric},
		{"5-10", fieldtype.TypeNumeric},
		{"🙂5", fieldtype.TypeNumeric},
		{"5\x00", "5"},
		{"5; DROP TABLE leads", fieldtype.TypeNumeric},
		{"1000000001", fieldtype.TooLarge},
		{strings.Repeat("9", 1_000_000), fieldtype.TypeNumeric},
	})
}

func TestConvertMoneyNotesAForeignCurrency(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		country, text string
		foreign       bool
	}{
		{"IN", "500", false},
		{"IN", "₹500", false},
		{"IN", "Rs.500", false},
		{"in", "500 inr", false},
		{"IN", "$500", true},
		{"IN", "USD 500", true},
		{"US", "$500", false},
		{"US", "₹500", true},
		{"DE", "500 €", false},
		{"", "₹500", true},
	} {
		value, err := fieldtype.Rules{Type: fieldtype.Money, Country: tt.country}.Convert([]string{tt.text})
		if err != nil || value.JSON != "500" || (value.Note != "") != tt.foreign {
			t.Errorf("%s %q: got %+v, %v", tt.country, tt.text, value, err)
		}
	}
}

func TestConvertRating(t *testing.T) {
	t.Parallel()
	checkConversions(t, fieldtype.Rules{Type: fieldtype.Rating}, []conversion{
		{"1", int64(1)},
		{"5", int64(5)},
		{"3.0", int64(3)},
		{"٤", int64(4)},
		{"0", fieldtype.TooSmall},
		{"-3", fieldtype.TooSmall},
		{"6", fieldtype.TooLarge},
		{"100000", fieldtype.TooLarge},
		{"3.5", fieldtype.TypeNumeric},
		{"5.5", fieldtype.TypeNumeric},
		{"4/5", fieldtype.TypeNumeric},
		{"★★★", fieldtype.TypeNumeric},
		{"good", fieldtype.TypeNumeric},
		{strings.Repeat("3", 1_000_000), fieldtype.TypeNumeric},
	})
}

func TestDigitsOfEveryScript(t *testing.T) {
	t.Parallel()
	checked := 0
	for r := range unicode.MaxRune + 1 {
		if !unicode.IsDigit(r) {
			continue
		}
		want := json.Number(strconv.Itoa(checked % 10))
		if got := outcome(t, numberIn(""), string(r)); got != want {
			t.Errorf("%U: got %v, want %v", r, got, want)
		}
		checked++
	}
	if checked < 600 {
		t.Errorf("got only %d digits", checked)
	}
}

// grouped writes digits with separators, Indian or Western.
func grouped(digits, separator string, indian bool) string {
	size := 3
	out := ""
	for len(digits) > size {
		out = separator + digits[len(digits)-size:] + out
		digits = digits[:len(digits)-size]
		if indian {
			size = 2
		}
	}
	return digits + out
}

func TestNumberGroupingRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(1_000, 99_999_999_999).Draw(t, "whole")
		cents := rapid.IntRange(1, 99).Draw(t, "cents")
		style := rapid.SampledFrom([]struct {
			group, point string
			indian       bool
		}{
			{",", ".", false},
			{",", ".", true},
			{".", ",", false},
			{" ", ",", false},
			{" ", ".", false},
			{"\u00a0", ",", false},
			{"\u202f", ",", false},
			{"'", ".", false},
			{"’", ".", false},
		}).Draw(t, "style")
		country := rapid.SampledFrom([]string{"", "IN", "DE", "CH"}).Draw(t, "country")
		digits := strconv.FormatInt(whole, 10)
		fraction := strconv.Itoa(100 + cents)[1:]
		text := grouped(digits, style.group, style.indian) + style.point + fraction
		value, err := numberIn(country).Convert([]string{text})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if want := json.Number(digits + "." + strings.TrimRight(fraction, "0")); value.JSON != want {
			t.Fatalf("%q: got %v, want %v", text, value.JSON, want)
		}
	})
}
