package page_test

import (
	"bytes"
	"errors"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/leadwire/caddy-telecrm/page"
)

var update = flag.Bool("update", false, "write the pages that the tests in testdata/own expect")

func address(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.ParseRequestURI(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// own is a page at /contact that posts to itself.
func own(t testing.TB, source string) page.Own {
	t.Helper()
	return page.Own{
		Source:      []byte(source),
		ContentType: "text/html; charset=utf-8",
		URL:         address(t, "/contact"),
		Posted:      address(t, "/contact"),
	}
}

func missing(input string) page.Problem {
	return page.Problem{Input: input, Fault: page.Fault{Code: "REQUIRED_FIELD_EMPTY"}, Fallback: "fallback"}
}

// render renders the page and checks that nothing else changed.
func render(t testing.TB, o page.Own) document {
	t.Helper()
	answer, err := o.Render()
	if err != nil {
		t.Fatal(err)
	}
	checkUnchanged(t, o.Source, answer)
	root, err := html.Parse(bytes.NewReader(answer))
	if err != nil {
		t.Fatal(err)
	}
	return document{string(answer), root}
}

// The pages in testdata/own are written as template authors write them. Each gets these values and
// errors.
func TestOwnKeepsAuthorsMarkup(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "own", "*.html"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".html"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o := own(t, string(source))
			o.Policies = []string{"style-src 'self'"}
			o.Values = []page.Pair{
				{Name: "name", Value: `Asha "A" <b>`},
				{Name: "email", Value: "nowhere"},
				{Name: "plan", Value: "Large & more"},
				{Name: "topic", Value: "two"},
				{Name: "topic", Value: "three"},
				{Name: "how", Value: "mail"},
				{Name: "message", Value: "\r\nfirst\r\n</textarea><script>bad()</script>"},
			}
			o.Problems = []page.Problem{
				{Input: "email", Fault: page.Fault{Code: "TYPE_EMAIL"}, Fallback: "Email"},
				{Input: "topic", Fault: page.Fault{Code: "TOO_LONG", Type: "tags", Limit: "1"}, Fallback: "Topic"},
				{Input: "how", Fault: page.Fault{Code: "NOT_AN_OPTION"}, Fallback: "How"},
			}
			got := render(t, o).source
			golden := strings.TrimSuffix(file, ".html") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.SplitAfter(string(want), "\n"), strings.SplitAfter(got, "\n")); diff != "" {
				t.Errorf("the page (-want +got):\n%s", diff)
			}
		})
	}
}

// checkUnchanged checks that the answer contains every byte of the source, except start tags that
// may change, textareas and the title, and nothing else but insertions.
func checkUnchanged(t testing.TB, source, answer []byte) {
	t.Helper()
	before, after := tokensOf(source), tokensOf(answer)
	i, inside := 0, ""
	for j := 0; j < len(after); j++ {
		token := after[j]
		if i < len(before) && before[i].raw == token.raw {
			inside = enter(inside, token)
			i++
			continue
		}
		switch {
		case isInserted(token) && (token.name != "base" || rest(before, i) != `<base href="down/">`):
			j = end(after, j)
		case inside == "textarea" && token.kind == html.TextToken:
			if i < len(before) && before[i].kind == html.TextToken {
				i++
			}
		case inside == "textarea" && i < len(before) && before[i].kind == html.TextToken:
			i++
			j--
		case inside == "title" && i < len(before) && before[i].kind == html.TextToken && slices.Contains(prefixes, strings.TrimSuffix(token.raw, before[i].raw)):
			i++
		case inside == "title" && slices.Contains(prefixes, token.raw):
		case i < len(before) && token.kind != html.TextToken && token.kind == before[i].kind && token.name == before[i].name && mayChange(token.name, before[i].raw):
			inside = enter(inside, token)
			i++
		default:
			t.Fatalf("got %q, want %q in\n%s", token.raw, rest(before, i), answer)
		}
	}
	if i < len(before) {
		t.Fatalf("%q is missing in\n%s", rest(before, i), answer)
	}
}

// prefixes are the prefixes that a title may get.
var prefixes = func() []string {
	var list []string
	for _, tag := range languages {
		list = append(list, page.Shipped().For(tag).Text(page.ErrorPrefix)+" ")
	}
	return list
}()

func rest(tokens []token, i int) string {
	if i >= len(tokens) {
		return ""
	}
	return tokens[i].raw
}

func enter(inside string, t token) string {
	if t.kind == html.StartTagToken {
		return t.name
	}
	if t.kind == html.EndTagToken {
		return ""
	}
	return inside
}

type token struct {
	kind      html.TokenType
	name, raw string
}

func tokensOf(source []byte) []token {
	tokens := html.NewTokenizer(bytes.NewReader(source))
	var list []token
	for {
		kind := tokens.Next()
		raw := string(tokens.Raw())
		if kind == html.ErrorToken {
			return append(list, token{kind, "", raw})
		}
		name, _ := tokens.TagName()
		list = append(list, token{kind, string(name), raw})
	}
}

// isInserted reports whether the token begins an insertion.
func isInserted(t token) bool {
	return strings.HasPrefix(t.raw, `<div class="telecrm-summary" `) || strings.HasPrefix(t.raw, `<span class="telecrm-error" `) ||
		strings.HasPrefix(t.raw, "<style") || strings.HasPrefix(t.raw, `<base href="/`) || strings.HasPrefix(t.raw, `<input type="hidden" name="_form_page" `)
}

// end returns the end of the element that begins at tokens[from].
func end(tokens []token, from int) int {
	name := tokens[from].name
	if name == "base" || name == "input" {
		return from
	}
	depth := 0
	for i := from; i < len(tokens); i++ {
		switch {
		case tokens[i].name != name:
		case tokens[i].kind == html.StartTagToken:
			depth++
		case tokens[i].kind == html.EndTagToken:
			depth--
		}
		if depth == 0 {
			return i
		}
	}
	return len(tokens)
}

func mayChange(name, was string) bool {
	switch name {
	case "details", "input", "select", "textarea", "option", "fieldset":
		return true
	case "a", "area":
		return strings.Contains(was, "#") || strings.Contains(was, `"?`)
	case "form": // those that post to the page's own URL
		return !strings.Contains(was, `action="/`)
	}
	was = strings.ToLower(was)
	return name == "base" || strings.Contains(was, "autofocus") || strings.Contains(was, "hidden")
}

const everyControl = `<!DOCTYPE html><html lang="en"><head><title>Contact</title></head><body><main><h1>Contact</h1>
<form method="post" action="/contact">
<label for="n">Name:</label><input id="n" name="name" value="was" autofocus>
<label>Email * <input type="EMAIL" name="email"></label>
<input type="hidden" name="token" value="secret"><input type="hidden" name="both" value="0"><input type="checkbox" name="both" value="1">
<input type="password" name="password" aria-label="Password"><input type="file" name="file">
<textarea name="message">was</textarea>
<select name="one"><option value="">None</option><optgroup label="G"><option selected>First <b>x</b></option><option value="2">Second</option></optgroup></select>
<select name="many" multiple><option selected>a</option><option>b</option><option>c</option></select>
<fieldset><legend>Which <i>ones</i>? (optional)</legend><input type="checkbox" name="box" value="x" checked><input type="checkbox" name="box" value="y"><input type="checkbox" name="box"></fieldset>
<input type="radio" name="pick" value="l" checked><input type="radio" name="pick" value="r">
<input name="twice"><input name="twice"><input name="off" value="stays" disabled>
<button name="go" value="1">Send</button>
</form><input name="far" form="other"></main></body></html>`

func TestOwnFillsEveryControl(t *testing.T) {
	o := own(t, everyControl)
	o.Values = []page.Pair{
		{Name: "name", Value: "Asha"},
		{Name: "email", Value: ""},
		{Name: "token", Value: "forged"},
		{Name: "both", Value: "0"},
		{Name: "both", Value: "1"},
		{Name: "password", Value: "open sesame"},
		{Name: "file", Value: "c:\\x"},
		{Name: "message", Value: "\nnew"},
		{Name: "one", Value: "First x"},
		{Name: "many", Value: "b"},
		{Name: "many", Value: "c"},
		{Name: "box", Value: "y"},
		{Name: "box", Value: "on"},
		{Name: "pick", Value: "r"},
		{Name: "twice", Value: "one"},
		{Name: "twice", Value: "two"},
		{Name: "off", Value: "new"},
		{Name: "far", Value: "new"},
	}
	doc := render(t, o)
	var got []string
	for _, e := range all(doc.root, "input", "textarea", "option") {
		name := value(e, "name")
		switch {
		case e.Data == "textarea":
			got = append(got, name+"="+content(e))
		case e.Data == "option":
			if has(e, "selected") {
				got = append(got, value(ancestor(e, "select"), "name")+"="+content(e))
			}
		case value(e, "type") == "checkbox" || value(e, "type") == "radio":
			if has(e, "checked") {
				got = append(got, name+"="+value(e, "value"))
			}
		default:
			got = append(got, name+"="+value(e, "value"))
		}
	}
	want := []string{
		"name=Asha", "email=", "token=secret", "both=0", "both=1", "password=", "file=", "message=\nnew", "one=First x", "many=b", "many=c",
		"box=y", "box=", "pick=r", "twice=one", "twice=two", "off=stays", "far=",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the controls (-want +got):\n%s", diff)
	}
}

// A missing value does not change controls that the visitor cannot clear.
func TestOwnKeepsWhatWasNotSent(t *testing.T) {
	doc := render(t, own(t, everyControl))
	if got := value(byID(doc.root, "n"), "value"); got != "was" {
		t.Errorf("a text input that was not sent contains %q", got)
	}
	checked := len(having(doc.root, "checked"))
	if checked != 0 {
		t.Errorf("%d unticked boxes are ticked", checked)
	}
	var selected []string
	for _, e := range having(doc.root, "selected") {
		selected = append(selected, text(e))
	}
	if diff := cmp.Diff([]string{"First x"}, selected); diff != "" {
		t.Errorf("chosen (-want +got):\n%s", diff)
	}
}

func TestOwnErrors(t *testing.T) {
	o := own(t, everyControl)
	o.Code, o.Note = "UNAVAILABLE", "Look <again>."
	o.Problems = []page.Problem{missing("name"), missing("name"), missing("email"), missing("password"), missing("box"), missing("pick"), missing("message"), {Message: "All of it."}}
	doc := render(t, o)
	if got := text(only(t, doc.root, "title")); got != "Error: Contact" {
		t.Errorf("the title is %q", got)
	}
	summary := firstElement(only(t, doc.root, "main"))
	if value(summary, "tabindex") != "-1" || !slices.Equal(having(doc.root, "autofocus"), []*html.Node{summary}) {
		t.Error("the summary is not the only element with autofocus")
	}
	alert := having(doc.root, "role")[0]
	if alert.Parent != summary || value(alert, "role") != "alert" || text(only(t, alert, "h2")) != "There is a problem" || text(all(alert, "p")[0]) != english.FormMessage(o.Code, page.Detail{}) || text(all(alert, "p")[1]) != o.Note {
		t.Errorf("the alert is %s", content(alert))
	}
	var words []string
	for _, item := range all(alert, "li") {
		words = append(words, text(item))
	}
	want := []string{
		"Fill in “Name”.", "Fill in “Email”.", "Fill in “Password”.", "Fill in “Which ones ?”.", "Fill in “fallback”.", "Fill in “fallback”.", "All of it.",
	}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
	for i, link := range all(alert, "a") {
		target := byID(doc.root, strings.TrimPrefix(value(link, "href"), "#"))
		if target == nil || !slices.Contains(controls(doc.root), target) {
			t.Fatalf("the link %q does not lead to a control", text(link))
		}
		described := target
		if value(target, "type") == "checkbox" {
			described = ancestor(target, "fieldset")
		}
		reason := byID(doc.root, value(described, "aria-describedby"))
		if reason == nil || text(reason) != "Error: "+words[i] {
			t.Errorf("%s is described by %+v", value(target, "name"), reason)
		}
		if invalid := value(target, "aria-invalid") == "true"; invalid == (value(target, "type") == "radio") {
			t.Errorf("%s is marked as invalid: %v", value(target, "name"), invalid)
		}
		if label := ancestor(reason, "label"); label != nil {
			t.Error("the error is part of the label, and so of the control's name")
		}
	}
}

// The operator's label takes precedence over the page's.
func TestOwnLabels(t *testing.T) {
	for _, test := range []struct{ name, page, want string }{
		{"for", `<label for=x>Your  name*</label><input id=x name=q>`, "Your name"},
		{"around", `<label>Your name: <input name=q></label>`, "Your name"},
		{"required", `<label>Your name * (Required)<input name=q></label>`, "Your name"},
		{"entities", `<label for=x>R&amp;D &lt;team&gt;</label><input id=x name=q>`, "R&D <team>"},
		{"aria-label", `<input aria-label="Your name" name=q>`, "Your name"},
		{"aria-labelledby", `<input aria-labelledby="y z" name=q><p id=y>Your <b>name</b></p>`, "Your name"},
		{"aria-labelledby nothing", `<input aria-labelledby="y" name=q>`, "fallback"},
		{"an id that another has first", `<p id=x></p><label for=x>Other</label><input id=x name=q>`, "fallback"},
		{"the label of another", `<label for=y>Other <input name=q></label>`, "fallback"},
		{"a script in the label", `<label><script>x</script>Your name<svg><title>icon</title></svg><input name=q></label>`, "Your name"},
		{"options in the label", `<label>Your name<select name=q><option>One</select></label>`, "Your name"},
		{"a group that is not alone", `<fieldset><legend>All</legend><input type=radio name=q><input name=r></fieldset>`, "fallback"},
		{"in a template", `<template><label for=x>Other</label></template><input id=x name=q>`, "fallback"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := own(t, `<form method=post>`+test.page+`</form>`)
			o.Problems = []page.Problem{missing("q")}
			if got, want := text(all(render(t, o).root, "a")[0]), "Fill in “"+test.want+"”."; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			o.Problems[0].Fault.Label = "mine"
			if got, want := text(all(render(t, o).root, "a")[0]), "Fill in “mine”."; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestOwnFindsTheForm(t *testing.T) {
	const search = `<form action="/search"><input name="q"></form>`
	for _, test := range []struct {
		name, page, posted string
		named, found       bool
	}{
		{"no action", `<form method=post>{}</form>`, "/contact", false, true},
		{"action of the page", search + `<form method=post action="?x=1">{}</form>`, "/contact", false, true},
		{"relative", `<form action=enquire>{}</form>`, "/enquire", false, true},
		{"absolute", `<form action="https://www.example.com/enquire/">{}</form>`, "/enquire", false, true},
		{"formaction", `<form action=/else>{}<button formaction=/enquire></form>`, "/enquire", false, true},
		{"base", `<base href="/deep/"><form action=enquire>{}</form>`, "/deep/enquire", false, true},
		{"the better fit", `<form action=/enquire><input name=z></form><form action=/enquire>{}</form>`, "/enquire", false, true},
		{"two that fit equally", `<form action=/enquire>{}</form><form action=/enquire><input name=name></form>`, "/enquire", false, true},
		{"form-name", `<form action=/enquire><input name=name></form><form action=/enquire><input type=hidden name=form-name value=two>{}</form>`, "/enquire", false, true},
		{"name", `<form action=/enquire><input name=name></form><form name=two action=/enquire>{}</form>`, "/enquire", false, true},
		{"of another path", `<form action=/account>{}</form>`, "/enquire", false, false},
		{"of another path, named", search + `<form action=/account>{}</form>`, "/enquire", true, true},
		{"no similar form, named", search, "/enquire", true, false},
		{"mail", `<form action="mailto:a@example.com">{}</form>`, "/enquire", false, false},
		{"in a comment", `<!-- <form action=/enquire>{}</form> -->`, "/enquire", false, false},
		{"in a script", `<script>"<form action=/enquire>{}</form>"</script>`, "/enquire", false, false},
		{"in a template", `<template><form action=/enquire>{}</form></template>`, "/enquire", false, false},
		{"in noscript", `<noscript><form action=/enquire>{}</form></noscript>`, "/enquire", false, false},
		{"in CDATA of an SVG", `<svg><![CDATA[<form action=/enquire>{}</form>]]></svg>`, "/enquire", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := own(t, strings.ReplaceAll(test.page, "{}", `<input id=right name=name>`))
			o.Posted, o.Named = address(t, test.posted), test.named
			o.Values = []page.Pair{{Name: "name", Value: "Asha"}, {Name: "form-name", Value: "two"}}
			answer, err := o.Render()
			if !test.found {
				if !errors.Is(err, page.ErrNoForm) {
					t.Fatalf("error %v in %s", err, answer)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			root, _ := html.Parse(bytes.NewReader(answer))
			if got := value(byID(root, "right"), "value"); got != "Asha" {
				t.Errorf("the wrong form is filled: %s", answer)
			}
		})
	}
}

// The links of a page that is shown under another URL keep their targets.
func TestOwnUnderAnotherAddress(t *testing.T) {
	const source = `<html><head><title>T</title></head><a href="#top">Up</a><a href="more">More</a><form action="/enquire"><input name="q"></form>`
	o := own(t, source)
	o.URL, o.Posted = address(t, "/about/us?x=1"), address(t, "/enquire?y=2")
	o.Problems = []page.Problem{missing("q")}
	o.Hidden = []page.Pair{{Name: "_form_page", Value: `/about/us?a="b"`}}
	doc := render(t, o)
	if got := value(only(t, doc.root, "base"), "href"); got != "/about/us" {
		t.Errorf("the base is %q", got)
	}
	var links []string
	for _, a := range all(doc.root, "a") {
		links = append(links, value(a, "href"))
	}
	if diff := cmp.Diff([]string{"/enquire?y=2#top", "more", "/enquire?y=2#telecrm-field-1"}, links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if got := value(firstElement(only(t, doc.root, "form")), "value"); got != `/about/us?a="b"` {
		t.Errorf("the page is passed on as %q", got)
	}

	o.Policies = []string{"base-uri 'none'"}
	if _, err := o.Render(); !errors.Is(err, page.ErrBase) {
		t.Errorf("policy against a base: error %v", err)
	}
	o.Policies = nil
	o.URL = address(t, "/about")
	if doc := render(t, o); len(all(doc.root, "base")) != 0 {
		t.Error("an unneeded base was added")
	}
	o.Source = []byte(strings.Replace(source, "<title>", `<base href="down/"><title>`, 1))
	if got := value(only(t, render(t, o).root, "base"), "href"); got != "/down/" {
		t.Errorf("the author's base became %q", got)
	}
}

// What a page says about its own URL still means that URL when the page is shown under another one:
// forms without an action, and addresses that are a query only.
func TestOwnUnderAnotherAddressPostsOtherFormsWhereTheyPosted(t *testing.T) {
	const forms = `<form id="1"><input name="q"></form><form id="2" method="post" action=" "><input name="message"></form>
		<form id="3" action="?x=1"></form><form id="4" action="/search"></form><form id="5" method="post" action="/enquire"><input name="phone"></form>
		<a id="6" href="?lang=de">Deutsch</a><a id="7" href="#top">Up</a><form id="8" method="post" action="#ask"><input name="q"></form>`
	for name, test := range map[string]struct {
		head, at string
		want     []string // the addresses of the elements by their ids
	}{
		"in the same folder":      {``, "/about?a=b", []string{"/about?a=b", "/about?a=b", "/about?x=1", "/search", "/enquire", "/about?lang=de", "#top", "/about?a=b#ask"}},
		"in another folder":       {``, "/de/about", []string{"/de/about", "/de/about", "?x=1", "/search", "/enquire", "?lang=de", "/enquire#top", "/de/about#ask"}},
		"with a base":             {`<base href="/">`, "/de/about", []string{"/de/about", "/de/about", "?x=1", "/search", "/enquire", "?lang=de", "#top", "#ask"}},
		"with a base on a host":   {`<base href="https://www.example.com/">`, "/about", []string{"", " ", "?x=1", "/search", "/enquire", "?lang=de", "#top", "#ask"}},
		"under the page's own":    {``, "/enquire", []string{"", " ", "?x=1", "/search", "/enquire", "?lang=de", "#top", "#ask"}},
		"with another query only": {``, "/enquire?a=b", []string{"/enquire?a=b", "/enquire?a=b", "?x=1", "/search", "/enquire", "?lang=de", "#top", "/enquire?a=b#ask"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, `<!doctype html><html><head>`+test.head+`<title>T</title></head><body>`+forms)
			o.URL, o.Posted = address(t, test.at), address(t, "/enquire")
			o.Values, o.Problems = []page.Pair{{Name: "phone", Value: "1"}}, []page.Problem{missing("phone")}
			doc := render(t, o)
			var got []string
			for id := range 8 {
				e := byID(doc.root, strconv.Itoa(id+1))
				got = append(got, value(e, "action")+value(e, "href"))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

// A control without a label keeps its accessible name or gets one, because it now has a
// description.
func TestOwnNamesUnlabelledControls(t *testing.T) {
	for _, test := range []struct{ name, page, words, want string }{
		{"placeholder", `<input name=q placeholder="Your Name *">`, "Fill in “Your Name”.", "Your Name *"},
		{"nothing", `<input name=q>`, "Fill in “fallback”.", "fallback"},
		{"blank placeholder", `<input name=q placeholder=" ">`, "Fill in “fallback”.", "fallback"},
		{"label for it", `<label for=x>Q</label><input id=x name=q placeholder=p>`, "Fill in “Q”.", ""},
		{"label around it", `<label>Q<input name=q placeholder=p></label>`, "Fill in “Q”.", ""},
		{"its own", `<input name=q aria-label=Q placeholder=p>`, "Fill in “Q”.", "Q"},
		{"title", `<input name=q title=Q>`, "Fill in “fallback”.", ""},
		{"several", `<input name=q><input name=q>`, "Fill in “fallback”.", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := own(t, "<form>"+test.page+"</form>")
			o.Problems = []page.Problem{missing("q")}
			doc := render(t, o)
			if got := text(only(t, doc.root, "li")); got != test.words {
				t.Errorf("the message is %q, want %q", got, test.words)
			}
			if got := value(all(doc.root, "input")[0], "aria-label"); got != test.want {
				t.Errorf("the name is %q, want %q", got, test.want)
			}
		})
	}
}

// Our texts are in the page's language. Otherwise they are marked for screen readers
// (https://www.w3.org/TR/WCAG22/#language-of-parts).
func TestOwnUsesThePagesLanguage(t *testing.T) {
	catalog, err := page.Shipped().With(fstest.MapFS{"pt.json": {Data: []byte(`{"REQUIRED": "Preencha “{label}”."}`)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		lang, words, heading string // attributes of the texts and of the heading; "" for none
	}{
		{"", "", ""},
		{"en", "", ""},
		{"EN-in", "", ""},
		{"hi", "", ""},
		{"hi-IN", "", ""},
		{"ta", "", ""},
		{"de_AT", "de ltr", "de ltr"}, // not a valid tag
		{"ar", " rtl", " rtl"},
		{"ar-EG", " rtl", " rtl"},
		{"enm", "en ltr", "en ltr"},
		{"he", "en ltr", "en ltr"},
		{"pt-BR", "", "en ltr"},
	} {
		o := own(t, `<html lang="`+test.lang+`"><title>T</title><form><label>Ort <input name="q"></label><input name="r"></form>`)
		o.Catalog = catalog
		o.Code, o.Note = "UNAVAILABLE", "Rufen Sie an."
		o.Problems = []page.Problem{missing("q"), {Input: "r", Message: "अपना नाम लिखें।"}}
		doc := render(t, o)
		words := catalog.For(test.lang)
		marks := func(e *html.Node) string { return strings.TrimRight(value(e, "lang")+" "+value(e, "dir"), " ") }
		check := func(e *html.Node, want, wantMarks string) {
			t.Helper()
			if text(e) != want || marks(e) != wantMarks {
				t.Errorf("%q: <%s> is %q, marked %q; want %q, marked %q", test.lang, e.Data, text(e), marks(e), want, wantMarks)
			}
		}
		fill := strings.ReplaceAll(words.Message(page.Fault{Code: "REQUIRED_FIELD_EMPTY", Label: "Ort"}), "\u2068", "")
		fill = strings.ReplaceAll(fill, "\u2069", "")
		check(only(t, doc.root, "h2"), words.Text(page.Heading), test.heading)
		paragraphs := all(doc.root, "p")
		check(paragraphs[0], words.FormMessage("UNAVAILABLE", page.Detail{}), test.heading)
		check(paragraphs[1], o.Note, "")
		links := all(doc.root, "a")
		check(links[0], fill, test.words)
		check(links[1], "अपना नाम लिखें।", "")
		if names := all(links[0], "bdi"); len(names) != 1 || text(names[0]) != "Ort" {
			t.Errorf("%q: the label is not isolated: %s", test.lang, doc.source)
		}
		// The title is plain text without attributes.
		if title := text(only(t, doc.root, "title")); title != words.Text(page.ErrorPrefix)+" T" {
			t.Errorf("%q: the title is %q", test.lang, title)
		}
		for _, message := range all(doc.root, "span") {
			if value(message, "class") != "telecrm-error" {
				continue
			}
			parts := all(message, "span")
			isOurs := strings.Contains(text(message), "Ort")
			switch {
			case isOurs && test.words == test.heading:
				check(message, words.Text(page.ErrorPrefix)+" "+fill, test.words)
				check(parts[0], words.Text(page.ErrorPrefix), "")
				check(parts[1], fill, "")
			case isOurs:
				check(message, words.Text(page.ErrorPrefix)+" "+fill, "")
				check(parts[0], words.Text(page.ErrorPrefix), test.heading)
				check(parts[1], fill, test.words)
			default:
				check(parts[0], words.Text(page.ErrorPrefix), test.heading)
				check(parts[1], "अपना नाम लिखें।", "")
			}
		}
	}
}

// A title that already begins with the word for an error is left alone, with any kind of space
// before a colon.
func TestOwnTitle(t *testing.T) {
	for _, test := range []struct{ lang, title, code, want string }{
		{"en", "Contact", "", "Error: Contact"},
		{"en", "Error: Contact", "", "Error: Contact"},
		{"en", "Errors", "", "Error: Errors"},
		{"en", "", "", "Error:"},
		{"de", "Kontakt", "", "Fehler: Kontakt"},
		{"de", "Fehler: Kontakt", "", "Fehler: Kontakt"},
		{"fr", "Contact", "", "Erreur\u00a0: Contact"},
		{"fr", "Erreur : Contact", "", "Erreur : Contact"},
		{"fr", "Erreur\u202f: Contact", "", "Erreur\u202f: Contact"},
		{"ar", "اتصل بنا", "", "خطأ: اتصل بنا"},
		{"en", "Contact", "CONFIRM", "Contact"},
		{"en", "Contact", "UNAVAILABLE", "Error: Contact"},
	} {
		o := own(t, `<html lang="`+test.lang+`"><title>`+test.title+`</title><form><input name="q"></form>`)
		o.Code = test.code
		if o.Code == "" {
			o.Problems = []page.Problem{missing("q")}
		}
		doc := render(t, o)
		if got := text(only(t, doc.root, "title")); got != test.want {
			t.Errorf("%s: %q became %q, want %q", test.lang, test.title, got, test.want)
		}
		heading := page.Heading
		if test.code == "CONFIRM" {
			heading = page.HeadingConfirm
		}
		if got, want := text(only(t, doc.root, "h2")), page.Shipped().For(test.lang).Text(heading); got != want {
			t.Errorf("%s: the heading is %q, want %q", test.lang, got, want)
		}
	}
}

func TestOwnSlots(t *testing.T) {
	o := own(t, `<form action="/other"><p data-error-for="q">a</p></form><form><label>Q <input name="q"></label><p data-error-for="q" hidden class="mine"></p><i data-fs-error="r"></i><input name="r"></form>`)
	o.Problems = []page.Problem{missing("q"), missing("r")}
	doc := render(t, o)
	for _, slot := range []*html.Node{having(doc.root, "data-error-for")[1], having(doc.root, "data-fs-error")[0]} {
		message := firstElement(slot)
		if message == nil || has(slot, "hidden") || !strings.HasPrefix(text(message), "Error: Fill in") {
			t.Errorf("the slot is not used: %s", doc.source)
		}
	}
	if text(having(doc.root, "data-error-for")[0]) != "a" {
		t.Error("the slot of another form is used")
	}
}

func TestOwnDuplicateIDs(t *testing.T) {
	o := own(t, `<p id="q">telecrm-error-1</p><form><input id="q" name="q" aria-describedby="hint"></form>`)
	o.Problems = []page.Problem{missing("q")}
	doc := render(t, o)
	input := only(t, doc.root, "input")
	id := value(input, "id")
	if id == "q" || value(all(doc.root, "a")[0], "href") != "#"+id {
		t.Errorf("the link leads elsewhere: %s", doc.source)
	}
	if strings.Count(doc.source, "telecrm-error-1") != 1 || !strings.HasPrefix(value(input, "aria-describedby"), "hint ") {
		t.Errorf("ids or descriptions clash: %s", doc.source)
	}
}

func TestOwnStyleFollowsThePolicy(t *testing.T) {
	for _, test := range []struct {
		name, meta string
		headers    []string
		want       string // the style's start tag
	}{
		{"no policy", "", nil, "<style>"},
		{"nothing about style", "", []string{"script-src 'self'"}, "<style>"},
		{"inline", "", []string{"style-src 'self' 'unsafe-inline'"}, "<style>"},
		{"own files only", "", []string{"style-src 'self'"}, ""},
		{"by default", "", []string{"default-src 'self'"}, ""},
		{"nonce", "", []string{"style-src 'nonce-AbC' 'unsafe-inline'"}, `<style nonce="AbC">`},
		{"hash beside inline", "", []string{"style-src 'sha256-x' 'unsafe-inline'"}, ""},
		{"elements", "", []string{"style-src 'none'; style-src-elem 'nonce-n'"}, `<style nonce="n">`},
		{"two headers", "", []string{"style-src 'unsafe-inline'", "style-src 'self'"}, ""},
		{"two in one header", "", []string{"style-src 'unsafe-inline', default-src 'none'"}, ""},
		{"the same nonce twice", "", []string{"style-src 'nonce-n'", "default-src 'nonce-n'"}, `<style nonce="n">`},
		{"other nonces", "", []string{"style-src 'nonce-n'", "style-src 'nonce-m'"}, ""},
		{"in the page", "style-src 'self'", nil, ""},
		{"a nonce in the page", "style-src 'nonce-n'", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := own(t, `<head><meta http-equiv="content-security-policy" content="`+test.meta+`"><title>T</title></head><form method=post></form>`)
			o.Policies = test.headers
			source := render(t, o).source
			got := ""
			if at := strings.Index(source, "<style"); at >= 0 {
				got = source[at : strings.Index(source[at:], ">")+at+1]
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestOwnEncodings(t *testing.T) {
	const form = `<form method=post><label for=q>`
	for _, test := range []struct {
		name, contentType, source, want string // want is a label; empty for an error
	}{
		{"declared in the header", "text/html; charset=windows-1252", form + "N\xe4me</label><input id=q name=q></form>", "Näme"},
		{"windows-1252 declared in the page", "text/html", "<meta charset=windows-1252>" + form + "N\xe4me</label><input id=q name=q></form>", "Näme"},
		{"in escape sequences", "text/html", "<meta charset=iso-2022-jp>" + form + "\x1b$BF|K\\\x1b(B</label><input id=q name=q></form>", "日本"},
		{"declared in the page", "text/html", "<meta charset=shift_jis>" + form + "\x93\xfa\x96{</label><input id=q name=q></form>", "日本"},
		{"UTF-16", "text/html", "\xff\xfe" + wide(form+"ä</label><input id=q name=q></form>"), "ä"},
		{"none declared", "text/html", form + "ä</label><input id=q name=q></form>", "ä"},
		{"none declared, and another", "text/html", form + "N\xe4me</label><input id=q name=q></form>", ""},
		{"not as declared", "text/html; charset=utf-8", form + "N\xe4me</label><input id=q name=q></form>", ""},
		{"not in the encoding", "text/html; charset=euc-jp", form + "\xff\xff</label><input id=q name=q></form>", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := own(t, test.source)
			o.ContentType = test.contentType
			o.Problems = []page.Problem{missing("q")}
			answer, err := o.Render()
			if test.want == "" {
				if !errors.Is(err, page.ErrEncoding) {
					t.Errorf("error %v in %s", err, answer)
				}
				return
			}
			if err != nil || strings.Count(string(answer), test.want) != 3 {
				t.Errorf("error %v, want %s three times in %s", err, test.want, answer)
			}
		})
	}
}

func wide(text string) string {
	var s strings.Builder
	for _, r := range text {
		s.WriteByte(byte(r))
		s.WriteByte(byte(r >> 8))
	}
	return s.String()
}

// Other hidden elements do not matter, and of two forms the visible one counts.
func TestOwnFindsTheVisibleForm(t *testing.T) {
	for name, source := range map[string]string{
		"behind a modal":        `<div class="modal"><div></div></div></div><form><input name=q></form>`,
		"behind a hidden part":  `<section hidden><div></div></section><form><input name=q></form>`,
		"an open dialog":        `<dialog open><form><input name=q></form></dialog>`,
		"in a similar class":    `<div class="modal-free" data-x="modal"><form><input name=q></form></div>`,
		"with a hidden input":   `<div><input type=hidden hidden></div><form><input name=q></form>`,
		"beside one in a modal": `<div class=modal><form><input name=r></form></div><form><input name=q></form>`,
		"in a hidden template":  `<template><div hidden></template><form><input name=q></form>`,
	} {
		o := own(t, source)
		o.Problems = []page.Problem{missing("q")}
		if _, err := o.Render(); err != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A page is not shown again if the errors cannot be marked on it, or if it would take too long.
func TestOwnRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		source string
		want   error
	}{
		"a hidden input":      {`<form><input type=hidden name=q></form>`, page.ErrNoControl},
		"no input":            {`<form></form>`, page.ErrNoControl},
		"one of another form": {`<form></form><form action=/x><input name=q></form>`, page.ErrNoControl},
		"a modal":             {`<div class="fade modal" aria-hidden=true><div><form><input name=q></form></div></div>`, page.ErrHidden},
		"something hidden":    {`<section HIDDEN><section></section><form><input name=q></form></section>`, page.ErrHidden},
		"a closed dialog":     {`<dialog><div></div><form><input name=q></form></dialog>`, page.ErrHidden},
		"no form":             {`<p>Hello</p>`, page.ErrNoForm},
		"nothing":             {``, page.ErrNoForm},
		"a long page":         {strings.Repeat("x", page.MaxSource+1), page.ErrTooLarge},
		"deep fieldsets":      {`<form>` + strings.Repeat("<fieldset>", 100000) + `<input name=q>`, page.ErrTooLarge},
		"deep templates":      {`<form><input name=q></form>` + strings.Repeat("<template>", 100), page.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, test.source)
			o.Problems = []page.Problem{missing("q")}
			if answer, err := o.Render(); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v; %.300s", err, test.want, answer)
			}
		})
	}
}

// Beside its input, a long sentence is short. The summary has all of it, and so does a draft, which
// does not have a summary.
func TestOwnIsShortBesideTheInput(t *testing.T) {
	o := own(t, `<form method=post action=/contact><label for=p>Phone</label><input id=p name=p></form>`)
	o.Problems = []page.Problem{{Input: "p", Fault: page.Fault{Code: "TYPE_PHONE"}}}
	const long, short = "Enter a phone number in “<bdi>Phone</bdi>”. If it is", "<span>Enter a phone number.</span>"
	if got := render(t, o).source; strings.Count(got, long) != 1 || strings.Count(got, short) != 1 {
		t.Errorf("the page is %s", got)
	}
	o.IsDraft = true
	if got := render(t, o).source; strings.Count(got, long) != 1 || strings.Contains(got, short) {
		t.Errorf("the draft is %s", got)
	}
}
