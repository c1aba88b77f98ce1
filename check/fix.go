package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/page"
)

// edit fixes a finding: it changes a line of a page or of a Caddyfile.
type edit struct {
	place Place
	// attribute gets the value in the tag at the place. An empty value leaves the attribute alone if
	// it is there.
	attribute, value string
	// old is a word on the line, which is replaced by other words, or removed.
	old, by string
}

// isOfConfig reports whether the edit changes a Caddyfile.
func (e edit) isOfConfig() bool { return e.attribute == "" }

// maxEdits bounds the number of edits.
const maxEdits = 10_000

// fix notes an edit, if edits are wanted.
func (r *Report) fix(e edit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fixes && e.place.Line > 0 && len(r.edits) < maxEdits && !slices.Contains(r.edits, e) {
		r.edits = append(r.edits, e)
	}
}

// fixLine notes that a word on the line that begins with the given words is replaced.
func (r *Report) fixLine(f *Form, line, old, by string) {
	if place, has := f.Lines[line]; has && old != "" && old != by {
		r.fix(edit{place: place, old: old, by: by})
	}
}

// fixTag notes that a tag gets an attribute.
func (c *formCheck) fixTag(at page.Position, attribute, value string) {
	c.fix(edit{place: c.page.in(at), attribute: attribute, value: value})
}

// onlyNear returns the name that was certainly meant, or "": no other one is as near.
func onlyNear(name string, names []string) string {
	if slices.Contains(names, name) {
		return ""
	}
	same := slices.DeleteFunc(slices.Clone(names), func(known string) bool { return !strings.EqualFold(known, name) })
	switch len(slices.Compact(slices.Sorted(slices.Values(same)))) {
	case 0:
		return suggest.Only(name, suggest.Words(names...))
	case 1:
		return same[0]
	}
	return ""
}

// fixName corrects the API name of a value, and where else the form's block has it.
func (c comparison) fixName(v value, by string) {
	words := suggest.Quote(by)
	if isNamedAlike := c.inputs[by] && !c.inputs[v.name]; v.field != nil && v.field.Input == "" && !isNamedAlike {
		words += " " + suggest.Quote(v.name) // the input stays
	}
	c.fixLine(c.form, v.line, v.name, words)
	if v.action == "" && slices.Contains(c.form.UpdateFields, v.name) {
		c.fixLine(c.form, "on_duplicate", v.name, suggest.Quote(by))
	}
}

// fixCase spells a label of a line as the workspace does, if only its capitals differ.
func (c comparison) fixCase(v value, label, by string) {
	if by == "" || !strings.EqualFold(label, by) {
		return
	}
	if v.set != nil {
		c.fixLine(c.form, v.line, v.set.Value, suggest.Quote(strings.Replace(v.set.Value, label, by, 1)))
		return
	}
	c.fixLine(c.form, v.line+" options", label, suggest.Quote(by))
	if v.field.Default == label {
		c.fixLine(c.form, v.line+" default", label, suggest.Quote(by))
	}
}

// certain returns the input that was certainly meant, or "".
func (e *evidence) certain(v value, f *Form, input string, names []string) string {
	return cmp.Or(onlyNear(input, v.candidates(f, names)), e.onlyOf(v, f))
}

// candidates returns the inputs that the value may have been meant to take. An input is rarely meant
// for two fields of the lead.
func (v value) candidates(f *Form, names []string) []string {
	if v.set != nil || v.action != "" {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), f.takes)
}

// fixInput makes a value take another input.
func (s *survey) fixInput(f *Form, v value, input, by string) {
	switch {
	case by == "":
	case v.set != nil:
		s.fixLine(f, v.line, v.set.Value, suggest.Quote(strings.ReplaceAll(v.set.Value, "{form."+input+"}", "{form."+by+"}")))
	case v.field.Input == "":
		s.fixLine(f, v.line, v.field.Name, suggest.Quote(v.field.Name)+" "+suggest.Quote(by))
	default:
		s.fixLine(f, v.line, v.field.Input, suggest.Quote(by))
	}
}

// nameFor returns the input that a control without a name must be, or "": the one that the form's
// lines take, that the page's form lacks, and that the control's id, label or placeholder says.
func (c *comparedForm) nameFor(control page.InventoryControl) string {
	id, _ := control.Attribute("id")
	placeholder, _ := control.Attribute("placeholder")
	var fits []string
	for _, v := range c.form.values() {
		if v.field == nil || v.action != "" || c.hasControl(inputOf(v.field)) {
			continue
		}
		input := inputOf(v.field)
		isSaid := slices.ContainsFunc([]string{id, placeholder, control.Label}, func(text string) bool {
			return text != "" && (isSame(text, input) || isSame(text, v.field.Name) || isSame(text, v.field.Label))
		})
		if isSaid && !slices.Contains(fits, input) {
			fits = append(fits, input)
		}
	}
	if len(fits) != 1 || c.othersAre(control, fits[0]) {
		return ""
	}
	return fits[0]
}

// othersAre reports whether another control without a name says the same.
func (c *comparedForm) othersAre(control page.InventoryControl, input string) bool {
	return slices.ContainsFunc(c.html.Controls, func(other page.InventoryControl) bool {
		id, _ := other.Attribute("id")
		return other.Name == "" && other.At != control.At && (isSame(id, input) || isSame(other.Label, input))
	})
}

func (c *comparedForm) hasControl(input string) bool {
	return slices.ContainsFunc(c.html.Controls, func(control page.InventoryControl) bool { return control.Name == input })
}

// isSame compares two names or labels by their letters and digits.
func isSame(a, b string) bool {
	return b != "" && strings.EqualFold(strings.TrimRight(wordsOf(a), " *:"), strings.TrimRight(wordsOf(b), " *:"))
}
