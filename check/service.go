package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/page"
)

// services are other form services, by the host that their forms post to.
var services = map[string]string{
	"formspree.io": "Formspree", "api.web3forms.com": "Web3Forms", "formsubmit.co": "FormSubmit", "getform.io": "Getform",
	"usebasin.com": "Basin", "formcarry.com": "Formcarry", "forminit.com": "Forminit", "submit-form.com": "Formspark",
	"api.staticforms.xyz": "StaticForms", "api.staticforms.dev": "StaticForms", "formkeep.com": "FormKeep", "forms.un-static.com": "Un-static",
	"next-api.telecrm.in": "TeleCRM's Async API", "api.telecrm.in": "TeleCRM's Async API",
}

// serviceOf returns the name of the form service at the host.
func serviceOf(host string) (name string, known bool) {
	name, known = services[strings.TrimPrefix(strings.ToLower(host), "www.")]
	return name, known
}

// IsService reports whether the host is that of another form service.
func IsService(host string) bool {
	_, known := serviceOf(host)
	return known
}

// sbToken is the attribute by which the script of SB Forms finds its forms.
const sbToken = "data-sb-form-api-token" //nolint:gosec // not a token

// serviceAttributes are the attributes of a form that other services read.
var serviceAttributes = map[string]string{
	"netlify": "Netlify", "data-netlify": "Netlify", "netlify-honeypot": "Netlify", "data-netlify-honeypot": "Netlify",
	"data-netlify-recaptcha": "Netlify", "data-static-form-name": "CloudCannon", "data-fs-form": "Formspree",
	sbToken: "SB Forms", "data-formspark-id": "Formspark",
}

// checkService reports what is left of another form service.
func (c *formCheck) checkService() {
	report := func(remedy, format string, args ...any) {
		c.add(Finding{Code: ServiceLeftover, Place: c.place(), Remedy: remedy, Message: fmt.Sprintf(format, args...)})
	}
	for _, t := range c.targets() {
		if name, known := serviceOf(t.host); known {
			report(c.postToHandler(), "the form posts to %s, so its enquiries do not become leads here", name)
			break
		}
	}
	for _, leftover := range Leftovers(c.html) {
		c.add(Finding{Code: ServiceLeftover, Place: c.page.in(leftover.At), Message: leftover.Message})
	}
	for _, control := range c.html.Controls {
		switch strings.ToLower(control.Name) {
		case "access_key", "apikey":
			c.add(Finding{
				Code: ServiceLeftover, Place: c.page.in(control.At),
				Message: fmt.Sprintf("the input %s is the key of another form service; it is not forwarded, so remove it", control.Name),
			})
		}
	}
}

// Leftover is a part of another form service in a form.
type Leftover struct {
	At      page.Position
	What    string // to be removed
	Message string
}

// Leftovers lists the attributes of other form services in a form, and what waits for their scripts.
func Leftovers(f page.InventoryForm) []Leftover {
	var found []Leftover
	for _, attribute := range slices.Sorted(maps.Keys(serviceAttributes)) {
		if _, has := f.Attribute(attribute); has {
			found = append(found, Leftover{f.At, attribute + " from the form", fmt.Sprintf(
				"the form has the attribute %s of %s, which does nothing here; remove it", attribute, serviceAttributes[attribute])})
		}
	}
	_, waits := f.Attribute(sbToken)
	waits = waits || slices.ContainsFunc(f.Controls, func(c page.InventoryControl) bool { return c.Has("data-sb-validations") })
	for _, c := range f.Controls {
		class, _ := c.Attribute("class")
		if waits && c.Element == "button" && slices.Contains(strings.Fields(class), "disabled") {
			found = append(found, Leftover{
				c.At, "the class disabled from the button",
				"the button has the class disabled, so visitors cannot press it until the script of SB Forms removes the class; remove it from the page",
			})
		}
	}
	return found
}
