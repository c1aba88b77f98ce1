package page

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// outline contains the parts of a page that matter for showing it again.
type outline struct {
	source       string
	forms        []*form
	controls     []*control
	labels       []*label
	slots        map[string][]slot // the author's elements for errors, by input
	focused      []*tag            // tags with autofocus
	anchors      []*tag            // links within the page, or to another query of its URL
	base         *tag
	main         *tag
	mainPlace    *place
	first        map[string]int // position of the first tag with the id
	metaPolicies []string
	headings     []heading
	lang         string // the page's language
	titleAt      int    // start of the title's text, or -1
	headAt       int    // position for a first element in the head, or -1
	bodyAt       int    // beginning of the body's content, or -1
	styleAt      int    // position for a style sheet before the site's own, or -1

	traces       // of frameworks
	tail   *form // a form that would begin at the end

	isLost bool  // the rest of the page is unknown
	lost   *form // the form that is open there, or nil

	touched  []*tag
	idPrefix string
	made     int // number of generated ids
}

// form is a form element.
type form struct {
	tag *tag
	id  string
	// around is the place that the form is in; nil for the page as a whole. inside is that of its
	// content.
	around, inside *place
	// isHidden means that the form is not visible when the page opens.
	isHidden bool
	// actions are those of the form and its buttons, also with htmx. "" means the page's own URL.
	actions []string

	// Traces of frameworks:
	bound    string // an attribute by which a script sets the value of an input
	fragment string // the innermost fragment around the form
	comment  string // the last comment of a framework in it
	voids    int    // elements without content that are written as React does
	authored int    // the positions in traces at its end
	spaced   int
}

// slot is an author's element for an error.
type slot struct {
	tag  *tag
	form *form // the enclosing form
}

// heading is a visible heading.
type heading struct{ at, level int }

// label is a label element.
type label struct {
	tag   *tag
	words strings.Builder
}

// fieldset is a fieldset and what it contains.
type fieldset struct {
	tag      *tag
	legend   strings.Builder
	endAt    int    // end of the legend, or -1
	disabled bool   // except its legend
	inside   bool   // in a disabled fieldset, so that its legend is disabled too
	name     string // the name of the visible controls in it
	mixed    bool   // the visible controls have several names
}

// readOutline parses the page.
func readOutline(source []byte) (*outline, error) {
	t := newTags(source)
	s := scanner{
		outline: &outline{source: t.source, slots: make(map[string][]slot), first: make(map[string]int), titleAt: -1, headAt: -1, bodyAt: -1, styleAt: -1},
		tags:    t,
	}
	isSkipped := false
	for t.next() {
		if !isSkipped {
			s.read()
		}
		switch {
		case !t.isEnd:
			if !s.open(isSkipped) {
				return nil, ErrTooLarge
			}
		case !isSkipped:
			s.close(t.name)
		}
		isSkipped = t.nesting.isSkipped()
	}
	if t.nesting.templates > maxDepth {
		return nil, ErrTooLarge
	}
	s.endForm()
	s.tail = &form{tag: &tag{start: len(source), end: len(source)}, inside: s.here(), fragment: s.innerFragment(), spaced: s.spaced}
	s.lost, s.isLost = s.form, t.nesting.isLost
	if s.textarea != nil {
		s.textarea.contentEnd = len(source)
	}
	return s.outline, nil
}

// touch marks the tag as changed.
func (o *outline) touch(t *tag) *tag {
	if !t.isTouched {
		t.isTouched = true
		o.touched = append(o.touched, t)
	}
	return t
}

// prefix returns the prefix of generated ids. No id of the page begins with it.
func (o *outline) prefix() string {
	if o.idPrefix == "" {
		o.idPrefix = "telecrm"
		if strings.Contains(o.source, o.idPrefix+"-") {
			o.idPrefix = fmt.Sprintf("telecrm-%x", sha256.Sum256([]byte(o.source)))[:24]
		}
	}
	return o.idPrefix
}
