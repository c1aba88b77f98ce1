package check

import (
	"fmt"
	"strings"
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

// serviceAttributes are the attributes of a form that other services read.
var serviceAttributes = map[string]string{
	"netlify": "Netlify", "data-netlify": "Netlify", "netlify-honeypot": "Netlify", "data-netlify-honeypot": "Netlify",
	"data-netlify-recaptcha": "Netlify", "data-static-form-name": "CloudCannon", "data-fs-form": "Formspree",
	"data-sb-form-api-token": "SB Forms", "data-formspark-id": "Formspark",
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
	for attribute, name := range serviceAttributes {
		if _, has := c.html.Attribute(attribute); has {
			report("", "the form has the attribute %s of %s, which does nothing here; remove it", attribute, name)
		}
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
