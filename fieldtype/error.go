package fieldtype

import (
	"fmt"
	"strconv"
)

// Code names what is wrong with a field. Codes are part of the JSON responses.
type Code string

// The field codes.
const (
	// RequiredMissing means that the post did not have the input.
	RequiredMissing Code = "REQUIRED_FIELD_MISSING"
	// RequiredEmpty means that the input was sent blank.
	RequiredEmpty Code = "REQUIRED_FIELD_EMPTY"
	// TypeEmail means that the text is not an e-mail address.
	TypeEmail Code = "TYPE_EMAIL"
	// TypePhone means that the text is not a phone number, or that no country has the number.
	TypePhone Code = "TYPE_PHONE"
	// PhoneTooShort means a phone number with too few digits for its country.
	PhoneTooShort Code = "PHONE_TOO_SHORT"
	// PhoneTooLong means a phone number with too many digits for its country.
	PhoneTooLong Code = "PHONE_TOO_LONG"
	// PhoneSeveral means more than one phone number.
	PhoneSeveral Code = "PHONE_SEVERAL"
	// PhoneWords means words in a phone number, or too many beside it.
	PhoneWords Code = "PHONE_WORDS"
	// TypeNumeric means that the text is not a number, or is ambiguous.
	TypeNumeric Code = "TYPE_NUMERIC"
	// TypeDate means that the text is not a date, or is ambiguous.
	TypeDate Code = "TYPE_DATE"
	// TypeURL means that the text is not the address of a web page or file.
	TypeURL Code = "TYPE_URL"
	// NotAnOption means that the text is not one of the accepted options.
	NotAnOption Code = "NOT_AN_OPTION"
	// PatternMismatch means that the text does not match the pattern.
	PatternMismatch Code = "PATTERN"
	// TooShort means too few characters, or too few tags.
	TooShort Code = "TOO_SHORT"
	// TooLong means too many characters, or too many tags.
	TooLong Code = "TOO_LONG"
	// TooSmall means a number below the minimum.
	TooSmall Code = "TOO_SMALL"
	// TooLarge means a number above the maximum.
	TooLarge Code = "TOO_LARGE"
	// Refused means that TeleCRM rejected the value. This package never returns it.
	Refused Code = "REFUSED"
)

// Codes returns every field code.
func Codes() []Code {
	return []Code{
		RequiredMissing, RequiredEmpty, TypeEmail,
		TypePhone, PhoneTooShort, PhoneTooLong, PhoneSeveral, PhoneWords, TypeNumeric, TypeDate, TypeURL,
		NotAnOption, PatternMismatch, TooShort, TooLong, TooSmall, TooLarge, Refused,
	}
}

// Error is a field error that the visitor can correct.
type Error struct {
	// Code says what is wrong.
	Code Code
	// Type is the type of the field.
	Type Type
	// Limit is the violated bound: characters or tags for [TooShort] and [TooLong], a value for
	// [TooSmall] and [TooLarge]. It is 0 for the other codes.
	Limit float64
}

// Error describes the mistake for a log. It never contains visitor input.
func (e *Error) Error() string {
	return fmt.Sprintf("%s field: %s (%s)", e.Type, e.problem(), e.Code)
}

func (e *Error) problem() string {
	limit := strconv.FormatFloat(e.Limit, 'f', -1, 64)
	unit := "characters"
	if e.Type == Tags {
		unit = "tags"
	}
	switch e.Code {
	case RequiredMissing:
		return "required, but not sent"
	case RequiredEmpty:
		return "required, but empty"
	case TypeEmail:
		return "not an e-mail address"
	case TypePhone:
		return "not a phone number of any country"
	case PhoneTooShort:
		return "too few digits for a phone number"
	case PhoneTooLong:
		return "too many digits for a phone number"
	case PhoneSeveral:
		return "more than one phone number"
	case PhoneWords:
		return "words in or around the phone number"
	case TypeNumeric:
		return "not an unambiguous number"
	case TypeDate:
		return "not an unambiguous date"
	case TypeURL:
		return "not a web address"
	case NotAnOption:
		return "not one of the options"
	case PatternMismatch:
		return "does not match the pattern"
	case TooShort:
		return "fewer than " + limit + " " + unit
	case TooLong:
		return "more than " + limit + " " + unit
	case TooSmall:
		return "less than " + limit
	case TooLarge:
		return "greater than " + limit
	case Refused:
		return "refused by the CRM"
	}
	return "not acceptable"
}

// typeCode returns the code for text that does not convert to the type.
func typeCode(t Type) Code {
	switch t {
	case Email, Assignee:
		return TypeEmail
	case Phone:
		return TypePhone
	case Number, Money, Rating:
		return TypeNumeric
	case Date:
		return TypeDate
	case Website, MediaLink:
		return TypeURL
	case Text, Dropdown, Tags, Status, LostReason:
		return PatternMismatch
	}
	return PatternMismatch
}
