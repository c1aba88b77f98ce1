package setup

import (
	"cmp"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// workspace is what is known about the fields of a workspace.
type workspace struct {
	fields     []telecrm.FieldDefinition
	actions    []telecrm.ActionDefinition
	identifier string
}

func newWorkspace(o Options) workspace {
	known := workspace{identifier: o.Identifier}
	if o.Workspace != nil {
		known.fields, known.actions = o.Workspace.Fields.Fields, o.Workspace.Actions.Actions
	}
	for _, f := range known.fields {
		if f.Identifier {
			known.identifier = f.APIName
		}
	}
	for _, standard := range []telecrm.FieldDefinition{{APIName: "name", Type: "TEXT"}, {APIName: "phone", Type: "PHONE"}, {APIName: "email", Type: "EMAIL"}} {
		if _, has := known.field(standard.APIName); !has {
			known.fields = append(known.fields, standard)
		}
	}
	known.identifier = cmp.Or(known.identifier, "phone")
	return known
}

// field returns the field with the API name.
func (w workspace) field(name string) (telecrm.FieldDefinition, bool) {
	i := slices.IndexFunc(w.fields, func(f telecrm.FieldDefinition) bool { return f.APIName == name })
	if i < 0 {
		return telecrm.FieldDefinition{}, false
	}
	return w.fields[i], true
}

// input is an input of a form with all controls of its name.
type input struct {
	name     string
	controls []page.InventoryControl
}

// inputsOf lists the inputs that visitors fill in, in order.
func inputsOf(f page.InventoryForm) []*input {
	var list []*input
	for _, c := range f.Controls {
		name := nameFor(c)
		if name == "" || !isForPeople(c) {
			continue
		}
		i := slices.IndexFunc(list, func(in *input) bool { return in.name == name })
		switch {
		case i < 0:
			list = append(list, &input{name: name})
			i = len(list) - 1
		case c.Name == "": // two inputs must not get the same name
			continue
		}
		list[i].controls = append(list[i].controls, c)
	}
	return list
}

// isForPeople reports whether visitors fill the control in, and its value may become part of a lead.
func isForPeople(c page.InventoryControl) bool {
	switch {
	case c.Element == "button", c.Type == "file", !c.IsShown, c.IsDisabled, c.IsSecret:
		return false
	}
	return !slices.Contains(guard.KnownTraps(), c.Name) && !form.IsForService(c.Name) && !form.IsSecret(c.Name)
}

// isRequired reports whether browsers require the input.
func (in *input) isRequired() bool {
	return slices.ContainsFunc(in.controls, func(c page.InventoryControl) bool { return c.IsRequired })
}

// values lists the values that visitors can choose, without blank ones. It reports false if they
// type the value.
func (in *input) values() (list []string, isChoice bool) {
	for _, c := range in.controls {
		values := c.Options
		switch {
		case c.Element == "select":
		case c.Type == "radio", c.Type == "checkbox":
			values = []string{c.Value}
		default:
			return nil, false
		}
		for _, value := range values {
			value = strings.Join(strings.Fields(value), " ") // pages indent options with spaces that do not break
			if !isBlank(value) && !slices.Contains(list, value) {
				list = append(list, value)
			}
		}
	}
	return list, true
}

// isBlank reports whether the value is what a list has as its first option, such as "Select…".
func isBlank(value string) bool {
	converted, err := fieldtype.Rules{Type: fieldtype.Dropdown, Options: []string{"\x01"}}.Convert([]string{value})
	return err == nil && converted.JSON == nil
}

// isMultiple reports whether visitors can choose several values.
func (in *input) isMultiple() bool {
	first := in.controls[0]
	return first.IsMultiple && first.Element == "select" || first.Type == "checkbox" && len(in.controls) > 1
}

// match finds the field for an input among those that are not taken, and what shows it.
func (w workspace) match(in *input, taken map[string]bool) (f telecrm.FieldDefinition, sign string, ok bool) {
	c := in.controls[0]
	free := func(f telecrm.FieldDefinition) bool { return !taken[f.APIName] && suits(in, f) }
	for _, at := range namesOf(c) {
		if folded := fold(at.text); folded != "" {
			if i := slices.IndexFunc(w.fields, func(f telecrm.FieldDefinition) bool { return free(f) && fold(f.APIName) == folded }); i >= 0 {
				return w.fields[i], "by " + at.sign, true
			}
		}
	}
	asks, sign := conceptOf(c)
	switch asks { //nolint:exhaustive // the others do not have a standard field
	case phone, email, name:
		if f, has := w.field(string(asks)); has && free(f) {
			return f, "by " + sign, true
		}
	case message:
		for _, spelling := range spellings[message] {
			if i := slices.IndexFunc(w.fields, func(f telecrm.FieldDefinition) bool {
				return free(f) && f.Type == "TEXT" && fold(f.APIName) == spelling
			}); i >= 0 {
				return w.fields[i], "perhaps, by " + sign, true
			}
		}
	}
	return telecrm.FieldDefinition{}, "", false
}

// suits reports whether the field can hold what visitors enter.
func suits(in *input, f telecrm.FieldDefinition) bool {
	values, isChoice := in.values()
	c := in.controls[0]
	switch f.Type {
	case "DROPDOWN":
		return isChoice && !in.isMultiple() && len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(f.Options, v) })
	case "TAGS":
		return isChoice && len(values) > 0
	case "STATUS", "LOSTREASON", "ACTIVEUSERS":
		return false // visitors do not choose them
	case "TEXT":
		return !in.isMultiple() || isChoice
	case "PHONE":
		return !isChoice && c.Type != "email"
	case "EMAIL":
		return !isChoice && c.Type != "tel"
	case "DATE":
		return !isChoice && c.Type != "email" && c.Type != "tel"
	}
	return !in.isMultiple()
}

// noteKey returns an action with a text key for a message, and the key.
func (w workspace) noteKey() (action telecrm.ActionDefinition, key string, ok bool) {
	for _, action := range w.actions {
		for _, spelling := range spellings[message] {
			for _, f := range action.Fields {
				if f.Type == "TEXT" && fold(f.APIName) == spelling {
					return action, f.APIName, true
				}
			}
		}
	}
	return telecrm.ActionDefinition{}, "", false
}

// restField returns a text field for everything that no other field takes.
func (w workspace) restField(taken map[string]bool) string {
	words := append([]string{"more", "other", "others", "additionalinformation", "additionalinfo", "moreinfo", "moreinformation", "extra", "formdata"}, spellings[message]...)
	for _, word := range words {
		for _, f := range w.fields {
			if f.Type == "TEXT" && !taken[f.APIName] && fold(f.APIName) == word {
				return f.APIName
			}
		}
	}
	return ""
}

// typeWord returns the word for the field's type, or "" if that is the usual one.
func typeWord(f telecrm.FieldDefinition) string {
	kind := check.TypeOf(f.Type)
	if kind == fieldtype.Of(f.APIName) {
		return ""
	}
	return string(kind)
}

// dateOrderOf is the order of dates that visitors type with the control, or "".
func dateOrderOf(c page.InventoryControl) string {
	if c.Type != "text" || c.Element != "input" {
		return ""
	}
	return check.DateOrderOf(c)
}
