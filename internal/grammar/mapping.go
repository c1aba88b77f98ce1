package grammar

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Mapping has the words of a form's mapping. It remembers what was parsed, to be checked when the
// account's country is known.
type Mapping struct {
	action string          // the code of the action that is being parsed
	names  map[string]bool // the API names of the lead, or the keys of the action, so far
	later  []func(in mapping.Locale) error
}

// Check reports the fields and values that cannot work, with their places in the Caddyfile.
func (m *Mapping) Check(in mapping.Locale) error {
	var mistakes error
	for _, check := range m.later {
		mistakes = And(mistakes, check(in))
	}
	return mistakes
}

// once returns an error for a name that the lead or the action already has.
func (m *Mapping) once(d *caddyfile.Dispenser, name string) error {
	if m.names == nil {
		m.names = make(map[string]bool)
	}
	err := mapping.Once(m.names, name)
	if err != nil && m.action != "" {
		err = fmt.Errorf("action %s: %w", m.action, err)
	}
	if err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// Unmapped returns the word for the field that takes everything else.
func (m *Mapping) Unmapped(into *string) Word {
	word := Written("unmapped", into)
	read := word.Read
	word.Read = func(d *caddyfile.Dispenser) error {
		if err := read(d); err != nil {
			return err
		}
		return m.once(d, *into)
	}
	return word
}

// part is a field or a setting.
type part interface {
	CheckIn(action string, in mapping.Locale) error
}

// checkLater checks the part with the place that at adds to errors.
func (m *Mapping) checkLater(p part, at func(error) error) {
	action := m.action
	m.later = append(m.later, func(in mapping.Locale) error {
		if err := p.CheckIn(action, in); err != nil {
			return at(err)
		}
		return nil
	})
}

// Action returns the word for an action.
func (m *Mapping) Action(into *[]mapping.Action) Word {
	return Word{Name: "action", Many: true, Read: func(d *caddyfile.Dispenser) error {
		var action mapping.Action
		if !d.AllArgs(&action.Code) {
			return d.Errf("action takes one code, such as 1042, or PAYMENT")
		}
		if err := telecrm.CheckActionType(action.Code); err != nil {
			return d.WrapErr(err)
		}
		ofLead := m.names
		m.action, m.names = action.Code, nil
		err := Block(d, "action", []Word{m.Field(&action.Fields), m.Set(&action.Set)})
		m.action, m.names = "", ofLead
		if err != nil {
			return err
		}
		*into = append(*into, action)
		return nil
	}}
}

// Field returns the word for a field.
func (m *Mapping) Field(into *[]mapping.Field) Word {
	return Word{Name: "field", Many: true, Read: func(d *caddyfile.Dispenser) error {
		var f mapping.Field
		switch args := d.RemainingArgs(); len(args) {
		case 3:
			f.Type = args[2]
			fallthrough
		case 2:
			f.Input = args[1]
			fallthrough
		case 1:
			f.Name = args[0]
		default:
			return d.Errf("field takes: <api_name> [<input> [<type>]]")
		}
		if f.Input == "required" && f.Type == "" {
			return d.Errf("field %s: %q would be the name of its input; write required in its block, on a line of its own", f.Name, f.Input)
		}
		if err := checkType(d, "field "+f.Name, f.Type); err != nil {
			return err
		}
		if err := m.once(d, f.Name); err != nil {
			return err
		}
		at := Here(d)
		err := Block(d, "field", []Word{
			{Name: "required", Read: func(d *caddyfile.Dispenser) error { return readRequired(d, &f) }},
			Text("label", &f.Label),
			Text("country", &f.Country, fieldtype.CheckCountry),
			Text("date_order", &f.DateOrder, fieldtype.CheckDateOrder),
			{Name: "options", Read: func(d *caddyfile.Dispenser) error { return readOptions(d, &f) }},
			{Name: "blank", Read: func(d *caddyfile.Dispenser) error { return readBlank(d, &f) }},
			{Name: "pattern", Read: func(d *caddyfile.Dispenser) error { return readPattern(d, &f) }},
			Number("min", &f.Min),
			Number("max", &f.Max),
			Text("default", &f.Default),
		})
		if err != nil {
			return err
		}
		m.checkLater(f, at)
		*into = append(*into, f)
		return nil
	}}
}

// Set returns the word for a value that does not come from a single input.
func (m *Mapping) Set(into *[]mapping.Setting) Word {
	return Word{Name: "set", Many: true, Read: func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		const takes = "set takes: <api_name> <value> [<type>]; put a value with spaces in straight double quotes"
		switch {
		case len(args) < 2:
			return TooFew(d, takes)
		case len(args) > 3:
			return d.Errf(takes)
		}
		s := mapping.Setting{Name: args[0], Value: args[1]}
		if len(args) == 3 {
			s.Type = args[2]
		}
		if err := checkType(d, "set "+s.Name, s.Type); err != nil {
			return err
		}
		if err := m.once(d, s.Name); err != nil {
			return err
		}
		m.checkLater(s, Here(d))
		*into = append(*into, s)
		return nil
	}}
}

func checkType(d *caddyfile.Dispenser, name, word string) error {
	if word == "" {
		return nil
	}
	return Apply(d, name, word, func(word string) error {
		_, err := fieldtype.Parse(word)
		return err
	})
}

func readRequired(d *caddyfile.Dispenser, f *mapping.Field) error {
	f.Required = true
	args := d.RemainingArgs()
	if len(args) > 1 {
		return d.Errf("required takes at most one message; put it in quotes")
	}
	if len(args) == 1 {
		f.RequiredMessage = args[0]
	}
	return nil
}

func readOptions(d *caddyfile.Dispenser, f *mapping.Field) error {
	for d.NextArg() {
		option := d.Val()
		mark := separator(option)
		if d.Token().Quoted() && !strings.HasSuffix(option, ",") {
			mark = ""
		}
		if mark != "" {
			return d.Errf("options: the label %q has %s; put spaces between labels, and quotes around a label with spaces or punctuation, such as: options \"Rooftop solar\" Battery", option, mark)
		}
		f.Options = append(f.Options, option)
	}
	if len(f.Options) == 0 {
		return d.Errf("options takes one or more labels; put those with spaces in quotes")
	}
	return nil
}

func readBlank(d *caddyfile.Dispenser, f *mapping.Field) error {
	f.Blank = d.RemainingArgs()
	if len(f.Blank) == 0 {
		return d.Errf("blank takes one or more values; put those with spaces in quotes")
	}
	return nil
}

func readPattern(d *caddyfile.Dispenser, f *mapping.Field) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Errf("pattern takes: <regexp> [<message>]")
	}
	f.Pattern = args[0]
	if len(args) == 2 {
		f.PatternMessage = args[1]
	}
	if _, err := regexp.Compile(f.Pattern); err != nil {
		return d.WrapErr(fmt.Errorf("pattern %q: %w; it must be a regular expression of RE2", f.Pattern, err))
	}
	return nil
}
