package page_test

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/page"
)

// A form that htmx posts is found by the address that htmx posts to.
func TestOwnFindsFormsOfHTMX(t *testing.T) {
	const others = `<form id="search" action="/search"><input name="phone"></form><form id="login" hx-post="/login"><input name="phone"></form>`
	for name, source := range map[string]string{
		"form":                      `<form id="used" hx-post="/enquire"><input name="phone"></form>`,
		"form with another action":  `<form id="used" action="/old" method="post" hx-post="/enquire"><input name="phone"></form>`,
		"data attribute":            `<form id="used" data-hx-post="/enquire"><input name="phone"></form>`,
		"full URL":                  `<form id="used" hx-post="https://www.example.com/enquire?a=b"><input name="phone"></form>`,
		"hx-action":                 `<form id="used" hx-action="/enquire" hx-method="post"><input name="phone"></form>`,
		"data-hx-action":            `<form id="used" data-hx-action="/enquire"><input name="phone"></form>`,
		"button":                    `<form id="used"><input name="phone"><button hx-post="/enquire">Send</button></form>`,
		"link":                      `<form id="used"><input name="phone"><a href="#" hx-post="/enquire">Send</a></form>`,
		"element around the fields": `<form id="used"><div hx-post="/enquire"><input name="phone"></div></form>`,
		"button elsewhere":          `<form id="used"><input name="phone"></form><button form="used" hx-post="/enquire">Send</button>`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, body := range []string{others + source, source + others} {
				o := own(t, `<!doctype html><title>Contact</title><body>`+body)
				o.Posted = address(t, "/enquire")
				o.Values = pairs("phone", "12")
				o.Problems = []page.Problem{missing("phone")}
				if got := markedForm(t, o); got != "used" {
					t.Errorf("filled in is %q, in %s", got, body)
				}
			}
		})
	}
}

// htmx posts these forms, so they get a stamp.
func TestFormsOfHTMXAreFound(t *testing.T) {
	for source, want := range map[string][]string{
		`<form hx-post="/enquire">`:                              {"/enquire"},
		`<form hx-post>`:                                         {""},
		`<form method=get data-hx-post=" /enquire ">`:            {"/enquire"},
		`<form hx-action="/enquire">`:                            {"/enquire"},
		`<form data-hx-action="/enquire">`:                       {"/enquire"},
		`<form method=post action="/old" hx-post="/enquire">`:    {"/old"},
		`<form hx-get="/search"></form><form hx-put="/put">`:     nil,
		`<div hx-post="/a"></div><form action="/search"></form>`: nil,
	} {
		var found []page.PostForm
		protect(page.NewForms("text/html", nil, marking(&found)), source, whole)
		var got []string
		for _, f := range found {
			got = append(got, f.Action)
		}
		if strings.Join(got, ",") != strings.Join(want, ",") || len(got) != len(want) {
			t.Errorf("%s: found %q, want %q", source, got, want)
		}
	}
	// If the action is not the handler's, the other address is asked about.
	var asked []string
	protect(page.NewForms("text/html", nil, func(f page.PostForm) string {
		asked = append(asked, f.Action)
		return ""
	}), `<form method=post action="/old" hx-post="/enquire">`, whole)
	if strings.Join(asked, " ") != "/old /enquire" {
		t.Errorf("asked about %q", asked)
	}
}
