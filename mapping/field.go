package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
)

// Field maps an input of the form to a field of the lead, and says which values it accepts.
type Field struct {
	// The field's API name in TeleCRM; case counts. In a payment: `status`, `currency`, `amount` or
	// `paymentid`.
	Name string `json:"name"`

	// The input's `name` in the HTML. Default: the same as the API name.
	Input string `json:"input,omitempty"`

	// What kind of value the field holds: `text`, `email`, `phone`, `number`, `date`, `dropdown`,
	// `tags`, `money`, `website`, `medialink`, `assignee`, `rating`, `status` or `lost_reason`.
	// Default: the type of the standard fields name, phone, email, rating, status and assignee, and
	// `text` for any other field.
	Type string `json:"type,omitempty"`

	// Whether the visitor must fill it in. Default: false
	Required bool `json:"required,omitempty"`

	// What to tell a visitor who did not, instead of the built-in message.
	RequiredMessage string `json:"required_message,omitempty"`

	// The field's name in messages. Default: its label on the page that the visitor filled in, or
	// else words made from the input's name.
	Label string `json:"label,omitempty"`

	// For phones, the ISO 3166 code of the country of numbers typed without a country code. For
	// numbers and money, the country whose way of writing numbers decides what `1.500` means.
	// Default: the form's country
	Country string `json:"country,omitempty"`

	// For dates, whether `05/12/2026` means the fifth of December (`dmy`) or the twelfth of May
	// (`mdy`). With `ymd`, the year comes first, and such dates are asked about. Default: the form's
	// date order
	DateOrder string `json:"date_order,omitempty"`

	// The only values accepted. A dropdown must list them, because TeleCRM creates a new option for
	// any text that it does not know. Others that the form's own page offers do not stop the lead: it
	// goes without the field, and has them as text in `unmapped`, or else in a text field of an action.
	Options []string `json:"options,omitempty"`

	// Values that count as left empty, in addition to what lists usually have as their first option,
	// such as `-None-` and `Select…`.
	Blank []string `json:"blank,omitempty"`

	// A regular expression (RE2 syntax) that the whole text must match.
	Pattern string `json:"pattern,omitempty"`

	// What to tell a visitor whose text does not match, instead of the built-in message.
	PatternMessage string `json:"pattern_message,omitempty"`

	// The smallest number, the fewest characters of a text, or the fewest tags.
	Min *float64 `json:"min,omitempty"`

	// The largest number, the most characters of a text, or the most tags.
	Max *float64 `json:"max,omitempty"`

	// The value to use when the visitor leaves the input empty.
	Default string `json:"default,omitempty"`
}

// BoundField is a [Field] with its defaults filled in.
type BoundField struct {
	Field

	// Kind is the field's type.
	Kind fieldtype.Type

	rules        fieldtype.Rules
	isLabelled   bool // by the operator
	isIdentifier bool // a lead needs it
}

// bind checks the field and fills in its defaults. With standard set, API names that exist in every
// workspace imply their type.
func (f Field) bind(in Locale, standard bool) (*BoundField, error) {
	if f.Name == "" {
		return nil, errors.New("field: the API name is missing")
	}
	texts := slices.Concat([]string{f.Name, f.Input, f.Label, f.RequiredMessage, f.PatternMessage, f.Default}, f.Options, f.Blank)
	if err := CheckWritten(texts...); err != nil {
		return nil, fmt.Errorf("field %s: %w", f.Name, err)
	}
	kind, err := typeOf(f.Name, f.Type, standard)
	if err != nil {
		return nil, fmt.Errorf("field %s: %w", f.Name, err)
	}
	if f.Input == "" {
		f.Input = f.Name
	}
	isLabelled := f.Label != ""
	if !isLabelled {
		f.Label = labelOf(f.Input)
	}
	if f.Country == "" {
		f.Country = in.Country
	}
	rules := in.rules(kind)
	rules.Required = f.Required
	rules.Country = strings.ToUpper(f.Country)
	rules.OneLine = f.Name == "name"
	rules.Options, rules.Blank = f.Options, f.Blank
	rules.Min, rules.Max = f.Min, f.Max
	rules.Default = f.Default
	if f.DateOrder != "" {
		rules.DateOrder = fieldtype.DateOrder(f.DateOrder)
	}
	if f.Pattern != "" {
		rules.Pattern, err = regexp.Compile(f.Pattern)
		if err != nil {
			return nil, fmt.Errorf("field %s: pattern: %w", f.Name, err)
		}
	}
	if err := rules.Check(); err != nil {
		return nil, fmt.Errorf("field %s: %w", f.Name, err)
	}
	if kind == fieldtype.Dropdown && len(f.Options) == 0 {
		return nil, fmt.Errorf("field %s: a dropdown that visitors fill in must list its options, because TeleCRM creates a new option for any text that it does not know", f.Name)
	}
	return &BoundField{Field: f, Kind: kind, rules: rules, isLabelled: isLabelled}, nil
}

// CheckIn reports what is wrong with a field of the lead, or of the action with the given code.
func (f Field) CheckIn(action string, in Locale) (err error) {
	if action == "" {
		_, err = f.bind(in, true)
	} else {
		_, err = Action{Code: action}.bindField(f, in)
	}
	return err
}

func typeOf(apiName, word string, standard bool) (fieldtype.Type, error) {
	switch {
	case word != "":
		return fieldtype.Parse(word)
	case standard:
		return fieldtype.Of(apiName), nil
	}
	return fieldtype.Text, nil
}

// convert turns the posted values into the field's value.
func (f *BoundField) convert(posted *form.Form) (fieldtype.Value, *Problem) {
	value, err := f.rules.Convert(posted.Values(f.Input))
	if err != nil {
		return fieldtype.Value{}, f.problem(err)
	}
	return value, nil
}

func (f *BoundField) problem(err error) *Problem {
	p := newProblem(f.Input, f.Label, err)
	p.HasOptions = len(f.Options) > 0
	p.IsLabelled = f.isLabelled
	if p.Code == fieldtype.RequiredMissing || p.Code == fieldtype.RequiredEmpty {
		p.Message = f.RequiredMessage
	}
	if p.Code == fieldtype.PatternMismatch {
		p.Message = f.PatternMessage
	}
	return p
}

// labelOf turns an input's name into words: first_name becomes "First name".
func labelOf(input string) string {
	words := strings.FieldsFunc(input, func(r rune) bool { return strings.ContainsRune("_-.[] ", r) })
	label := strings.Join(words, " ")
	if label == "" {
		return input
	}
	first, size := utf8.DecodeRuneInString(label)
	return string(unicode.ToUpper(first)) + label[size:]
}
