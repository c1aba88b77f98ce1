package page

import (
	"cmp"
	"slices"
	"strings"
)

// fit says how well a form matches what was posted. Forms are compared field by field, in this
// order.
type fit struct {
	postsHere bool
	named     int // how often the form has the posted form-name
	against   int // evidence against the form
	same      int // texts that were posted as the page contains them
	isVisible bool
}

// compare returns a positive number if a fits better than b.
func (a fit) compare(b fit) int {
	return cmp.Or(
		cmp.Compare(toInt(a.postsHere), toInt(b.postsHere)),
		cmp.Compare(a.named, b.named),
		cmp.Compare(b.against, a.against),
		cmp.Compare(a.same, b.same),
		cmp.Compare(toInt(a.isVisible), toInt(b.isVisible)),
	)
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Weights of the evidence against a form. A script may have changed a hidden value, so that counts
// less than inputs that are missing.
const (
	missingWeight = 8 // a posted name for which the form does not have a control
	unsentWeight  = 6 // a control that the form always sends, but that was not posted
	wrongWeight   = 2 // a posted value that the form does not offer, or a hidden one that was not posted
	buttonWeight  = 1 // only named buttons, none of them posted; scripts leave out all buttons
)

// postedValues contains the distinct posted values by name. Withheld ones are nil.
type postedValues map[string]map[string]bool

func (o Own) postedValues() postedValues {
	posted := make(postedValues)
	for _, name := range o.Withheld {
		posted[name] = nil
	}
	for _, pair := range o.Values {
		if posted[pair.Name] == nil {
			posted[pair.Name] = make(map[string]bool)
		}
		posted[pair.Name][withCRLF(pair.Value)] = true
	}
	return posted
}

// evidence compares the controls of a form with what was posted.
type evidence struct {
	offers        map[string]*offer // by posted name
	unsent, wrong int
	same          int
	shares        bool // the form has a visible control of a posted name
	named         int

	hasButton, hasPlainButton, isPressed bool // its submit buttons: any, one without a name, one that was posted
}

// offer contains the posted values that a form offers under a name.
type offer struct {
	isFree bool // the visitor types the value
	values map[string]bool
}

// add notes a control of the form. A disabled control is never sent.
func (e *evidence) add(c *control, posted postedValues) {
	isSubmit := c.isSubmit()
	if c.disabled || c.kind == aButton && !isSubmit {
		return
	}
	e.hasButton = e.hasButton || isSubmit
	if c.name == "" {
		e.hasPlainButton = e.hasPlainButton || isSubmit
		return
	}
	name := c.name
	if _, isSent := posted[name+".x"]; isSent && c.isImage() {
		e.offer(name + ".x").isFree = true
		name += ".y"
	}
	values, isSent := posted[name]
	if !isSent {
		if c.isAlwaysSent() {
			e.unsent++
		}
		return
	}
	e.shares = e.shares || c.isShown()
	o := e.offer(name)
	text, hasText := c.value()
	switch c.kind {
	case anyText:
		o.isFree = true
		if text != "" && values[text] {
			e.same++
		}
	case aTextarea, aSecret:
		o.isFree = true
	case notShown:
		if o.add(text, values); values != nil && !values[text] {
			e.wrong++
		}
	case aSelect:
		for _, option := range c.options {
			o.add(option.value(), values)
		}
	case aCheckbox, aRadio:
		o.add(c.checkedValue(), values)
	case aButton:
		// A browser gives an input without a value its own words.
		isFree := c.isImage() || !hasText && c.tag.name == "input"
		o.isFree = o.isFree || isFree
		o.add(text, values)
		e.isPressed = e.isPressed || isFree || values == nil || values[text]
	}
}

func (e *evidence) offer(name string) *offer {
	if e.offers == nil {
		e.offers = make(map[string]*offer)
	}
	if e.offers[name] == nil {
		e.offers[name] = new(offer)
	}
	return e.offers[name]
}

// add notes a value if it was posted.
func (o *offer) add(value string, posted map[string]bool) {
	if !posted[value] {
		return
	}
	if o.values == nil {
		o.values = make(map[string]bool)
	}
	o.values[value] = true
}

// against returns the weight of the evidence against the form. If only a part of the post is known,
// nothing counts as unsent.
func (e *evidence) against(posted postedValues, isPartial bool) int {
	wrong := e.wrong
	for name, o := range e.offers {
		if !o.isFree {
			wrong += max(0, len(posted[name])-len(o.values))
		}
	}
	unsent := e.unsent
	if isPartial {
		unsent = 0
	}
	against := missingWeight*(len(posted)-len(e.offers)) + unsentWeight*unsent + wrongWeight*wrong
	if e.hasButton && !e.hasPlainButton && !e.isPressed {
		against += buttonWeight
	}
	return against
}

// isAlwaysSent reports whether browsers send the control whatever the visitor does. They do not
// send a select whose disabled option is selected.
func (c *control) isAlwaysSent() bool {
	switch c.kind {
	case anyText, aTextarea, notShown:
		return true
	case aSelect:
		return len(c.options) > 0 && !c.tag.has("multiple") &&
			!slices.ContainsFunc(c.options, func(o *option) bool { return o.tag.has("disabled") })
	case aCheckbox, aRadio, aSecret, aButton:
	}
	return false
}

// isSubmit reports whether the control is a button that sends its form.
func (c *control) isSubmit() bool {
	kind, _ := c.tag.get("type")
	isPlain := strings.EqualFold(kind, "button") || strings.EqualFold(kind, "reset")
	return c.kind == aButton && !isPlain
}

// isImage reports whether the control is an image button, which sends where it was clicked.
func (c *control) isImage() bool {
	kind, _ := c.tag.get("type")
	return c.tag.name == "input" && strings.EqualFold(kind, "image")
}
