package fieldtype

import (
	"errors"
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

// phoneValue parses a phone number and returns its digits with the country code, or a code that
// says what is wrong.
func phoneValue(text, country string) (Value, Code) {
	if len(text) > longestPhoneText*utf8.UTFMax || utf8.RuneCountInString(text) > longestPhoneText {
		return Value{}, longTextCode(text)
	}
	plain := plainPhoneText(text)
	number, hasWords := withoutWords(plain)
	dialled, extension, ok := dialledDigits(number)
	if !ok {
		return Value{}, unreadPhone(plain, country)
	}
	digits, code := internationalDigits(dialled, country)
	if code != "" {
		switch {
		case isSeveral(plain, country):
			code = PhoneSeveral
		case hasWords && isSpelled(plain, country):
			code = PhoneWords
		}
		return Value{}, code
	}
	value := Value{JSON: digits}
	if hasWords {
		value.Note = notePhoneWords
	}
	if extension {
		value.Note = joinNotes(value.Note, noteExtension)
	}
	return value, ""
}

// dialledDigits reduces a plain number to its digits, with a leading "+" if it has one.
func dialledDigits(text string) (dialled string, extension, ok bool) {
	text = strings.TrimPrefix(withoutListedCode(text), "tel:")
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

// longMark matches the mark for long vowels, which is the dash of Japanese keyboards, after a digit.
var longMark = regexp.MustCompile(`([0-9])[ーｰ]`)

// plainPhoneText converts digits, plus signs, dashes and spaces of any script to ASCII and drops
// the direction marks that contact apps put around numbers.
func plainPhoneText(text string) string {
	plain := strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '＋' || r == '﹢':
			return '+'
		case r == '−' || unicode.Is(unicode.Pd, r):
			return '-'
		case strings.ContainsRune("（）［］·・･•∙．／⁓∼～", r):
			return ' '
		case unicode.IsSpace(r):
			return ' '
		case isInvisible(r):
			return -1
		}
		return unicode.ToLower(asciiDigit(r))
	}, text))
	if strings.ContainsAny(plain, "ーｰ") {
		plain = longMark.ReplaceAllString(plain, "$1-")
	}
	return plain
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
// without the plus, or a code that says what is wrong.
func internationalDigits(dialled, country string) (digits string, code Code) {
	if rest, found := strings.CutPrefix(dialled, "+00"); found {
		dialled = "+" + rest
	}
	if digits, ok := usualDigits(dialled, country); ok {
		return digits, ""
	}
	return parsedDigits(dialled, country)
}

// parsedDigits is internationalDigits for any number, as libphonenumber parses it.
func parsedDigits(dialled, country string) (digits string, code Code) {
	number, code := completeNumber(dialled, country)
	if code != "" {
		// A code from a list may be followed by the number as dialled from that country.
		again, codeAgain := completeNumber(cutCode(dialled, country))
		if codeAgain != "" {
			return "", code
		}
		number = again
	}
	digits = strings.TrimPrefix(phonenumbers.Format(number, phonenumbers.E164), "+")
	switch {
	case len(digits) < shortestPhone:
		return "", PhoneTooShort
	case len(digits) > longestPhone:
		return "", PhoneTooLong
	}
	return digits, ""
}

// completeNumber parses a dialled number. The code says why the number is not complete.
func completeNumber(dialled, country string) (number *phonenumbers.PhoneNumber, code Code) {
	number, err := phonenumbers.ParseAndKeepRawInput(dialled, country)
	if err != nil {
		return nil, parseCode(err, dialled)
	}
	// Visitors also write 00 for the plus in countries that dial something else. No country's own
	// numbers begin with 00, so read it as a plus, unless it began the country's own international
	// prefix.
	if rest, found := strings.CutPrefix(dialled, "00"); found && !phonenumbers.IsValidNumber(number) &&
		number.GetCountryCodeSource() != phonenumbers.PhoneNumber_FROM_NUMBER_WITH_IDD {
		if number, err = phonenumbers.Parse("+"+rest, country); err != nil {
			return nil, parseCode(err, dialled)
		}
	}
	return number, validityCode(number)
}

// parseCode says what is wrong with digits that are not a number of any country.
func parseCode(err error, dialled string) Code {
	switch {
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return PhoneTooLong
	case errors.Is(err, phonenumbers.ErrTooShortNSN), errors.Is(err, phonenumbers.ErrTooShortAfterIDD),
		errors.Is(err, phonenumbers.ErrNotANumber) && strings.Trim(dialled, "+0") != "": // a single digit
		return PhoneTooShort
	}
	return TypePhone
}

// validityCode returns "" for a number in a range of its country that libphonenumber knows, or else
// what is wrong with it. The possible lengths of a country include those of rare services (India: 8
// to 13 digits for toll-free), so a number of such a length is compared with its subscriber numbers.
func validityCode(number *phonenumbers.PhoneNumber) Code {
	national := phonenumbers.GetNationalSignificantNumber(number)
	switch isValid := phonenumbers.IsValidNumber(number); {
	case isValid && isCountedUp(number, national):
		return TypePhone
	case isValid:
		return ""
	}
	switch phonenumbers.IsPossibleNumberWithReason(number) {
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return PhoneTooShort
	case phonenumbers.TOO_LONG:
		return PhoneTooLong
	case phonenumbers.INVALID_COUNTRY_CODE:
		return TypePhone
	case phonenumbers.IS_POSSIBLE, phonenumbers.INVALID_LENGTH:
	}
	usual := subscriberLengths()[number.GetCountryCode()]
	switch length := len(national); {
	case len(usual) == 0 || slices.Contains(usual, length):
		return TypePhone
	case length < usual[0]:
		return PhoneTooShort
	case length > usual[len(usual)-1]:
		return PhoneTooLong
	}
	return TypePhone
}

// subscriberLengths returns the lengths of fixed-line and mobile numbers, without the country code,
// by calling code.
var subscriberLengths = sync.OnceValue(func() map[int32][]int {
	lengths := make(map[int32][]int)
	for _, region := range allMetadata() {
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
