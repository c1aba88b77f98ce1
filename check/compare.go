package check

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

// comparedForm compares a form of a page with the handler that takes it.
type comparedForm struct {
	*formCheck
	form *Form
}

func (c *comparedForm) report(code Code, at page.Position, remedy, format string, args ...any) {
	c.add(Finding{
		Code: code, Form: c.form.Name, Place: c.page.in(at),
		Message: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

func (c *comparedForm) run() {
	if c.html.Encoding == "text/plain" {
		c.fixTag(c.html.At, "enctype", "application/x-www-form-urlencoded")
		c.report(WrongEncoding, c.html.At, `enctype="application/x-www-form-urlencoded"`, `the form has enctype="text/plain", which the handler refuses; remove the attribute`)
	}
	c.checkBox()
	c.checkTraps()
	counted := 0
	for _, control := range c.html.Controls {
		if control.Element == "button" || isButton(control.Type) || control.IsDisabled {
			continue
		}
		if control.Name != "" {
			counted++
		}
		c.checkControl(control)
	}
	if most := form.DefaultLimits().Fields; counted > most {
		c.report(TooManyInputs, c.html.At, "", "the form has %d inputs, and no more than %d are read", counted, most)
	}
	for _, v := range c.form.values() {
		if v.field != nil {
			c.checkField(v)
		}
	}
}

func isButton(kind string) bool {
	switch kind {
	case "submit", "image", "button", "reset":
		return true
	}
	return false
}

// checkBox reports what keeps the form's page from being shown again.
func (c *comparedForm) checkBox() {
	if c.form.Errors != "" && c.form.Errors != "page" {
		return
	}
	switch {
	case c.html.Rebuilt != "":
		c.report(FormRebuilt, c.html.At, "errors plain",
			"a script rebuilds the form in the browser (the page has %s), so errors are shown on the built-in page, and protect leaves the form alone", c.html.Rebuilt)
	case c.html.IsHidden:
		c.report(FormHidden, c.html.At, "errors plain",
			"the form is in a dialog, a popover, a modal or a hidden element, so errors are shown on the built-in page")
	}
}

// checkTraps reports traps of the config that the form lacks.
func (c *comparedForm) checkTraps() {
	traps := c.form.Honeypot
	if len(traps) == 0 || slices.Contains(traps, "off") {
		return
	}
	for _, control := range c.html.Controls {
		if slices.Contains(traps, control.Name) {
			return
		}
	}
	c.report(TrapNotInForm, c.html.At,
		fmt.Sprintf(`<div hidden><label>Leave this empty <input name="%s" tabindex="-1" autocomplete="off"></label></div>`, escape(traps[0])),
		"the form does not have the trap %s, and a post without it looks like one of a program", strings.Join(traps, " or "))
}

// isTrap reports whether the input is a trap of this form.
func (c *comparedForm) isTrap(input string) bool {
	return slices.Contains(c.form.Honeypot, input) || slices.Contains(guard.KnownTraps(), input)
}

// checkControl reports what is wrong with a control, regardless of its field.
func (c *comparedForm) checkControl(control page.InventoryControl) {
	if control.Name == "" {
		if control.IsShown && control.Type != "file" {
			name := c.nameFor(control)
			if name != "" {
				c.fixTag(control.At, "name", name)
			}
			remedy := cmp.Or(name, suggestedName(control))
			if remedy != "" {
				remedy = fmt.Sprintf(`name="%s"`, escape(remedy))
			}
			c.report(InputWithoutName, control.At, remedy, "%s does not have a name, so browsers do not send it", described(control))
		}
		return
	}
	isTrap := c.isTrap(control.Name)
	if control.IsShown && !isTrap && !control.IsLabelled && !hidesFromPeople(control) {
		c.report(ControlWithoutLabel, control.At, labelFor(control),
			"%s does not have a label, so screen readers cannot say what it is for", control.Name)
	}
	if control.IsSecret || control.Type != "hidden" && form.IsSecret(control.Name) {
		c.report(SecretInput, control.At, "",
			"%s asks for a password or another secret; it is never forwarded as an unmapped input, and no enquiry needs it, so remove it", control.Name)
		return
	}
	isTaken := c.form.takes(control.Name)
	if longest := form.DefaultLimits().Name; len(control.Name) > longest && !isTaken {
		c.report(NameTooLong, control.At, "",
			"the name %.40q… has %d bytes, and inputs whose name has more than %d are skipped", control.Name, len(control.Name), longest)
		return
	}
	if !isTaken && !isTrap && c.form.Unmapped == "" && control.Type != "file" && !form.IsForService(control.Name) {
		c.report(InputNotMapped, control.At, "field "+suggest.Quote(control.Name),
			"no line of the config takes %s, so what visitors enter there is lost; add a field, or unmapped for all that is left", control.Name)
	}
}

// hidesFromPeople reports whether people do not reach the control.
func hidesFromPeople(control page.InventoryControl) bool {
	index, _ := control.Attribute("tabindex")
	return strings.HasPrefix(strings.TrimSpace(index), "-") || control.Has("hidden")
}

// described names a control without a name.
func described(control page.InventoryControl) string {
	if id, _ := control.Attribute("id"); id != "" {
		return fmt.Sprintf("the %s with id=%q", control.Element, id)
	}
	if control.Element == "input" {
		return "an input"
	}
	return "a " + control.Element
}

// wordsOf turns the name of an input into words.
func wordsOf(input string) string {
	return strings.Join(strings.FieldsFunc(input, func(r rune) bool { return strings.ContainsRune("_-.[] ", r) }), " ")
}

// controlFor returns a control for an input that a form lacks.
func controlFor(v value, input string, isRequired bool) string {
	kind, required := "text", ""
	if isRequired {
		required = " required"
	}
	switch v.kind { //nolint:exhaustive // other types are typed as text
	case fieldtype.Email:
		kind = "email"
	case fieldtype.Phone:
		kind = "tel"
	case fieldtype.Date:
		kind = "date"
	}
	return fmt.Sprintf(`<label>%s <input name="%s" type="%s"%s></label>`, escape(wordsOf(input)), escape(input), kind, required)
}

// checkField compares a field with the controls that give its value.
func (c *comparedForm) checkField(v value) {
	input := inputOf(v.field)
	controls := slices.DeleteFunc(slices.Clone(c.html.Controls), func(control page.InventoryControl) bool {
		return control.Name != input || control.Element == "button" || isButton(control.Type) || control.IsDisabled
	})
	if len(controls) == 0 {
		return
	}
	c.checkRequired(v, controls)
	c.checkSeveral(v, controls)
	for _, control := range controls {
		c.checkOptions(v, control)
		c.checkLength(v, control)
		c.checkKind(v, control)
		c.checkDate(v, control)
		c.checkAutocomplete(v, control)
	}
}

func (c *comparedForm) checkRequired(v value, controls []page.InventoryControl) {
	shown := slices.DeleteFunc(slices.Clone(controls), func(control page.InventoryControl) bool { return !control.IsShown })
	if len(shown) == 0 {
		return
	}
	inHTML := slices.ContainsFunc(shown, func(control page.InventoryControl) bool { return control.IsRequired })
	inConfig := c.form.requires(v) || c.form.anyField(v, func(f mapping.Field) bool { return f.Required })
	isGroup := len(shown) > 1 && shown[0].Type == "checkbox" // browsers cannot require one of several boxes
	hasChoice := shown[0].Type == "radio" && slices.ContainsFunc(shown, func(control page.InventoryControl) bool { return control.Has("checked") })
	switch {
	case inHTML && !inConfig:
		c.report(RequiredInHTMLOnly, shown[0].At, v.written(v.name, v.kind)+" {\n\trequired\n}",
			"%s is required in the page, but not in the config, so posts without it are accepted", shown[0].Name)
	case inConfig && !inHTML && !isGroup && !hasChoice && shown[0].Type != "range" && shown[0].Type != "color":
		c.fixTag(shown[0].At, "required", "")
		c.report(RequiredInConfigOnly, shown[0].At, "required",
			"%s is required in the config, but not in the page, so visitors learn it only after sending", shown[0].Name)
	}
}

// checkSeveral reports a choice of several values for a field with one.
func (c *comparedForm) checkSeveral(v value, controls []page.InventoryControl) {
	if v.kind == fieldtype.Tags || v.kind == fieldtype.Text && len(v.field.Options) == 0 {
		return
	}
	boxes := 0
	for _, control := range controls {
		if control.Type == "checkbox" {
			boxes++
		}
	}
	if boxes > 1 || controls[0].IsMultiple && controls[0].Element == "select" {
		c.report(SeveralValues, controls[0].At, v.written(v.name, fieldtype.Tags),
			"visitors can choose several values of %s, but the field is a %s, so only the last one is sent", controls[0].Name, v.kind)
	}
}

// checkOptions reports values that visitors can choose and the field does not accept.
func (c *comparedForm) checkOptions(v value, control page.InventoryControl) {
	values, isChoice := choices(control)
	if !isChoice && control.Type == "hidden" && control.Value != "" {
		values, isChoice = []string{control.Value}, true
	}
	if len(v.field.Options) == 0 || !isChoice {
		return
	}
	rules := fieldtype.Rules{Type: v.kind, Options: v.field.Options, Blank: v.field.Blank, Country: cmp.Or(v.field.Country, c.form.Country)}
	for _, value := range values {
		if _, err := rules.Convert([]string{value}); err == nil {
			continue
		}
		value = strings.Join(strings.Fields(value), " ") // as options are compared
		nearest := nearestName(value, v.field.Options)
		remedy := "options " + suggest.Quote(append(slices.Clone(v.field.Options), value)...)
		if nearest != "" {
			remedy = fmt.Sprintf("value=%q", nearest)
		}
		c.report(OptionNotAccepted, control.At, remedy,
			"visitors can choose %q for %s, but the config does not accept it; %s", value, control.Name, oneOf(nearest, v.field.Options))
	}
}

func (c *comparedForm) checkLength(v value, control page.InventoryControl) {
	if _, isChoice := choices(control); isChoice || !control.IsShown || v.kind == fieldtype.Number || v.kind == fieldtype.Money || v.kind == fieldtype.Tags {
		return
	}
	text, _ := control.Attribute("maxlength")
	most, err := strconv.Atoi(strings.TrimSpace(text))
	hasLimit := err == nil && most >= 0 && control.Type != "number" && control.Type != "date"
	limit := v.field.Max
	switch {
	case limit != nil && hasLimit && float64(most) > *limit:
		c.fixTag(control.At, "maxlength", fmt.Sprintf("%.0f", *limit))
		c.report(LengthDiffers, control.At, fmt.Sprintf(`maxlength="%.0f"`, *limit),
			"the page accepts %d characters for %s, but the config only %.0f", most, control.Name, *limit)
	case limit != nil && !hasLimit && (control.Element == "textarea" || control.Type == "text"):
		c.fixTag(control.At, "maxlength", fmt.Sprintf("%.0f", *limit))
		c.report(LengthInConfigOnly, control.At, fmt.Sprintf(`maxlength="%.0f"`, *limit),
			"the config accepts %.0f characters for %s, but the page any number", *limit, control.Name)
	case hasLimit && v.kind == fieldtype.Text && !c.form.anyField(v, func(f mapping.Field) bool { return f.Max != nil || f.Pattern != "" || len(f.Options) > 0 }):
		c.report(LengthInHTMLOnly, control.At, fmt.Sprintf("max %d", most),
			"the page accepts %d characters for %s, but the config any number", most, control.Name)
	}
}

// anyField reports whether is holds for a field that takes the same input as v.
func (f *Form) anyField(v value, is func(mapping.Field) bool) bool {
	return slices.ContainsFunc(f.values(), func(other value) bool {
		return other.field != nil && inputOf(other.field) == inputOf(v.field) && is(*other.field)
	})
}

// suitable lists the field types whose values each type of input asks for.
var suitable = map[string][]fieldtype.Type{
	"email":          {fieldtype.Email, fieldtype.Text, fieldtype.Assignee},
	"tel":            {fieldtype.Phone, fieldtype.Text, fieldtype.Number},
	"url":            {fieldtype.Website, fieldtype.MediaLink, fieldtype.Text},
	"number":         {fieldtype.Number, fieldtype.Money, fieldtype.Rating, fieldtype.Text, fieldtype.Dropdown, fieldtype.Phone},
	"range":          {fieldtype.Number, fieldtype.Money, fieldtype.Rating, fieldtype.Text, fieldtype.Dropdown},
	"date":           {fieldtype.Date, fieldtype.Text},
	"datetime-local": {fieldtype.Date, fieldtype.Text},
	"month":          {fieldtype.Date, fieldtype.Text},
}

// checkKind reports a control that asks for something else than the field takes.
func (c *comparedForm) checkKind(v value, control page.InventoryControl) {
	if control.Type == "file" {
		c.report(InputTypeDiffers, control.At, `type="url"`,
			"%s is a file, and files are skipped; ask for a link to it", control.Name)
		return
	}
	types, known := suitable[control.Type]
	if !known || control.Element != "input" || slices.Contains(types, v.kind) {
		return
	}
	c.report(InputTypeDiffers, control.At, v.written(v.name, types[0]),
		"%s has type=%q, but the config takes it as a %s", control.Name, control.Type, v.kind)
}

// checkAutocomplete reports common inputs that browsers could fill in.
func (c *comparedForm) checkAutocomplete(v value, control page.InventoryControl) {
	if control.Element != "input" || !control.IsShown || control.Has("autocomplete") || v.action != "" {
		return
	}
	switch control.Type {
	case "text", "tel", "email", "search":
	default:
		return
	}
	word := autocompleteOf(v)
	if word != "" {
		c.fixTag(control.At, "autocomplete", word)
		c.report(AutocompleteMissing, control.At, fmt.Sprintf(`autocomplete="%s"`, word),
			"browsers could fill in %s if they knew what it is for", control.Name)
	}
}

// autocompleteOf returns the word for an autocomplete attribute
// (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#autofill), or "".
func autocompleteOf(v value) string {
	switch {
	case v.kind == fieldtype.Phone:
		return "tel"
	case v.kind == fieldtype.Email:
		return "email"
	case v.name == "name" && !strings.Contains(strings.ToLower(inputOf(v.field)), "first"):
		return "name"
	}
	return ""
}
