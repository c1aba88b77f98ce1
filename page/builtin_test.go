package page_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

// enquiry has a control of each kind. Two of them are valid.
func enquiry() page.Builtin {
	return page.Builtin{
		Action: "/enquire?utm_source=ad",
		Back:   "/contact?x=1",
		Code:   "UNAVAILABLE",
		Note:   "Or call us.",
		Controls: []page.Control{
			{ID: "q1", Name: "name", Label: "Your name", Kind: page.Line, Required: true, Autocomplete: "name", Error: page.Said("Fill in “Your name”.")},
			{ID: "q2", Name: "email", Label: "Email", Kind: page.Email, Autocomplete: "email", Values: []string{"asha@example.com"}},
			{ID: "q3", Name: "tel", Label: "Phone", Kind: page.Tel, Required: true, Autocomplete: "tel", Values: []string{"12"}, Error: page.Said("Enter a phone number.")},
			{ID: "q4", Name: "site", Label: "Website", Kind: page.URL, Values: []string{"nowhere"}, Error: page.Said("Enter a web address.")},
			{ID: "q5", Name: "message", Label: "Message", Kind: page.LongText, Required: true, Values: []string{"\nTwo\nlines"}, Error: page.Said("Too long.")},
			{ID: "q6", Name: "product", Label: "Product", Kind: page.Select, Required: true, Options: []string{"Roof", "Battery"}, Values: []string{"Battery"}, Error: page.Said("Choose.")},
			{ID: "q7", Name: "topics", Label: "Topics", Kind: page.Checkboxes, Required: true, Options: []string{"Price", "Subsidy", "Care"}, Values: []string{"Subsidy", "Care"}, Error: page.Said("Choose fewer.")},
			{ID: "q8", Name: "consent", Label: "Consent", Kind: page.Checkboxes, Options: []string{"yes"}},
		},
		Hidden: []page.Pair{{"utm_source", "ad"}, {"utm_source", "more"}, {"_form_page", "/contact"}},
	}
}

// pages are the pages that the handler shows.
func pages() map[string]page.Builtin {
	allRight := enquiry()
	for i := range allRight.Controls {
		allRight.Controls[i].Error = page.Phrase{}
	}
	onlyErrors := enquiry()
	onlyErrors.Code, onlyErrors.Note = "", ""
	return map[string]page.Builtin{
		"errors and a message": enquiry(),
		"errors":               onlyErrors,
		"a message":            allRight,
		"no form":              {Code: "MALFORMED", Back: "/contact"},
		"nothing":              {},
	}
}

// eachPage runs check on each page that the handler shows.
func eachPage(t *testing.T, check func(*testing.T, page.Builtin, document)) {
	t.Helper()
	for name, b := range pages() {
		t.Run(name, func(t *testing.T) {
			doc := write(t, b)
			check(t, b, doc)
			if t.Failed() {
				t.Log(doc.source)
			}
		})
	}
}

func TestBuiltinOutline(t *testing.T) {
	eachPage(t, func(t *testing.T, _ page.Builtin, doc document) {
		if root := only(t, doc.root, "html"); value(root, "lang") != "en" || value(root, "dir") != "ltr" {
			t.Errorf("the page is %+v", root.Attr)
		}
		if title := text(only(t, doc.root, "title")); !strings.HasPrefix(title, "Error: ") {
			t.Errorf("the title %q does not begin with the word for an error", title)
		}
		if doc.root.FirstChild.Type != html.DoctypeNode {
			t.Error("the page does not begin with a doctype")
		}
		if text(only(t, doc.root, "h1")) == "" {
			t.Error("the heading is empty")
		}
		summary := firstElement(only(t, doc.root, "main"))
		if summary != ancestor(only(t, doc.root, "h1"), "div").Parent {
			t.Error("the summary with the heading is not first in main")
		}
		if value(summary, "tabindex") != "-1" || !slices.Equal(having(doc.root, "autofocus"), []*html.Node{summary}) {
			t.Error("the summary is not the only element with autofocus")
		}
		if alerts := having(doc.root, "role"); len(alerts) != 1 || alerts[0].Parent != summary || value(alerts[0], "role") != "alert" {
			t.Error("the alert is not a child of the summary")
		}
		// An element without a role must not have a name (ARIA 1.2, section 8.6).
		for _, e := range slices.Concat(having(doc.root, "aria-label"), having(doc.root, "aria-labelledby")) {
			t.Errorf("<%s> has a name but no role", e.Data)
		}
	})
}

func TestBuiltinReferences(t *testing.T) {
	eachPage(t, func(t *testing.T, _ page.Builtin, doc document) {
		seen := make(map[string]bool)
		for _, e := range having(doc.root, "id") {
			id := value(e, "id")
			if id == "" || seen[id] {
				t.Errorf("the id %q is empty or not unique", id)
			}
			seen[id] = true
		}
		for _, attribute := range []string{"for", "aria-describedby"} {
			for _, e := range having(doc.root, attribute) {
				if id := value(e, attribute); !seen[id] {
					t.Errorf("%s refers to the missing id %q", attribute, id)
				}
			}
		}
	})
}

// Each error is in the summary, with a link to the control, and at the control, which is marked as
// invalid and described by it.
func TestBuiltinErrors(t *testing.T) {
	eachPage(t, func(t *testing.T, b page.Builtin, doc document) {
		alert := having(doc.root, "role")[0]
		if b.Code != "" && text(all(alert, "p")[0]) != english.FormMessage(b.Code, page.Detail{}) {
			t.Errorf("the alert does not contain %q", english.FormMessage(b.Code, page.Detail{}))
		}
		links := all(alert, "a")
		failed := b.Failed()
		if len(links) != len(failed) || len(all(alert, "ul")) != min(len(failed), 1) {
			t.Fatalf("%d links in %d lists for %d errors", len(links), len(all(alert, "ul")), len(failed))
		}
		wrong := make(map[string]bool)
		for i, c := range failed {
			wrong[c.Name] = true
			if text(links[i]) != c.Error.String() {
				t.Errorf("link %d is %q, want %q", i, text(links[i]), c.Error.String())
			}
			target := byID(doc.root, strings.TrimPrefix(value(links[i], "href"), "#"))
			if target == nil || !slices.Contains(controls(doc.root), target) || value(target, "name") != c.Name {
				t.Fatalf("the link for %s leads to %+v", c.Name, target)
			}
			described := target
			if c.Kind == page.Checkboxes {
				described = ancestor(target, "fieldset")
			}
			reason := byID(doc.root, value(described, "aria-describedby"))
			if reason == nil || text(reason) != "Error: "+c.Error.String() {
				t.Errorf("the error at %s is %+v", c.Name, reason)
			}
		}
		for _, control := range controls(doc.root) {
			if name := value(control, "name"); wrong[name] != (value(control, "aria-invalid") == "true") {
				t.Errorf("%s: wrong %v, marked %q", name, wrong[name], value(control, "aria-invalid"))
			}
		}
		// Valid controls have no description.
		if got := len(having(doc.root, "aria-describedby")); got != len(failed) {
			t.Errorf("%d descriptions for %d errors", got, len(failed))
		}
	})
}

func TestBuiltinControls(t *testing.T) {
	eachPage(t, func(t *testing.T, b page.Builtin, doc document) {
		if len(b.Controls) == 0 {
			if len(all(doc.root, "form")) != 0 {
				t.Error("the form is empty")
			}
			return
		}
		form := only(t, doc.root, "form")
		if value(form, "method") != "post" || value(form, "action") != b.Action || !has(form, "novalidate") || has(form, "enctype") {
			t.Errorf("the form is %+v", form.Attr)
		}
		if value(only(t, form, "button"), "type") != "submit" {
			t.Error("the button does not submit the form")
		}
		b.Code = "" // checked in the test of errors
		for i, c := range b.Controls {
			b.Controls[i].Error = page.Said(words(c.Error))
		}
		if diff := cmp.Diff(b, read(t, doc)); diff != "" {
			t.Errorf("fields of the page (-want +got):\n%s", diff)
		}
	})
}

// A group of checkboxes does not get the attribute, which would require each box to be ticked.
func TestBuiltinRequired(t *testing.T) {
	doc := write(t, enquiry())
	var required []string
	for _, e := range having(doc.root, "required") {
		required = append(required, value(e, "name"))
	}
	if diff := cmp.Diff([]string{"name", "tel", "message", "product"}, required); diff != "" {
		t.Errorf("marked as required (-want +got):\n%s", diff)
	}
	var optional []string
	for _, span := range all(doc.root, "span") {
		if value(span, "class") == "optional" {
			optional = append(optional, text(span.Parent))
		}
	}
	if diff := cmp.Diff([]string{"Email (optional)", "Website (optional)", "Consent (optional)"}, optional); diff != "" {
		t.Errorf("marked as optional (-want +got):\n%s", diff)
	}
}

func TestBuiltinGroups(t *testing.T) {
	doc := write(t, enquiry())
	groups := all(doc.root, "fieldset")
	if len(groups) != 2 {
		t.Fatalf("%d groups, want 2", len(groups))
	}
	for _, group := range groups {
		if firstElement(group).Data != "legend" {
			t.Error("the legend is not first in its group")
		}
	}
	for _, box := range all(doc.root, "input") {
		if value(box, "type") == "checkbox" && ancestor(box, "fieldset") == nil {
			t.Errorf("checkbox %s is outside of a group", value(box, "value"))
		}
	}
}

// A control for one value shows the last of several values, and nothing without any.
func TestBuiltinShowsOneValue(t *testing.T) {
	for _, values := range [][]string{nil, {""}, {"first", ""}, {"first", "last"}} {
		want := ""
		if len(values) > 0 {
			want = values[len(values)-1]
		}
		for _, kind := range []page.Kind{page.Line, page.Email, page.Tel, page.URL, page.LongText} {
			doc := write(t, page.Builtin{Controls: []page.Control{{ID: "q1", Name: "x", Label: "X", Kind: kind, Values: values}}})
			if got := read(t, doc).Controls[0].Value(); got != want {
				t.Errorf("%s shows %q for %q, want %q", kind, got, values, want)
			}
		}
	}
}

// A select without a listed value selects no option, not the first one.
func TestBuiltinSelectWithoutAnswer(t *testing.T) {
	for _, values := range [][]string{nil, {""}, {"Nuclear"}} {
		doc := write(t, page.Builtin{Controls: []page.Control{{ID: "q1", Name: "x", Label: "X", Kind: page.Select, Options: []string{"Roof"}, Values: values}}})
		options := all(doc.root, "option")
		if len(options) != 2 || value(options[0], "value") != "" || text(options[0]) != "" || len(having(doc.root, "selected")) != 0 {
			t.Errorf("values %q: the select is %s", values, doc.source)
		}
	}
}

func TestBuiltinIsSelfContained(t *testing.T) {
	eachPage(t, func(t *testing.T, _ page.Builtin, doc document) {
		known := map[string]bool{
			"a": true, "bdi": true, "body": true, "button": true, "div": true, "fieldset": true, "form": true, "h1": true, "head": true, "html": true,
			"input": true, "label": true, "legend": true, "li": true, "main": true, "meta": true, "option": true, "p": true,
			"select": true, "span": true, "style": true, "textarea": true, "title": true, "ul": true,
		}
		for _, e := range all(doc.root) {
			if !known[e.Data] {
				t.Errorf("unexpected <%s>", e.Data)
			}
			for _, a := range e.Attr {
				switch {
				case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcset", a.Key == "target", a.Key == "formaction":
					t.Errorf("<%s> has %s", e.Data, a.Key)
				case a.Key == "href", a.Key == "action":
					if !strings.HasPrefix(a.Val, "#") && (!strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "//")) {
						t.Errorf("<%s> leads to %s", e.Data, a.Val)
					}
				}
			}
		}
		for _, away := range []string{"://", "url(", "@import", "<!--"} {
			if strings.Contains(strings.ToLower(doc.source), away) {
				t.Errorf("the page contains %s", away)
			}
		}
	})
}

// The page has one language and direction. Operator texts, labels and untranslated texts are
// marked.
func TestBuiltinLanguage(t *testing.T) {
	catalog, err := page.Shipped().With(fstest.MapFS{"ur.json": {Data: []byte(`{"REQUIRED": "“{label}” لکھیں۔"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range append(slices.Clone(languages), "ur") {
		t.Run(tag, func(t *testing.T) {
			words := catalog.For(tag)
			fault := page.Fault{Code: "REQUIRED_FIELD_EMPTY", Label: "Your name"}
			b := enquiry()
			b.Words = words
			b.Controls[0].Error = words.SayFault(fault)
			doc := write(t, b)
			if root := only(t, doc.root, "html"); value(root, "lang") != tag || value(root, "dir") != words.Dir() {
				t.Errorf("the page is %+v", root.Attr)
			}
			if got, want := text(only(t, doc.root, "title")), words.Text(page.ErrorPrefix)+" "+words.Text(page.Heading); got != want {
				t.Errorf("the title is %q, want %q", got, want)
			}
			for _, e := range []struct {
				name string
				want string
			}{
				{"h1", words.Text(page.Heading)},
				{"p", words.FormMessage("UNAVAILABLE", page.Detail{})},
				{"button", words.Text(page.SendAgain)},
			} {
				if got := text(all(doc.root, e.name)[0]); got != e.want {
					t.Errorf("<%s> is %q, want %q", e.name, got, e.want)
				}
			}
			links := all(doc.root, "a")
			if got := text(links[len(links)-1]); got != words.Text(page.Back) {
				t.Errorf("the link back is %q", got)
			}
			if names := all(links[0], "bdi"); len(names) != 1 || text(names[0]) != "Your name" {
				t.Error("the label in a message is not isolated")
			}
			if own := firstElement(links[1]); own.Data != "bdi" || text(own) != "Enter a phone number." {
				t.Error("the operator's text is not marked")
			}
			english := having(only(t, doc.root, "main"), "lang")
			if (len(english) > 0) != (tag == "ur") {
				t.Errorf("%d texts are marked as another language", len(english))
			}
			for _, e := range english {
				if value(e, "lang") != "en" || value(e, "dir") != "ltr" {
					t.Errorf("the untranslated text is %+v", e.Attr)
				}
			}
		})
	}
}

func TestBuiltinConfirm(t *testing.T) {
	b := page.Builtin{Code: "CONFIRM", Action: "/enquire", Controls: []page.Control{{ID: "q1", Name: "x", Label: "X", Kind: page.Line}}}
	doc := write(t, b)
	if title, heading := text(only(t, doc.root, "title")), text(only(t, doc.root, "h1")); title != "One more step" || heading != "One more step" {
		t.Errorf("the title is %q, the heading %q", title, heading)
	}
	b.Controls[0].Error = page.Said("Wrong.")
	if title := text(only(t, write(t, b).root, "title")); title != "Error: There is a problem" {
		t.Errorf("with an error the title is %q", title)
	}
}
