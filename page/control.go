package page

import (
	"net/url"
	"slices"
	"strings"
)

// controlKind is how a control of the page is filled.
type controlKind int

const (
	anyText controlKind = iota // an input with a value that is typed or picked
	aTextarea
	aSelect
	aCheckbox
	aRadio
	aSecret  // shown, but never filled
	notShown // hidden
	aButton
)

// control is an input, select, textarea or button of the page.
type control struct {
	tag        *tag
	kind       controlKind
	name       string
	form       *form
	label      *label // the one around it
	fieldset   *fieldset
	disabled   bool
	options    []*option
	contentEnd int // where a textarea's text ends
}

// option is one of a select.
type option struct {
	tag   *tag
	words strings.Builder
}

// value is what is sent if the option is chosen.
func (o *option) value() string {
	if value, has := o.tag.get("value"); has {
		return value
	}
	return strings.Join(strings.Fields(o.words.String()), " ")
}

func newControl(t *tag) *control {
	c := &control{tag: t}
	c.name, _ = t.get("name")
	switch t.name {
	case "textarea":
		c.kind = aTextarea
	case "select":
		c.kind = aSelect
	case "button":
		c.kind = aButton
	case "input":
		kind, _ := t.get("type")
		c.kind = inputKind(kind)
	}
	if words, _ := t.get("autocomplete"); (c.kind == anyText || c.kind == aTextarea) && asksForSecret(words) {
		c.kind = aSecret
	}
	return c
}

// asksForSecret reports whether the value of an autocomplete attribute is that
// of a password, a payment card or a one-time code.
func asksForSecret(autocomplete string) bool {
	return slices.ContainsFunc(strings.Fields(strings.ToLower(autocomplete)), func(word string) bool {
		switch word {
		case "current-password", "new-password", "one-time-code", "cc-number", "cc-csc":
			return true
		}
		return false
	})
}

// SecretInputs lists the names of the page's inputs for passwords, payment
// cards and one-time codes, as far as the page can be read.
func SecretInputs(source []byte, contentType string) []string {
	text, err := decode(source, contentType)
	if err != nil {
		return nil
	}
	found, err := readOutline(text)
	if err != nil {
		return nil
	}
	var names []string
	for _, c := range found.controls {
		if c.kind == aSecret {
			names = append(names, c.name)
		}
	}
	return names
}

// inputKind tells inputs apart by their type. One that is unknown is a line
// of text.
func inputKind(word string) controlKind {
	switch strings.ToLower(word) {
	case "checkbox":
		return aCheckbox
	case "radio":
		return aRadio
	case "password", "file":
		return aSecret
	case "hidden":
		return notShown
	case "submit", "image", "button", "reset":
		return aButton
	}
	return anyText
}

// isShown reports whether the visitor can answer with the control.
func (c *control) isShown() bool {
	return c.name != "" && c.kind != notShown && c.kind != aButton
}

// checkedValue is what a checkbox or radio button sends.
func (c *control) checkedValue() string {
	if value, has := c.tag.get("value"); has {
		return value
	}
	return "on"
}

// belongsTo reports whether the control is sent with the form, wherever it
// stands.
func (c *control) belongsTo(f *form) bool {
	if id, has := c.tag.get("form"); has {
		return id != "" && id == f.id
	}
	return c.form == f
}

func (o *outline) controlsOf(f *form) []*control {
	var list []*control
	for _, c := range o.controls {
		if c.belongsTo(f) {
			list = append(list, c)
		}
	}
	return list
}

// findForm finds the form that was sent: of those that post here the one that
// fits what was sent best; of several, the first that is shown.
func (r *rendering) findForm() *form {
	fits := make(map[*form]int)
	sent := make(map[string]bool)
	formName := ""
	for _, pair := range r.Values {
		sent[pair.Name] = true
		if pair.Name == "form-name" {
			formName = pair.Value
		}
	}
	byID := make(map[string]*form)
	for _, f := range slices.Backward(r.forms) {
		if f.id != "" {
			byID[f.id] = f
		}
	}
	for _, c := range r.outline.controls {
		f := c.form
		if id, has := c.tag.get("form"); has {
			f = byID[id]
		}
		if f == nil {
			continue
		}
		if action, has := c.tag.get("formaction"); has && c.kind == aButton {
			f.actions = append(f.actions, action)
		}
		if value, _ := c.tag.get("value"); c.name == "form-name" && value == formName && formName != "" {
			fits[f] += formNameWeight
		}
		if sent[c.name] && c.isShown() {
			fits[f]++
		}
	}
	var best *form
	most, base := -1, r.baseURL()
	for _, f := range r.forms {
		fit := fits[f]
		if name, _ := f.tag.get("name"); formName != "" && (name == formName || f.id == formName) {
			fit += formNameWeight
		}
		switch {
		case r.postsHere(f, base):
			fit += actionWeight
		case !r.Named || fit == 0:
			continue
		}
		if fit > most || fit == most && best.veiled && !f.veiled {
			best, most = f, fit
		}
	}
	return best
}

// What counts for more in findForm; a form has fewer controls than that.
const (
	formNameWeight = MaxSource
	actionWeight   = 4 * MaxSource
)

// postsHere reports whether an action of the form, resolved against base, is
// the path that was posted to, on whichever host.
func (r *rendering) postsHere(f *form, base *url.URL) bool {
	return slices.ContainsFunc(f.actions, func(action string) bool {
		action = strings.TrimSpace(action)
		if action == "" {
			return samePath(r.URL, r.Posted)
		}
		u, err := url.Parse(action)
		return err == nil && (u.Scheme == "" || u.Scheme == "http" || u.Scheme == "https") && samePath(base.ResolveReference(u), r.Posted)
	})
}

// baseURL is what the page's relative links are relative to.
func (r *rendering) baseURL() *url.URL {
	if r.base != nil {
		href, _ := r.base.get("href")
		if u, err := url.Parse(strings.TrimSpace(href)); err == nil {
			return r.URL.ResolveReference(u)
		}
	}
	return r.URL
}

func samePath(a, b *url.URL) bool {
	return strings.TrimSuffix(a.Path, "/") == strings.TrimSuffix(b.Path, "/")
}
