package page

// giveName names the control as words do, if its author has given it no label:
// with a description and without a name, a control would be known by what is
// wrong with it. A placeholder is what it is known by already.
func (r *rendering) giveName(g *group, fallback string) {
	c := g.controls[0]
	if len(g.controls) > 1 || c.kind == aRadio || c.label != nil || c.tag.has("aria-label") || c.tag.has("aria-labelledby") || c.tag.has("title") {
		return
	}
	if id, _ := c.tag.get("id"); id != "" && r.labelFor(id) != nil {
		return
	}
	name, _ := c.tag.get("placeholder")
	if tidy(name) == "" {
		name = fallback
	}
	if name != "" {
		r.touch(c.tag).set("aria-label", name)
	}
}

// labelFor is the label that names the element with the id.
func (r *rendering) labelFor(id string) *label {
	for _, l := range r.labels {
		if of, has := l.tag.get("for"); has && of == id {
			return l
		}
	}
	return nil
}
