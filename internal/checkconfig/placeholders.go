package checkconfig

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/attribution"
	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
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
	for _, found := range ours.FindAllStringSubmatch(text, -1) {
		if name := found[1]; !exists(name) {
			r.result.Empty = append(r.result.Empty, check.EmptyPlaceholder{
				Setting: setting, Text: found[0], Reason: notThere(name), Place: at,
			})
		}
	}
}

// ours matches the plugin's own placeholders.
var ours = regexp.MustCompile(`\{telecrm\.([^{}]+)\}`)

// ownNames are the names of the plugin's own placeholders, other than those of touches.
var ownNames = []string{"id", "form", "outcome", "lead_id", "error.summary", "error.fields", "confirm", "visits"}

// exists reports whether the plugin has the placeholder. Which parameters a touch has depends on
// telecrm_attribution.
func exists(name string) bool {
	return slices.Contains(ownNames, name) || attribution.IsPlaceholder("telecrm."+name)
}

// notThere says that a placeholder does not exist, and asks whether another one was meant.
func notThere(name string) string {
	part := name[strings.LastIndex(name, ".")+1:]
	touches := map[string]string{"first." + part: "first." + part, "last." + part: "last." + part, part: "last." + part}
	near := cmp.Or(suggest.Nearest(name, suggest.Words(ownNames...)), suggest.Nearest(name, touches))
	if near == "" {
		return "it does not exist"
	}
	return fmt.Sprintf("it does not exist; did you mean {telecrm.%s}?", near)
}
