package caddytelecrm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// mapping turns what a visitor sent into a lead.
type mapping struct {
	identifier string
	identified fieldtype.Type // the identifier's
	fields     []*boundField
	settings   []*boundSetting
	actions    []*boundAction
	unmapped   string
	taken      map[string]bool // the inputs that go somewhere
}

// The statuses of our own remarks, beside TeleCRM's IGNORED.
const (
	remarkNotSent = "NOT_SENT"
	remarkChanged = "CHANGED"
)

func newMapping(fields []Field, settings []Setting, actions []Action, unmapped string, acct *account) (*mapping, error) {
	m := &mapping{identifier: acct.identifier, unmapped: unmapped, taken: make(map[string]bool)}
	names := make(map[string]bool)
	for _, f := range fields {
		// TeleCRM refuses a lead without its identifier, so the visitor is
		// asked for it first.
		f.Required = f.Required || f.Name == acct.identifier
		field, err := f.bind(acct, true)
		if err != nil {
			return nil, err
		}
		if err := once(names, f.Name); err != nil {
			return nil, err
		}
		if f.Name == acct.identifier {
			m.identified = field.kind
		}
		m.fields = append(m.fields, field)
	}
	for _, s := range settings {
		setting, err := s.bind(acct, true)
		if err != nil {
			return nil, err
		}
		if err := once(names, s.Name); err != nil {
			return nil, err
		}
		if s.Name == acct.identifier {
			m.identified = setting.rules.Type
		}
		m.settings = append(m.settings, setting)
	}
	if unmapped != "" {
		if err := once(names, unmapped); err != nil {
			return nil, err
		}
	}
	if !names[acct.identifier] || unmapped == acct.identifier {
		return nil, fmt.Errorf("no field or set gives %q, the lead identifier that TeleCRM requires of every lead (identifier names another)", acct.identifier)
	}
	for _, a := range actions {
		action, err := a.bind(acct)
		if err != nil {
			return nil, err
		}
		m.actions = append(m.actions, action)
	}
	m.take()
	return m, nil
}

// once reports an API name that is given a second time.
func once(names map[string]bool, name string) error {
	if names[name] {
		return fmt.Errorf("%s is given twice; each API name takes one value", name)
	}
	names[name] = true
	return nil
}

// take notes which inputs go somewhere.
func (m *mapping) take() {
	settings := slices.Clone(m.settings)
	for _, a := range m.actions {
		settings = append(settings, a.settings...)
	}
	for _, f := range m.allFields() {
		m.taken[f.Input] = true
	}
	for _, s := range settings {
		for _, input := range s.inputs {
			m.taken[input] = true
		}
	}
}

// ignore has inputs go nowhere.
func (m *mapping) ignore(inputs []string) {
	for _, input := range inputs {
		m.taken[input] = true
	}
}

// allFields are the fields of the lead and of its actions.
func (m *mapping) allFields() []*boundField {
	fields := slices.Clone(m.fields)
	for _, a := range m.actions {
		fields = append(fields, a.fields...)
	}
	return fields
}

// names are the API names of the lead's fields that the form may give.
func (m *mapping) names() []string {
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

// draft is a lead in the making.
type draft struct {
	lead     telecrm.Lead
	problems []*problem
	remarks  []telecrm.Remark
}

// lead makes the lead of what was posted. It is to be sent only if there are
// no problems. expand replaces the placeholders of the operator's templates.
func (m *mapping) lead(posted *form.Form, expand func(template string) string) draft {
	d := draft{lead: telecrm.Lead{Fields: make(map[string]any)}}
	d.addFields(m.fields, posted, "fields.", d.lead.Fields)
	m.addSettings(&d, expand)
	if m.unmapped != "" {
		if text := m.rest(posted); text != "" {
			d.lead.Fields[m.unmapped] = text
		}
	}
	for _, a := range m.actions {
		d.addAction(a, posted, expand)
	}
	return d
}

func (d *draft) addFields(fields []*boundField, posted *form.Form, path string, into map[string]any) {
	for _, f := range fields {
		value, problem := f.convert(posted)
		if problem != nil {
			d.problems = append(d.problems, problem)
			continue
		}
		d.put(into, path, f.Name, value)
	}
}

// addSettings adds the values that come from no single input. One that cannot
// be sent is left out with a remark, because the visitor cannot correct it;
// but the identifier, without which there is no lead, can only come from what
// they typed.
func (m *mapping) addSettings(d *draft, expand func(string) string) {
	for _, s := range m.settings {
		value, err := s.convert(expand)
		if s.Name == m.identifier && (err != nil || value.JSON == nil) {
			d.problems = append(d.problems, s.identifierProblem(err))
			continue
		}
		d.putSetting(d.lead.Fields, "fields.", s, value, err)
	}
}

// identifierProblem tells of the last input that the identifier is made of:
// in "{form.code}{form.number}" the one more likely to be wrong.
func (s *boundSetting) identifierProblem(err error) *problem {
	if err == nil {
		err = &fieldtype.Error{Code: fieldtype.RequiredEmpty, Type: s.rules.Type}
	}
	if len(s.inputs) == 0 {
		return newProblem("", "", err)
	}
	input := s.inputs[len(s.inputs)-1]
	return newProblem(input, labelOf(input), err)
}

func (d *draft) putSetting(into map[string]any, path string, s *boundSetting, value fieldtype.Value, err error) {
	if err != nil {
		d.remarks = append(d.remarks, telecrm.Remark{Field: path + s.Name, Status: remarkNotSent, Text: err.Error()})
		return
	}
	d.put(into, path, s.Name, value)
}

func (d *draft) put(into map[string]any, path, name string, value fieldtype.Value) {
	if value.JSON != nil {
		into[name] = value.JSON
	}
	if value.Note != "" {
		d.remarks = append(d.remarks, telecrm.Remark{Field: path + name, Status: remarkChanged, Text: value.Note})
	}
}

// addAction adds a timeline entry. A payment that lacks one of its keys, or
// whose amount is nothing, is left out: TeleCRM may refuse the whole request
// for it.
func (d *draft) addAction(a *boundAction, posted *form.Form, expand func(string) string) {
	action := telecrm.Action{Type: a.code, Fields: make(map[string]any)}
	path := fmt.Sprintf("actions[%d].fields.", len(d.lead.Actions))
	d.addFields(a.fields, posted, path, action.Fields)
	for _, s := range a.settings {
		value, err := s.convert(expand)
		d.putSetting(action.Fields, path, s, value, err)
	}
	if a.code == telecrm.ActionPayment && !completePayment(action.Fields) {
		d.remarks = append(d.remarks, telecrm.Remark{Field: "action " + a.code, Status: remarkNotSent, Text: "status, currency or amount is empty, or the amount is 0"})
		return
	}
	d.lead.Actions = append(d.lead.Actions, action)
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

// rest is what was sent for inputs that go nowhere else, one "label: value" a
// line. Passwords and the like are not for those who read the lead.
func (m *mapping) rest(posted *form.Form) string {
	var lines []string
	for _, input := range m.restInputs(posted) {
		if form.IsSecret(input) {
			continue
		}
		values := slices.DeleteFunc(slices.Clone(posted.Values(input)), isBlank)
		if len(values) > 0 {
			lines = append(lines, labelOf(input)+": "+strings.Join(values, ", "))
		}
	}
	value, err := fieldtype.Rules{Type: fieldtype.Text}.Convert([]string{strings.Join(lines, "\n")})
	if err != nil || value.JSON == nil {
		return ""
	}
	return value.JSON.(string)
}

// dropped lists the inputs with a value that goes nowhere at all.
func (m *mapping) dropped(posted *form.Form) []string {
	return slices.DeleteFunc(m.restInputs(posted), func(input string) bool {
		return m.unmapped != "" && !form.IsSecret(input) || !slices.ContainsFunc(posted.Values(input), func(v string) bool { return !isBlank(v) })
	})
}

// restInputs lists the inputs that go nowhere, each once, in the order sent.
func (m *mapping) restInputs(posted *form.Form) []string {
	var inputs []string
	seen := make(map[string]bool)
	for _, entry := range posted.Entries {
		if !m.taken[entry.Name] && !seen[entry.Name] && !isForOthers(entry.Name) {
			inputs = append(inputs, entry.Name)
		}
		seen[entry.Name] = true
	}
	return inputs
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// isForOthers reports whether an input, by its name, speaks to a form service
// or a captcha and not to the people who read the lead.
func isForOthers(input string) bool {
	if strings.HasPrefix(input, "_") {
		return true
	}
	switch strings.ToLower(input) {
	case "redirect", "form-name", "access_key", "apikey", "ccemail", "webhook", "bot-field", "botcheck":
		return true
	}
	return isCaptchaAnswer(input)
}

func isCaptchaAnswer(input string) bool {
	switch strings.ToLower(input) {
	case "g-recaptcha-response", "h-captcha-response", "cf-turnstile-response", "altcha":
		return true
	}
	return false
}
