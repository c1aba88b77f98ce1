package answer

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/page"
)

// writeBuiltin shows the built-in page, with what the visitor typed.
func (a *Responder) writeBuiltin(w http.ResponseWriter, r *http.Request, p *Post, f Failure, words *page.Words) error {
	isSwapped := httpx.LibraryOf(r) == httpx.HTMX
	builtin := page.Builtin{Words: words, Code: f.Code, Detail: f.Detail, Note: f.Note, Back: a.FormPage, IsSwapped: isSwapped}
	if builtin.Back == "" {
		builtin.Back = a.formPage(r, p.Typed)
	}
	if p.Typed != nil {
		builtin.Action = httpx.PostedURI(r)
		builtin.Controls = a.controls(p, f.Problems, words)
		builtin.Hidden = append(a.hidden(p, builtin.Controls), a.Seal()...)
		if from := a.formPage(r, p.Typed); from != "" && !p.Typed.Has(formPageInput) {
			builtin.Hidden = append(builtin.Hidden, page.Pair{Name: formPageInput, Value: from})
		}
		if f.Confirm != "" {
			builtin.Hidden = append(builtin.Hidden, page.Pair{Name: ConfirmInput, Value: f.Confirm})
		}
	}
	var buf bytes.Buffer
	buf.Grow(8 << 10)
	if err := builtin.Write(&buf); err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	w.Header().Set("Content-Security-Policy", page.BuiltinPolicy())
	w.Header().Set("Referrer-Policy", "same-origin")
	status := f.Status
	if isSwapped {
		status = swapBuiltin(w.Header(), len(builtin.Controls) > 0)
	}
	return write(w, status, "text/html; charset=utf-8", &buf)
}

// controls returns the mapped inputs and those with a problem, each once.
func (a *Responder) controls(p *Post, problems []*mapping.Problem, words *page.Words) []page.Control {
	var list []page.Control
	seen := make(map[string]bool)
	add := func(c page.Control) {
		if c.Name == "" || seen[c.Name] {
			return
		}
		seen[c.Name] = true
		c.ID = "q" + strconv.Itoa(len(list)+1)
		if !p.isSecret(c.Name) || len(c.Options) > 0 {
			c.Values = p.Typed.Values(c.Name)
		}
		for _, problem := range problems {
			if problem.Input == c.Name && !c.IsWrong() {
				c.Error = phrase(problem, words)
			}
		}
		list = append(list, fitted(c))
	}
	for _, f := range a.Mapping.AllFields() {
		add(page.Control{
			Name:         f.Input,
			Label:        f.Label,
			Kind:         kindOf(f),
			Autocomplete: autocompleteOf(f),
			Required:     f.Required,
			Options:      f.Options,
		})
	}
	for _, problem := range problems {
		add(page.Control{Name: problem.Input, Label: problem.Label, Kind: page.Line, Required: true})
	}
	return list
}

// hidden returns what was posted and no control shows, except passwords and the like, so that the
// page sends the same again.
func (a *Responder) hidden(p *Post, shown []page.Control) []page.Pair {
	var pairs []page.Pair
	for _, entry := range slices.Concat(p.Typed.Entries, p.Typed.Skipped) {
		isShown := slices.ContainsFunc(shown, func(c page.Control) bool { return c.Name == entry.Name })
		if !isShown && !a.CountsOnce(entry.Name) && !p.isSecret(entry.Name) {
			pairs = append(pairs, page.Pair{Name: entry.Name, Value: entry.Value})
		}
	}
	return pairs
}

// isSecret reports whether the input is for a password, a payment card or a one-time code, by its
// page or its name.
func (p *Post) isSecret(input string) bool {
	return slices.Contains(p.secrets, input) || form.IsSecret(input)
}

// CountsOnce reports whether the value of an input must not be sent again: a captcha's answer,
// which has been used, the content of a trap, and a confirmation.
func (a *Responder) CountsOnce(input string) bool {
	return form.IsCaptchaAnswer(input) || input == ConfirmInput || slices.Contains(a.Traps, input)
}

// kindOf returns the kind of control that asks for a field.
func kindOf(f *mapping.BoundField) page.Kind {
	switch {
	case len(f.Options) == 1, len(f.Options) > 0 && f.Kind == fieldtype.Tags:
		return page.Checkboxes
	case len(f.Options) > 0:
		return page.Select
	}
	switch f.Kind {
	case fieldtype.Email, fieldtype.Assignee:
		return page.Email
	case fieldtype.Phone:
		return page.Tel
	case fieldtype.Website, fieldtype.MediaLink:
		return page.URL
	case fieldtype.Text, fieldtype.Number, fieldtype.Date, fieldtype.Dropdown, fieldtype.Tags,
		fieldtype.Money, fieldtype.Rating, fieldtype.Status, fieldtype.LostReason:
		// An input for dates would not show a mistyped date, and one for numbers no mistyped
		// number.
	}
	return page.Line
}

// autocompleteOf returns the autocomplete token of fields that every browser knows of its visitor.
func autocompleteOf(f *mapping.BoundField) string {
	switch {
	case f.Kind == fieldtype.Email:
		return "email"
	case f.Kind == fieldtype.Phone:
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
