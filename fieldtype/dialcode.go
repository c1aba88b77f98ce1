package fieldtype

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Forms join a country code from a list with what the visitor typed, who may have typed a country
// code too. The patterns match text as plainPhoneText returns it.
var (
	// codeThenCode matches a country code before a number with its own.
	codeThenCode = regexp.MustCompile(`^[( ]*(\+|00)?\+*([1-9][-0-9]{0,5})[-.,() ]*((?:tel:)?[( ]*\+.*)$`)
	// codeThenComma matches a country code that was joined with a comma.
	codeThenComma = regexp.MustCompile(`^[( ]*(\+|00)?([1-9][0-9]{0,2})[) ]*,( *[0-9(].*)$`)
	listedCode    = regexp.MustCompile(`^\(?(?:\+|00)([1-9][0-9]{0,2})\)?$`)
)

// withoutListedCode drops the country codes before a number that begins with its own, so that the
// code in the number wins, and joins a code and a number that are separated by a comma.
func withoutListedCode(text string) string {
	for strings.LastIndexByte(text, '+') > 0 {
		m := codeThenCode.FindStringSubmatch(text)
		if m == nil {
			break
		}
		code := strings.ReplaceAll(m[2], "-", "")
		// Codes such as +1-242 have the area too.
		if !isCallingCode(code) && (m[1] == "" || len(code) < 4 || firstCode(code) == "") {
			break
		}
		text = m[3]
	}
	if !strings.Contains(text, ",") {
		return text
	}
	if m := codeThenComma.FindStringSubmatch(text); m != nil && isCallingCode(m[2]) {
		return m[1] + m[2] + m[3]
	}
	return text
}

// cutCode cuts the country code off a dialled number that has one, and returns the rest with the
// code's region. Without a plus, only the country's own code is one, and only before another. If the
// same code follows after 00, that becomes a plus: it means this in any country, while some countries
// dial more after it.
func cutCode(dialled, country string) (rest, region string) {
	rest, hasPlus := strings.CutPrefix(dialled, "+")
	if !hasPlus {
		rest = strings.TrimPrefix(rest, "00")
	}
	code := firstCode(rest)
	number, err := strconv.Atoi(code)
	if err != nil || !hasPlus && number != phonenumbers.GetCountryCodeForRegion(country) {
		return "", ""
	}
	region = phonenumbers.GetRegionCodeForCountryCode(number)
	rest = rest[len(code):]
	if again, found := strings.CutPrefix(rest, "00"+code); found {
		return "+" + code + again, region
	}
	if !hasPlus && !strings.HasPrefix(rest, code) && !strings.HasPrefix(rest, "00") {
		return "", ""
	}
	return rest, region
}

// firstCode returns the calling code that digits begin with, or "". No calling code is the beginning
// of another.
func firstCode(digits string) string {
	for length := 1; length <= min(3, len(digits)); length++ {
		if isCallingCode(digits[:length]) {
			return digits[:length]
		}
	}
	return ""
}

func isCallingCode(digits string) bool { return regionOf(digits) != "" }

// regionOf returns the main region of a calling code, or "" if it is not one.
func regionOf(callingCode string) string {
	code, err := strconv.Atoi(callingCode)
	if err != nil || callingCode[0] == '0' {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForCountryCode(code); region != phonenumbers.UNKNOWN_REGION {
		return region
	}
	return ""
}

// joinListedCode joins the last value with the one before it if that is a country code: the list and
// the input may have the same name.
func joinListedCode(values []string) []string {
	last := len(values) - 1
	if last < 1 {
		return values
	}
	m := listedCode.FindStringSubmatch(plainPhoneText(values[last-1]))
	if m == nil || !isCallingCode(m[1]) {
		return values
	}
	return append(slices.Clone(values[:last-1]), values[last-1]+" "+values[last])
}
