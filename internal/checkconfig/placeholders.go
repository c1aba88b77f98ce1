package checkconfig

import (
	"regexp"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// fromOutside matches placeholders whose value does not depend on a request.
var fromOutside = regexp.MustCompile(`\{(?:env|file)\.[^{}]+\}`)

// notePlaceholders notes the placeholders of a form's block that have no value. Those of an account
// are noted with the account.
func (r *reader) notePlaceholders(h telecrmHandler, at *block) {
	for _, part := range []struct{ line, text string }{
		{"thank_you", h.ThankYou}, {"form_page", h.FormPage}, {"errors", h.Redirect}, {"country", h.Country}, {"time_zone", h.TimeZone},
	} {
		r.noteEmpty(part.line, part.text, at.at(part.line))
	}
	r.noteSettings("", h.Set, at)
	for _, action := range h.Actions {
		r.noteSettings("action "+action.Code+" ", action.Set, at)
	}
}

func (r *reader) noteSettings(above string, settings []mapping.Setting, at *block) {
	for _, s := range settings {
		line := above + "set " + s.Name
		r.noteEmpty(line, s.Value, at.at(line))
	}
}

// noteEmpty notes the placeholders of a text that come from outside and have no value.
func (r *reader) noteEmpty(setting, text string, at check.Place) {
	for _, found := range fromOutside.FindAllString(text, -1) {
		r.expand(setting, found, at)
	}
}
