package fieldtype

import (
	"regexp"
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
	text, after := cutAfter(text, country)
	for _, sign := range []string{before, after} {
		if sign == "" {
			continue
		}
		if !isCurrency(sign, country) {
			return decimal{}, "", false
		}
		if !isOwnCurrency(sign, country) {
			note = noteCurrency
		}
	}
	// Indian amounts end in "/-" so that no digit can be added, and European ones in ",-".
	text = noMinorUnit.ReplaceAllString(strings.TrimSuffix(text, "/-"), "${1}00")
	if hasThreeDecimals(before+after, country) && canBeGroups(plainNumberText(text), ".") && writingOf(country).dot.groups {
		return decimal{}, "", false
	}
	amount, ok = readDecimal(text, country)
	if !ok || amount.negative || len(amount.fraction) > mostMoneyDecimals {
		return decimal{}, "", false
	}
	return amount, note, true
}

// noMinorUnit matches the end of an amount without cents, such as "50,-" and "50.--".
var noMinorUnit = regexp.MustCompile(`(\p{Nd}[.,])[-–—]{1,2}$`)

// hasThreeDecimals reports whether amounts in a currency are usually written with three decimals.
func hasThreeDecimals(sign, country string) bool {
	unit, err := currency.ParseISO(sign)
	if err != nil {
		region, err := language.ParseRegion(country)
		if err != nil {
			return false
		}
		unit, _ = currency.FromRegion(region)
	}
	scale, _ := currency.Standard.Rounding(unit)
	return scale == 3
}

func isCurrencyRune(r rune) bool { return unicode.IsLetter(r) || unicode.Is(unicode.Sc, r) }

// cutBefore cuts the currency off the beginning and returns it in upper case. A dot after it belongs
// to it if it cannot be a decimal point. If it can be either, as in "INR.5", the dot stays at the
// currency, which is then unknown.
func cutBefore(text string) (sign, rest string) {
	rest = strings.TrimLeftFunc(text, isCurrencyRune)
	sign = strings.ToUpper(text[:len(text)-len(rest)])
	rest = strings.TrimSpace(rest)
	afterDot, isDotted := strings.CutPrefix(rest, ".")
	amount := strings.TrimSpace(afterDot)
	switch {
	case !isDotted, sign == "":
		return sign, rest
	case sign == "RS", amount != afterDot:
		return sign, amount
	case isWord(sign), leadingDigits(amount) > 2: // "$.50" is half a dollar, "₹.500" is not half a rupee
		return sign + ".", amount
	}
	return sign, rest
}

func isWord(sign string) bool {
	last, _ := utf8.DecodeLastRuneInString(sign)
	return unicode.IsLetter(last)
}

func leadingDigits(text string) int {
	return utf8.RuneCountInString(text) - utf8.RuneCountInString(strings.TrimLeftFunc(text, unicode.IsDigit))
}

// cutAfter cuts the currency off the end and returns it in upper case.
func cutAfter(text, country string) (rest, sign string) {
	head, isDotted := strings.CutSuffix(text, ".")
	rest = strings.TrimRightFunc(head, isCurrencyRune)
	sign = strings.ToUpper(head[len(rest):])
	if isDotted && sign != "RS" && !isAbbreviation(sign, country) {
		return text, ""
	}
	return strings.TrimSpace(rest), sign
}

// isAbbreviation accepts the letters that a country writes for its currency and that are not a code.
func isAbbreviation(sign, country string) bool {
	_, err := currency.ParseISO(sign)
	return err != nil && !strings.ContainsFunc(sign, func(r rune) bool { return !unicode.IsLetter(r) }) &&
		slices.Contains(ownSigns(country), sign)
}

// isCurrency accepts "₹", "US$", "RS", ISO 4217 codes, and what the country writes for its currency.
func isCurrency(sign, country string) bool {
	if sign == "RS" || slices.Contains(ownSigns(country), sign) {
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
	return ok && (sign == own.String() || slices.Contains(signs[own.String()], sign) || slices.Contains(ownSigns(country), sign))
}
