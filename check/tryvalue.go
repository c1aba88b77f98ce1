package check

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// secretPlaceholders matches placeholders whose values may be secrets of the operator.
var secretPlaceholders = regexp.MustCompile(`\{(?:env|file)\.[^{}]+\}`)

// lead returns the lead of the post without values from the environment or from files, which may be
// secrets.
func (e *explanation) lead() telecrm.Lead {
	lead := telecrm.Lead{Fields: maps.Clone(e.record.Draft.Lead.Fields)}
	for _, action := range e.record.Draft.Lead.Actions {
		action.Fields = maps.Clone(action.Fields)
		lead.Actions = append(lead.Actions, action)
	}
	for _, v := range e.form.values() {
		into := fieldsFor(lead, v.action)
		if _, has := into[v.name]; has && v.set != nil && secretPlaceholders.MatchString(v.set.Value) {
			into[v.name] = v.set.Value
		}
	}
	return lead
}

// fieldsFor returns the fields of the lead, or of its first action with the code.
func fieldsFor(lead telecrm.Lead, action string) map[string]any {
	if action == "" {
		return lead.Fields
	}
	for _, a := range lead.Actions {
		if a.Type == action {
			return a.Fields
		}
	}
	return nil
}

// values explains the value of each line of the form's block, and of each field that another line
// gives.
func (e *explanation) values(lead telecrm.Lead) []TriedValue {
	list := make([]TriedValue, 0, len(e.form.values()))
	explained := make(map[string]bool)
	for _, v := range e.form.values() {
		tried := TriedValue{Field: v.path(), Type: string(v.kind), Place: written(e.form.at(v.line))}
		tried.Value = fieldsFor(lead, v.action)[v.name]
		switch {
		case v.field != nil:
			tried.Reason = e.fieldReason(v, tried.Value != nil)
		default:
			tried.Reason = e.setReason(v, tried.Value != nil)
		}
		list = append(list, tried)
		explained[v.path()] = true
	}
	for _, name := range slices.Sorted(maps.Keys(lead.Fields)) {
		switch {
		case explained[name]:
		case name == e.form.Unmapped:
			list = append(list, TriedValue{
				Field: name, Value: lead.Fields[name], Type: "text", Place: written(e.form.at("unmapped")),
				Reason: "unmapped: " + strings.Join(e.unmapped(), ", "),
			})
		default:
			list = append(list, TriedValue{
				Field: name, Value: lead.Fields[name], Type: "text", Place: written(e.form.at("attribution")), Reason: "attribution",
			})
		}
	}
	return list
}

// fieldReason says where the value of a field comes from, or why it is missing.
func (e *explanation) fieldReason(v value, has bool) string {
	input := inputOf(v.field)
	isFilled := slices.ContainsFunc(e.posted.Values(input), func(text string) bool { return strings.TrimSpace(text) != "" })
	isWrong := slices.ContainsFunc(problemsOf(e.record.Draft), func(p TriedProblem) bool { return p.Input == input })
	switch {
	case has && isFilled:
		return "input " + input + e.form.reading(v)
	case has && v.field.Default != "":
		return "default, because the input " + input + " is empty"
	case has:
		return "input " + input
	case isWrong:
		return "the input " + input + " must be corrected"
	case !e.posted.Has(input):
		return "the input " + input + " was not sent"
	case isFilled:
		return "the answer to the input " + input + " is not one, or has no place here"
	}
	return "the input " + input + " is empty"
}

// reading says which settings decide how a value is read.
func (f *Form) reading(v value) string {
	country := cmp.Or(v.field.Country, f.Country)
	switch v.kind { //nolint:exhaustive // others do not depend on settings
	case fieldtype.Phone, fieldtype.Number, fieldtype.Money:
		if country != "" {
			return ", as written in " + strings.ToUpper(country)
		}
	case fieldtype.Date:
		order := cmp.Or(v.field.DateOrder, f.DateOrder)
		return ", " + strings.TrimSpace(order+" in "+cmp.Or(f.TimeZone, "UTC"))
	}
	return ""
}

// setReason says where a value that the config gives comes from, or why it is missing.
func (e *explanation) setReason(v value, has bool) string {
	switch {
	case !has:
		return "set " + v.set.Value + " is empty here, or not a valid " + string(v.kind)
	case secretPlaceholders.MatchString(v.set.Value):
		return "set; the value is not shown"
	case strings.ContainsAny(v.set.Value, "{}"):
		return "set " + v.set.Value
	}
	return "set"
}

// unmapped lists the inputs that no line takes and that have a value.
func (e *explanation) unmapped() []string {
	var names []string
	for _, entry := range e.posted.Entries {
		tried := e.input(entry)
		if slices.Equal(tried.Becomes, []string{e.form.Unmapped}) && !slices.Contains(names, entry.Name) {
			names = append(names, entry.Name)
		}
	}
	return names
}
