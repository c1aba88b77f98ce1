package fieldtype

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"
)

// mostMoneyDecimals is the most decimals of any currency (CLF, UYW).
const mostMoneyDecimals = 4

// readMoney reads an amount that may have a currency before or after it, such as "₹ 1,500/-" or
// "1500 INR". It returns a note if the currency is not that of the country, because TeleCRM only
// knows the workspace's own (https://docs.telecrm.in/concepts/field-types).
func readMoney(text, country string) (amount decimal, note string, ok bool) {
	if len(text) > longestNumberText*utf8.UTFMax {
		return decimal{}, "", false
	}
	before, text := cutBefore(text)
	text, after := cutAfter(text)
	for _, sign := range []string{before, after} {
		if sign == "" {
			continue
		}
		if !isCurrency(sign) {
			return decimal{}, "", false
		}
		if !isOwnCurrency(sign, country) {
			note = noteCurrency
		}
	}
	// Indian amounts end in "/-" so that no digit can be added.
	amount, ok = readDecimal(strings.TrimSuffix(text, "/-"), country)
	if !ok || amount.negative || len(amount.fraction) > mostMoneyDecimals {
		return decimal{}, "", false
	}
	return amount, note, true
}

func isCurrencyRune(r rune) bool { return unicode.IsLetter(r) || unicode.Is(unicode.Sc, r) }

// cutBefore cuts the currency off the beginning and returns it in upper case.
func cutBefore(text string) (sign, rest string) {
	rest = strings.TrimLeftFunc(text, isCurrencyRune)
	sign = strings.ToUpper(text[:len(text)-len(rest)])
	if sign == "RS" {
		rest = strings.TrimPrefix(rest, ".")
	}
	return sign, strings.TrimSpace(rest)
}

// cutAfter cuts the currency off the end and returns it in upper case.
func cutAfter(text string) (rest, sign string) {
	if head, found := strings.CutSuffix(text, "."); found && strings.HasSuffix(strings.ToUpper(head), "RS") {
		text = head
	}
	rest = strings.TrimRightFunc(text, isCurrencyRune)
	return strings.TrimSpace(rest), strings.ToUpper(text[len(rest):])
}

// isCurrency accepts "₹", "US$", "RS" and ISO 4217 codes.
func isCurrency(sign string) bool {
	if sign == "RS" {
		return true
	}
	if last, size := utf8.DecodeLastRuneInString(sign); unicode.Is(unicode.Sc, last) {
		country := sign[:len(sign)-size]
		return len(country) <= 2 && strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	}
	_, err := currency.ParseISO(sign)
	return err == nil
}

// signs lists the usual ways to write a currency other than its code.
var signs = map[string][]string{
	"AUD": {"$", "A$", "AU$"},
	"BDT": {"৳"},
	"CAD": {"$", "C$", "CA$"},
	"CNY": {"¥", "￥"},
	"EUR": {"€"},
	"GBP": {"£"},
	"HKD": {"$", "HK$"},
	"INR": {"₹", "₨", "RS"},
	"JPY": {"¥", "￥"},
	"LKR": {"₨", "RS"},
	"MUR": {"₨", "RS"},
	"NGN": {"₦"},
	"NPR": {"₨", "RS"},
	"NZD": {"$", "NZ$"},
	"PHP": {"₱"},
	"PKR": {"₨", "RS"},
	"SGD": {"$", "S$"},
	"THB": {"฿"},
	"USD": {"$", "US$"},
}

func isOwnCurrency(sign, country string) bool {
	region, err := language.ParseRegion(country)
	if err != nil {
		return false
	}
	own, ok := currency.FromRegion(region)
	return ok && (sign == own.String() || slices.Contains(signs[own.String()], sign))
}
