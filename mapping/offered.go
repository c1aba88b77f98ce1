package mapping

import (
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Offer is a value that the page with the form itself gives, such as that of an option.
type Offer struct {
	Value string
	// Label is the text of an option, if the page has one.
	Label string
}

// Offers are the values that the page with the form gives, by input.
type Offers map[string][]Offer

// Refused returns the offered values that the field does not take, although they are answers: an
// option that only asks to choose one is not.
func (f *BoundField) Refused(offers []Offer) []string {
	rules := f.rules
	rules.Required, rules.Default = false, ""
	if f.Kind == fieldtype.Tags { // bounds are for all tags together
		rules.Min, rules.Max = nil, nil
	}
	var refused []string
	for _, o := range offers {
		if _, err := rules.Convert([]string{o.Value}); err == nil {
			continue
		}
		label, err := rules.Convert([]string{o.Label})
		isAnswer := o.Label == "" || err != nil || label.JSON != nil
		if isAnswer && !slices.Contains(refused, o.Value) {
			refused = append(refused, o.Value)
		}
	}
	return refused
}

// unlisted is an answer that its field does not take, though the visitor cannot correct it.
type unlisted struct {
	field  string // the field's path
	line   string
	reason string
}

// takeOffered returns the answers that the field refuses although the page offers them, and the
// value without them. It reports false if there are none, or if something else is wrong too. Only
// tags have a value without one of the answers.
func (f *BoundField) takeOffered(values []string, offers []Offer) (_ fieldtype.Value, answers []string, ok bool) {
	refused := f.Refused(offers)
	var others []string
	for _, value := range values {
		switch {
		case isBlank(value):
		case slices.Contains(refused, value):
			answers = append(answers, value)
		default:
			others = append(others, value)
		}
	}
	if len(answers) == 0 || len(others) == 0 {
		return fieldtype.Value{}, answers, len(answers) > 0
	}
	value, err := f.rules.Convert(others)
	if f.Kind != fieldtype.Tags {
		return fieldtype.Value{}, slices.Concat(others, answers), err == nil
	}
	return value, answers, err == nil
}

// target is a text of the lead that takes what has no place of its own.
type target struct {
	into       map[string]any
	path, name string
}

// note returns the text of an action that a person reads: its first text field. A payment does
// not have one.
func (a *boundAction) note() string {
	if a.code == telecrm.ActionPayment {
		return ""
	}
	for _, f := range a.fields {
		if f.Kind == fieldtype.Text && len(f.Options) == 0 && f.rules.Pattern == nil {
			return f.Name
		}
	}
	for _, s := range a.settings {
		if s.rules.Type == fieldtype.Text {
			return s.Name
		}
	}
	return ""
}

// placeUnlisted adds the answers without a field to the unmapped inputs, or else to an action's
// note, with a remark.
func (m *Mapping) placeUnlisted(d *Draft) {
	to := d.note
	if m.unmapped != "" {
		to = &target{d.Lead.Fields, "fields.", m.unmapped}
	}
	for _, u := range d.unlisted {
		text := u.reason + "; it was left out, because the form has neither unmapped nor an action with a text"
		if to != nil && to.add(u.line) {
			text = u.reason + "; it was added to " + to.path + to.name
		}
		d.Remarks = append(d.Remarks, telecrm.Remark{Field: u.field, Status: remarkNotSent, Text: text})
	}
}

// add adds a line to the text.
func (t *target) add(line string) bool {
	text, _ := t.into[t.name].(string)
	value, err := fieldtype.Rules{Type: fieldtype.Text}.Convert([]string{strings.TrimPrefix(text+"\n"+line, "\n")})
	if err != nil || value.JSON == nil {
		return false
	}
	t.into[t.name] = value.JSON
	return true
}
