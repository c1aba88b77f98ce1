package setup

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/page"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// writer writes a Caddyfile.
type writer struct {
	Options
	known workspace
	text  strings.Builder
	depth int
}

func (w *writer) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if strings.HasPrefix(text, "}") {
		w.depth--
	}
	if text != "" {
		w.text.WriteString(strings.Repeat("\t", w.depth) + text)
	}
	w.text.WriteByte('\n')
	if strings.HasSuffix(text, "{") {
		w.depth++
	}
}

func (w *writer) writeAll(forms []htmlForm) {
	w.line("{")
	w.line("telecrm {")
	w.line("account {")
	w.line("# From TeleCRM: Settings, Website and API. Set both in the environment of Caddy.")
	w.line("token {env.TELECRM_TOKEN}")
	w.line("enterprise_id {env.TELECRM_ENTERPRISE_ID}")
	if w.known.identifier != "phone" {
		w.line("identifier %s", w.known.identifier)
	}
	w.locale("country", w.Country, "IN", "the country of phone numbers typed without a country code")
	w.locale("time_zone", w.TimeZone, "Asia/Kolkata", "the time zone of dates")
	w.line("}")
	w.line("}")
	w.line("}")
	w.line("")
	address := w.Address
	if address == "" {
		address = ":8080"
	}
	w.line("%s {", address)
	if w.Site.Root != "" {
		w.line("root * %s", check.Quote(w.Site.Root))
		w.line("")
	}
	for i := 0; i < len(forms); {
		same := i + 1
		for same < len(forms) && forms[same].path == forms[i].path {
			same++
		}
		w.form(forms[i:same])
		i = same
	}
	if len(forms) == 0 {
		w.line("# No form for enquiries was found on the pages of the site.")
		w.line("")
	}
	w.pages()
	w.line("}")
}

// pages writes what serves the pages: their files, or the running site.
func (w *writer) pages() {
	if running, err := url.Parse(w.URL); w.Site.Root == "" && err == nil && running.Host != "" {
		w.line("reverse_proxy %s", running.Scheme+"://"+running.Host)
		return
	}
	if len(w.Site.Try) > 0 {
		w.line("try_files %s", strings.Join(w.Site.Try, " "))
	}
	w.line("file_server")
}

// locale writes a setting of the account, with an example if it is not known.
func (w *writer) locale(word, value, example, meaning string) {
	if value == "" {
		w.line("%s %s # change it: %s", word, example, meaning)
		return
	}
	w.line("%s %s", word, value)
}

// form writes the block for the forms that post to one path.
func (w *writer) form(forms []htmlForm) {
	merged := mergedForm(forms)
	inputs := inputsOf(merged)
	if !w.identifies(inputs) {
		w.line("# The form at %s has no input for %s, which TeleCRM requires in every lead.", forms[0].page.At(forms[0].form.At), w.known.identifier)
		w.line("")
		return
	}
	for _, f := range forms {
		w.changes(f)
	}
	w.line("telecrm %s {", check.Quote(forms[0].path))
	(&formWriter{writer: w, inputs: inputs, taken: make(map[string]bool), done: make(map[string]bool)}).write()
	if thanks := w.thankYou(); thanks != "" {
		w.line("thank_you %s", check.Quote(thanks))
	} else {
		w.line("thank_you / # write a page that thanks visitors, and name it here")
	}
	w.line("}")
	w.line("")
}

// mergedForm returns a form with the controls of all forms.
func mergedForm(forms []htmlForm) page.InventoryForm {
	merged := forms[0].form
	merged.Controls = slices.Clip(merged.Controls)
	seen := make(map[string]bool)
	for _, c := range merged.Controls {
		seen[nameFor(c)] = true
	}
	for _, f := range forms[1:] {
		for _, c := range f.form.Controls {
			if !seen[nameFor(c)] {
				merged.Controls = append(merged.Controls, c)
			}
		}
		for _, c := range f.form.Controls {
			seen[nameFor(c)] = true
		}
	}
	return merged
}

// changes says what to change in the page of a form that does not post as it is.
func (w *writer) changes(f htmlForm) {
	if !f.posts {
		w.line("# In %s, write: <form method=\"post\" action=\"%s\">", f.page.At(f.form.At), f.path)
	}
	for _, c := range f.form.Controls {
		switch name := nameFor(c); {
		case c.Name != "" || !isForPeople(c):
		case name != "":
			w.line("# In %s, add name=\"%s\" to the %s.", f.page.At(c.At), name, c.Element)
		default:
			w.line("# In %s, give the %s a name.", f.page.At(c.At), c.Element)
		}
	}
}

// identifies reports whether an input gives the lead identifier.
func (w *writer) identifies(inputs []*input) bool {
	return slices.ContainsFunc(inputs, func(in *input) bool {
		f, _, ok := w.known.match(in, nil)
		return ok && f.APIName == w.known.identifier
	})
}

// thankYou returns the path of the site's thank-you page, or "".
func (w *writer) thankYou() string {
	for _, path := range []string{"/thank-you", "/thanks", "/thankyou", "/thank_you", "/success", "/danke", "/merci", "/gracias"} {
		for _, ending := range []string{"", ".html", "/"} {
			if w.Site.HasPage(path + ending) {
				return path + ending
			}
		}
	}
	return ""
}

// formWriter writes the lines of a form's block.
type formWriter struct {
	*writer
	inputs []*input
	taken  map[string]bool // API names
	done   map[string]bool // inputs
}

func (w *formWriter) write() {
	w.names()
	// Fields that are matched by what is certain come first.
	for _, in := range w.inputs {
		if f, sign, ok := w.known.match(in, w.taken); ok && !w.done[in.name] {
			w.field(in, f, sign)
		}
	}
	w.action()
	var rest []*input
	for _, in := range w.inputs {
		if !w.done[in.name] {
			rest = append(rest, in)
		}
	}
	if len(rest) == 0 {
		return
	}
	if into := w.known.restField(w.taken); into != "" {
		w.line("unmapped %s", into)
		return
	}
	for _, in := range rest {
		w.line("# No field of the workspace fits the input %s. Create one, and write: field %s", in.name, check.Quote(in.name))
	}
}

// names writes the name if it has two inputs.
func (w *formWriter) names() {
	var first, last string
	for _, in := range w.inputs {
		switch asks, _ := conceptOf(in.controls[0]); asks { //nolint:exhaustive // only parts of a name matter here
		case firstName:
			first = in.name
		case lastName:
			last = in.name
		}
	}
	if first == "" || last == "" {
		return
	}
	if _, has := w.known.field("first_name"); has {
		return
	}
	w.line("set name \"{form.%s} {form.%s}\"", first, last)
	w.taken["name"], w.done[first], w.done[last] = true, true, true
}

func (w *formWriter) field(in *input, f telecrm.FieldDefinition, sign string) {
	w.taken[f.APIName], w.done[in.name] = true, true
	words := []string{"field", check.Quote(f.APIName)}
	word := typeWord(f)
	if in.name != f.APIName || word != "" {
		words = append(words, check.Quote(in.name))
	}
	if word != "" {
		words = append(words, word)
	}
	var within []string
	if in.isRequired() {
		within = append(within, "required")
	}
	if values, isChoice := in.values(); isChoice && len(values) > 0 {
		quoted := make([]string, 0, len(values))
		for _, value := range values {
			quoted = append(quoted, check.Quote(value))
		}
		within = append(within, "options "+strings.Join(quoted, " "))
	}
	if most, has := in.controls[0].Attribute("maxlength"); has && f.Type == "TEXT" && most != "" && strings.Trim(most, "0123456789") == "" {
		within = append(within, "max "+most)
	}
	if order := dateOrderOf(in.controls[0]); order != "" && f.Type == "DATE" {
		within = append(within, "date_order "+order)
	}
	if sign != "by name" {
		w.line("# %s: %s", in.name, sign)
	}
	if len(within) == 0 {
		w.line("%s", strings.Join(words, " "))
		return
	}
	w.line("%s {", strings.Join(words, " "))
	for _, line := range within {
		w.line("%s", line)
	}
	w.line("}")
}

// begin begins the block of an action.
func (w *formWriter) begin(action telecrm.ActionDefinition) {
	w.line("action %s {", action.Code)
	if action.Name != "" {
		w.line("# %s", strings.TrimRight(action.Name, "{ "))
	}
}

// action writes an action that keeps the message on the timeline, also of people who are known.
func (w *formWriter) action() {
	action, key, ok := w.known.noteKey()
	if !ok {
		w.line("# Without an action, the second enquiry of a person is parked.")
		return
	}
	for _, in := range w.inputs {
		if asks, _ := conceptOf(in.controls[0]); asks == message {
			w.begin(action)
			if in.name == key {
				w.line("field %s", key)
			} else {
				w.line("field %s %s", key, check.Quote(in.name))
			}
			w.line("}")
			w.done[in.name] = true
			return
		}
	}
	w.begin(action)
	w.line("set %s \"Asked for an answer\"", key)
	w.line("}")
}
