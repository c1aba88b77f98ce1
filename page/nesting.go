package page

// nesting tracks the open elements that change how a browser reads on: templates, selects, SVG and
// MathML (https://html.spec.whatwg.org/multipage/parsing.html#tree-construction). [Own] and [Forms]
// both go by it.
//
// It does not repair wrong nesting as browsers do. It is lost where a page leaves in doubt what its
// tags are, and nothing behind that point counts.
type nesting struct {
	foreign   []element // open elements from the outermost svg or math on
	templates int
	inSelect  bool
	inForm    bool
	isLost    bool
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

// maxForeign is how deeply SVG and MathML may be nested.
const maxForeign = 200

// isApart reports whether the position is in a template, in SVG or in MathML.
func (n *nesting) isApart() bool { return n.templates > 0 || len(n.foreign) > 0 }

// hasSections reports whether "<![CDATA[" begins a section here.
func (n *nesting) hasSections() bool {
	return len(n.foreign) > 0 && n.innermost().space != htmlSpace
}

func (n *nesting) innermost() element { return n.foreign[len(n.foreign)-1] }

// open takes the name of a start tag, in small letters. It returns the element's namespace.
func (n *nesting) open(name []byte, selfClosing bool) namespace {
	space := n.spaceOf(name)
	n.isLost = n.isLost || n.inSelect && (space != htmlSpace || isUnsureInSelect(name))
	switch {
	case space == htmlSpace && len(n.foreign) == 0:
		n.openHTML(name)
		return space
	case space == htmlSpace:
		n.isLost = n.isLost || string(name) == "form" && n.inForm || leavesForeign(name)
		if isVoid(name) {
			return space
		}
	case len(n.foreign) > 0 && breaksOut(name):
		n.isLost = true
	}
	if space == htmlSpace || !selfClosing {
		n.foreign = append(n.foreign, element{string(name), space})
		n.isLost = n.isLost || len(n.foreign) > maxForeign || len(name) >= maxName
	}
	return space
}

// spaceOf is the namespace of an element that begins here.
func (n *nesting) spaceOf(name []byte) namespace {
	if len(n.foreign) > 0 {
		around := n.innermost()
		if !around.holdsHTML() {
			return around.space
		}
		// These two are not HTML in a text of MathML.
		if word := string(name); around.space == mathSpace && (word == "mglyph" || word == "malignmark") {
			return mathSpace
		}
	}
	switch string(name) {
	case "svg":
		return svgSpace
	case "math":
		return mathSpace
	}
	return htmlSpace
}

// openHTML takes a start tag outside of SVG and MathML.
func (n *nesting) openHTML(name []byte) {
	switch string(name) {
	case "frameset", "plaintext":
		n.isLost = true
	case "col":
		// In a template that begins with one, browsers ignore most other start tags.
		n.isLost = n.isLost || n.templates > 0
	case "template":
		n.templates++
		n.isLost = n.isLost || n.inSelect || n.templates > maxDepth
	case "select":
		n.inSelect = !n.inSelect
	case "input", "textarea":
		n.inSelect = false
	case "form":
		n.inForm = n.inForm || n.templates == 0 && !n.inSelect
	}
}

// close takes the name of an end tag, in small letters.
func (n *nesting) close(name []byte) {
	if len(n.foreign) > 0 {
		n.closeForeign(string(name))
		return
	}
	switch string(name) {
	case "template":
		n.templates = max(n.templates-1, 0)
		n.inSelect = false
	case "form":
		n.inForm = n.inForm && n.templates > 0
	case "select":
		n.inSelect = false
	}
}

// closeForeign takes an end tag in SVG or MathML, where it may end several elements at once, or in
// HTML within these, where it must end the innermost one.
func (n *nesting) closeForeign(name string) {
	space := n.innermost().space
	for i := len(n.foreign) - 1; i >= 0 && n.foreign[i].space == space; i-- {
		if n.foreign[i].name == name {
			n.foreign = n.foreign[:i]
			return
		}
		if space == htmlSpace {
			break
		}
	}
	n.isLost = true
}

// holdsHTML reports whether what is in the element is HTML
// (https://html.spec.whatwg.org/multipage/parsing.html#html-integration-point).
func (e element) holdsHTML() bool {
	switch e.name {
	case "foreignobject", "desc", "title":
		return e.space != mathSpace
	case "mi", "mo", "mn", "ms", "mtext":
		return e.space != svgSpace
	}
	return e.space == htmlSpace
}

// leavesForeign reports whether browsers may ignore the start tag in HTML within SVG or MathML, or
// take it for the end of all of that, depending on what is around it.
func leavesForeign(name []byte) bool {
	switch string(name) {
	case "body", "caption", "col", "colgroup", "frame", "frameset", "head", "html", "plaintext", "select",
		"table", "tbody", "td", "template", "tfoot", "th", "thead", "tr":
		return true
	}
	return false
}

// breaksOut reports whether the start tag may end all SVG and MathML around it.
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

// isVoid reports whether the element does not have an end tag.
func isVoid(name []byte) bool {
	switch string(name) {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr":
		return true
	}
	return false
}

// isUnsureInSelect reports whether browsers disagree on the element in a select.
func isUnsureInSelect(name []byte) bool {
	switch string(name) {
	case "applet", "caption", "marquee", "object", "table", "tbody", "td", "tfoot", "th", "thead", "tr":
		return true
	case "script", "textarea":
		return false
	}
	return rawName(name) != ""
}

// rawName is the element's name if its text, which has an end, holds no tags; else it is empty.
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
