package page_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/page"
)

// A disabled fieldset does not disable what is in its first legend.
func TestOwnOfDisabledFieldsets(t *testing.T) {
	for fields, want := range map[string]bool{
		`<fieldset disabled><legend><input name=q></legend></fieldset>`:                                                           true,
		`<fieldset disabled><legend>L</legend><input name=q></fieldset>`:                                                          false,
		`<fieldset disabled><legend>L</legend><legend><input name=q></legend></fieldset>`:                                         false,
		`<fieldset disabled><legend><fieldset><input name=q></fieldset></legend></fieldset>`:                                      true,
		`<fieldset disabled><legend><fieldset><legend>L</legend></fieldset><fieldset disabled><input name=q></fieldset></legend>`: false,
		`<fieldset disabled><legend><fieldset>x</fieldset><input name=q></legend></fieldset>`:                                     true,
		`<fieldset disabled><fieldset disabled><legend><input name=q></legend></fieldset></fieldset>`:                             false,
		`<fieldset><legend><input name=q></legend></fieldset>`:                                                                    true,
	} {
		o := own(t, `<form method=post action=/contact>`+fields+`</form>`)
		o.Values = []page.Pair{{Name: "q", Value: "typed"}}
		if got := strings.Contains(render(t, o).source, `value="typed"`); got != want {
			t.Errorf("%s: value restored: %v, want %v", fields, got, want)
		}
	}
}

// The summary's heading never skips a level.
func TestOwnSkipsNoHeadingLevel(t *testing.T) {
	const form = `<form method=post action=/contact><input name=q></form>`
	for source, want := range map[string]string{
		form:                                  "",
		"<h1>A</h1>" + form:                   "",
		"<main><h1>A</h1>" + form:             "",
		"<main><h4>A</h4>" + form:             "3",
		"<main><h6>A</h6>" + form:             "5",
		"<h4>A</h4>" + form:                   "",
		form + "<h6>A</h6>":                   "5",
		"<h1>A</h1>" + form + "<h3>B</h3>":    "",
		"<h3>A</h3>" + form + "<h4>B</h4>":    "3",
		"<h1>A</h1>" + form + "<h4>B</h4>":    "", // skipped by the author
		"<div hidden><h6>A</h6></div>" + form: "",
	} {
		o := own(t, source)
		o.Problems = []page.Problem{missing("q")}
		answer, err := o.Render()
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(answer), `role="alert"><h2`)
		attributes, _, _ := strings.Cut(rest, ">")
		if got := strings.Contains(attributes, "aria-level"); got != (want != "") || !strings.Contains(attributes, want) {
			t.Errorf("%s: the heading has%s, want level %q", source, attributes, want)
		}
	}
}

func TestOwnWithoutHead(t *testing.T) {
	o := own(t, `<form method=post action=/post/here><input name=q></form>`)
	o.Posted = address(t, "/post/here")
	if _, err := o.Render(); !errors.Is(err, page.ErrNoHead) {
		t.Errorf("error %v, want %v", err, page.ErrNoHead)
	}
}
