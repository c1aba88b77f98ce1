package page

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// PostForm is a form that posts, with or without htmx.
type PostForm struct {
	Action string // as written; empty for the page's own URL
	Base   string // the page's base, as written, or empty
	Lang   string // the page's language, as written, or empty
	// Styled means that no known policy forbids style attributes.
	Styled bool
}

// Forms finds the forms of a page while it is served, in pieces of any size. It keeps little more
// than one tag and does not change the page.
//
// It ignores forms in templates, scripts, noscript, select, SVG and MathML, and everything after
// wrong nesting in SVG and MathML, which browsers have to repair.
type Forms struct {
	insert func(PostForm) string

	at int // the position after what has been read

	lexer   lexer
	nesting nesting
	isOver  bool // nothing more to find

	lang     string
	base     string
	hasBase  bool
	unstyled bool // a policy forbids style attributes, or may forbid them
}

// NewForms starts a page. For each form that posts, insert returns what to insert after its start
// tag. contentType is the page's Content-Type header. policies are its Content-Security-Policy
// headers, including report-only ones, so that those have nothing to report.
func NewForms(contentType string, policies []string, insert func(PostForm) string) *Forms {
	return &Forms{insert: insert, unstyled: !styleAttribute(policies), isOver: !extendsASCII(contentType)}
}

// Next reads the next piece of the page up to the next insertion, and returns the number of bytes
// read and the text to insert. Without an insertion it reads the whole piece.
func (f *Forms) Next(piece []byte) (n int, insert string) {
	for n < len(piece) && !f.isOver {
		read, isTag := f.lexer.next(piece[n:])
		n += read
		f.at += read
		if !isTag {
			break
		}
		if insert = f.take(); insert != "" {
			return n, insert
		}
	}
	return len(piece), ""
}

// At returns the end of the last tag, which is the form's start tag when insert is called.
func (f *Forms) At() int { return f.at }

// extendsASCII reports whether ASCII bytes keep their meaning in the encoding that contentType
// names (https://encoding.spec.whatwg.org/#names-and-labels). In a few encodings, a "<" may be part
// of another character.
func extendsASCII(contentType string) bool {
	contentType = strings.ToLower(contentType)
	for _, name := range [...]string{"iso-2022", "iso2022", "hz-gb", "utf-16", "utf-32", "utf-7", "ucs-2", "unicode"} {
		if strings.Contains(contentType, name) {
			return false
		}
	}
	return true
}

// take processes a tag.
func (f *Forms) take() (insert string) {
	if f.lexer.isEnd {
		f.nesting.close(f.lexer.name)
	} else {
		insert = f.open(f.lexer.name)
	}
	f.lexer.sections = f.nesting.hasSections()
	f.isOver = f.isOver || f.nesting.isLost
	return insert
}

func (f *Forms) open(name []byte) (insert string) {
	isSkipped, inForm := f.nesting.isSkipped(), f.nesting.inForm
	if f.nesting.open(name, f.lexer.selfClosing) == htmlSpace {
		f.lexer.raw = rawName(name)
	}
	if isSkipped || f.nesting.isLost {
		return ""
	}
	switch string(name) {
	case "base", "html", "meta":
		f.noteHead(string(name))
	case "form":
		if f.nesting.inForm && !inForm {
			return f.ask()
		}
	}
	return ""
}

// noteHead processes a base, html or meta element.
func (f *Forms) noteHead(name string) {
	isMeta := name == "meta"
	if isMeta && !hasWord(f.lexer.text, "http-equiv") && !hasWord(f.lexer.text, "charset") {
		return
	}
	if f.lexer.isCut {
		f.unstyled = true
		f.isOver = f.isOver || name == "base"
		return
	}
	t := readTag(f.lexer.text)
	if name == "html" {
		if lang, has := t.get("lang"); has {
			f.lang = strings.TrimSpace(lang)
		}
		return
	}
	if !isMeta {
		if href, has := t.get("href"); has && !f.hasBase {
			f.base, f.hasBase = strings.TrimSpace(href), true
		}
		return
	}
	charset, _ := t.get("charset")
	equiv, _ := t.get("http-equiv")
	content, _ := t.get("content")
	switch strings.ToLower(equiv) {
	case "content-security-policy":
		f.unstyled = f.unstyled || !styleAttribute([]string{content})
	case "content-type":
		charset += content
	}
	f.isOver = f.isOver || !extendsASCII(charset)
}

// ask processes a form.
func (f *Forms) ask() (insert string) {
	if f.lexer.isCut {
		return ""
	}
	t := readTag(f.lexer.text)
	if method, _ := t.get("method"); strings.EqualFold(method, "post") {
		action, _ := t.get("action")
		if insert = f.askFor(action); insert != "" {
			return insert
		}
	}
	if action, has := t.htmxAction(); has {
		return f.askFor(action)
	}
	return ""
}

func (f *Forms) askFor(action string) (insert string) {
	return f.insert(PostForm{
		Action: strings.TrimSpace(action),
		Base:   f.base,
		Lang:   f.lang,
		Styled: !f.unstyled,
	})
}

// readTag parses a start tag.
func readTag(text []byte) *tag {
	tokens := html.NewTokenizer(bytes.NewReader(text))
	tokens.Next()
	t := new(tag)
	for more := true; more; {
		var name, value []byte
		name, value, more = tokens.TagAttr()
		if len(name) > 0 {
			t.attributes = append(t.attributes, attribute{string(name), string(value)})
		}
	}
	return t
}

// hasWord reports whether the text contains the word, which is in lower case.
func hasWord(text []byte, word string) bool { return bytes.Contains(bytes.ToLower(text), []byte(word)) }
