package page

import (
	"slices"
	"strings"
)

// Typed returns the posted values that the visitor may have typed. The page sends the others by
// itself: values of hidden inputs, checkboxes, radio buttons and selects, and texts that the page
// already contains. Values of inputs that the form does not have count as typed. Typed uses only
// those fields of [Own] that find the form.
func (o Own) Typed(values []Pair) ([]Pair, error) {
	r, err := o.open()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(values), func(v Pair) bool {
		value := withCRLF(v.Value)
		return slices.ContainsFunc(r.controls, func(c *control) bool { return c.name == v.Name && r.gives(c, value) })
	}), nil
}

// gives reports whether a control contains the value before the visitor touches it, or offers it as
// a choice. A hidden input gives any value, because scripts of the page may set it.
func (r *rendering) gives(c *control, value string) bool {
	switch c.kind {
	case anyText:
		given, _ := c.value()
		return given == value
	case aTextarea:
		return c.text(r.source) == withoutCR(value)
	case aSelect:
		return slices.ContainsFunc(c.options, func(o *option) bool { return o.value() == value })
	case aCheckbox, aRadio:
		return c.checkedValue() == value
	case notShown, aButton:
		return true
	case aSecret:
	}
	return false
}

// withoutCR converts line breaks from CRLF, which browsers post, to LF.
func withoutCR(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }
