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
	// longestPhoneText leaves room for punctuation and an extension; anything longer is not worth parsing.
	longestPhoneText = 60
	// shortestPhone and longestPhone bound the digits with the country code: E.164 allows 15, and no subscriber in the
	// world has fewer than 7.
	shortestPhone, longestPhone = 7, 15
)

// phoneExtension matches what may follow a number: "ext. 12", "x12", "#12", ";ext=12".
var phoneExtension = regexp.MustCompile(`^(?:;ext=|(?:extension|extn|ext|x|#)[.:]? *)[0-9]{1,7}$`)

// phoneValue reads a phone number and returns its digits with the country code.
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

// dialledDigits reduces a typed number to its ASCII digits, after a "+" if it had one.
func dialledDigits(text string) (dialled string, extension, ok bool) {
	text = plainPhoneText(text)
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

// plainPhoneText writes the digits, plus signs, dashes and spaces of any script in ASCII and drops the direction marks
// that contact apps put around numbers.
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

// internationalDigits finds the country code of a dialled number and returns the number in E.164 without the plus.
func internationalDigits(dialled, country string) (digits string, ok bool) {
	if rest, found := strings.CutPrefix(dialled, "+00"); found {
		dialled = "+" + rest
	}
	number, err := phonenumbers.ParseAndKeepRawInput(dialled, country)
	if err != nil {
		return "", false
	}
	// Visitors write 00 for the plus also where their own country dials something else. No country's own numbers
	// begin with it, so that is the only reading left, unless 00 began the country's own international prefix.
	if rest, found := strings.CutPrefix(dialled, "00"); found && !isComplete(number) &&
		number.GetCountryCodeSource() != phonenumbers.PhoneNumber_FROM_NUMBER_WITH_IDD {
		if number, err = phonenumbers.Parse("+"+rest, country); err != nil {
			return "", false
		}
	}
	if !isComplete(number) {
		return "", false
	}
	digits = strings.TrimPrefix(phonenumbers.Format(number, phonenumbers.E164), "+")
	return digits, len(digits) >= shortestPhone && len(digits) <= longestPhone && digits[0] != '0'
}

// isComplete tells whether the number has a length that a subscriber's number of its country can have. Numbering plans
// open new ranges faster than metadata follows, so the length decides and not the range. But the possible lengths of a
// country include those of rare services (India: 8 to 13 digits for toll-free), which would let a mobile number with a
// digit too many pass, or a foreign one typed without its plus; such lengths count only for a number known to be valid.
// So does a zero in front, which is the trunk prefix of a number too short to lose it anywhere but in a few countries.
func isComplete(number *phonenumbers.PhoneNumber) bool {
	if phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE {
		return false
	}
	national := phonenumbers.GetNationalSignificantNumber(number)
	usual := slices.Contains(subscriberLengths()[number.GetCountryCode()], len(national))
	return usual && !strings.HasPrefix(national, "0") || phonenumbers.IsValidNumber(number)
}

// subscriberLengths gives the lengths of the fixed and mobile numbers, without the country code, by calling code.
var subscriberLengths = sync.OnceValue(func() map[int32][]int {
	lengths := make(map[int32][]int)
	metadata, err := phonenumbers.MetadataCollection()
	if err != nil {
		// The metadata is compiled in. Without it only numbers known to be valid would be taken.
		return lengths
	}
	for _, region := range metadata.GetMetadata() {
		code := region.GetCountryCode()
		for _, desc := range []*phonenumbers.PhoneNumberDesc{region.GetFixedLine(), region.GetMobile()} {
			possible := desc.GetPossibleLength()
			if len(possible) == 0 {
				// The metadata leaves out what equals the general description.
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
