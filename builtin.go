package caddytelecrm

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/page"
)

// writePage shows the built-in page, with what the visitor typed.
func (h *Handler) writePage(w http.ResponseWriter, r *http.Request, s *submission, f failure, words *page.Words) error {
	builtin := page.Builtin{Words: words, Code: f.code, Note: f.note, Back: h.FormPage}
	if builtin.Back == "" {
		builtin.Back = formPage(r, s.typed)
	}
	if s.typed != nil {
		builtin.Action = postedURI(r)
		builtin.Controls = h.controls(s, f.problems, words)
		builtin.Hidden = append(h.hidden(s, builtin.Controls), h.hiddenSeal()...)
		if builtin.Back != "" && !s.typed.Has(formPageInput) {
			builtin.Hidden = append(builtin.Hidden, page.Pair{Name: formPageInput, Value: builtin.Back})
		}
		if f.confirm != "" {
			builtin.Hidden = append(builtin.Hidden, page.Pair{Name: confirmInput, Value: f.confirm})
		}
	}
	var buf bytes.Buffer
	buf.Grow(8 << 10)
	if err := builtin.Write(&buf); err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	w.Header().Set("Content-Security-Policy", page.BuiltinPolicy())
	w.Header().Set("Referrer-Policy", "same-origin")
	return write(w, f.status, "text/html; charset=utf-8", &buf)
}

// controls are the mapped inputs, each once, and the ones that problems are
// about.
func (h *Handler) controls(s *submission, problems []*problem, words *page.Words) []page.Control {
	var list []page.Control
	seen := make(map[string]bool)
	add := func(c page.Control) {
		if c.Name == "" || seen[c.Name] {
			return
		}
		seen[c.Name] = true
		c.ID = "q" + strconv.Itoa(len(list)+1)
		if !s.isSecret(c.Name) || len(c.Options) > 0 {
			c.Values = s.typed.Values(c.Name)
		}
		for _, p := range problems {
			if p.input == c.Name && !c.IsWrong() {
				c.Error = p.phrase(words)
			}
		}
		list = append(list, fitted(c))
	}
	for _, f := range h.mapping.allFields() {
		add(page.Control{
			Name:         f.Input,
			Label:        f.Label,
			Kind:         kindOf(f),
			Autocomplete: autocompleteOf(f),
			Required:     f.Required,
			Options:      f.Options,
		})
	}
	for _, p := range problems {
		add(page.Control{Name: p.input, Label: p.label, Kind: page.Line, Required: true})
	}
	return list
}

// hidden is what was posted and no control shows, so that sending the page
// again sends the same but for passwords and the like.
func (h *Handler) hidden(s *submission, shown []page.Control) []page.Pair {
	var pairs []page.Pair
	for _, entry := range s.typed.Entries {
		isShown := slices.ContainsFunc(shown, func(c page.Control) bool { return c.Name == entry.Name })
		if !isShown && !h.countsOnce(entry.Name) && !s.isSecret(entry.Name) {
			pairs = append(pairs, page.Pair{Name: entry.Name, Value: entry.Value})
		}
	}
	return pairs
}

// isSecret reports whether the input is for a password, a payment card or a
// one-time code, by what its page says or by its name.
func (s *submission) isSecret(input string) bool {
	return slices.Contains(s.secrets, input) || form.IsSecret(input)
}

// countsOnce reports whether what was sent for an input is not to be sent
// again: a captcha's answer, which has been used up, what a trap holds, and
// what let a page pass.
func (h *Handler) countsOnce(input string) bool {
	return isCaptchaAnswer(input) || input == confirmInput || slices.Contains(h.traps, input)
}

// kindOf is how the built-in page asks for a field.
func kindOf(f *boundField) page.Kind {
	switch {
	case len(f.Options) == 1, len(f.Options) > 0 && f.kind == fieldtype.Tags:
		return page.Checkboxes
	case len(f.Options) > 0:
		return page.Select
	}
	switch f.kind {
	case fieldtype.Email, fieldtype.Assignee:
		return page.Email
	case fieldtype.Phone:
		return page.Tel
	case fieldtype.Website, fieldtype.MediaLink:
		return page.URL
	case fieldtype.Text, fieldtype.Number, fieldtype.Date, fieldtype.Dropdown, fieldtype.Tags,
		fieldtype.Money, fieldtype.Rating, fieldtype.Status, fieldtype.LostReason:
		// A date that was typed wrongly would not show in an input that can
		// only hold dates, and the same goes for numbers.
	}
	return page.Line
}

// autocompleteOf is the autocomplete token of what every visitor's browser
// knows about them; the purpose of other fields cannot be told from here.
func autocompleteOf(f *boundField) string {
	switch {
	case f.kind == fieldtype.Email:
		return "email"
	case f.kind == fieldtype.Phone:
		return "tel"
	case f.Name == "name":
		return "name"
	}
	return ""
}

// fitted changes the kind of a control that could not show its values.
func fitted(c page.Control) page.Control {
	switch {
	case c.Kind == page.Line && strings.ContainsAny(c.Value(), "\r\n"):
		c.Kind = page.LongText
	case c.Kind == page.Line && len(c.Values) > 1:
		c.Values = []string{strings.Join(c.Values, ", ")}
	}
	return c
}

// formPageInput carries the page that the form is on from one error page to
// the next, whose Referer is the error page itself. Its name keeps it out of
// the lead.
const formPageInput = "_form_page"

// formPage is the path and query of the page that the visitor filled the form
// in on, if it is on this host.
func formPage(r *http.Request, posted *form.Form) string {
	if posted != nil && posted.Has(formPageInput) {
		if carried, err := url.Parse(posted.First(formPageInput)); err == nil && carried.Host == "" && carried.Scheme == "" {
			return localURI(carried)
		}
	}
	referer, err := url.Parse(r.Referer())
	if err != nil || referer.Host != r.Host || referer.Host == "" {
		return ""
	}
	return localURI(referer)
}

// postedURI is the path and query that the visitor's browser posted to.
func postedURI(r *http.Request) string {
	return localURI(httpx.OriginalURL(r))
}

// localURI keeps path and query of an address that came from outside, in a
// form that stays on this site: "//host" would be another one.
func localURI(address *url.URL) string {
	local := url.URL{Path: "/" + strings.TrimLeft(address.Path, `/\`), RawQuery: address.RawQuery}
	return local.String()
}
