package page

// nesting tracks the open elements that change how browsers parse: templates, selects, SVG and
// MathML (https://html.spec.whatwg.org/multipage/parsing.html#tree-construction). [Own] and [Forms]
// both use it.
//
// It does not repair wrong nesting as browsers do. Where a page is ambiguous it is lost, and
// nothing after that point counts.
type nesting struct {
	foreign   []element // open elements from the outermost svg or math
	templates int
	inSelect  bool
	inForm    bool
	isLost    bool
}

// element is an open element in SVG or MathML, or in HTML within them.
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

// maxForeign bounds the nesting of SVG and MathML.
const maxForeign = 200

// isSkipped reports whether the position is in a template, SVG or MathML.
func (n *nesting) isSkipped() bool { return n.templates > 0 || len(n.foreign) > 0 }

// hasSections reports whether "<![CDATA[" begins a section here.
func (n *nesting) hasSections() bool {
	return len(n.foreign) > 0 && n.innermost().space != htmlSpace
}

func (n *nesting) innermost() element { return n.foreign[len(n.foreign)-1] }

// open processes a start tag with the name in lower case. It returns the element's namespace.
func (n *nesting) open(name []byte, selfClosing bool) namespace {
	space := n.spaceOf(name)
	n.isLost = n.isLost || n.inSelect && (space != htmlSpace || isAmbiguousInSelect(name))
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

// spaceOf returns the namespace of an element that begins here.
func (n *nesting) spaceOf(name []byte) namespace {
	if len(n.foreign) > 0 {
		around := n.innermost()
		if !around.holdsHTML() {
			return around.space
		}
		// In MathML text, these two are not HTML.
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

// openHTML processes a start tag outside of SVG and MathML.
func (n *nesting) openHTML(name []byte) {
	switch string(name) {
	case "frameset", "plaintext":
		n.isLost = true
	case "col":
		// In a template that begins with a col, browsers ignore most other start tags.
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

// close processes an end tag with the name in lower case.
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

// closeForeign processes an end tag in SVG or MathML, where it may end several elements, or in HTML
// within them, where it must end the innermost one.
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

// holdsHTML reports whether the content of the element is HTML
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
// end all of that, depending on the context.
func leavesForeign(name []byte) bool {
	switch string(name) {
	case "body", "caption", "col", "colgroup", "frame", "frameset", "head", "html", "plaintext", "select",
		"table", "tbody", "td", "template", "tfoot", "th", "thead", "tr":
		return true
	}
	return false
}

// breaksOut reports whether the start tag may end all enclosing SVG and MathML.
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

// isAmbiguousInSelect reports whether browsers parse the element in a select differently.
func isAmbiguousInSelect(name []byte) bool {
	switch string(name) {
	case "applet", "caption", "marquee", "object", "table", "tbody", "td", "tfoot", "th", "thead", "tr":
		return true
	case "script", "textarea":
		return false
	}
	return rawName(name) != ""
}

// rawName returns the element's name if its text has no tags and ends with an end tag, or else "".
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
