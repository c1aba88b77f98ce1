package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
)

// Setting is a value that does not come from a single input.
type Setting struct {
	// The field's API name in TeleCRM; case counts.
	Name string `json:"name"`

	// A constant, or text with placeholders. In addition to Caddy's own, `{form.NAME}` is what the
	// visitor sent for the input NAME, and `{query.NAME}` comes from the query string of the URL
	// posted to. Placeholders in a visitor's text are never expanded.
	Value string `json:"value"`

	// The kind of value; see a field's type.
	Type string `json:"type,omitempty"`
}

// boundSetting is a [Setting] with its template parsed.
type boundSetting struct {
	Setting

	rules    fieldtype.Rules
	inputs   []string // the inputs that the template uses
	constant bool
	optional bool            // sent only if the workspace has the field
	value    fieldtype.Value // if constant
}

// FormPlaceholder is the prefix of the placeholders for posted inputs.
const FormPlaceholder = "form."

func (s Setting) bind(in Locale, standard bool) (*boundSetting, error) {
	if s.Name == "" {
		return nil, errors.New("set: the API name is missing")
	}
	if err := CheckWritten(s.Name); err != nil {
		return nil, fmt.Errorf("set %s: %w", s.Name, err)
	}
	kind, err := typeOf(s.Name, s.Type, standard)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", s.Name, err)
	}
	rules := in.rules(kind)
	rules.OneLine = s.Name == "name"
	return s.bindAs(rules)
}

// CheckIn reports what is wrong with a value of the lead, or of the action with the given code.
func (s Setting) CheckIn(action string, in Locale) (err error) {
	if action == "" {
		_, err = s.bind(in, true)
	} else {
		_, err = Action{Code: action}.bindSetting(s, in)
	}
	return err
}

// bindAs checks s under the given rules. It converts constant values in advance.
func (s Setting) bindAs(rules fieldtype.Rules) (*boundSetting, error) {
	if err := rules.Check(); err != nil {
		return nil, fmt.Errorf("set %s: %w", s.Name, err)
	}
	bound := &boundSetting{
		Setting:  s,
		rules:    rules,
		inputs:   formInputs(s.Value),
		constant: !strings.ContainsAny(s.Value, "{}"),
	}
	if bound.constant {
		value, err := rules.Convert([]string{s.Value})
		if err != nil {
			return nil, fmt.Errorf("set %s: the value is not a valid %s: %w", s.Name, rules.Type, err)
		}
		if value.JSON == nil {
			return nil, fmt.Errorf("set %s: the value is empty", s.Name)
		}
		bound.value = value
	}
	return bound, nil
}

// convert expands the template and converts the result to the field's value.
func (s *boundSetting) convert(posted *form.Form, expand func(template string) string) (fieldtype.Value, error) {
	switch {
	case s.constant:
		return s.value, nil
	case s.rules.Type == fieldtype.Tags:
		return s.rules.Convert(s.tags(posted, expand))
	}
	return s.rules.Convert([]string{expand(s.Value)})
}

// tags expands a template of tags, which are separated by commas. An input that was sent several
// times gives several tags, whose own commas do not separate any.
func (s *boundSetting) tags(posted *form.Form, expand func(template string) string) []string {
	var tags []string
	for part := range strings.SplitSeq(s.Value, ",") {
		if values := posted.Values(soleInput(part)); len(values) > 1 {
			tags = append(tags, values...)
			continue
		}
		tags = append(tags, strings.Split(expand(part), ",")...)
	}
	return tags
}

// soleInput returns the input of a template that is nothing but one {form.NAME}, or "".
func soleInput(template string) string {
	template = strings.TrimSpace(template)
	if inputs := formInputs(template); len(inputs) == 1 && template == "{"+FormPlaceholder+inputs[0]+"}" {
		return inputs[0]
	}
	return ""
}

// Inputs lists the inputs that the value uses through {form.NAME}.
func (s Setting) Inputs() []string { return formInputs(s.Value) }

// formInputs lists the inputs that template uses through {form.NAME}.
func formInputs(template string) []string {
	var inputs []string
	for _, part := range strings.Split(template, "{")[1:] {
		key, _, closed := strings.Cut(part, "}")
		if input, ok := strings.CutPrefix(key, FormPlaceholder); ok && closed {
			inputs = append(inputs, input)
		}
	}
	return inputs
}
