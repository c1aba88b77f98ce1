package setup

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/page"
)

// mergedForm returns a form with the controls of all forms.
func mergedForm(forms []htmlForm) page.InventoryForm {
	merged := forms[0].form
	merged.Controls = forms[0].controls()
	seen := make(map[string]bool)
	for _, c := range merged.Controls {
		seen[nameFor(c)] = true
	}
	for _, f := range forms[1:] {
		controls := f.controls()
		for _, c := range controls {
			if !seen[nameFor(c)] {
				merged.Controls = append(merged.Controls, c)
			}
		}
		for _, c := range controls {
			seen[nameFor(c)] = true
		}
	}
	return merged
}

// controls returns the form's controls, and the one that it lacks.
func (f htmlForm) controls() []page.InventoryControl {
	controls := slices.Clone(f.form.Controls)
	if f.missing != nil {
		controls = append(controls, *f.missing)
	}
	return controls
}

// identifierInput returns an input for the lead identifier that a form lacks, or nil if the form
// asks for too little, like one for a newsletter, to ask for that too.
func (w *writer) identifierInput(f page.InventoryForm) *page.InventoryControl {
	asks := 0
	for _, in := range inputsOf(f) {
		if asked, _ := conceptOf(in.controls[0]); asked == message {
			asks++
		}
		asks++
	}
	identifier, has := w.known.field(w.known.identifier)
	if asks < 2 || !has {
		return nil
	}
	kind := "text"
	switch check.TypeOf(identifier.Type) { //nolint:exhaustive // identifiers are phones, emails or texts
	case fieldtype.Phone:
		kind = "tel"
	case fieldtype.Email:
		kind = "email"
	}
	label := []rune(strings.ReplaceAll(identifier.APIName, "_", " "))
	label[0] = unicode.ToUpper(label[0])
	return &page.InventoryControl{
		Element: "input", Type: kind, Name: identifier.APIName, Label: string(label), IsShown: true, IsRequired: true, IsLabelled: true,
	}
}

// changes writes comments with what to change in the page of a form, so that it posts, and its
// inputs can be sent.
func (w *writer) changes(f htmlForm) {
	at := func(at page.Position) string { return f.page.At(at).String() }
	if !f.posts {
		w.line("# In %s, set method=\"post\" action=\"%s\" in the form.", at(f.form.At), html.EscapeString(f.path))
	}
	for _, leftover := range check.Leftovers(f.form) {
		w.line("# In %s, remove %s.", at(leftover.At), leftover.What)
	}
	for _, c := range f.form.Controls {
		if !isForPeople(c) {
			continue
		}
		if attributes := w.attributes(c, !f.posts); len(attributes) > 0 {
			w.line("# In %s, set %s in the %s.", at(c.At), strings.Join(attributes, " "), c.Element)
		}
		if nameFor(c) == "" {
			w.line("# In %s, give the %s a name.", at(c.At), c.Element)
		}
	}
	if c := f.missing; c != nil {
		w.line("# In %s, add to the form, because TeleCRM requires it: %s", at(f.form.At), markup(c))
	}
}

// attributes lists the attributes that a control needs so that it is sent, with the right values. If
// there are any, or the form has to be changed anyway, it includes those that browsers and screen
// readers miss.
func (w *writer) attributes(c page.InventoryControl, isChanged bool) []string {
	var list []string
	add := func(name, value string) { list = append(list, fmt.Sprintf(`%s="%s"`, name, html.EscapeString(value))) }
	if name := nameFor(c); c.Name == "" && name != "" {
		add("name", name)
	}
	if kind := typeFor(c); kind != "" {
		add("type", kind)
	}
	asks, _ := conceptOf(c)
	if string(asks) == w.known.identifier && !c.IsRequired {
		list = append(list, "required")
	}
	if len(list) == 0 && !isChanged {
		return nil
	}
	if words, has := c.Attribute("autocomplete"); (!has || words == "") && c.Element == "input" && completes[asks] != "" {
		add("autocomplete", completes[asks])
	}
	if words := c.Words(); !c.IsLabelled && words != "" {
		add("aria-label", words)
	}
	return list
}

// completes has the words for autocomplete attributes.
var completes = map[concept]string{name: "name", firstName: "given-name", lastName: "family-name", phone: "tel", email: "email"}

// markup writes an input with its label.
func markup(c *page.InventoryControl) string {
	autocomplete := ""
	if c.Type != "text" {
		autocomplete = fmt.Sprintf(" autocomplete=%q", c.Type)
	}
	return fmt.Sprintf("<label>%s <input name=%q type=%q%s required></label>", html.EscapeString(c.Label), c.Name, c.Type, autocomplete)
}
