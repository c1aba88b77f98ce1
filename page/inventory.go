package page

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Inventory describes the forms of a page, for programs that check a site.
type Inventory struct {
	Lang  string // as written, or empty
	Base  string // the page's base, as written, or empty
	Forms []InventoryForm

	// IsLost means that the page has wrongly nested elements. What follows them is unknown.
	IsLost bool
}

// InventoryForm is a form element.
type InventoryForm struct {
	At       Position // of its start tag
	ID, Name string

	// Method is the method in lower case, and Encoding the media type of what is sent.
	Method, Encoding string
	// Actions are the addresses that the form and its buttons post to, as written. "" is the page's
	// own URL. HasAction means that the form itself has one.
	Actions   []string
	HasAction bool
	// Posts means that the form or htmx sends it as a POST.
	Posts bool

	// IsHidden means that the form is not visible when the page opens.
	IsHidden bool
	// Rebuilt shows that a script rebuilds the form in the browser; "" if nothing does.
	Rebuilt string

	Controls []InventoryControl

	tag      *tag
	controls []*control
	source   string // of the page
}

// Attribute returns an attribute of the form element.
func (f InventoryForm) Attribute(name string) (value string, has bool) { return f.tag.get(name) }

// InventoryControl is an input, select, textarea or button of a form.
type InventoryControl struct {
	At Position

	Element string // input, select, textarea or button
	Type    string // of an input or a button, in lower case
	Name    string
	// Value is the value that is sent if the visitor does not change anything, or the value of a
	// checkbox or a radio button.
	Value string
	// Options are the values of a select's options that can be chosen, in order.
	Options []string

	// IsShown means that the visitor can fill in the control.
	IsShown    bool
	IsDisabled bool
	IsRequired bool
	IsMultiple bool
	// IsSecret means that the control asks for a password, a payment card or a one-time code.
	IsSecret bool
	// IsLabelled means that the control has an accessible name. A placeholder is not one. Label has its
	// words, as far as they are in the control's own tag or in a label element. Near has those of the
	// label element before a control without a name, if it does not belong to another one.
	IsLabelled bool
	Label      string
	Near       string

	tag *tag
}

// Attribute returns an attribute of the control's element.
func (c InventoryControl) Attribute(name string) (value string, has bool) {
	if c.tag == nil {
		return "", false
	}
	return c.tag.get(name)
}

// Has reports whether the control's element has the attribute.
func (c InventoryControl) Has(name string) bool {
	_, has := c.Attribute(name)
	return has
}

// Words returns the words by which visitors know the control, or "".
func (c InventoryControl) Words() string {
	placeholder, _ := c.Attribute("placeholder")
	return strings.TrimRight(cmp.Or(c.Label, c.Near, strings.TrimSpace(placeholder)), " *.…:")
}

// Position is a place in a page. Lines and columns count from 1, and columns are in characters.
type Position struct{ Line, Column int }

// HasForm reports whether the page may have a form, without parsing it.
func HasForm(source []byte) bool {
	for rest := source; ; {
		i := bytes.IndexByte(rest, '<')
		if i < 0 || len(rest) < i+len("<form") {
			return false
		}
		if rest = rest[i+1:]; bytes.EqualFold(rest[:len("form")], []byte("form")) {
			return true
		}
	}
}

// ReadInventory reads a page. It returns [ErrTooLarge] or [ErrEncoding] if the page cannot be read.
func ReadInventory(source []byte, contentType string) (*Inventory, error) {
	if len(source) > MaxSource {
		return nil, ErrTooLarge
	}
	text, err := decode(source, contentType)
	if err != nil {
		return nil, err
	}
	o, err := readOutline(text)
	if err != nil {
		return nil, err
	}
	inventory := &Inventory{Lang: o.lang, IsLost: o.isLost}
	if o.base != nil {
		inventory.Base, _ = o.base.get("href")
	}
	lines := lineCounter{source: o.source}
	controls := o.controlsByForm()
	for _, f := range o.forms {
		inventory.Forms = append(inventory.Forms, o.describe(f, controls[f], &lines))
	}
	return inventory, nil
}

// formsByID returns the first form with each id.
func (o *outline) formsByID() map[string]*form {
	byID := make(map[string]*form)
	for _, f := range o.forms {
		if f.id != "" && byID[f.id] == nil {
			byID[f.id] = f
		}
	}
	return byID
}

// controlsByForm returns the controls of each form, wherever they are on the page.
func (o *outline) controlsByForm() map[*form][]*control {
	byID := o.formsByID()
	controls := make(map[*form][]*control)
	for _, c := range o.controls {
		f := c.form
		if id, has := c.tag.get("form"); has {
			f = byID[id]
		}
		if f != nil {
			controls[f] = append(controls[f], c)
		}
	}
	return controls
}

func (o *outline) describe(f *form, controls []*control, lines *lineCounter) InventoryForm {
	described := InventoryForm{
		At: lines.position(f.tag.start), ID: f.id, tag: f.tag,
		Actions: f.actions, HasAction: f.tag.has("action"), IsHidden: f.isHidden, Rebuilt: o.rebuilt(f),
		controls: controls, source: o.source,
	}
	described.Name, _ = f.tag.get("name")
	method, _ := f.tag.get("method")
	described.Method = strings.ToLower(strings.TrimSpace(method))
	encoding, _ := f.tag.get("enctype")
	described.Encoding = encodingOf(encoding)
	_, hasHTMX := f.tag.htmxAction()
	described.Posts = described.Method == "post" || hasHTMX
	for _, c := range controls {
		if method, _ := c.tag.get("formmethod"); strings.EqualFold(method, "post") && c.isSubmit() {
			described.Posts = true
		}
		if action, has := c.tag.get("formaction"); has && c.isSubmit() {
			described.Actions = append(slices.Clip(described.Actions), action)
		}
		described.Controls = append(described.Controls, o.describeControl(c, lines))
	}
	return described
}

// encodingOf returns the media type for an enctype attribute
// (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#attr-fs-enctype).
func encodingOf(word string) string {
	switch word = strings.ToLower(strings.TrimSpace(word)); word {
	case "multipart/form-data", "text/plain":
		return word
	}
	return "application/x-www-form-urlencoded"
}

func (o *outline) describeControl(c *control, lines *lineCounter) InventoryControl {
	described := InventoryControl{
		At: lines.position(c.tag.start), Element: c.tag.name, Name: c.name, tag: c.tag,
		IsShown: c.kind != notShown && c.kind != aButton, IsDisabled: c.disabled,
		IsRequired: c.tag.has("required"), IsMultiple: c.tag.has("multiple"), IsSecret: c.kind == aSecret && !c.isFile(),
	}
	if described.Label, described.IsLabelled = o.nameOf(c); !described.IsLabelled && described.IsShown {
		described.Near = o.nearLabel(c)
	}
	described.Type = c.typeOf()
	described.Value, _ = c.tag.get("value")
	if c.kind == aCheckbox || c.kind == aRadio {
		described.Value = c.checkedValue()
	}
	for _, option := range c.options {
		if !option.tag.has("disabled") {
			described.Options = append(described.Options, option.value())
		}
	}
	return described
}

// typeOf returns the type of an input or a button, in lower case. The attribute means nothing to
// others.
func (c *control) typeOf() string {
	kind, _ := c.tag.get("type")
	kind = strings.ToLower(strings.TrimSpace(kind))
	switch {
	case c.tag.name != "input" && c.tag.name != "button":
		return ""
	case c.tag.name == "input" && kind == "":
		return "text"
	}
	return kind
}

func (c *control) isFile() bool {
	kind, _ := c.tag.get("type")
	return strings.EqualFold(kind, "file")
}

// nameOf returns the accessible name of the control, and whether it has one. The name is empty if it
// is the text of other elements.
func (o *outline) nameOf(c *control) (name string, has bool) {
	if name, _ = c.tag.get("aria-label"); cleanLabel(name) != "" {
		return cleanLabel(name), true
	}
	if c.label != nil {
		return cleanLabel(c.label.words.String()), true
	}
	if id, _ := c.tag.get("id"); id != "" {
		if l := o.labelFor(id); l != nil {
			return cleanLabel(l.words.String()), true
		}
	}
	if ids, _ := c.tag.get("aria-labelledby"); strings.TrimSpace(ids) != "" {
		return "", true
	}
	name, _ = c.tag.get("title")
	return cleanLabel(name), cleanLabel(name) != ""
}

// nearLabel returns the words of the label element before a control, if no other control is between
// them, and the label does not belong to another one.
func (o *outline) nearLabel(c *control) string {
	var near *label
	for _, l := range o.labels {
		if l.tag.start < c.tag.start {
			near = l
		}
	}
	if near == nil || slices.ContainsFunc(o.controls, func(other *control) bool {
		id, _ := other.tag.get("id")
		of, hasFor := near.tag.get("for")
		isBetween := other != c && other.kind != notShown && near.tag.start < other.tag.start && other.tag.start < c.tag.start
		return isBetween || hasFor && id != "" && id == of
	}) {
		return ""
	}
	return cleanLabel(near.words.String())
}

// lineCounter finds the lines and columns of positions. It is fastest if each position is after the
// one before.
type lineCounter struct {
	source string
	at     int
	now    Position // of at
}

func (l *lineCounter) position(at int) Position {
	if at < l.at || l.now.Line == 0 {
		l.at, l.now = 0, Position{1, 1}
	}
	between := l.source[l.at:at]
	if last := strings.LastIndexByte(between, '\n'); last >= 0 {
		l.now.Line += strings.Count(between, "\n")
		l.now.Column, between = 1, between[last+1:]
	}
	l.now.Column += utf8.RuneCountInString(between)
	l.at = at
	return l.now
}
