package page

import (
	"net/url"
	"slices"
	"strings"
)

// controlKind decides how a control is filled.
type controlKind int

const (
	anyText controlKind = iota // an input with a text value
	aTextarea
	aSelect
	aCheckbox
	aRadio
	aSecret  // visible, but never filled
	notShown // hidden
	aButton
)

// control is an input, select, textarea or button of the page.
type control struct {
	tag        *tag
	kind       controlKind
	name       string
	form       *form
	label      *label // the enclosing one
	fieldset   *fieldset
	disabled   bool
	options    []*option
	contentEnd int // end of a textarea's text
}

// option is an option of a select.
type option struct {
	tag   *tag
	words strings.Builder
}

// value returns the value that is sent if the option is chosen. Of its words, browsers drop white
// space of ASCII, but not the non-breaking spaces of an indented option.
func (o *option) value() string {
	if value, has := o.tag.get("value"); has {
		return withCRLF(value)
	}
	return strings.Join(strings.FieldsFunc(o.words.String(), isASCIISpace), " ")
}

func isASCIISpace(r rune) bool { return strings.ContainsRune("\t\n\f\r ", r) }

// text returns the option's words.
func (o *option) text() string { return strings.Join(strings.Fields(o.words.String()), " ") }

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

// asksForSecret reports whether an autocomplete attribute asks for a password, a payment card or a
// one-time code.
func asksForSecret(autocomplete string) bool {
	return slices.ContainsFunc(strings.Fields(strings.ToLower(autocomplete)), func(word string) bool {
		switch word {
		case "current-password", "new-password", "one-time-code", "cc-number", "cc-csc":
			return true
		}
		return false
	})
}

// SecretInputs returns the names of the page's inputs for passwords, payment cards and one-time
// codes. It returns none if the page cannot be read.
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

// inputKind returns the kind of an input type. An unknown type is a text.
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

// isShown reports whether the visitor can fill the control.
func (c *control) isShown() bool {
	return c.name != "" && c.kind != notShown && c.kind != aButton
}

// checkedValue returns the value that a checkbox or radio button sends.
func (c *control) checkedValue() string {
	if value, has := c.value(); has {
		return value
	}
	return "on"
}

// value returns the control's value attribute as browsers post it.
func (c *control) value() (text string, has bool) {
	text, has = c.tag.get("value")
	return withCRLF(text), has
}

// withCRLF converts all line breaks to CRLF. Browsers do so when they post a form
// (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#convert-to-a-list-of-name-value-pairs),
// but scripts do not.
func withCRLF(text string) string {
	if !strings.ContainsAny(text, "\r\n") {
		return text
	}
	return strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(text)
}

// belongsTo reports whether the control is sent with the form, wherever it is on the page.
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

// findForm returns the form that was sent: the best match among the forms that post here. Of equal
// ones it prefers the first visible one.
func (r *rendering) findForm() *form {
	posted := r.postedValues()
	formName := ""
	for _, pair := range r.Values {
		if pair.Name == "form-name" {
			formName = pair.Value
		}
	}
	found := r.evidence(posted, formName)
	base := r.baseURL()
	var best *form
	var bestFit fit
	for _, f := range r.forms {
		e := found[f]
		if e == nil {
			e = new(evidence)
		}
		if name, _ := f.tag.get("name"); formName != "" && (name == formName || f.id == formName) {
			e.named++
		}
		match := fit{r.postsHere(f, base), e.named, e.against(posted, r.Partial), e.same, !f.isHidden}
		if !match.postsHere && (!r.Named || !e.shares && e.named == 0) {
			continue
		}
		if best == nil || match.compare(bestFit) > 0 {
			best, bestFit = f, match
		}
	}
	return best
}

// evidence collects what speaks for and against each form with controls. It adds the actions of
// controls to their forms.
func (r *rendering) evidence(posted postedValues, formName string) map[*form]*evidence {
	byID := r.formsByID()
	found := make(map[*form]*evidence)
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
		if action, has := c.tag.htmxAction(); has && f != c.form {
			f.actions = append(f.actions, action)
		}
		if found[f] == nil {
			found[f] = new(evidence)
		}
		if value, _ := c.tag.get("value"); c.name == "form-name" && value == formName && formName != "" {
			found[f].named++
		}
		found[f].add(c, posted)
	}
	return found
}

// postsHere reports whether an action of the form, resolved against base, has the path that was
// posted to, on any host.
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

// baseURL returns the base of the page's relative links.
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
