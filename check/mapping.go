package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// value is a value of a lead or of an action, which a line of the form's block gives.
type value struct {
	line   string // its first words
	action string // the code of the action that it is in, or ""
	name   string
	kind   fieldtype.Type
	field  *mapping.Field   // nil for a set
	set    *mapping.Setting // nil for a field
}

// prepare lists the values of the form's leads, and the inputs that they are made of.
func (f *Form) prepare() {
	f.bound = valuesIn("", f.Fields, f.Set)
	for _, action := range f.Actions {
		f.bound = append(f.bound, valuesIn(action.Code, action.Fields, action.Set)...)
	}
	f.taken = make(map[string]bool)
	for _, v := range f.bound {
		for _, input := range inputsOf(v) {
			f.taken[input] = true
		}
	}
}

// values lists the values of the form's leads.
func (f *Form) values() []value {
	if f.taken == nil {
		f.prepare()
	}
	return f.bound
}

// takes reports whether the input becomes part of a lead.
func (f *Form) takes(input string) bool { return f.taken[input] }

func valuesIn(action string, fields []mapping.Field, settings []mapping.Setting) []value {
	prefix := ""
	if action != "" {
		prefix = "action " + action + " "
	}
	list := make([]value, 0, len(fields)+len(settings))
	for i := range fields {
		field := &fields[i]
		list = append(list, value{prefix + "field " + field.Name, action, field.Name, kindOf(action, field.Name, field.Type), field, nil})
	}
	for i := range settings {
		setting := &settings[i]
		list = append(list, value{prefix + "set " + setting.Name, action, setting.Name, kindOf(action, setting.Name, setting.Type), nil, setting})
	}
	return list
}

// kindOf returns the type that the config gives a value. An unknown word counts as text.
func kindOf(action, name, word string) fieldtype.Type {
	if action == telecrm.ActionPayment {
		return fieldtype.Text
	}
	if kind, err := fieldtype.Parse(word); err == nil {
		return kind
	}
	if word == "" && action == "" {
		return fieldtype.Of(name)
	}
	return fieldtype.Text
}

// isTyped reports whether the line has a type.
func (v value) isTyped() bool {
	return v.field != nil && v.field.Type != "" || v.set != nil && v.set.Type != ""
}

// constants lists the values that the config itself gives, such as the options of a field.
func (v value) constants() []string {
	if v.field != nil {
		list := slices.Clone(v.field.Options)
		if v.field.Default != "" && !slices.Contains(list, v.field.Default) {
			list = append(list, v.field.Default)
		}
		return list
	}
	if strings.ContainsAny(v.set.Value, "{}") {
		return nil
	}
	if v.kind != fieldtype.Tags {
		return []string{v.set.Value}
	}
	var tags []string
	for tag := range strings.SplitSeq(v.set.Value, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// written returns the value's line with another name or type. The block that may follow is left
// out.
func (v value) written(name string, kind fieldtype.Type) string {
	word := ""
	if usual := kindOf(v.action, name, ""); kind != usual {
		word = string(kind)
	}
	if v.set != nil {
		return strings.TrimSpace("set " + suggest.Quote(name) + " " + suggest.Quote(v.set.Value) + " " + word)
	}
	input := cmp.Or(v.field.Input, v.field.Name)
	switch {
	case word != "":
		return "field " + suggest.Quote(name) + " " + suggest.Quote(input) + " " + word
	case input != name:
		return "field " + suggest.Quote(name) + " " + suggest.Quote(input)
	}
	return "field " + suggest.Quote(name)
}

// inputsOf lists the inputs that a value is made of.
func inputsOf(v value) []string {
	if v.set != nil {
		return v.set.Inputs()
	}
	return []string{inputOf(v.field)}
}

func inputOf(f *mapping.Field) string {
	if f.Input == "" {
		return f.Name
	}
	return f.Input
}

// checkMapping reports lines that cannot work with any workspace or page.
func (r *Report) checkMapping(f *Form) {
	names := make(map[string]bool)
	for _, v := range f.values() {
		if v.action == "" {
			names[v.name] = true
		}
		country := f.Country
		if v.field != nil {
			country = cmp.Or(v.field.Country, country)
		}
		switch {
		case v.kind == fieldtype.Phone && country == "":
			r.reportForm(f, CountryMissing, v.line, "country IN",
				"%s is a phone number, but no country is set for numbers without a country code; write yours", v.name)
			continue
		case v.kind == fieldtype.Date && f.TimeZone == "" && !isMillis(v):
			r.reportForm(f, TimeZoneMissing, v.line, "time_zone Asia/Kolkata",
				"%s is a date, but no time zone is set, so it is read in UTC; write yours", v.name)
		}
		in := mapping.Locale{Country: country}
		if order, err := fieldtype.ParseDateOrder(f.DateOrder); f.DateOrder != "" && err == nil {
			in.DateOrder = order
		}
		var err error
		if v.field != nil {
			err = v.field.CheckIn(v.action, in)
		} else {
			err = v.set.CheckIn(v.action, in)
		}
		if err != nil {
			r.reportForm(f, InvalidMapping, v.line, "", "%v", err)
		}
	}
	if a := f.Account; a != nil && a.Identifier != "" && !names[a.Identifier] {
		r.reportForm(f, IdentifierNotMapped, "", "field "+suggest.Quote(a.Identifier),
			"no field or set gives %s, the lead identifier, which every lead must have", a.Identifier)
	}
}

// reportForm reports what is wrong with a line of the form's block.
func (r *Report) reportForm(f *Form, code Code, line, remedy, format string, args ...any) {
	r.add(Finding{
		Code: code, Form: f.Name, Place: f.at(line),
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// isMillis reports whether the value is a time that does not need a time zone.
func isMillis(v value) bool {
	return v.set != nil && strings.Contains(v.set.Value, "{time.now.unix")
}

// checkGuards reports traps that catch people.
func (r *Report) checkGuards(f *Form) {
	for _, trap := range f.Honeypot {
		if trap != "off" && guard.IsFilledByBrowsers(trap) {
			r.reportForm(f, TrapAutofilled, "honeypot", "honeypot _gotcha",
				"browsers and password managers may fill in the trap %s, and people would be taken for programs; give it a name that does not ask for anything, here and in the page", trap)
		}
	}
}
