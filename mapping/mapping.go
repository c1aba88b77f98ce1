// Package mapping turns a posted form into a lead, according to the operator's fields, settings and
// actions.
package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Mapping turns a posted form into a lead.
type Mapping struct {
	// Identifier is the API name of the lead identifier. IdentifierType is the type that the form
	// gives it.
	Identifier     string
	IdentifierType fieldtype.Type

	fields   []*BoundField
	settings []*boundSetting
	actions  []*boundAction
	unmapped string
	mapped   map[string]bool      // the inputs that become part of the lead
	typed    []string             // inputs with digits that the visitor typed
	texts    map[string]textInput // inputs of fields
	ignored  []string             // inputs that "unmapped" leaves out
}

// Config describes how a form's inputs become a lead.
type Config struct {
	Fields   []Field
	Set      []Setting
	Actions  []Action
	Unmapped string
	// Attribution is nil if the lead does not say where the visitor came from.
	Attribution *Attribution
	// Identifier is the API name of the lead identifier.
	Identifier string
	Locale
}

// Locale says how to read values typed without a country code or a time zone, and in which order
// dates are written.
type Locale struct {
	// Country is an ISO 3166 code.
	Country   string
	Location  *time.Location
	DateOrder fieldtype.DateOrder
}

// rules returns the rules for values of a type.
func (in Locale) rules(kind fieldtype.Type) fieldtype.Rules {
	rules := fieldtype.Rules{Type: kind, Country: strings.ToUpper(in.Country), Location: in.Location}
	if kind == fieldtype.Date {
		rules.DateOrder = in.DateOrder
	}
	return rules
}

// Statuses of the plugin's own remarks, in addition to TeleCRM's.
const (
	remarkNotSent = "NOT_SENT"
	remarkChanged = "CHANGED"
)

// New checks the config and returns its mapping.
func New(c Config) (*Mapping, error) {
	m := &Mapping{Identifier: c.Identifier, unmapped: c.Unmapped, mapped: make(map[string]bool)}
	names := make(map[string]bool)
	for _, f := range c.Fields {
		// TeleCRM refuses a lead without its identifier, so the visitor must give it.
		f.Required = f.Required || f.Name == c.Identifier
		field, err := f.bind(c.Locale, true)
		if err != nil {
			return nil, err
		}
		if err := Once(names, f.Name); err != nil {
			return nil, err
		}
		if field.isIdentifier = f.Name == c.Identifier; field.isIdentifier {
			m.IdentifierType = field.Kind
		}
		m.fields = append(m.fields, field)
	}
	for _, s := range c.Set {
		setting, err := s.bind(c.Locale, true)
		if err != nil {
			return nil, err
		}
		if err := Once(names, s.Name); err != nil {
			return nil, err
		}
		if s.Name == c.Identifier {
			m.IdentifierType = setting.rules.Type
		}
		m.settings = append(m.settings, setting)
	}
	if c.Unmapped != "" {
		if err := CheckWritten(c.Unmapped); err != nil {
			return nil, fmt.Errorf("unmapped: %w", err)
		}
		if err := Once(names, c.Unmapped); err != nil {
			return nil, err
		}
	}
	identified := names[c.Identifier]
	attributed, err := c.Attribution.bind(c.Locale, names)
	if err != nil {
		return nil, err
	}
	m.settings = append(m.settings, attributed...)
	if !identified || c.Unmapped == c.Identifier {
		return nil, fmt.Errorf("identifier: no field or set gives %q, which TeleCRM requires in every lead; add one, or name another identifier", c.Identifier)
	}
	for _, a := range c.Actions {
		action, err := a.bind(c.Locale)
		if err != nil {
			return nil, err
		}
		m.actions = append(m.actions, action)
	}
	m.noteInputs()
	return m, nil
}

// Once returns an error if the API name is already in names, and adds it otherwise.
func Once(names map[string]bool, name string) error {
	if names[name] {
		return fmt.Errorf("%s: is given twice; each API name takes one value", name)
	}
	names[name] = true
	return nil
}

// noteInputs notes what is asked of inputs for every post.
func (m *Mapping) noteInputs() {
	settings := slices.Clone(m.settings)
	for _, a := range m.actions {
		settings = append(settings, a.settings...)
	}
	for _, f := range m.AllFields() {
		m.mapped[f.Input] = true
	}
	for _, s := range settings {
		for _, input := range s.inputs {
			m.mapped[input] = true
		}
	}
	m.typed, m.texts = m.typedNumbers(), m.textInputs()
}

// Takes reports whether the input becomes part of the lead.
func (m *Mapping) Takes(input string) bool { return m.mapped[input] }

// LongestInput returns the length in bytes of the longest name of an input that becomes part of the
// lead.
func (m *Mapping) LongestInput() int {
	longest := 0
	for input := range m.mapped {
		longest = max(longest, len(input))
	}
	return longest
}

// Ignore excludes inputs from the unmapped ones.
func (m *Mapping) Ignore(inputs []string) { m.ignored = append(m.ignored, inputs...) }

// AllFields returns the fields of the lead and of its actions.
func (m *Mapping) AllFields() []*BoundField {
	fields := slices.Clone(m.fields)
	for _, a := range m.actions {
		fields = append(fields, a.fields...)
	}
	return fields
}

// Names returns the API names of the lead's fields that the form can fill in.
func (m *Mapping) Names() []string {
	var names []string
	for _, f := range m.fields {
		names = append(names, f.Name)
	}
	for _, s := range m.settings {
		names = append(names, s.Name)
	}
	if m.unmapped != "" {
		names = append(names, m.unmapped)
	}
	return names
}

// Draft is a lead in the making. It is sent only if it does not have any problems.
type Draft struct {
	Lead     telecrm.Lead
	Problems []*Problem
	// Remarks list the parts of the post that the lead does not contain as typed.
	Remarks []telecrm.Remark

	offers   Offers
	unlisted []unlisted
	note     *target // of the first action that has one
}

// Lead makes a lead from the posted form. expand replaces the placeholders of the operator's
// templates. An answer that is among the offers of the form's page is not a problem, even if its
// field does not take it: the lead goes without the field, and has the answer as text.
func (m *Mapping) Lead(posted *form.Form, expand func(template string) string, offers Offers) Draft {
	d := Draft{Lead: telecrm.Lead{Fields: make(map[string]any)}, offers: offers}
	d.addFields(m.fields, posted, "fields.", d.Lead.Fields)
	m.addSettings(&d, posted, expand)
	if m.unmapped != "" {
		m.addRest(&d, posted)
	}
	for _, a := range m.actions {
		d.addAction(a, posted, expand)
	}
	m.placeUnlisted(&d)
	return d
}

// AddRaw fills the fields whose values are not valid with what the visitor typed. A lead that is
// parked for a person to look at is then complete.
func (m *Mapping) AddRaw(d *Draft, posted *form.Form) {
	for _, f := range m.fields {
		text := strings.TrimSpace(strings.Join(posted.Values(f.Input), ", "))
		if _, problem := f.convert(posted); problem != nil && text != "" {
			d.Lead.Fields[f.Name] = text
		}
	}
}

func (d *Draft) addFields(fields []*BoundField, posted *form.Form, path string, into map[string]any) {
	for _, f := range fields {
		value, problem := f.convert(posted)
		if problem != nil && !f.isIdentifier {
			value, problem = d.takeOffered(f, posted, path, problem)
		}
		if problem != nil {
			d.Problems = append(d.Problems, problem)
			continue
		}
		d.put(into, path, f.Name, value)
	}
}

// takeOffered returns the value without the answers that only the page offers, and keeps these. If
// there are none, the problem remains.
func (d *Draft) takeOffered(f *BoundField, posted *form.Form, path string, problem *Problem) (fieldtype.Value, *Problem) {
	value, answers, ok := f.takeOffered(posted.Values(f.Input), d.offers[f.Input])
	if !ok {
		return fieldtype.Value{}, problem
	}
	d.unlisted = append(d.unlisted, unlisted{path + f.Name, f.Label + ": " + strings.Join(answers, ", "), "the page offers an answer that the field does not take"})
	return value, nil
}

// addSettings adds the values that do not come from a single input. A value that cannot be sent is
// left out with a remark, because the visitor may not be able to correct it. The identifier is
// different: a lead needs it, and the visitor typed it, so it becomes a problem.
func (m *Mapping) addSettings(d *Draft, posted *form.Form, expand func(string) string) {
	for _, s := range m.settings {
		value, err := s.convert(posted, expand)
		if s.Name == m.Identifier && (err != nil || value.JSON == nil) {
			d.Problems = append(d.Problems, s.identifierProblem(err))
			continue
		}
		d.putSetting(d.Lead.Fields, "fields.", s, value, err, expand)
	}
}

// identifierProblem returns a problem with the last input of the identifier's template. In
// "{form.code}{form.number}" that is the input more likely to be wrong.
func (s *boundSetting) identifierProblem(err error) *Problem {
	if err == nil {
		err = &fieldtype.Error{Code: fieldtype.RequiredEmpty, Type: s.rules.Type}
	}
	if len(s.inputs) == 0 {
		return newProblem("", "", err)
	}
	input := s.inputs[len(s.inputs)-1]
	return newProblem(input, labelOf(input), err)
}

// putSetting adds a value, or what the visitor sent for it as text.
func (d *Draft) putSetting(into map[string]any, path string, s *boundSetting, value fieldtype.Value, err error, expand func(string) string) {
	switch {
	case err == nil:
		d.put(into, path, s.Name, value)
	case len(s.inputs) > 0:
		d.unlisted = append(d.unlisted, unlisted{path + s.Name, labelOf(s.Name) + ": " + strings.TrimSpace(expand(s.Value)), err.Error()})
	default:
		d.Remarks = append(d.Remarks, telecrm.Remark{Field: path + s.Name, Status: remarkNotSent, Text: err.Error()})
	}
}

func (d *Draft) put(into map[string]any, path, name string, value fieldtype.Value) {
	if value.JSON != nil {
		into[name] = value.JSON
	}
	if value.Note != "" {
		d.Remarks = append(d.Remarks, telecrm.Remark{Field: path + name, Status: remarkChanged, Text: value.Note})
	}
}

// addAction adds a timeline entry. It leaves out a payment that lacks a key or whose amount is 0,
// because TeleCRM may refuse the whole request.
func (d *Draft) addAction(a *boundAction, posted *form.Form, expand func(string) string) {
	action := telecrm.Action{Type: a.code, Fields: make(map[string]any)}
	path := fmt.Sprintf("actions[%d].fields.", len(d.Lead.Actions))
	d.addFields(a.fields, posted, path, action.Fields)
	for _, s := range a.settings {
		value, err := s.convert(posted, expand)
		d.putSetting(action.Fields, path, s, value, err, expand)
	}
	if a.code == telecrm.ActionPayment && !completePayment(action.Fields) {
		d.Remarks = append(d.Remarks, telecrm.Remark{Field: "action " + a.code, Status: remarkNotSent, Text: "status, currency or amount is empty, or the amount is 0"})
		return
	}
	if name := a.note(); name != "" && d.note == nil {
		d.note = &target{action.Fields, path, name}
	}
	d.Lead.Actions = append(d.Lead.Actions, action)
}

func completePayment(fields map[string]any) bool {
	for _, key := range telecrm.PaymentKeys() {
		value, ok := fields[key]
		if !ok || isZeroAmount(key, fieldtype.Value{JSON: value}) {
			return false
		}
	}
	return true
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
