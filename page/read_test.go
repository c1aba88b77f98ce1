package page_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// read is the inverse of Builtin.Write: it reads the fields back from a page. It returns only those
// values that the page shows.
func read(t testing.TB, doc document) page.Builtin {
	t.Helper()
	var b page.Builtin
	errors := make(map[string]string)
	for _, link := range all(doc.root, "a") {
		if id, here := strings.CutPrefix(value(link, "href"), "#"); here && ancestor(link, "li") != nil {
			errors[id] = content(link)
		} else {
			b.Back = value(link, "href")
		}
	}
	for _, paragraph := range all(having(doc.root, "role")[0], "p") {
		if has(paragraph, "dir") {
			b.Note = content(paragraph)
		}
	}
	for _, form := range all(doc.root, "form") {
		b.Action = value(form, "action")
		for question := range form.ChildNodes() {
			switch question.Data {
			case "input":
				b.Hidden = append(b.Hidden, page.Pair{Name: value(question, "name"), Value: value(question, "value")})
			case "div", "fieldset":
				b.Controls = append(b.Controls, readControl(t, question, errors))
			}
		}
	}
	return b
}

// readControl reads one control and its error. errors are those of the summary.
func readControl(t testing.TB, question *html.Node, errors map[string]string) page.Control {
	t.Helper()
	first := controls(question)[0]
	c := page.Control{
		ID:           value(first, "id"),
		Name:         value(first, "name"),
		Kind:         page.Kind(value(first, "type")),
		Autocomplete: value(first, "autocomplete"),
		Error:        page.Said(errors[value(first, "id")]),
	}
	switch first.Data {
	case "textarea":
		c.Kind = page.LongText
		c.Values = notEmpty(content(first))
	case "select":
		c.Kind = page.Select
		c.Options, c.Values = readOptions(t, first)
	default:
		if c.Kind == "checkbox" {
			c.Kind = page.Checkboxes
			c.Options, c.Values = readBoxes(t, question)
		} else {
			c.Values = notEmpty(value(first, "value"))
		}
	}
	c.Label, c.Required = readCaption(t, firstElement(question), c)
	for _, p := range all(question, "p") {
		if content(p) != "Error: "+c.Error.String() {
			t.Errorf("%q is at the control, but %q in the summary", content(p), c.Error.String())
		}
	}
	return c
}

func notEmpty(typed string) []string {
	if typed == "" {
		return nil
	}
	return []string{typed}
}

// readOptions reads all options except the first, which stands for no answer.
func readOptions(t testing.TB, list *html.Node) (options, chosen []string) {
	t.Helper()
	for _, option := range all(list, "option")[1:] {
		if content(option) != value(option, "value") {
			t.Errorf("an option shows %q and sends %q", content(option), value(option, "value"))
		}
		options = append(options, value(option, "value"))
		if has(option, "selected") {
			chosen = append(chosen, value(option, "value"))
		}
	}
	return options, chosen
}

func readBoxes(t testing.TB, group *html.Node) (options, chosen []string) {
	t.Helper()
	for _, box := range controls(group) {
		if caption := content(box.Parent); box.Parent.Data != "label" || caption != " "+value(box, "value") {
			t.Errorf("a box shows %q in <%s> and sends %q", caption, box.Parent.Data, value(box, "value"))
		}
		options = append(options, value(box, "value"))
		if has(box, "checked") {
			chosen = append(chosen, value(box, "value"))
		}
	}
	return options, chosen
}

// readCaption reads the label or legend of the control.
func readCaption(t testing.TB, caption *html.Node, c page.Control) (label string, required bool) {
	t.Helper()
	want := "label"
	if c.Kind == page.Checkboxes {
		want = "legend"
	}
	if caption.Data != want || want == "label" && value(caption, "for") != c.ID {
		t.Errorf("%s has a <%s> for %q", c.ID, caption.Data, value(caption, "for"))
	}
	parts := slices.Collect(caption.ChildNodes())
	if len(parts) == 0 || parts[0].Data != "bdi" {
		t.Fatalf("the caption of %s is not isolated", c.ID)
	}
	if rest := strings.TrimPrefix(content(caption), content(parts[0])); len(parts) > 1 && rest != " (optional)" {
		t.Errorf("after the caption of %s there is %q", c.ID, rest)
	}
	return content(parts[0]), len(parts) == 1
}
