package page

import (
	"iter"
	"slices"
	"strings"
)

// place is an element that matters for what is in it, as far as the page's structure tells.
type place struct {
	around *place // the next enclosing one
	id     string
	isPage bool // it is the html or body element
	end    int  // end of its start tag
	// isHidden means that its content is not visible when the page opens.
	isHidden bool
	// mayBeClosed means that a style sheet or a script may hide its content. Popups, tabs and
	// accordions differ only in their class names from what is always visible.
	mayBeClosed bool
	// details is set if the element is one that is closed.
	details *tag
	// sign shows that a script rebuilds the element's content; "" if nothing does.
	sign string
}

// openElement is an open element, and the place that its content is in.
type openElement struct {
	name string
	at   *place
}

// maxOpen bounds the number of open elements. Browsers flatten what is nested deeper.
const maxOpen = 512

// here returns the current place; nil outside of all.
func (s *scanner) here() *place {
	switch {
	case s.lostPlace != nil:
		return s.lostPlace
	case len(s.openElements) == 0:
		return nil
	}
	return s.openElements[len(s.openElements)-1].at
}

// enter processes the start tag of an element with content.
func (s *scanner) enter(name string) {
	switch {
	case s.lostPlace != nil, s.tags.nesting.inSelect, name == "head":
		return
	case (name == "html" || name == "body") && s.bodyAt >= 0 && s.bodyAt != s.tags.end: // it has begun already
		return
	case name == "form" && s.form != nil, name != "table" && isInTable(name) && s.openTables == 0: // browsers ignore them
		return
	}
	s.endImplied(name)
	if s.lostPlace != nil || isVoid([]byte(name)) || rawName([]byte(name)) != "" {
		return
	}
	if len(s.openElements) == maxOpen {
		s.loseTrack()
		return
	}
	s.openElements = append(s.openElements, openElement{name, s.placeOf(name)})
	if name == "table" {
		s.openTables++
	}
}

// endImplied ends open elements whose end tags may be left out before the start tag.
func (s *scanner) endImplied(name string) {
	switch name {
	case "li":
		s.endItem("li", "li")
	case "dd", "dt":
		s.endItem("dd", "dt")
	}
	if !isSpecial(name) || isInTable(name) && name != "table" || bounds(name) && name != "table" || name == "select" {
		return
	}
	for i, e := range slices.Backward(s.openElements) {
		if bounds(e.name) {
			return
		}
		switch {
		case isCell(e.name):
			return
		case e.name == "p" && name == "table": // it depends on the doctype
			s.loseTrack()
			return
		case e.name == "p":
			s.endFrom(i)
			return
		}
	}
}

// endItem ends the open item of a list, which has one of the names.
func (s *scanner) endItem(name, orName string) {
	for i, e := range slices.Backward(s.openElements) {
		switch {
		case e.name == name || e.name == orName:
			s.endFrom(i)
			return
		case isSpecial(e.name) && e.name != "address" && e.name != "div" && e.name != "p":
			return
		}
	}
}

// endFrom ends the open elements from the i-th on, without their own end tags. Browsers open
// formatting elements again in what follows.
func (s *scanner) endFrom(i int) {
	for _, e := range s.openElements[i:] {
		if isFormatting(e.name) && !e.at.isOpen() {
			s.loseTrack()
		}
	}
	s.openElements = s.openElements[:i]
}

// loseTrack gives up following the open elements. What follows may be closed.
func (s *scanner) loseTrack() {
	s.lostPlace = &place{around: s.here(), end: s.tags.end, mayBeClosed: true}
}

// isFormatting reports whether the element is one that browsers open again if it was not closed
// (https://html.spec.whatwg.org/multipage/parsing.html#formatting).
func isFormatting(name string) bool {
	switch name {
	case "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u":
		return true
	}
	return false
}

// leave processes an end tag as browsers do, except that elements stay open rather than be closed
// too early.
func (s *scanner) leave(name string) {
	if s.lostPlace != nil || s.tags.nesting.inSelect || name == "body" || name == "html" {
		return
	}
	for i, e := range slices.Backward(s.openElements) {
		switch {
		case e.name == name && name == "form":
			s.openElements = slices.Delete(s.openElements, i, i+1)
			return
		case e.name == name:
			if name == "table" {
				s.openTables--
			}
			s.endFrom(i + 1)
			s.openElements = s.openElements[:i]
			return
		case name == "form":
		case !isSpecial(name) && isSpecial(e.name), bounds(e.name), isCell(e.name) && !isInTable(name):
			return
		}
	}
}

// isSpecial reports whether the end tags of other elements do not end the element
// (https://html.spec.whatwg.org/multipage/parsing.html#special).
func isSpecial(name string) bool {
	switch name {
	case "address", "article", "aside", "blockquote", "body", "button", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt",
		"fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "html",
		"applet", "li", "listing", "main", "marquee", "menu", "nav", "object", "ol", "p", "pre", "search", "section", "select", "summary", "ul", "xmp":
		return true
	}
	return isInTable(name)
}

// bounds reports whether an end tag of an element around this one may not end it.
func bounds(name string) bool {
	switch name {
	case "applet", "button", "marquee", "object", "table":
		return true
	}
	return false
}

func isInTable(name string) bool {
	switch name {
	case "table", "tbody", "tfoot", "thead", "tr":
		return true
	}
	return isCell(name)
}

func isCell(name string) bool { return name == "caption" || name == "td" || name == "th" }

// placeOf returns the place of an element's content: a new one, or that of the element itself if
// the element does not matter.
func (s *scanner) placeOf(name string) *place {
	around := s.here()
	if len(s.tags.attributes) == 0 && isAlwaysOpen(name) && name != "body" && name != "html" {
		return around
	}
	if len(s.places) == cap(s.places) {
		s.places = make([]place, 0, keptAtOnce)
	}
	s.places = append(s.places, place{around: around, end: s.tags.end, isHidden: s.isHidden(name), mayBeClosed: s.mayBeClosed(name), sign: s.rootSign(name)})
	p := &s.places[len(s.places)-1]
	p.id, _ = s.tags.get("id")
	p.isPage = name == "html" || name == "body"
	if _, isOpen := s.tags.get("open"); name == "details" && !isOpen {
		p.details = s.keep()
	}
	if around != nil {
		p.isHidden = p.isHidden || around.isHidden
		p.mayBeClosed = p.mayBeClosed || around.mayBeClosed
	}
	return p
}

// isHidden reports whether the tag hides the element's content.
func (s *scanner) isHidden(name string) bool {
	for _, attribute := range [...]string{"hidden", "inert", "popover"} {
		if _, has := s.tags.get(attribute); has {
			return true
		}
	}
	if isUnread, _ := s.tags.get("aria-hidden"); strings.EqualFold(isUnread, "true") {
		return true
	}
	if _, isOpen := s.tags.get("open"); name == "dialog" && !isOpen {
		return true
	}
	style, _ := s.tags.get("style")
	return hides(style) || s.isModal(name)
}

// isModal reports whether the element is a Bootstrap modal
// (https://getbootstrap.com/docs/5.3/components/modal/), which a script opens.
func (s *scanner) isModal(name string) bool {
	switch name {
	case "article", "aside", "dialog", "div", "section":
		classes, _ := s.tags.get("class")
		return strings.Contains(classes, "modal") && slices.Contains(strings.Fields(classes), "modal")
	}
	return false
}

// mayBeClosed reports whether a style sheet or a script may hide the element. It takes the body for
// visible, because no place is better, and the main content, unless its tag says otherwise.
func (s *scanner) mayBeClosed(name string) bool {
	if name == "body" || name == "html" {
		return false
	}
	role, _ := s.tags.get("role")
	style, _ := s.tags.get("style")
	isMain := name == "main" && role == "" || role == "main"
	if !isAlwaysOpen(name) {
		return true
	}
	return slices.ContainsFunc(s.tags.attributes, func(a attribute) bool {
		switch a.name {
		case "align", "aria-describedby", "aria-label", "aria-labelledby", "dir", "itemid", "itemprop", "itemscope", "itemtype", "lang", "title":
			return false
		case "role":
			return !isMain && !isOpenRole(role)
		case "style":
			return !isHarmless(style)
		case "class", "id", "tabindex":
			return !isMain
		}
		return !isMain || !strings.HasPrefix(a.name, "data-")
	})
}

// isAlwaysOpen reports whether browsers show the element's content unless something hides it.
func isAlwaysOpen(name string) bool {
	switch name {
	case "details", "dialog", "menu", "object", "audio", "canvas", "video", "select":
		return false
	}
	return !strings.Contains(name, "-")
}

// isOpenRole reports whether elements with the role are not opened and closed.
func isOpenRole(role string) bool {
	switch role {
	case "article", "banner", "complementary", "contentinfo", "document", "form", "group", "none", "presentation", "region", "search":
		return true
	}
	return false
}

// declarations iterates over the properties and values of a style attribute, in lower case.
func declarations(style string) iter.Seq2[string, string] {
	return func(yield func(property, value string) bool) {
		for declaration := range strings.SplitSeq(strings.ToLower(style), ";") {
			property, value, _ := strings.Cut(declaration, ":")
			value, _, _ = strings.Cut(value, "!")
			if property = strings.TrimSpace(property); property != "" && !yield(property, strings.TrimSpace(value)) {
				return
			}
		}
	}
}

// hides reports whether the style hides the element's content.
func hides(style string) bool {
	for property, value := range declarations(style) {
		switch property + ":" + value {
		case "display:none", "visibility:hidden", "visibility:collapse", "content-visibility:hidden", "opacity:0", "opacity:0%":
			return true
		}
	}
	return false
}

// isHarmless reports whether the style only changes what the element looks like.
func isHarmless(style string) bool {
	for property, value := range declarations(style) {
		kind, _, _ := strings.Cut(property, "-")
		switch kind {
		case "background", "border", "color", "font", "line", "margin", "max", "padding", "text", "width":
			if strings.HasPrefix(value, "0") && property != "margin" || strings.Contains(value, "-") || property == "max-height" || property == "text-indent" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// isOpen reports whether content at the place is visible when the page opens, for all that the
// page's structure tells.
func (p *place) isOpen() bool { return p == nil || !p.isHidden && !p.mayBeClosed }

// endsHead reports whether the start tag begins the page's body.
func endsHead(name string) bool {
	switch name {
	case "base", "basefont", "bgsound", "head", "html", "link", "meta", "noframes", "noscript", "script", "style", "template", "title":
		return false
	}
	return true
}
