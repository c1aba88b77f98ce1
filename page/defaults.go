package page

import (
	"html"
	"slices"
	"strings"
)

// Defaults returns what a browser sends if the visitor presses the form's first button without
// changing anything, in order. Files are left out.
func (f InventoryForm) Defaults() []Pair {
	var pairs []Pair
	button := slices.IndexFunc(f.controls, func(c *control) bool { return c.isSubmit() && !c.disabled })
	for i, c := range f.controls {
		if c.name == "" || c.disabled || c.isFile() || c.kind == aButton && i != button {
			continue
		}
		for _, value := range c.defaults(f.source) {
			pairs = append(pairs, Pair{Name: c.name, Value: value})
		}
	}
	return pairs
}

// defaults returns the values that the control sends before the visitor touches it.
func (c *control) defaults(source string) []string {
	switch c.kind {
	case aCheckbox, aRadio:
		if !c.tag.has("checked") {
			return nil
		}
		return []string{c.checkedValue()}
	case aSelect:
		return c.selected()
	case aTextarea:
		return []string{c.text(source)}
	case anyText, aSecret, notShown, aButton:
	}
	value, _ := c.tag.get("value")
	return []string{value}
}

// text returns the text of a textarea as the page has it. A line break at its beginning does not
// count.
func (c *control) text(source string) string {
	return strings.TrimPrefix(withoutCR(html.UnescapeString(source[c.tag.end:c.contentEnd])), "\n")
}

// selected returns the values of the options that are selected when the page opens. A list in which
// one is chosen shows the last one that is marked, or else the first one that can be chosen.
func (c *control) selected() []string {
	marked := slices.DeleteFunc(slices.Clone(c.options), func(o *option) bool { return !o.tag.has("selected") })
	if !c.tag.has("multiple") {
		if len(marked) == 0 {
			marked = slices.DeleteFunc(slices.Clone(c.options), func(o *option) bool { return o.tag.has("disabled") })
			marked = marked[:min(len(marked), 1)]
		}
		marked = marked[max(len(marked)-1, 0):]
	}
	var values []string
	for _, o := range marked {
		if !o.tag.has("disabled") {
			values = append(values, o.value())
		}
	}
	return values
}
