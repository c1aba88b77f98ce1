// Package fieldtype converts the text of an HTML form field to the JSON value that a TeleCRM field
// of a given type expects, or returns a field error that the visitor can correct.
//
// Forms send only strings, and TeleCRM drops a field whose JSON type or spelling it does not expect
// (https://docs.telecrm.in/concepts/field-types). So this package converts every value and never
// guesses: ambiguous text is an error.
package fieldtype

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

// Type is a TeleCRM field type. Its value is the word for it in the configuration.
type Type string

// The types TeleCRM documents on https://docs.telecrm.in/concepts/field-types.
const (
	// Text is any text, sent as a string.
	Text Type = "text"
	// Email is an e-mail address, sent as a string.
	Email Type = "email"
	// Phone is a phone number, sent as a string of digits that begins with the country calling
	// code.
	Phone Type = "phone"
	// Number is a decimal number, sent as a JSON number.
	Number Type = "number"
	// Date is a day or a point in time, sent as milliseconds since 1970-01-01T00:00:00Z.
	Date Type = "date"
	// Dropdown is the label of one option, sent as a string.
	Dropdown Type = "dropdown"
	// Tags is a set of labels, sent as an array of strings.
	Tags Type = "tags"
	// Money is an amount in the workspace's currency, sent as a string such as "2499.5".
	Money Type = "money"
	// Website is an http or https URL, sent as a string.
	Website Type = "website"
	// MediaLink is the http or https URL of a file, sent as a string.
	MediaLink Type = "medialink"
	// Assignee is the e-mail address of a team member, sent as a string.
	Assignee Type = "assignee"
	// Rating is a whole number from 1 to 5, sent as a JSON number.
	Rating Type = "rating"
	// Status is the label of a stage of the pipeline, sent as a string.
	Status Type = "status"
	// LostReason is the label of a reason for losing a lead, sent as a string.
	LostReason Type = "lost_reason"
)

// Types returns every type, in the order in which the documentation lists them.
func Types() []Type {
	return []Type{
		Text, Email, Phone, Number, Date, Dropdown, Tags, Money, Website, MediaLink, Assignee, Rating, Status, LostReason,
	}
}

// Parse returns the type for a configuration word. The error for an unknown word lists the known
// ones.
func Parse(word string) (Type, error) {
	if t := Type(word); t.known() {
		return t, nil
	}
	return "", unknownType(word)
}

func unknownType(word string) error {
	spellings := suggest.Words(words()...)
	maps.Copy(spellings, otherWords())
	return fmt.Errorf("unknown field type %q; %sknown types are: %s", word, suggest.Question(word, spellings), strings.Join(words(), ", "))
}

// otherWords maps words for kinds of values in HTML, databases and other form handlers to types.
func otherWords() map[string]string {
	return map[string]string{
		"string": "text", "textarea": "text", "longtext": "text", "message": "text",
		"mail":      "email",
		"telephone": "phone", "tel": "phone", "mobile": "phone", "whatsapp": "phone",
		"integer": "number", "int": "number", "float": "number", "decimal": "number", "numeric": "number", "range": "number",
		"datetime": "date", "datetime-local": "date", "time": "date", "day": "date",
		"select": "dropdown", "choice": "dropdown", "option": "dropdown", "options": "dropdown", "radio": "dropdown", "enum": "dropdown", "list": "dropdown",
		"tag": "tags", "multiselect": "tags", "checkbox": "tags", "checkboxes": "tags", "array": "tags",
		"currency": "money", "price": "money", "amount": "money", "budget": "money",
		"url": "website", "link": "website", "web": "website", "homepage": "website",
		"file": "medialink", "image": "medialink", "media": "medialink", "upload": "medialink",
		"owner": "assignee", "agent": "assignee", "user": "assignee",
		"stars": "rating", "score": "rating",
		"stage": "status", "lostreason": "lost_reason", "reason": "lost_reason",
	}
}

// Of returns the default type of a field. The standard fields phone, email, rating, status and
// assignee have their own; any other field, name included, is [Text].
func Of(apiName string) Type {
	switch apiName {
	case "phone", "email", "rating", "status", "assignee":
		return Type(apiName)
	default:
		return Text
	}
}

func (t Type) known() bool { return slices.Contains(Types(), t) }

// isString reports whether the value of a single field is a string close to what was typed, so that
// a length or a pattern makes sense to the visitor.
func (t Type) isString() bool {
	switch t {
	case Text, Email, Dropdown, Website, MediaLink, Assignee, Status, LostReason:
		return true
	case Phone, Number, Date, Tags, Money, Rating:
		return false
	}
	return false
}

// words returns the configuration words of all types.
func words() []string {
	list := make([]string, 0, len(Types()))
	for _, t := range Types() {
		list = append(list, string(t))
	}
	return list
}
