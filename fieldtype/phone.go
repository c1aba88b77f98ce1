package fieldtype

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

const (
	// longestPhoneText leaves room for punctuation and an extension.
	longestPhoneText = 60
	// shortestPhone and longestPhone bound the digits including the country code: E.164 allows 15,
	// and the shortest subscriber numbers have 7.
	shortestPhone, longestPhone = 7, 15
)

// phoneExtension matches an extension: "ext. 12", "x12", "#12", ";ext=12".
var phoneExtension = regexp.MustCompile(`^(?:;ext=|(?:extension|extn|ext|x|#)[.:]? *)[0-9]{1,7}$`)

// phoneValue parses a phone number and returns its digits with the country code.
func phoneValue(text, country string) (Value, bool) {
	if len(text) > longestPhoneText*utf8.UTFMax || utf8.RuneCountInString(text) > longestPhoneText {
		return Value{}, false
	}
	dialled, extension, ok := dialledDigits(text)
	if !ok {
		return Value{}, false
	}
	digits, ok := internationalDigits(dialled, country)
	if !ok {
		return Value{}, false
	}
	if extension {
		return Value{JSON: digits, Note: noteExtension}, true
	}
	return Value{JSON: digits}, true
}

// dialledDigits reduces a typed number to its ASCII digits, with a leading "+" if it has one.
func dialledDigits(text string) (dialled string, extension, ok bool) {
	text = withoutListedCode(plainPhoneText(text))
	text = strings.TrimPrefix(text, "tel:")
	number, rest := text, ""
	if at := strings.IndexFunc(text, isAfterPhone); at >= 0 {
		number, rest = text[:at], strings.TrimLeft(text[at:], ", ")
	}
	if rest != "" && !phoneExtension.MatchString(rest) {
		return "", false, false
	}
	dialled, ok = stripPunctuation(number)
	return dialled, rest != "", ok
}

// plainPhoneText converts digits, plus signs, dashes and spaces of any script to ASCII and drops
// the direction marks that contact apps put around numbers.
func plainPhoneText(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '＋' || r == '﹢':
			return '+'
		case r == '−' || unicode.Is(unicode.Pd, r):
			return '-'
		case r == '（' || r == '）' || r == '·' || r == '．' || r == '／':
			return ' '
		case unicode.IsSpace(r):
			return ' '
		case isInvisible(r):
			return -1
		}
		return unicode.ToLower(asciiDigit(r))
	}, text))
}

func isAfterPhone(r rune) bool { return !isASCIIDigit(r) && !strings.ContainsRune("+-./()[]~ ", r) }

func stripPunctuation(number string) (dialled string, ok bool) {
	var b strings.Builder
	for _, r := range number {
		switch {
		case isASCIIDigit(r):
			b.WriteRune(r)
		case r == '+' && strings.Trim(b.String(), "+") != "":
			return "", false
		case r == '+' && b.Len() == 0:
			b.WriteRune(r)
		}
	}
	return b.String(), b.Len() > 0
}

// internationalDigits finds the country code of a dialled number and returns the number in E.164
// without the plus.
func internationalDigits(dialled, country string) (digits string, ok bool) {
	if rest, found := strings.CutPrefix(dialled, "+00"); found {
		dialled = "+" + rest
	}
	number, ok := completeNumber(dialled, country)
	if !ok {
		// A code from a list may be followed by the number as dialled from that country.
		number, ok = completeNumber(cutCode(dialled, country))
	}
	if !ok {
		return "", false
	}
	digits = strings.TrimPrefix(phonenumbers.Format(number, phonenumbers.E164), "+")
	return digits, len(digits) >= shortestPhone && len(digits) <= longestPhone && digits[0] != '0'
}

// completeNumber parses a dialled number. It reports false if the number is not complete.
func completeNumber(dialled, country string) (number *phonenumbers.PhoneNumber, ok bool) {
	number, err := phonenumbers.ParseAndKeepRawInput(dialled, country)
	if err != nil {
		return nil, false
	}
	// Visitors also write 00 for the plus in countries that dial something else. No country's own
	// numbers begin with 00, so read it as a plus, unless it began the country's own international
	// prefix.
	if rest, found := strings.CutPrefix(dialled, "00"); found && !isComplete(number) &&
		number.GetCountryCodeSource() != phonenumbers.PhoneNumber_FROM_NUMBER_WITH_IDD {
		if number, err = phonenumbers.Parse("+"+rest, country); err != nil {
			return nil, false
		}
	}
	return number, isComplete(number)
}

// isComplete reports whether the number has a length that subscriber numbers of its country have.
// It checks the length and not the range, because numbering plans open new ranges faster than the
// metadata follows. But the possible lengths of a country include those of rare services (India: 8
// to 13 digits for toll-free). They would accept a mobile number with an extra digit, or a foreign
// one without its plus, so they count only for a number in a known range. The same goes for a
// leading zero: outside a few countries it is the trunk prefix of a number that is too short.
func isComplete(number *phonenumbers.PhoneNumber) bool {
	if phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE {
		return false
	}
	national := phonenumbers.GetNationalSignificantNumber(number)
	usual := slices.Contains(subscriberLengths()[number.GetCountryCode()], len(national))
	return usual && !strings.HasPrefix(national, "0") || phonenumbers.IsValidNumber(number)
}

// subscriberLengths returns the lengths of fixed-line and mobile numbers, without the country code,
// by calling code.
var subscriberLengths = sync.OnceValue(func() map[int32][]int {
	lengths := make(map[int32][]int)
	metadata, err := phonenumbers.MetadataCollection()
	if err != nil {
		// The metadata is compiled in. Without it, only numbers in known ranges would be accepted.
		return lengths
	}
	for _, region := range metadata.GetMetadata() {
		code := region.GetCountryCode()
		for _, desc := range []*phonenumbers.PhoneNumberDesc{region.GetFixedLine(), region.GetMobile()} {
			possible := desc.GetPossibleLength()
			if len(possible) == 0 {
				// The metadata omits lengths that equal those of the general description.
				possible = region.GetGeneralDesc().GetPossibleLength()
			}
			for _, length := range possible {
				lengths[code] = append(lengths[code], int(length))
			}
		}
		slices.Sort(lengths[code])
		lengths[code] = slices.Compact(lengths[code])
	}
	return lengths
})
