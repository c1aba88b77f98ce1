package page

import (
	"slices"
	"strings"
)

// answers are the values, by name, that are not in a control yet.
type answers map[string][]answer

// answer is a value as it was posted, and with the line breaks that browsers post.
type answer struct{ text, posted string }

// take removes and returns the first value of the name.
func (a answers) take(name string) (value string, ok bool) {
	values := a[name]
	if len(values) == 0 {
		return "", false
	}
	a[name] = values[1:]
	return values[0].text, true
}

// takeValue removes the value and reports whether it was there.
func (a answers) takeValue(name, value string) bool {
	at := slices.IndexFunc(a[name], func(v answer) bool { return v.posted == value })
	if at < 0 {
		return false
	}
	a[name] = slices.Delete(a[name], at, at+1)
	return true
}

// fill puts the sent values into the form's controls and clears the others. Several controls of one
// name get its values in order.
func (r *rendering) fill() {
	left := make(answers)
	for _, pair := range r.Values {
		left[pair.Name] = append(left[pair.Name], answer{pair.Value, withCRLF(pair.Value)})
	}
	for _, c := range r.controls {
		_, sent := left[c.name]
		if c.name == "" || c.disabled || r.Partial && !sent {
			continue
		}
		switch c.kind {
		case notShown:
			value, _ := c.value()
			left.takeValue(c.name, value)
		case aCheckbox, aRadio:
			r.switchTo(c.tag, "checked", left.takeValue(c.name, c.checkedValue()))
		case anyText:
			if value, ok := left.take(c.name); ok {
				r.fillInput(c, value)
			}
		case aTextarea:
			if value, ok := left.take(c.name); ok {
				r.fillTextarea(c, value)
			}
		case aSelect:
			// A single select that sent nothing had a disabled option selected, so it is left as it
			// is.
			if many := c.tag.has("multiple"); many || sent {
				r.fillSelect(c, many, left)
			}
		case aSecret, aButton:
		}
	}
}

// switchTo adds the attribute to the tag, or removes it.
func (r *rendering) switchTo(t *tag, attribute string, on bool) {
	switch is := t.has(attribute); {
	case on && !is:
		r.touch(t).set(attribute, "")
	case is && !on:
		r.touch(t).remove(attribute)
	}
}

func (r *rendering) fillInput(c *control, value string) {
	if was, _ := c.tag.get("value"); was != value {
		r.touch(c.tag).set("value", value)
	}
}

// fillTextarea writes a line break before the text. Browsers drop it, so a line break at the
// beginning of the text survives.
func (r *rendering) fillTextarea(c *control, value string) {
	value = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(value)
	text := "\n" + escape(value)
	was := r.source[c.tag.end:c.contentEnd]
	if was != text && ("\n"+was != text || strings.HasPrefix(value, "\n")) {
		r.edits = append(r.edits, edit{c.tag.end, c.contentEnd, text})
	}
}

func (r *rendering) fillSelect(c *control, many bool, left answers) {
	done := false
	for _, o := range c.options {
		chosen := !done && !o.tag.has("disabled") && left.takeValue(c.name, o.value())
		done = done || chosen && !many
		r.switchTo(o.tag, "selected", chosen)
	}
}
