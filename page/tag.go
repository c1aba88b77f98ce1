package page

import (
	"slices"
	"strings"
)

// tag is a start tag in the source.
type tag struct {
	start, end  int
	name        string // in lower case
	attributes  []attribute
	selfClosing bool
	isTouched   bool
}

// attribute has a name in lower case and a decoded value.
type attribute struct{ name, value string }

// get returns the value of the first attribute with the name.
func (t *tag) get(name string) (value string, has bool) {
	for _, a := range t.attributes {
		if a.name == name {
			return a.value, true
		}
	}
	return "", false
}

func (t *tag) has(name string) bool {
	_, has := t.get(name)
	return has
}

func (t *tag) set(name, value string) {
	for i, a := range t.attributes {
		if a.name == name {
			t.attributes[i].value = value
			return
		}
	}
	t.attributes = append(t.attributes, attribute{name, value})
}

// add appends a word to an attribute that is a list of words.
func (t *tag) add(name, word string) {
	list, _ := t.get(name)
	t.set(name, strings.TrimSpace(list+" "+word))
}

func (t *tag) remove(name string) {
	t.attributes = slices.DeleteFunc(t.attributes, func(a attribute) bool { return a.name == name })
}

// print returns the tag with its name as in source.
func (t *tag) print(source string) string {
	var s strings.Builder
	s.Grow(2 * (t.end - t.start))
	s.WriteByte('<')
	s.WriteString(source[t.start+1 : t.start+1+len(t.name)])
	for _, a := range t.attributes {
		s.WriteByte(' ')
		s.WriteString(a.name)
		if a.value != "" {
			s.WriteString(`="`)
			s.WriteString(escape(a.value))
			s.WriteByte('"')
		}
	}
	if t.selfClosing {
		s.WriteString(" /")
	}
	s.WriteByte('>')
	return s.String()
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "\x00", "\uFFFD", "\r", "&#13;")

// escapedBraces replaces the beginning of a Go template action, because the site may run responses
// through Caddy's templates.
const escapedBraces = "&#123;&#123;"

// escape escapes text for elements, quoted attributes and textareas.
func escape(text string) string {
	return strings.ReplaceAll(escaper.Replace(text), "{{", escapedBraces)
}
