package page

import "strings"

// fill puts what was sent into the form's controls, and takes out what was
// not. Several controls of one name take its values in turn.
func (r *rendering) fill() {
	left := make(map[string][]string)
	for _, pair := range r.Values {
		left[pair.Name] = append(left[pair.Name], pair.Value)
	}
	sent := make(map[string]bool)
	for name := range left {
		sent[name] = true
	}
	take := func(name string, fits func(string) bool) (string, bool) {
		for i, value := range left[name] {
			if fits(value) {
				left[name] = append(left[name][:i:i], left[name][i+1:]...)
				return value, true
			}
		}
		return "", false
	}
	anyValue := func(string) bool { return true }
	for _, c := range r.controls {
		if c.name == "" || c.disabled {
			continue
		}
		switch c.kind {
		case notShown:
			take(c.name, func(v string) bool { value, _ := c.tag.get("value"); return v == value })
		case aCheckbox, aRadio:
			_, checked := take(c.name, func(v string) bool { return v == c.checkedValue() })
			r.switchTo(c.tag, "checked", checked)
		case anyText:
			if value, ok := take(c.name, anyValue); ok {
				r.fillInput(c, value)
			}
		case aTextarea:
			if value, ok := take(c.name, anyValue); ok {
				r.fillTextarea(c, value)
			}
		case aSelect:
			// A list without an answer at all stands at one that is disabled,
			// unless it takes several answers.
			if many := c.tag.has("multiple"); many || sent[c.name] {
				r.fillSelect(c, many, take)
			}
		case aSecret, aButton:
		}
	}
}

// switchTo gives the tag the attribute, or takes it away.
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

// fillTextarea writes the text after a line break, which a browser leaves
// away, so that one that the text begins with stays.
func (r *rendering) fillTextarea(c *control, value string) {
	value = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(value)
	text := "\n" + escape(value)
	was := string(r.source[c.tag.end:c.contentEnd])
	if was != text && ("\n"+was != text || strings.HasPrefix(value, "\n")) {
		r.edits = append(r.edits, edit{c.tag.end, c.contentEnd, text})
	}
}

func (r *rendering) fillSelect(c *control, many bool, take func(string, func(string) bool) (string, bool)) {
	done := false
	for _, o := range c.options {
		chosen := false
		if !done && !o.tag.has("disabled") {
			value := o.value()
			_, chosen = take(c.name, func(v string) bool { return v == value })
			done = chosen && !many
		}
		r.switchTo(o.tag, "selected", chosen)
	}
}
