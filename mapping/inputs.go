package mapping

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
)

// IdentifierRefused returns a problem with the identifier's input, for a lead that TeleCRM refused.
// It returns nil if the identifier does not come from an input.
func (m *Mapping) IdentifierRefused() *Problem {
	refused := &fieldtype.Error{Code: fieldtype.Refused}
	for _, f := range m.fields {
		if f.Name == m.Identifier {
			return f.problem(refused)
		}
	}
	for _, s := range m.settings {
		if s.Name == m.Identifier && len(s.inputs) > 0 {
			return s.identifierProblem(refused)
		}
	}
	return nil
}

// TooLong returns a problem for each field with a value of more than limit characters.
func (m *Mapping) TooLong(typed *form.Form, limit int) []*Problem {
	var problems []*Problem
	for _, f := range m.AllFields() {
		if !slices.Contains(typed.TooLong, f.Input) || slices.ContainsFunc(problems, func(p *Problem) bool { return p.Input == f.Input }) {
			continue
		}
		for _, value := range typed.Values(f.Input) {
			if utf8.RuneCountInString(value) > limit {
				problems = append(problems, f.problem(&fieldtype.Error{Code: fieldtype.TooLong, Type: fieldtype.Text, Limit: float64(limit)}))
				break
			}
		}
	}
	return problems
}

// textInput says what a field's input asks for.
type textInput struct{ takesAny, isName bool }

// textInputs returns the inputs of fields. If several fields take one input, the last one's type
// counts.
func (m *Mapping) textInputs() map[string]textInput {
	inputs := make(map[string]textInput)
	for _, f := range m.AllFields() {
		inputs[f.Input] = textInput{
			takesAny: f.Kind == fieldtype.Text,
			isName:   f.Name == "name" || inputs[f.Input].isName,
		}
	}
	return inputs
}

// FreeText returns the values of inputs that accept any text and for which keep returns true.
func (m *Mapping) FreeText(posted *form.Form, keep func(guard.Input) bool) []guard.Input {
	var texts []guard.Input
	for _, entries := range [][]form.Entry{posted.Entries, posted.Skipped} {
		for _, entry := range entries {
			asked, isMapped := m.texts[entry.Name]
			if form.IsForService(entry.Name) || isBlank(entry.Value) || isMapped && !asked.takesAny {
				continue
			}
			if input := (guard.Input{Name: entry.Name, Value: entry.Value, IsName: asked.isName}); keep(input) {
				texts = append(texts, input)
			}
		}
	}
	return texts
}

// IsTypedNumber reports whether the visitor typed an input's digits, even if they look like a time.
func (m *Mapping) IsTypedNumber(input string) bool { return slices.Contains(m.typed, input) }

func (m *Mapping) typedNumbers() []string {
	var inputs []string
	for _, f := range m.AllFields() {
		if f.Name == m.Identifier || f.Kind != fieldtype.Text && f.Kind != fieldtype.Date {
			inputs = append(inputs, f.Input)
		}
	}
	for _, s := range m.settings {
		if s.Name == m.Identifier {
			inputs = append(inputs, s.inputs...)
		}
	}
	return inputs
}

// Countries lists the countries of phone numbers typed without a country code.
func (m *Mapping) Countries() []string {
	var countries []string
	for _, f := range m.AllFields() {
		if f.Kind == fieldtype.Phone {
			countries = append(countries, f.rules.Country)
		}
	}
	for _, s := range m.settings {
		if s.rules.Type == fieldtype.Phone {
			countries = append(countries, s.rules.Country)
		}
	}
	return countries
}

// RemarkLabels maps the names that remarks use to the labels that metrics use. The label of a
// lead's field is its API name; that of an action or its keys is the path. Optional fields do not
// have one: most workspaces have few of them.
func (m *Mapping) RemarkLabels() map[string]string {
	labels := make(map[string]string)
	for _, name := range m.Names() {
		labels["fields."+name] = name
	}
	for _, s := range m.settings {
		if s.optional {
			delete(labels, "fields."+s.Name)
		}
	}
	for i, a := range m.actions {
		path := fmt.Sprintf("actions[%d]", i)
		labels[path], labels[path+".type"] = path, path
		labels["action "+a.code] = path
		for _, f := range a.fields {
			labels[path+".fields."+f.Name] = path + ".fields." + f.Name
		}
		for _, s := range a.settings {
			labels[path+".fields."+s.Name] = path + ".fields." + s.Name
		}
	}
	return labels
}
