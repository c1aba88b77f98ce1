package page

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// scanner is the way through a page.
type scanner struct {
	*outline

	tokens     *html.Tokenizer
	at, next   int            // where the token begins and ends
	attributes []rawAttribute // of the start tag
	texts      []byte

	raw       bool // the text is no text of the page
	templates int
	foreign   int // SVG and MathML

	form      *form
	label     *label
	fieldsets []*fieldset
	legend    *fieldset // whose legend is open
	list      *control  // the select that is open
	option    *option
	textarea  *control
}

// mayMatter reports whether a tag may have an attribute that matters on any
// tag, or lead to a place on the page. Most have none, and reading attributes
// is most of the work.
func mayMatter(raw []byte) bool {
	for i := 1; i < len(raw); i++ {
		switch raw[i-1] {
		case '#':
			return true
		case ' ', '\t', '\n', '\f', '\r', '/', '"', '\'':
			for _, name := range [...]string{"id", "role", "autofocus", "data-error-for", "data-fs-error"} {
				if len(raw)-i >= len(name) && bytes.EqualFold(raw[i:i+len(name)], []byte(name)) {
					return true
				}
			}
		}
	}
	return false
}

// nameOfTag is the name that a tag begins with, in small letters. The names
// that occur most are not copied.
func nameOfTag(tag []byte) string {
	if end := bytes.IndexAny(tag, " \t\n\f\r/>"); end >= 0 {
		tag = tag[:end]
	}
	switch string(tag) {
	case "a":
		return "a"
	case "div":
		return "div"
	case "input":
		return "input"
	case "label":
		return "label"
	case "li":
		return "li"
	case "option":
		return "option"
	case "p":
		return "p"
	case "span":
		return "span"
	}
	return strings.ToLower(string(tag))
}

func isLink(name string) bool { return name == "a" || name == "area" }

// leadsWithin reports whether the link is to a place on the page.
func (s *scanner) leadsWithin() bool {
	for _, a := range s.attributes {
		if string(a.name) == "href" {
			return len(a.value) > 0 && a.value[0] == '#'
		}
	}
	return false
}

// rawAttribute is an attribute in the tokenizer's memory.
type rawAttribute struct{ name, value []byte }

// open takes a start tag. It reports whether the page is bearable.
func (s *scanner) open(selfClosing bool) bool {
	name := nameOfTag(s.source[s.at+len("<") : s.next])
	s.attributes = s.attributes[:0]
	for more := isNoted(name) || mayMatter(s.source[s.at:s.next]); more; {
		var a rawAttribute
		a.name, a.value, more = s.tokens.TagAttr()
		if len(a.name) > 0 {
			s.attributes = append(s.attributes, a)
		}
	}
	if name == "svg" || name == "math" {
		if !selfClosing {
			s.foreign++
		}
		s.tokens.AllowCDATA(s.foreign > 0)
		return true
	}
	if s.foreign > 0 {
		s.tokens.NextIsNotRawText()
		s.noteID()
		return true
	}
	if name == "template" {
		s.templates++
		return s.templates <= maxDepth
	}
	s.raw = isRaw(name)
	if s.templates > 0 {
		return true
	}
	s.noteID()
	if isNoted(name) || s.hasNoted() || isLink(name) && s.leadsWithin() {
		s.note(s.keep(name, selfClosing))
	}
	return len(s.fieldsets) <= maxDepth
}

// isRaw reports whether what is in the element is no text of the page.
func isRaw(name string) bool {
	switch name {
	case "iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "title", "xmp":
		return true
	}
	return false
}

// noteID keeps where an id is first. With several attributes of a name, the
// first counts.
func (s *scanner) noteID() {
	for _, a := range s.attributes {
		if string(a.name) == "id" {
			if _, taken := s.first[string(a.value)]; !taken {
				s.first[string(a.value)] = s.at
			}
			return
		}
	}
}

// hasNoted reports whether the tag has an attribute that matters on any tag.
func (s *scanner) hasNoted() bool {
	for _, a := range s.attributes {
		switch string(a.name) {
		case "autofocus", "data-error-for", "data-fs-error", "role":
			return true
		}
	}
	return false
}

// keep makes a tag of the token, whose texts share one piece of memory.
func (s *scanner) keep(name string, selfClosing bool) *tag {
	s.texts = s.texts[:0]
	for _, a := range s.attributes {
		s.texts = append(append(s.texts, a.name...), a.value...)
	}
	t := &tag{start: s.at, end: s.next, name: name, selfClosing: selfClosing, attributes: make([]attribute, len(s.attributes))}
	rest := string(s.texts)
	for i, a := range s.attributes {
		t.attributes[i] = attribute{rest[:len(a.name)], rest[len(a.name):][:len(a.value)]}
		rest = rest[len(a.name)+len(a.value):]
	}
	return t
}

// note keeps of a tag what matters.
func (s *scanner) note(t *tag) {
	if t.has("autofocus") {
		s.focused = append(s.focused, t)
	}
	for _, attribute := range [...]string{"data-error-for", "data-fs-error"} {
		if input, _ := t.get(attribute); input != "" && holdsText(t.name) {
			s.slots[input] = append(s.slots[input], slot{t, s.form})
		}
	}
	role, _ := t.get("role")
	if s.main == nil && (t.name == "main" || role == "main") && !t.has("hidden") {
		s.main = t
	}
	s.noteHead(t)
	s.noteForm(t)
}

// holdsText reports whether a message can stand in the element.
func holdsText(name string) bool {
	switch name {
	case "input", "optgroup", "option", "select", "textarea":
		return false
	}
	return !isRaw(name)
}

// isNoted reports whether the element matters.
func isNoted(name string) bool {
	switch name {
	case "base", "button", "fieldset", "form", "head", "html", "input", "label", "legend", "main", "meta",
		"optgroup", "option", "select", "textarea", "title":
		return true
	}
	return false
}

func (s *scanner) noteHead(t *tag) {
	switch t.name {
	case "html":
		s.lang, _ = t.get("lang")
	case "head":
		s.headAt = t.end
	case "title":
		if s.titleAt < 0 {
			s.titleAt = t.end
		}
		if s.headAt < 0 {
			s.headAt = t.start
		}
	case "base":
		if s.base == nil && t.has("href") {
			s.base = t
		}
	case "meta":
		if equiv, _ := t.get("http-equiv"); strings.EqualFold(equiv, "content-security-policy") {
			policy, _ := t.get("content")
			s.metaPolicies = append(s.metaPolicies, policy)
		}
	case "a", "area":
		if href, _ := t.get("href"); strings.HasPrefix(href, "#") {
			s.anchors = append(s.anchors, t)
		}
	}
}

// noteForm keeps what forms are made of. A form within a form is none, and a
// control ends the list that it stands in, as in a browser.
func (s *scanner) noteForm(t *tag) {
	switch t.name {
	case "form":
		if s.form == nil {
			f := &form{tag: t}
			f.id, _ = t.get("id")
			action, _ := t.get("action")
			f.actions = append(f.actions, action)
			s.form = f
			s.forms = append(s.forms, f)
		}
	case "label":
		s.label = &label{tag: t}
		s.labels = append(s.labels, s.label)
	case "fieldset":
		f := &fieldset{tag: t, endAt: -1, disabled: t.has("disabled")}
		if outer := s.innermost(); outer != nil {
			f.disabled = f.disabled || outer.disabled
		}
		s.fieldsets = append(s.fieldsets, f)
	case "legend":
		if f := s.innermost(); f != nil && f.endAt < 0 {
			s.legend = f
		}
	case "optgroup":
		s.endOption()
	case "option":
		s.endOption()
		if s.list != nil {
			s.option = &option{tag: t}
			s.list.options = append(s.list.options, s.option)
		}
	case "button":
		s.noteControl(t)
	case "select":
		if s.list != nil {
			s.endList()
			return
		}
		s.noteControl(t)
	case "input", "textarea":
		s.endList()
		s.noteControl(t)
	}
}

func (s *scanner) innermost() *fieldset {
	if len(s.fieldsets) == 0 {
		return nil
	}
	return s.fieldsets[len(s.fieldsets)-1]
}

func (s *scanner) noteControl(t *tag) {
	c := newControl(t)
	c.form = s.form
	c.label = s.label
	c.fieldset = s.innermost()
	c.disabled = t.has("disabled") || c.fieldset != nil && c.fieldset.disabled
	s.outline.controls = append(s.outline.controls, c)
	switch c.kind {
	case aSelect:
		s.list = c
	case aTextarea:
		s.textarea = c
	case anyText, aCheckbox, aRadio, aSecret, notShown, aButton:
	}
	if !c.isShown() {
		return
	}
	for _, f := range s.fieldsets {
		if f.name == "" {
			f.name = c.name
		}
		f.mixed = f.mixed || f.name != c.name
	}
}

// close takes an end tag.
func (s *scanner) close(name string) {
	if s.foreign > 0 {
		if name == "svg" || name == "math" {
			s.foreign--
			s.tokens.AllowCDATA(s.foreign > 0)
		}
		return
	}
	if name == "template" {
		s.templates = max(s.templates-1, 0)
		return
	}
	s.raw = false
	if s.templates > 0 {
		return
	}
	switch name {
	case "title":
		if s.styleAt < 0 {
			s.styleAt = s.next
		}
	case "head":
		if s.styleAt < 0 {
			s.styleAt = s.at
		}
	case "form":
		s.form, s.label = nil, nil
	case "label":
		s.label = nil
	case "fieldset":
		s.fieldsets = s.fieldsets[:max(len(s.fieldsets)-1, 0)]
		s.legend = nil
	case "legend":
		if s.legend != nil {
			s.legend.endAt = s.next
		}
		s.legend = nil
	case "option":
		s.endOption()
	case "select":
		s.endList()
	case "textarea":
		if s.textarea != nil {
			s.textarea.contentEnd = s.at
		}
		s.textarea = nil
	}
}

func (s *scanner) endOption() { s.option = nil }

func (s *scanner) endList() { s.option, s.list = nil, nil }

// maxWords bounds the text that is kept of a label, in bytes.
const maxWords = 300

// read takes text.
func (s *scanner) read() {
	if s.raw || s.templates > 0 || s.foreign > 0 {
		return
	}
	switch {
	case s.textarea != nil:
	case s.option != nil:
		s.option.words.Write(s.tokens.Text())
	case s.list != nil:
	case s.label != nil && s.label.words.Len() < maxWords:
		s.label.words.Write(s.tokens.Text())
		s.label.words.WriteByte(' ')
	case s.legend != nil && s.legend.legend.Len() < maxWords:
		s.legend.legend.Write(s.tokens.Text())
		s.legend.legend.WriteByte(' ')
	}
}
