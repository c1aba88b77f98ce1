package fieldtype

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Rules define what a field accepts and how it is sent. For every field but Type, the zero value
// means "no rule". Rules are safe for concurrent use.
type Rules struct {
	// Type is the type of the TeleCRM field.
	Type Type
	// Required makes a missing or blank value an error, unless there is a default.
	Required bool
	// Country is an ISO 3166 alpha-2 code in either case. It is the country of phone numbers typed
	// without a country code, and decides what "1,500" and "1.500" mean; see [Rules.Convert].
	Country string
	// Location is the time zone of dates typed without one; nil means UTC.
	Location *time.Location
	// DateOrder tells day and month apart in dates such as 05/12/2026; "" makes such dates
	// [TypeDate].
	DateOrder DateOrder
	// OneLine replaces every run of white space in [Text], line breaks included, with one space,
	// and drops zero-width characters that are not part of any word's spelling. [Tags] are always
	// treated so.
	OneLine bool
	// Options, if any, are the only accepted values. Text is compared regardless of case and amount
	// of white space, and the option's exact label is sent. For numbers, phones and dates the
	// converted values are compared.
	Options []string
	// Blank lists values that count as left empty, in addition to what lists usually have as their
	// first option, such as "-None-". They are compared like Options.
	Blank []string
	// Pattern must match the whole converted text, or each tag for [Tags]; nil matches any.
	Pattern *regexp.Regexp
	// Min and Max are inclusive bounds: of the value for [Number] and [Money], of the number of
	// characters for types that keep text, of the number of tags for [Tags]. Other types cannot
	// have them.
	Min, Max *float64
	// Default replaces a missing or blank value. It is converted like visitor input.
	Default string
}

// Value is the value of one field to send.
type Value struct {
	// JSON is a string, a [json.Number], an int64 or a []string. Nil means that the field is left
	// out.
	JSON any
	// Note says what could not be sent as typed; "" if nothing. It never contains visitor input.
	Note string
}

const (
	noteLastUsed    = "only the last of several values was sent"
	noteExtension   = "the phone extension was not sent"
	notePhoneWords  = "the words around the phone number were not sent"
	noteCurrency    = "the currency was not sent"
	noteControls    = "control characters were removed"
	noteInvalidUTF8 = "invalid UTF-8 was replaced"
)

// Convert converts the values of one input to the value of the field. A nil or empty sent means
// that the input was not in the post. The error is always an [*Error].
//
// Convert trims white space and invisible characters. It drops characters that nobody sees
// (Default_Ignorable_Code_Point of Unicode) everywhere, except the joiners and selectors that words
// and emoji are spelled with. [Text] without Options keeps them; of it, Convert drops control
// characters and direction overrides and isolates (U+202A to U+202E, U+2066 to U+2069). A value of
// nothing else counts as empty, and so do the values in Blank, and those that lists have as their
// first option, such as "-None-" and "Select…", unless they are Options or the type is free text. An
// empty field is left out, or has its default. When an input is sent several times,
// [Tags] take every value, [Text] joins the distinct ones with ", ", and every other type takes the
// last one that is not blank, because a form's hidden fallback input comes before its checkbox.
//
// Numbers may use the digits of any script. Group separators are accepted where they are
// unambiguous: both separators present ("1,234.50", "1.234,50"), one repeated in well-formed groups
// ("12,34,567", "1.234.567"), or spaces and apostrophes between groups of three. A single separator
// before exactly three digits means what it means in Country, according to CLDR: "1,500" is one
// thousand five hundred in India and "1.500" is in Germany, where "1,500" is [TypeNumeric], as is
// either if Country is empty or its languages differ. Before any other number of digits, a dot is a
// decimal point, and so is a comma where a language of Country writes it so. Numbers have at most 15
// digits and are sent in plain decimal form without trailing zeros. So is money, which is never
// negative and has at most 4 decimals.
//
// Tags typed into a text input are split at commas, unless there are Options, whose labels may
// contain commas. Several values, such as those of ticked boxes, are never split.
func (r Rules) Convert(sent []string) (Value, error) {
	values, note := r.present(sent)
	if len(values) == 0 {
		values, note = r.present([]string{r.Default})
	}
	if len(values) == 0 {
		return Value{}, r.absent(sent)
	}
	value, failure := r.convert(values)
	if failure != nil {
		return Value{}, failure
	}
	value.Note = joinNotes(note, value.Note)
	return value, nil
}

func (r Rules) absent(sent []string) error {
	switch {
	case !r.Required:
		return nil
	case len(sent) == 0:
		return r.fail(RequiredMissing)
	default:
		return r.fail(RequiredEmpty)
	}
}

func (r Rules) fail(code Code) *Error { return &Error{Code: code, Type: r.Type} }

// present returns the values that are not blank, cleaned as the type allows.
func (r Rules) present(sent []string) (values []string, note string) {
	for _, s := range sent {
		if !utf8.ValidString(s) {
			s, note = strings.ToValidUTF8(s, "\uFFFD"), joinNotes(note, noteInvalidUTF8)
		}
		if r.Type == Tags && len(r.Options) == 0 && len(sent) == 1 {
			for tag := range strings.SplitSeq(s, ",") {
				cleaned, _ := r.clean(tag)
				values = r.appendPresent(values, cleaned)
			}
			continue
		}
		cleaned, dropped := r.clean(s)
		if dropped {
			note = joinNotes(note, noteControls)
		}
		values = r.appendPresent(values, cleaned)
	}
	return values, note
}

// clean also reports whether it dropped something within the value that deserves a note.
func (r Rules) clean(s string) (cleaned string, dropped bool) {
	switch r.Type {
	case Text:
		if len(r.Options) > 0 {
			s = dropUnspelled(s)
		}
		if r.OneLine {
			return oneLine(s)
		}
		return cleanText(s)
	case Dropdown, Status, LostReason:
		return cleanText(dropUnspelled(s))
	case Tags:
		cleaned, _ = oneLine(dropUnspelled(s))
	case Email, Website, MediaLink, Assignee:
		cleaned = trimInvisible(dropUnspelled(s))
	case Date:
		if cleaned = trimInvisible(dropIgnorable(s)); isBlankDate(cleaned) {
			cleaned = ""
		}
	case Phone, Number, Money, Rating:
		cleaned = trimInvisible(dropIgnorable(s))
	}
	return cleaned, false
}

func (r Rules) appendPresent(values []string, s string) []string {
	if s == "" || r.isLeftEmpty(s) {
		return values
	}
	return append(values, s)
}

func (r Rules) convert(values []string) (Value, *Error) {
	switch r.Type {
	case Tags:
		return r.tags(values)
	case Text:
		return r.joined(values)
	case Email, Phone, Number, Date, Dropdown, Money, Website, MediaLink, Assignee, Rating, Status, LostReason:
	}
	if r.Type == Phone {
		values = joinListedCode(values)
	}
	last := values[len(values)-1]
	value, failure := r.single(last)
	if failure != nil {
		return Value{}, failure
	}
	for _, other := range values {
		if other != last {
			value.Note = joinNotes(noteLastUsed, value.Note)
			break
		}
	}
	return value, nil
}

// single converts the value of a type that has only one.
func (r Rules) single(text string) (Value, *Error) {
	value, failure := r.parse(text)
	if failure != nil {
		return Value{}, failure
	}
	if len(r.Options) > 0 && !r.Type.isString() && !r.isOption(value.JSON) {
		return Value{}, r.fail(NotAnOption)
	}
	return value, nil
}

// parse converts text by the type and bounds. It ignores the options of types that are not strings.
func (r Rules) parse(text string) (Value, *Error) {
	var (
		value Value
		ok    bool
	)
	switch r.Type {
	case Phone:
		value, code := phoneValue(text, strings.ToUpper(r.Country))
		if code != "" {
			return Value{}, r.fail(code)
		}
		return value, nil
	case Number:
		return r.number(text)
	case Money:
		return r.money(text)
	case Rating:
		return r.rating(text)
	case Date:
		var milliseconds int64
		milliseconds, ok = parseDate(text, r.location(), r.DateOrder)
		value.JSON = milliseconds
	case Text, Email, Dropdown, Tags, Website, MediaLink, Assignee, Status, LostReason:
		return r.text(text)
	default:
		return r.text(text)
	}
	if !ok {
		return Value{}, r.fail(typeCode(r.Type))
	}
	return value, nil
}

// isOption compares converted values. They are all of comparable types here.
func (r Rules) isOption(value any) bool {
	for _, option := range r.Options {
		cleaned, _ := r.clean(option)
		if accepted, failure := r.parse(cleaned); failure == nil && accepted.JSON == value {
			return true
		}
	}
	return false
}

func (r Rules) location() *time.Location {
	if r.Location == nil {
		return time.UTC
	}
	return r.Location
}

// within checks a length or a value against Min and Max.
func (r Rules) within(n float64, below, above Code) *Error {
	switch {
	case r.Min != nil && n < *r.Min:
		return &Error{Code: below, Type: r.Type, Limit: *r.Min}
	case r.Max != nil && n > *r.Max:
		return &Error{Code: above, Type: r.Type, Limit: *r.Max}
	}
	return nil
}

func (r Rules) number(text string) (Value, *Error) {
	d, ok := readDecimal(text, strings.ToUpper(r.Country))
	if !ok {
		return Value{}, r.fail(TypeNumeric)
	}
	return Value{JSON: json.Number(d.String())}, r.within(d.float(), TooSmall, TooLarge)
}

func (r Rules) money(text string) (Value, *Error) {
	d, note, ok := readMoney(text, strings.ToUpper(r.Country))
	if !ok {
		return Value{}, r.fail(TypeNumeric)
	}
	return Value{JSON: d.String(), Note: note}, r.within(d.float(), TooSmall, TooLarge)
}

// TeleCRM's ratings are whole numbers in this range (https://docs.telecrm.in/concepts/field-types).
const lowestRating, highestRating = 1, 5

func (r Rules) rating(text string) (Value, *Error) {
	d, ok := readDecimal(text, strings.ToUpper(r.Country))
	if !ok || d.fraction != "" {
		return Value{}, r.fail(TypeNumeric)
	}
	switch n := d.float(); {
	case n < lowestRating:
		return Value{}, &Error{Code: TooSmall, Type: r.Type, Limit: lowestRating}
	case n > highestRating:
		return Value{}, &Error{Code: TooLarge, Type: r.Type, Limit: highestRating}
	default:
		return Value{JSON: int64(n)}, nil
	}
}

func joinNotes(first, second string) string {
	switch {
	case first == "" || first == second:
		return second
	case second == "":
		return first
	default:
		return first + "; " + second
	}
}
