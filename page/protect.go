package page

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// PostForm is a form that posts.
type PostForm struct {
	Action string // as it is written; empty for the page's own address
	Base   string // the page's base, as it is written, or empty
	Lang   string // the page's language, as it is written, or empty
	// Styled tells that no policy that is known of forbids style attributes.
	Styled bool
}

// Forms goes through a page while it is served, in pieces of any size, and
// says where its forms are. It keeps little more than one tag, and nothing of
// it changes the page.
//
// What it does not understand has no forms: those in templates, scripts,
// noscript, select, SVG and MathML, and all that come behind a nesting that
// browsers have to mend in SVG and MathML.
type Forms struct {
	insert func(PostForm) string

	lexer  lexer
	isOver bool // there is nothing more to find

	lang      string
	base      string
	hasBase   bool
	unstyled  bool // a policy forbids style attributes, or may do so
	templates int
	inForm    bool
	inSelect  bool
	foreign   []element // those that are open, from the outermost svg or math on
}

// element is one that is open in SVG or MathML, or in HTML within these.
type element struct {
	name  string
	space namespace
}

type namespace uint8

const (
	htmlSpace namespace = iota
	svgSpace
	mathSpace
)

// NewForms prepares to go through a page. For each form that posts, insert
// says what is to follow its start tag. contentType is the page's
// Content-Type header and policies are its Content-Security-Policy headers;
// those that only report count as well, so that they have nothing to report.
func NewForms(contentType string, policies []string, insert func(PostForm) string) *Forms {
	return &Forms{insert: insert, unstyled: !styleAttribute(policies), isOver: !extendsASCII(contentType)}
}

// Next reads the next piece of the page as far as to where something is to be
// inserted, and says what; or all of it, and nothing is.
func (f *Forms) Next(piece []byte) (n int, insert string) {
	for n < len(piece) && !f.isOver {
		read, isTag := f.lexer.next(piece[n:])
		n += read
		if !isTag {
			break
		}
		if insert = f.take(); insert != "" {
			return n, insert
		}
	}
	return len(piece), ""
}

// extendsASCII reports whether the bytes of ASCII mean the same in the
// encoding that is named in contentType, wherever they stand
// (https://encoding.spec.whatwg.org/#names-and-labels). Those in which a "<"
// may be part of another character are few.
func extendsASCII(contentType string) bool {
	contentType = strings.ToLower(contentType)
	for _, name := range [...]string{"iso-2022", "iso2022", "hz-gb", "utf-16", "utf-32", "utf-7", "ucs-2", "unicode"} {
		if strings.Contains(contentType, name) {
			return false
		}
	}
	return true
}

// take takes a tag.
func (f *Forms) take() (insert string) {
	if f.lexer.isEnd {
		f.close(f.lexer.name)
	} else {
		insert = f.open(f.lexer.name)
	}
	f.lexer.sections = len(f.foreign) > 0 && f.innermost().space != htmlSpace
	return insert
}

func (f *Forms) innermost() element { return f.foreign[len(f.foreign)-1] }

func (f *Forms) open(name []byte) (insert string) {
	space := htmlSpace
	switch {
	case len(f.foreign) > 0 && !isIntegration(f.innermost()):
		space = f.innermost().space
		f.isOver = f.isOver || breaksOut(name)
	case string(name) == "svg":
		space = svgSpace
	case string(name) == "math":
		space = mathSpace
	}
	if space == htmlSpace {
		f.lexer.raw = rawName(name)
	}
	// Which elements there are in a list, browsers do not agree on.
	f.isOver = f.isOver || f.inSelect && (space != htmlSpace || f.lexer.raw != "" && f.lexer.raw != "script" && f.lexer.raw != "textarea")
	switch {
	case space == htmlSpace && len(f.foreign) == 0:
		return f.openHTML(name)
	case space == htmlSpace && isVoid(name) || space != htmlSpace && f.lexer.selfClosing:
	default:
		f.foreign = append(f.foreign, element{string(name), space})
		f.isOver = f.isOver || len(f.foreign) > maxForeign
	}
	return ""
}

// maxForeign is how deeply SVG and MathML may be nested.
const maxForeign = 200

// openHTML takes a start tag outside of SVG and MathML.
func (f *Forms) openHTML(name []byte) (insert string) {
	switch string(name) {
	case "plaintext":
		f.isOver = true
	case "template":
		f.templates++
		f.isOver = f.isOver || f.inSelect || f.templates > maxDepth
	case "select":
		f.inSelect = !f.inSelect
	case "input", "textarea":
		f.inSelect = false
	case "base", "html", "meta":
		if f.templates == 0 {
			f.noteHead(string(name))
		}
	case "form":
		if f.templates == 0 && !f.inSelect && !f.inForm {
			f.inForm = true
			return f.ask()
		}
	}
	return ""
}

// noteHead takes a base, an html or a meta element.
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

// ask takes a form.
func (f *Forms) ask() (insert string) {
	if f.lexer.isCut {
		return ""
	}
	t := readTag(f.lexer.text)
	if method, _ := t.get("method"); !strings.EqualFold(method, "post") {
		return ""
	}
	action, _ := t.get("action")
	return f.insert(PostForm{
		Action: strings.TrimSpace(action),
		Base:   f.base,
		Lang:   f.lang,
		Styled: !f.unstyled,
	})
}

// readTag reads the text of a start tag.
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

func (f *Forms) close(name []byte) {
	if len(f.foreign) > 0 {
		f.closeForeign(string(name))
		return
	}
	switch string(name) {
	case "template":
		f.templates = max(f.templates-1, 0)
		f.inSelect = false
	case "form":
		f.inForm = f.inForm && f.templates > 0
	case "select":
		f.inSelect = false
	}
}

// closeForeign takes an end tag in SVG or MathML, where it may end several
// elements at once, or in HTML within these, where it may not.
func (f *Forms) closeForeign(name string) {
	inner := f.innermost().space
	for i, e := range slices.Backward(f.foreign) {
		if e.space == inner && e.name == name {
			f.foreign = f.foreign[:i]
			return
		}
		if inner == htmlSpace || e.space == htmlSpace {
			break
		}
	}
	f.isOver = true
}

// isIntegration reports whether what is in the element is HTML
// (https://html.spec.whatwg.org/multipage/parsing.html#html-integration-point).
func isIntegration(e element) bool {
	switch e.name {
	case "foreignobject", "desc", "title":
		return e.space != mathSpace
	case "mi", "mo", "mn", "ms", "mtext":
		return e.space != svgSpace
	}
	return e.space == htmlSpace
}

// breaksOut reports whether the element ends all SVG and MathML around it, or
// may do so.
func breaksOut(name []byte) bool {
	switch string(name) {
	case "annotation-xml",
		"b", "big", "blockquote", "body", "br", "center", "code", "dd", "div", "dl", "dt", "em", "embed", "font",
		"h1", "h2", "h3", "h4", "h5", "h6", "head", "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol",
		"p", "pre", "ruby", "s", "small", "span", "strike", "strong", "sub", "sup", "table", "tt", "u", "ul", "var":
		return true
	}
	return false
}

// isVoid reports whether the element has no end tag.
func isVoid(name []byte) bool {
	switch string(name) {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr":
		return true
	}
	return false
}

// rawName is the element's name if its text holds no tags, and else empty.
func rawName(name []byte) string {
	switch string(name) {
	case "iframe":
		return "iframe"
	case "noembed":
		return "noembed"
	case "noframes":
		return "noframes"
	case "noscript":
		return "noscript"
	case "script":
		return "script"
	case "style":
		return "style"
	case "textarea":
		return "textarea"
	case "title":
		return "title"
	case "xmp":
		return "xmp"
	}
	return ""
}

// hasWord reports whether the text holds the word, which is in small letters.
func hasWord(text []byte, word string) bool { return bytes.Contains(bytes.ToLower(text), []byte(word)) }
