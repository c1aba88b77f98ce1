package page

// giveName gives the control a name if its author did not label it. Otherwise its description, the
// error, would serve as its name. A placeholder serves as the name if there is one.
func (r *rendering) giveName(g *group, fallback string) {
	c := g.controls[0]
	if len(g.controls) > 1 || c.kind == aRadio || c.label != nil || c.tag.has("aria-label") || c.tag.has("aria-labelledby") || c.tag.has("title") {
		return
	}
	if id, _ := c.tag.get("id"); id != "" && r.labelFor(id) != nil {
		return
	}
	name, _ := c.tag.get("placeholder")
	if cleanLabel(name) == "" {
		name = fallback
	}
	if name != "" {
		r.touch(c.tag).set("aria-label", name)
	}
}

// labelFor returns the label for the id, or nil.
func (o *outline) labelFor(id string) *label {
	for _, l := range o.labels {
		if of, has := l.tag.get("for"); has && of == id {
			return l
		}
	}
	return nil
}
