package page

import (
	"slices"
	"strings"
)

// scanner builds the outline of a page.
type scanner struct {
	*outline

	tags  *tags
	room  []tag // allocated in blocks
	kept  []attribute
	last  *tag // the tag that was copied last
	isRaw bool // the text is not part of the page's text

	openElements []openElement
	openTables   int
	places       []place // allocated in blocks
	lostPlace    *place  // the place of what follows if the open elements are unknown
	form         *form
	label        *label
	fieldsets    []*fieldset
	legend       *fieldset // the fieldset whose legend is open
	list         *control  // the open select
	option       *option
	textarea     *control
}

// open processes a start tag. It reports false if the page is nested too deeply.
func (s *scanner) open(isSkipped bool) bool {
	if s.tags.nesting.templates == 0 {
		s.noteID()
		s.noteBody(s.tags.name)
	}
	if isSkipped || s.tags.nesting.isSkipped() {
		return true
	}
	name := s.tags.name
	s.isRaw = isRaw(name)
	around := s.here()
	s.enter(name)
	s.noteTag(name)
	if len(name) == len("h1") && name[0] == 'h' && '1' <= name[1] && name[1] <= '6' && (around == nil || !around.isHidden) {
		s.headings = append(s.headings, heading{s.tags.at, int(name[1] - '0')})
	}
	if isNoted(name) || s.hasNoted() || s.tags.leadsWithin() {
		s.note(s.keep(), around)
	}
	return len(s.fieldsets) <= maxDepth
}

// noteBody keeps the beginning of the page's body, whose tags are optional.
func (s *scanner) noteBody(name string) {
	switch {
	case s.bodyAt >= 0 || !endsHead(name):
	case name == "body":
		s.bodyAt = s.tags.end
	default:
		s.bodyAt = s.tags.at
	}
}

// isRaw reports whether the content of the element is not part of the page's text.
func isRaw(name string) bool { return name != "textarea" && rawName([]byte(name)) != "" }

// noteID keeps the first position of an id.
func (s *scanner) noteID() {
	if id, has := s.tags.get("id"); has {
		if _, taken := s.first[id]; !taken {
			s.first[id] = s.tags.at
		}
	}
}

// hasNoted reports whether the tag has an attribute that matters on any element.
func (s *scanner) hasNoted() bool {
	return slices.ContainsFunc(s.tags.attributes, func(a attribute) bool {
		switch a.name {
		case "autofocus", "data-error-for", "data-fs-error", "role", "hx-post", "data-hx-post", "hx-action", "data-hx-action":
			return true
		}
		return false
	})
}

// keptAtOnce is the block size of allocated tags and attributes.
const keptAtOnce = 64

// keepAttributes copies the attributes, which the next tag overwrites.
func (s *scanner) keepAttributes(list []attribute) []attribute {
	if cap(s.kept)-len(s.kept) < len(list) {
		s.kept = make([]attribute, 0, max(keptAtOnce, len(list)))
	}
	begin := len(s.kept)
	s.kept = append(s.kept, list...)
	return s.kept[begin:len(s.kept):len(s.kept)] // appending must not overwrite the next ones
}

// keep copies the tag, once.
func (s *scanner) keep() *tag {
	t := s.tags
	if s.last != nil && s.last.start == t.at {
		return s.last
	}
	t.decode()
	if len(s.room) == cap(s.room) {
		s.room = make([]tag, 0, keptAtOnce)
	}
	s.room = append(s.room, tag{start: t.at, end: t.end, name: t.name, selfClosing: t.lexer.selfClosing, attributes: s.keepAttributes(t.attributes)})
	s.last = &s.room[len(s.room)-1]
	return s.last
}

// note records the parts of a tag that matter. The element is in the place around it.
func (s *scanner) note(t *tag, around *place) {
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
		s.main, s.mainPlace = t, s.here()
	}
	s.noteHead(t)
	s.noteForm(t, around)
	if action, has := t.htmxAction(); has && s.form != nil {
		s.form.actions = append(s.form.actions, action)
	}
}

// holdsText reports whether the element may contain an error.
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
		if href, _ := t.get("href"); strings.HasPrefix(href, "#") || strings.HasPrefix(href, "?") {
			s.anchors = append(s.anchors, t)
		}
	}
}

// noteForm records the parts of forms. As in browsers, a form within a form does not count, and an
// input ends an open select.
func (s *scanner) noteForm(t *tag, around *place) {
	switch t.name {
	case "form":
		if s.form == nil {
			f := &form{tag: t, around: around, inside: s.here(), isHidden: s.here() != nil && s.here().isHidden}
			f.id, _ = t.get("id")
			f.fragment = s.innerFragment()
			action, _ := t.get("action")
			f.actions = append(f.actions, action)
			s.form = f
			s.forms = append(s.forms, f)
		}
	case "label":
		s.label = &label{tag: t}
		s.labels = append(s.labels, s.label)
	case "fieldset":
		f := &fieldset{tag: t, endAt: -1, inside: s.isDisabled()}
		f.disabled = f.inside || t.has("disabled")
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

// isDisabled reports whether a fieldset disables a control here. A fieldset does not disable its
// legend (https://html.spec.whatwg.org/multipage/form-elements.html#attr-fieldset-disabled).
func (s *scanner) isDisabled() bool {
	f := s.innermost()
	switch f {
	case nil:
		return false
	case s.legend:
		return f.inside
	}
	return f.disabled
}

func (s *scanner) noteControl(t *tag) {
	c := newControl(t)
	c.form = s.form
	c.label = s.label
	c.fieldset = s.innermost()
	c.disabled = t.has("disabled") || s.isDisabled()
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
	if f := s.form; f != nil && f.bound == "" && c.belongsTo(f) {
		f.bound = c.binding()
	}
	for _, f := range s.fieldsets {
		if f.name == "" {
			f.name = c.name
		}
		f.mixed = f.mixed || f.name != c.name
	}
}

// close processes an end tag outside of templates, SVG and MathML.
func (s *scanner) close(name string) {
	if s.isRaw && name == "script" {
		s.readScript(s.tags.source[s.tags.textAt:s.tags.at])
	}
	s.isRaw = false
	s.leave(name)
	switch name {
	case "title":
		if s.styleAt < 0 {
			s.styleAt = s.tags.end
		}
	case "head":
		if s.styleAt < 0 {
			s.styleAt = s.tags.at
		}
	case "form":
		s.endForm()
		s.form, s.label = nil, nil
	case "label":
		s.label = nil
	case "fieldset":
		if s.legend == s.innermost() {
			s.legend = nil
		}
		s.fieldsets = s.fieldsets[:max(len(s.fieldsets)-1, 0)]
	case "legend":
		if s.legend != nil {
			s.legend.endAt = s.tags.end
		}
		s.legend = nil
	case "option":
		s.endOption()
	case "select":
		s.endList()
	case "textarea":
		if s.textarea != nil {
			s.textarea.contentEnd = s.tags.at
		}
		s.textarea = nil
	}
}

func (s *scanner) endOption() { s.option = nil }

func (s *scanner) endList() { s.option, s.list = nil, nil }

// maxWords bounds the text of a label in bytes.
const maxWords = 300

// read processes the text before the tag.
func (s *scanner) read() {
	if s.isRaw || s.tags.textAt == s.tags.at {
		return
	}
	if s.textarea == nil {
		s.readBetween(s.tags.source[s.tags.textAt:s.tags.at])
	}
	switch {
	case s.textarea != nil:
	case s.option != nil && s.option.tag.has("value") && s.option.words.Len() >= maxWords:
	case s.option != nil:
		s.option.words.WriteString(s.tags.text())
	case s.list != nil:
	case s.label != nil && s.label.words.Len() < maxWords:
		s.label.words.WriteString(s.tags.text())
		s.label.words.WriteByte(' ')
	case s.legend != nil && s.legend.legend.Len() < maxWords:
		s.legend.legend.WriteString(s.tags.text())
		s.legend.legend.WriteByte(' ')
	}
}
