package setup

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// writer writes a Caddyfile.
type writer struct {
	Options
	known workspace
	text  strings.Builder
	depth int
}

// asOneLine replaces control characters. Those in an input's name would end a comment, and what
// follows would be a line of the config.
func asOneLine(r rune) rune {
	if unicode.IsControl(r) && r != '\t' {
		return ' '
	}
	return r
}

func (w *writer) line(format string, args ...any) {
	text := strings.Map(asOneLine, fmt.Sprintf(format, args...))
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
	if w.BaseURL != "" {
		w.line("base_url %s", suggest.Quote(w.BaseURL))
	}
	if w.known.identifier != "phone" {
		w.line("identifier %s", w.known.identifier)
	}
	w.locale("country", w.Country, "IN", "the country of phone numbers typed without a country code")
	w.locale("time_zone", w.TimeZone, "Asia/Kolkata", "the time zone of dates")
	w.line("}")
	w.line("}")
	w.line("}")
	w.line("")
	w.line("%s {", cmp.Or(w.Address, ":8080"))
	if w.Site.Root != "" {
		w.line("root * %s", suggest.Quote(w.Site.Root))
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
	for i := range forms {
		if !w.identifies(inputsOf(forms[i].form)) {
			forms[i].missing = w.identifierInput(forms[i].form)
		}
	}
	merged := mergedForm(forms)
	if !w.identifies(inputsOf(merged)) {
		w.line("# The form at %s has no input for %s, which TeleCRM requires in every lead.", forms[0].page.At(forms[0].form.At), w.known.identifier)
		w.line("")
		return
	}
	for _, f := range forms {
		w.changes(f)
	}
	w.line("telecrm %s {", suggest.Quote(forms[0].path))
	(&formWriter{writer: w, inputs: inputsOf(merged), taken: make(map[string]bool), done: make(map[string]bool)}).write()
	if thanks := w.thankYou(); thanks != "" {
		w.line("thank_you %s", suggest.Quote(thanks))
	} else {
		w.line("thank_you %s # write a page that thanks visitors, and name it here", suggest.Quote(w.home(forms[0])))
	}
	w.line("}")
	w.line("")
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

// home returns the path of the site's first page, or else that of the page with the form.
func (w *writer) home(f htmlForm) string {
	if w.Site.Files == nil || w.Site.HasPage("/") {
		return "/"
	}
	return f.page.Paths[0]
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
		w.line("# No field of the workspace fits the input %s. Create one, and write: field %s", in.name, suggest.Quote(in.name))
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
	words := []string{"field", suggest.Quote(f.APIName)}
	word := typeWord(f)
	if in.name != f.APIName || word != "" {
		words = append(words, suggest.Quote(in.name))
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
			quoted = append(quoted, suggest.Quote(value))
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
				w.line("field %s %s", key, suggest.Quote(in.name))
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
