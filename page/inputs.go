package page

import "strings"

// Input is what a form sends under one name.
type Input struct {
	Name string
	// Type is the type of the text input that the visitor types into, such as "tel"; empty if there
	// is none.
	Type string
	// IsShown says that the visitor can fill it in.
	IsShown bool
	// Choices are the values that the page itself gives: those of options, radio buttons,
	// checkboxes, hidden inputs and named buttons, as far as they can be sent.
	Choices []Choice
}

// Choice is a value that the page offers.
type Choice struct {
	Value string
	// Label is the text of an option; empty for other controls.
	Label string
}

// Inputs returns what the sent form has under each name, in the order of the page.
func (o Own) Inputs() ([]Input, error) {
	r, err := o.open()
	if err != nil {
		return nil, err
	}
	var inputs []Input
	at := make(map[string]int)
	for _, c := range r.controls {
		if c.name == "" || c.disabled {
			continue
		}
		if _, known := at[c.name]; !known {
			at[c.name] = len(inputs)
			inputs = append(inputs, Input{Name: c.name})
		}
		inputs[at[c.name]].add(c)
	}
	return inputs, nil
}

// add adds a control of the input's name.
func (in *Input) add(c *control) {
	in.IsShown = in.IsShown || c.isShown()
	switch c.kind {
	case anyText:
		in.Type = "text"
		if kind, _ := c.tag.get("type"); kind != "" {
			in.Type = strings.ToLower(kind)
		}
	case aTextarea:
		in.Type = "textarea"
	case aSelect:
		for _, o := range c.options {
			if !o.tag.has("disabled") {
				in.offer(o.value(), o.text())
			}
		}
	case aCheckbox, aRadio:
		in.offer(c.checkedValue(), "")
	case notShown, aButton:
		value, _ := c.value()
		in.offer(value, "")
	case aSecret:
	}
}

func (in *Input) offer(value, label string) {
	if strings.TrimSpace(value) != "" {
		in.Choices = append(in.Choices, Choice{value, label})
	}
}
