package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
)

// Field says which input of the form becomes which field of the lead, and which values it accepts.
type Field struct {
	// The field's API name in TeleCRM; case counts. In a payment: `status`, `currency`, `amount` or
	// `paymentid`.
	Name string `json:"name"`

	// The input's `name` in the HTML. Default: the same as the API name.
	Input string `json:"input,omitempty"`

	// What kind of value the field holds: `text`, `email`, `phone`, `number`, `date`, `dropdown`,
	// `tags`, `money`, `website`, `medialink`, `assignee`, `rating`, `status` or `lost_reason`.
	// Default: what the standard fields name, phone, email, rating, status and assignee are, and
	// `text` for any other.
	Type string `json:"type,omitempty"`

	// Whether the visitor must fill it in. Default: false
	Required bool `json:"required,omitempty"`

	// What to tell the visitor who did not, in place of the usual words.
	RequiredMessage string `json:"required_message,omitempty"`

	// What messages call the field. Default: the label that it has on the visitor's own page, or
	// else made of the input's name.
	Label string `json:"label,omitempty"`

	// For phones, the country of numbers typed without a country code. Default: the account's
	Country string `json:"country,omitempty"`

	// The only values accepted. A dropdown must list them: TeleCRM makes a new option of any text
	// that it does not know.
	Options []string `json:"options,omitempty"`

	// A regular expression (RE2) that the whole text must match.
	Pattern string `json:"pattern,omitempty"`

	// What to tell the visitor when it does not, in place of the usual words.
	PatternMessage string `json:"pattern_message,omitempty"`

	// The smallest number, the fewest characters of a text, or the fewest tags.
	Min *float64 `json:"min,omitempty"`

	// The largest number, the most characters of a text, or the most tags.
	Max *float64 `json:"max,omitempty"`

	// The value when the visitor leaves the input empty.
	Default string `json:"default,omitempty"`
}

// BoundField is a [Field] with its defaults filled in.
type BoundField struct {
	Field

	// Kind is the field's type.
	Kind fieldtype.Type

	rules      fieldtype.Rules
	isLabelled bool // by the operator
}

// bind checks the field and fills in its defaults. With standard, the API names that every
// workspace has know their own type.
func (f Field) bind(in Locale, standard bool) (*BoundField, error) {
	if f.Name == "" {
		return nil, errors.New("a field has no API name")
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
	rules := fieldtype.Rules{
		Type:     kind,
		Required: f.Required,
		Country:  strings.ToUpper(f.Country),
		Location: in.Location,
		OneLine:  f.Name == "name",
		Options:  f.Options,
		Min:      f.Min,
		Max:      f.Max,
		Default:  f.Default,
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
		return nil, fmt.Errorf("field %s: a dropdown that visitors fill in must list its options, because TeleCRM makes a new option of any text that it does not know", f.Name)
	}
	return &BoundField{Field: f, Kind: kind, rules: rules, isLabelled: isLabelled}, nil
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

// convert turns what the visitor sent into the field's value.
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

// labelOf makes words of an input's name: first_name becomes "First name".
func labelOf(input string) string {
	words := strings.FieldsFunc(input, func(r rune) bool { return strings.ContainsRune("_-.[] ", r) })
	label := strings.Join(words, " ")
	if label == "" {
		return input
	}
	first, size := utf8.DecodeRuneInString(label)
	return string(unicode.ToUpper(first)) + label[size:]
}
