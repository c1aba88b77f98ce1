package page

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// outline is what a page has that matters for showing it again.
type outline struct {
	source       string
	forms        []*form
	controls     []*control
	labels       []*label
	slots        map[string][]slot // the author's places for messages, by input
	focused      []*tag            // those with autofocus
	anchors      []*tag            // links within the page
	base         *tag
	main         *tag
	first        map[string]int // where the tag starts that has an id first
	metaPolicies []string
	headings     []heading
	lang         string // the page's language
	titleAt      int    // where the title's text begins, or -1
	headAt       int    // where something can go first into the head, or -1
	styleAt      int    // where a style sheet can go, before the site's own; or -1

	isLost bool  // what is behind some point is not known
	lost   *form // the one that is open there; may be nil

	touched  []*tag
	idPrefix string
	made     int // ids
}

// form is a form element.
type form struct {
	tag *tag
	id  string
	// veiled: it is not shown when the page opens.
	veiled bool
	// actions are its own and those of its buttons. An empty one is the
	// page's own address.
	actions []string
}

// slot is an element that the author made for a message.
type slot struct {
	tag  *tag
	form *form // the one around it
}

// heading is one that is shown.
type heading struct{ at, level int }

// label is a label element.
type label struct {
	tag   *tag
	words strings.Builder
}

// fieldset is one with what is in it.
type fieldset struct {
	tag      *tag
	legend   strings.Builder
	endAt    int    // where the legend ends, or -1
	disabled bool   // all in it but for the legend
	inside   bool   // of a fieldset that is disabled, and so is the legend
	name     string // of the visible controls in it
	mixed    bool   // they have several names
}

// readOutline reads the page in one go.
func readOutline(source []byte) (*outline, error) {
	t := newTags(source)
	s := scanner{
		outline: &outline{source: t.source, slots: make(map[string][]slot), first: make(map[string]int), titleAt: -1, headAt: -1, styleAt: -1},
		tags:    t,
	}
	isApart := false
	for t.next() {
		if !isApart {
			s.read()
		}
		switch {
		case !t.isEnd:
			if !s.open(isApart) {
				return nil, ErrTooLarge
			}
		case !isApart:
			s.close(t.name)
		}
		isApart = t.nesting.isApart()
	}
	if t.nesting.templates > maxDepth {
		return nil, ErrTooLarge
	}
	s.lost, s.isLost = s.form, t.nesting.isLost
	if s.textarea != nil {
		s.textarea.contentEnd = len(source)
	}
	return s.outline, nil
}

// touch has the tag printed anew.
func (o *outline) touch(t *tag) *tag {
	if !t.isTouched {
		t.isTouched = true
		o.touched = append(o.touched, t)
	}
	return t
}

// prefix begins the ids that are made, and no id of the page's own.
func (o *outline) prefix() string {
	if o.idPrefix == "" {
		o.idPrefix = "telecrm"
		if strings.Contains(o.source, o.idPrefix+"-") {
			o.idPrefix = fmt.Sprintf("telecrm-%x", sha256.Sum256([]byte(o.source)))[:24]
		}
	}
	return o.idPrefix
}
