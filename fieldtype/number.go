package fieldtype

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// mostDigits is how many digits a float64, and so any JSON reader, keeps exactly.
	mostDigits = 15
	// longestNumberText leaves room for separators. Longer text has too many digits.
	longestNumberText = 64
	// largestExponent is more than mostDigits allows.
	largestExponent = 64
)

// arabicPoint is never a group separator.
const arabicPoint = "٫"

// decimal is a number in canonical form: whole has no leading zeros but is never empty, fraction
// has no trailing zeros.
type decimal struct {
	negative        bool
	whole, fraction string
}

// String returns the number in plain decimal form, which is valid JSON.
func (d decimal) String() string {
	s := d.whole
	if d.fraction != "" {
		s += "." + d.fraction
	}
	if d.negative {
		s = "-" + s
	}
	return s
}

// float returns the nearest float64. Decimals of at most 15 digits keep their order as float64, so
// comparing them with bounds is exact.
func (d decimal) float() float64 {
	f, err := strconv.ParseFloat(d.String(), 64)
	if err != nil {
		return 0 // unreachable: String returns a plain decimal within the range of a float64
	}
	return f
}

// readDecimal reads a number as [Rules.Convert] documents.
func readDecimal(text, country string) (decimal, bool) {
	if len(text) > longestNumberText*utf8.UTFMax {
		return decimal{}, false
	}
	s := plainNumberText(text)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	var (
		whole, fraction string
		ok              bool
	)
	if mantissa, exponent, found := strings.Cut(strings.ToLower(s), "e"); found {
		whole, fraction, ok = shiftPoint(mantissa, exponent)
	} else {
		whole, fraction, ok = splitSeparators(s, country)
	}
	if !ok {
		return decimal{}, false
	}
	return canonical(negative, whole, fraction)
}

func canonical(negative bool, whole, fraction string) (decimal, bool) {
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	significant := strings.TrimLeft(whole+fraction, "0")
	if len(significant) > mostDigits || len(fraction) > mostDigits {
		return decimal{}, false
	}
	if whole == "" {
		whole = "0"
	}
	return decimal{negative: negative && significant != "", whole: whole, fraction: fraction}, true
}

// plainNumberText converts digits, signs and separators of any script to ASCII. It keeps other
// runes, which are refused later.
func plainNumberText(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch r {
		case '−', '－', '﹣':
			return '-'
		case '＋', '﹢':
			return '+'
		case '．':
			return '.'
		case '，':
			return ','
		case '’', '‘', '٬', '＇':
			return '\''
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		return asciiDigit(r)
	}, text))
}

// shiftPoint reads the exponent form, which browsers may send for <input type=number>.
func shiftPoint(mantissa, exponent string) (whole, fraction string, ok bool) {
	n, err := strconv.Atoi(exponent)
	if err != nil || n < -largestExponent || n > largestExponent {
		return "", "", false
	}
	whole, fraction, ok = splitPoint(strings.Replace(mantissa, arabicPoint, ".", 1), ".")
	if !ok {
		return "", "", false
	}
	digits := whole + fraction
	point := len(whole) + n
	switch {
	case point < 0:
		return "", strings.Repeat("0", -point) + digits, true
	case point > len(digits):
		return digits + strings.Repeat("0", point-len(digits)), "", true
	default:
		return digits[:point], digits[point:], true
	}
}

// splitSeparators splits a number into whole and fraction. It reports false if a separator is
// ambiguous.
func splitSeparators(s, country string) (whole, fraction string, ok bool) {
	if strings.Contains(s, arabicPoint) {
		if !strings.ContainsAny(s, " ',.") {
			return splitPoint(s, arabicPoint)
		}
		s = strings.Replace(s, arabicPoint, ".", 1)
	}
	commas, dots := strings.Count(s, ","), strings.Count(s, ".")
	switch {
	case strings.Contains(s, " "):
		return splitGrouped(s, " ", lastSeparator(s))
	case strings.Contains(s, "'"):
		return splitGrouped(s, "'", lastSeparator(s))
	case commas > 0 && dots > 0:
		point := lastSeparator(s)
		group := ","
		if point == "," {
			group = "."
		}
		return splitGrouped(s, group, point)
	case commas > 1:
		return splitGrouped(s, ",", "")
	case dots > 1:
		return splitGrouped(s, ".", "")
	case commas == 1:
		return splitSingle(s, ",", writingOf(country).comma)
	case dots == 1:
		return splitSingle(s, ".", writingOf(country).dot)
	default:
		return s, "", allDigits(s)
	}
}

// splitSingle splits a number with a single comma or dot. Three digits after it could be a group or
// a fraction, so what the separator means in the country decides. Otherwise it can only be the
// decimal point, which a dot is everywhere, because that is what browsers and scripts send.
func splitSingle(s, char string, means separator) (whole, fraction string, ok bool) {
	switch {
	case !canBeGroups(s, char):
		ok = char == "." || means.points
	case means.groups && !means.points:
		return splitGrouped(s, char, "")
	case char == ".":
		ok = means.points && !means.groups
	default:
		// Even where "1,500" is one and a half, people know it as an English number.
		ok = false
	}
	if !ok {
		return "", "", false
	}
	return splitPoint(s, char)
}

// canBeGroups reports whether the only separator of s could separate groups, even if one was
// forgotten as in "1500.000".
func canBeGroups(s, char string) bool {
	whole, rest, found := strings.Cut(s, char)
	return found && len(rest) == 3 && whole != "" && whole[0] != '0'
}

// lastSeparator returns the comma or dot that comes last, or "".
func lastSeparator(s string) string {
	if at := strings.LastIndexAny(s, ",."); at >= 0 {
		return s[at : at+1]
	}
	return ""
}

// splitPoint splits a number without groups. It accepts ".5", as HTML does, but not "5.".
func splitPoint(s, point string) (whole, fraction string, ok bool) {
	whole, fraction, found := strings.Cut(s, point)
	if !found {
		return whole, "", allDigits(whole)
	}
	return whole, fraction, allDigits(fraction) && (whole == "" || allDigits(whole))
}

// splitGrouped splits a number with groups; point is "" if it has no fraction.
func splitGrouped(s, group, point string) (whole, fraction string, ok bool) {
	if point != "" {
		at := strings.Index(s, point)
		s, fraction = s[:at], s[at+1:]
		if !allDigits(fraction) {
			return "", "", false
		}
	}
	groups := strings.Split(s, group)
	if !wellGrouped(groups, group == ",") {
		return "", "", false
	}
	return strings.Join(groups, ""), fraction, true
}

// wellGrouped accepts 1 234 567 and, where Indian grouping is possible, 12,34,567.
func wellGrouped(groups []string, indian bool) bool {
	if len(groups) < 2 || strings.HasPrefix(groups[0], "0") {
		return false
	}
	for _, g := range groups {
		if !allDigits(g) {
			return false
		}
	}
	first, middle, last := groups[0], groups[1:len(groups)-1], groups[len(groups)-1]
	all := func(size int) bool {
		return !slices.ContainsFunc(middle, func(g string) bool { return len(g) != size })
	}
	western := len(first) <= 3 && all(3)
	return len(last) == 3 && (western || indian && len(first) <= 2 && all(2))
}

// asciiDigit maps a decimal digit of any script to ASCII and returns other runes unchanged.
func asciiDigit(r rune) rune {
	if r <= unicode.MaxASCII || !unicode.Is(unicode.Nd, r) {
		return r
	}
	// Unicode keeps the ten digits of a script together in ascending order, so every run of digits
	// begins with a zero.
	zero := r
	for unicode.Is(unicode.Nd, zero-1) {
		zero--
	}
	return '0' + (r-zero)%10
}

func isASCIIDigit(r rune) bool { return '0' <= r && r <= '9' }

// allDigits reports whether s is one or more ASCII digits.
func allDigits(s string) bool {
	for _, r := range s {
		if !isASCIIDigit(r) {
			return false
		}
	}
	return s != ""
}
