package telecrm

import (
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// IdentifierKind is the type of the field that tells a workspace's leads apart
// (https://docs.telecrm.in/concepts/lead-identifier). Any other value behaves
// as [TextIdentifier].
type IdentifierKind string

// The kinds, as the documents call the field types.
const (
	PhoneIdentifier IdentifierKind = "phone"
	EmailIdentifier IdentifierKind = "email"
	TextIdentifier  IdentifierKind = "text"
)

// Spellings returns the forms in which TeleCRM may hold the identifier that
// was sent as value, value itself first, each once. Creating a lead reduces
// phone numbers to one form, but whether searching does is not documented
// (https://docs.telecrm.in/sync-api/leads/search). So for a phone number with
// its country code these are its digits, the same after a plus, the national
// number, and that after a zero. A blank value has none.
func (k IdentifierKind) Spellings(value string) []string {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil
	}
	if k != PhoneIdentifier {
		return []string{value}
	}
	spellings := []string{value}
	add := func(s string) {
		if !slices.Contains(spellings, s) {
			spellings = append(spellings, s)
		}
	}
	international := digits(value)
	if international == "" {
		return spellings
	}
	add(international)
	add("+" + international)
	if national := nationalNumber(international); national != "" {
		add(national)
		if !strings.HasPrefix(national, "0") {
			add("0" + national)
		}
	}
	return spellings
}

// Same reports whether two spellings are known to be of one identifier: phone
// numbers with the same digits, which must include the country code; other
// values alike but for case and the space around them, such as a text with
// letters that stands where phone numbers do. A national number is not the same
// as the international one, as it could be another country's. A blank value is
// not even the same as itself.
func (k IdentifierKind) Same(a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if k == PhoneIdentifier {
		if number := digits(a); number == "" || number != digits(b) {
			return false
		}
		if !strings.ContainsFunc(a+b, isLetter) {
			return true
		}
	}
	return a != "" && strings.EqualFold(a, b)
}

// Key returns the same text for all values that are known to be of one
// identifier: the digits of a phone number, and any other value in lower case.
func (k IdentifierKind) Key(value string) string {
	value = strings.TrimSpace(value)
	if number := digits(value); k == PhoneIdentifier && number != "" && !strings.ContainsFunc(value, isLetter) {
		return number
	}
	return strings.ToLower(value)
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || r == '@' }

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// longestPhone is more digits than any number has; splitting one takes time
// that grows with them.
const longestPhone = 17

// nationalNumber returns what follows the country code, or "" if no country
// has such a number.
func nationalNumber(international string) string {
	if len(international) > longestPhone {
		return ""
	}
	number, err := phonenumbers.Parse("+"+international, "")
	if err != nil {
		return ""
	}
	return phonenumbers.GetNationalSignificantNumber(number)
}
