package fieldtype

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

const (
	// mostPhoneWords and longestPhoneWords bound the words on one side of a number that only say
	// what kind of number it is, such as "Mob:" or "(WhatsApp)". Longer ones may say something that
	// the visitor wants to be read.
	mostPhoneWords, longestPhoneWords = 3, 30
)

// phoneParts matches the words before a number, the number, and the words after it. The number
// begins with a plus or a digit and ends with a digit, which may belong to an extension.
var phoneParts = regexp.MustCompile(`(?s)^([^0-9+]*)(.*[0-9])([^0-9]*)$`)

// betweenPhones matches what people write between two numbers. Other punctuation and spaces also
// occur within one.
var betweenPhones = regexp.MustCompile(`[/,;|&\n]|[\p{L}\p{M}]+`)

// withoutWords drops the few words that may stand before and after a plain number. It returns the
// text unchanged if there are more.
func withoutWords(text string) (number string, dropped bool) {
	text = strings.TrimSpace(strings.TrimPrefix(text, "tel:"))
	if text != "" && !hasLetters(text) && !hasSymbols(text) && isASCIIDigit(rune(text[len(text)-1])) {
		return text, false // as most are
	}
	text, dropped = withoutWordsAfterCode(text)
	parts := phoneParts.FindStringSubmatch(text)
	if parts == nil {
		return text, dropped
	}
	before, number, after := parts[1], parts[2], strings.TrimRightFunc(parts[3], isAtEnd)
	if !areLabels(before) || !areLabels(after) {
		return text, dropped
	}
	if !hasLetters(before) && !hasSymbols(before) { // punctuation may belong to the number
		number, before = before+number, ""
	}
	if !hasLetters(after) {
		number += after
	}
	return number, dropped || hasLetters(before) || hasLetters(after)
}

// wordsAfterCode matches a country code, words, and a number: forms join the code from a list with
// what the visitor typed.
var wordsAfterCode = regexp.MustCompile(`(?s)^(\(?(?:\+|00)([1-9][0-9]{0,2})\)?)([^0-9+]*\p{L}[^0-9+]*)(.+)$`)

func withoutWordsAfterCode(text string) (number string, dropped bool) {
	parts := wordsAfterCode.FindStringSubmatch(text)
	if parts == nil || !isCallingCode(parts[2]) || !areLabels(parts[3]) || strings.Contains(parts[3], "tel:") {
		return text, false
	}
	return parts[1] + " " + parts[4], true
}

// isAtEnd reports whether a rune at the end of a number means nothing: punctuation, or a pictogram
// such as a telephone.
func isAtEnd(r rune) bool { return strings.ContainsRune(".,;:!) ", r) || unicode.Is(unicode.So, r) }

// areLabels reports whether words beside a number can only say what kind of number it is.
func areLabels(words string) bool {
	return len([]rune(words)) <= longestPhoneWords && !strings.ContainsAny(words, ";|&@") &&
		len(strings.FieldsFunc(words, isNoLetter)) <= mostPhoneWords
}

func isNoLetter(r rune) bool { return !unicode.In(r, unicode.L, unicode.M) }

func hasLetters(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return !isNoLetter(r) })
}

// hasSymbols reports whether the text has a pictogram, such as a telephone.
func hasSymbols(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.So, r) })
}

// countedUp is the ten digits in order.
const countedUp = "1234567890"

// isCountedUp reports whether the number is the ten digits in order, which people type when they do
// not want to give one. libphonenumber has 1234 as an area code of India. In countries whose
// example number it is, it also is one that somebody might have.
func isCountedUp(number *phonenumbers.PhoneNumber, national string) bool {
	if national != countedUp {
		return false
	}
	example := phonenumbers.GetExampleNumber(phonenumbers.GetRegionCodeForNumber(number))
	return example == nil || phonenumbers.GetNationalSignificantNumber(example) != national
}

// unreadPhone says what is wrong with plain text that is not one number.
func unreadPhone(plain, country string) Code {
	switch {
	case isSeveral(plain, country):
		return PhoneSeveral
	case hasLetters(plain):
		return PhoneWords
	}
	return TypePhone
}

// isSpelled reports whether the text is a number with letters for some of its digits, as in
// "1-800-FLOWERS". A lead needs the digits.
func isSpelled(plain, country string) bool {
	if first := strings.IndexFunc(plain, isASCIIDigit); first < 0 || !hasLetters(plain[first:]) {
		return false
	}
	number, err := phonenumbers.Parse(plain, country)
	return err == nil && phonenumbers.IsValidNumber(number)
}

// longTextCode says what is wrong with text that is too long to be read.
func longTextCode(text string) Code {
	digits := 0
	for _, r := range text {
		if isASCIIDigit(asciiDigit(r)) {
			digits++
		}
	}
	switch {
	case hasLetters(text):
		return PhoneWords
	case digits > longestPhone:
		return PhoneTooLong
	}
	return TypePhone
}

// isSeveral reports whether the plain text has two numbers, or one and the last digits of another,
// as in "81234-56789/90".
func isSeveral(plain, country string) bool {
	return countPhones(betweenPhones.Split(plain, -1), country) > 1 || countPhones(atPlus(plain), country) > 1 ||
		isEndingGiven(plain, country) || isPair(plain, country)
}

// countPhones counts the parts that are complete numbers.
func countPhones(parts []string, country string) int {
	complete := 0
	for _, part := range parts {
		if isPhone(part, country) {
			complete++
		}
	}
	return complete
}

func isPhone(part, country string) bool {
	dialled, _, ok := dialledDigits(strings.Trim(part, " .:-"))
	if !ok {
		return false
	}
	_, code := internationalDigits(dialled, country)
	return code == ""
}

// atPlus splits text before each plus sign.
func atPlus(plain string) []string {
	return strings.Split(strings.ReplaceAll(plain, "+", "\n+"), "\n")
}

// isEndingGiven reports whether a slash or a comma follows a complete number and other digits
// follow that.
func isEndingGiven(plain, country string) bool {
	at := strings.IndexAny(plain, "/,;|&")
	if at < 0 || hasLetters(plain[at:]) {
		return false
	}
	return isPhone(plain[:at], country) && strings.ContainsFunc(plain[at:], isASCIIDigit)
}

// isPair reports whether the text is two complete numbers with a space or a dash between them.
func isPair(plain, country string) bool {
	for at, r := range plain {
		if (r == ' ' || r == '-') && isPhone(plain[:at], country) && isPhone(plain[at+1:], country) {
			return true
		}
	}
	return false
}
