package telecrm

import (
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// IdentifierKind is the type of a workspace's lead identifier
// (https://docs.telecrm.in/concepts/lead-identifier). Any other value behaves as [TextIdentifier].
type IdentifierKind string

// The kinds, named after TeleCRM's field types.
const (
	PhoneIdentifier IdentifierKind = "phone"
	EmailIdentifier IdentifierKind = "email"
	TextIdentifier  IdentifierKind = "text"
)

// Spellings returns the forms in which TeleCRM may store an identifier that was sent as value:
// value itself first, each once. Creating a lead normalizes phone numbers, but it is not documented
// whether searching does (https://docs.telecrm.in/sync-api/leads/search). So for a phone number
// with its country code, the forms are its digits, the digits after a plus, the national number,
// and the national number after a zero. A blank value has no spellings.
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

// Same reports whether two spellings are known to be of one identifier. Phone numbers must have the
// same digits, including the country code. Other values, and phone fields with letters, must be
// equal except for case and surrounding space. A national number is not the same as the
// international one, because it could be another country's. A blank value is not the same as
// itself.
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

// Key returns the same text for all values that are known to be of one identifier: the digits of a
// phone number, and any other value in lower case.
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

// longestPhone is more digits than any number has. It bounds the time for parsing one.
const longestPhone = 17

// nationalNumber returns the number without the country code, or "" if it is not valid in any
// country.
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
