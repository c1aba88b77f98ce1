package page_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/page"
)

// A page whose body goes into the page that the visitor is on brings its style sheet there, and its
// links lead to where they led.
func TestOwnForTheBodyOfAPage(t *testing.T) {
	const source = `<!doctype html><html><head><title>Contact</title>%s</head><body><a href="#top">Top</a>
		<form method="post" action="/posts/enquire"><input id="phone" name="phone"></form></body></html>`
	for name, test := range map[string]struct {
		head, at, into string
		policies       []string
		links          string
		style          bool
		err            error
	}{
		"same page":                {"", "/contact", "/contact", nil, "#phone", true, nil},
		"same page with a query":   {"", "/contact?a=b", "/contact?a=b", nil, "#phone", true, nil},
		"page of the same folder":  {"", "/contact", "/home", nil, "#phone", true, nil},
		"page of another folder":   {"", "/contact", "/in/pune", nil, "", false, page.ErrElsewhere},
		"same page with a base":    {`<base href="/">`, "/in/pune", "/in/pune", nil, "/in/pune#phone", true, nil},
		"other page with a base":   {`<base href="/">`, "/contact", "/home", nil, "", false, page.ErrElsewhere},
		"style with a nonce":       {"", "/contact", "/contact", []string{"style-src 'nonce-abc'"}, "#phone", false, nil},
		"policy forbids the style": {"", "/contact", "/contact", []string{"style-src 'self'"}, "#phone", false, nil},
		"policy forbids base":      {"", "/contact", "/contact", []string{"base-uri 'none'"}, "#phone", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, strings.Replace(source, "%s", test.head, 1))
			o.URL, o.Posted, o.Into = address(t, test.at), address(t, "/posts/enquire"), address(t, test.into)
			o.Policies = test.policies
			o.Problems = []page.Problem{missing("phone")}
			answer, err := o.Render()
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			head, body, _ := strings.Cut(string(answer), "<body>")
			if strings.Contains(head, "<style") || strings.Contains(body, "<style") != test.style {
				t.Errorf("style sheet in the wrong place:\n%s", answer)
			}
			if !strings.Contains(body, `<li><a href="`+test.links+`"`) {
				t.Errorf("no link to %s:\n%s", test.links, body)
			}
			if strings.Contains(body, `data-hx-boost="false"`) != (test.head != "") {
				t.Errorf("a link with a path is boosted, or one without is not:\n%s", body)
			}
			if strings.Contains(head, "<base") != (test.head != "") || !strings.Contains(body, `<a href="#top">`) {
				t.Errorf("links changed:\n%s", answer)
			}
		})
	}
}

// While the visitor is still typing, nothing takes the focus, and a form in an open box is not
// hidden.
func TestOwnDraftHasMessagesOnly(t *testing.T) {
	for name, body := range map[string]string{
		"visible":    `<form method="post"><input name="name"><input name="phone"></form>`,
		"in a box":   `<div class="modal"><form method="post"><input name="name"><input name="phone"></form></div>`,
		"with focus": `<form method="post"><input name="name" autofocus><input name="phone"></form>`,
		"in main":    `<main><form method="post"><input name="name"><input name="phone"></form></main>`,
		"in dialog":  `<dialog><form method="post"><input name="name"><input name="phone"></form></dialog>`,
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, `<!doctype html><title>Contact</title><body>`+body)
			o.IsDraft = true
			o.Values = pairs("name", "Asha", "phone", "12")
			o.Problems = []page.Problem{missing("phone")}
			answer, err := o.Render()
			if err != nil {
				t.Fatal(err)
			}
			text := string(answer)
			if !strings.Contains(text, `class="telecrm-error"`) || !strings.Contains(text, `value="Asha"`) {
				t.Errorf("no message or value:\n%s", text)
			}
			if strings.Contains(text, "telecrm-summary\"") || strings.Contains(text, "autofocus") || !strings.Contains(text, "<title>Contact<") {
				t.Errorf("the page is announced:\n%s", text)
			}
		})
	}
}

// If a script takes only the form from the page, the summary is in it.
func TestOwnSummaryInTheForm(t *testing.T) {
	for name, body := range map[string]string{
		"in main":    `<main><h1>Contact</h1><form method="post"><input name="phone"></form></main>`,
		"in body":    `<h1>Contact</h1><form method="post"><input name="phone"></form>`,
		"in a frame": `<main><turbo-frame id="f"><form method="post"><p>Hello</p><input name="phone"></form></turbo-frame></main>`,
		"second":     `<form action="/search"><input name="q"></form><form method="post"><input name="phone"></form>`,
		"in section": `<main><section><div><form method="post"><input name="phone"></form></div></section></main>`,
	} {
		t.Run(name, func(t *testing.T) {
			o := own(t, `<!doctype html><title>Contact</title><body>`+body)
			o.Into, o.InForm, o.Code = o.URL, true, "TOO_MANY"
			o.Values = pairs("phone", "12")
			answer, err := o.Render()
			if err != nil {
				t.Fatal(err)
			}
			if text := string(answer); !strings.Contains(text, `<form method="post"><style>`) || !strings.Contains(text, `</style><div class="telecrm-summary"`) {
				t.Errorf("the summary is elsewhere:\n%s", text)
			}
		})
	}
}
