package page_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/page"
)

// places of the summary
const (
	inMain  = "in main"
	atForm  = "before the form"
	atTop   = "first in body"
	builtIn = "built-in page"
)

const enquiryForm = `<form method="post" action="/contact"><label>Phone <input name="q"></label></form>`

// The summary is where visitors see it when the page opens. What may be closed is known by the
// page's structure, not by class names.
func TestSummaryIsSeen(t *testing.T) {
	for _, test := range []struct{ name, body, want string }{
		{"plain", `<h1>Page</h1>{}`, atForm},
		{"plain sections", `<header><h1>Page</h1></header><section><div><div>{}</div></div></section>`, atForm},
		{"a labelled region", `<section aria-label="Contact" lang="en" role="region">{}</section>`, atForm},
		{"a harmless style", `<div style="max-width: 40rem; margin: 0 auto">{}</div>`, atForm},
		{"a table", `<table><tr><td>{}</td></tr></table>`, atForm},
		{"main", `<main><p class="x">{}</p></main>`, inMain},
		{"main with a class", `<main id="content" class="container" tabindex="-1" data-page="contact"><h1>Page</h1><div class="card">{}</div></main>`, inMain},
		{"main in a plain element", `<div><main>{}</main></div>`, inMain},
		{"a form after main", `<main><h1>Page</h1></main><div class="popup">{}</div>`, inMain},
		{"the form's own class", `<div>` + strings.Replace(enquiryForm, "<form", `<form class="card" id="f"`, 1) + `</div>`, atForm},
		{"after a closed box", `<details><summary>More</summary></details><div class="mfp-hide"></div><section>{}</section>`, atForm},
		{"after an unclosed paragraph", `<p class="lead">Text<section>{}</section>`, atForm},
		{"after a list", `<ul><li class="a">One<li class="b">Two</ul>{}`, atForm},

		{"details", `<h1>Page</h1><details><summary>Enquire</summary>{}</details>`, atTop},
		{"open details", `<details open><summary>Enquire</summary>{}</details>`, atTop},
		{"an exclusive accordion", `<details name="a" open></details><details name="a"><summary>Enquire</summary><div>{}</div></details>`, atTop},
		{"Magnific Popup", `<h1>Page</h1><div id="popup" class="white-popup mfp-hide">{}</div>`, atTop},
		{"any class", `<div class="f83a">{}</div>`, atTop},
		{"an id", `<section id="enquire">{}</section>`, atTop},
		{"data", `<div data-remodal-id="enquire">{}</div>`, atTop},
		{"a role", `<div role="tabpanel">{}</div>`, atTop},
		{"an open dialog", `<dialog open>{}</dialog>`, atTop},
		{"Alpine", `<div x-show="open">{}</div>`, atTop},
		{"Vue", `<div><section :class="{closed}">{}</section></div>`, atTop},
		{"a custom element", `<sl-dialog>{}</sl-dialog>`, atTop},
		{"off the screen", `<div style="position:absolute;left:-9999px">{}</div>`, atTop},
		{"no height", `<div style="max-height:0; overflow:hidden">{}</div>`, atTop},
		{"a negative margin", `<div style="margin-left:-100%">{}</div>`, atTop},
		{"main in Micromodal", `<h1>Page</h1><div class="micromodal-slide" id="m"><div><main class="modal__content">{}</main></div></div>`, atTop},
		{"main that is a dialog", `<main role="dialog">{}</main>`, atTop},
		{"main that a script opens", `<main x-show="open">{}</main>`, atTop},
		{"main elsewhere in a popup", `<div class="popup"><main></main></div><section>{}</section>`, atForm},
		{"wrongly nested", `<div class="popup"><table><tr><td></div>{}</td></tr></table></div>`, atTop},
		{"an inline element", `<div class="popup"><span></div></span>{}</div>`, atForm}, // the popup has ended
		{"a stray end tag", `<div class="popup"></section></p></b>{}</div>`, atTop},

		{"display", `<div style="color:red;DISPLAY: none !important">{}</div>`, builtIn},
		{"visibility", `<section style="visibility:hidden">{}</section>`, builtIn},
		{"transparent", `<header style="opacity:0">{}</header>`, builtIn},
		{"hidden", `<p hidden="until-found"></p><nav hidden="until-found">{}</nav>`, builtIn},
		{"a popover", `<button popovertarget="p">Enquire</button><div id="p" popover>{}</div>`, builtIn},
		{"a dialog", `<dialog id="d"><div>{}</div></dialog>`, builtIn},
		{"off canvas", `<aside class="offcanvas" aria-hidden="true">{}</aside>`, builtIn},
		{"inert", `<div inert>{}</div>`, builtIn},
		{"a hidden form", strings.Replace(enquiryForm, "<form", "<form hidden", 1), builtIn},
		{"a form that is not displayed", strings.Replace(enquiryForm, "<form", `<form style="display:none"`, 1), builtIn},
		{"details in a hidden element", `<div hidden><details>{}</details></div>`, builtIn},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, frame := range []string{
				`<!DOCTYPE html><html lang="en"><head><title>T</title></head><body class="home" id="top">%</body></html>`,
				`<title>T</title>%`,
			} {
				o := own(t, strings.Replace(frame, "%", strings.Replace(test.body, "{}", enquiryForm, 1), 1))
				o.Problems = []page.Problem{missing("q")}
				o.Values = []page.Pair{{Name: "q", Value: "12"}}
				answer, err := o.Render()
				if test.want == builtIn {
					if !errors.Is(err, page.ErrHidden) {
						t.Errorf("error %v in %s", err, answer)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				doc := render(t, o)
				if got := placeOfSummary(t, doc.root); got != test.want {
					t.Errorf("the summary is %s, want it %s: %s", got, test.want, doc.source)
				}
				// The message and the value are at the input too, for when its box is opened.
				if value(only(t, doc.root, "input"), "value") != "12" || strings.Count(doc.source, `class="telecrm-error"`) != 1 {
					t.Errorf("the input: %s", doc.source)
				}
				if form := only(t, doc.root, "form"); ancestor(form, "details") != nil && !has(ancestor(form, "details"), "open") {
					t.Errorf("the form is in closed details: %s", doc.source)
				}
			}
		})
	}
}

// Elements that are nested too deeply to follow may be closed.
func TestSummaryOfDeepPagesIsFirst(t *testing.T) {
	o := own(t, `<body>`+strings.Repeat("<div>", 600)+enquiryForm)
	answer, err := o.Render()
	if err != nil || !bytes.HasPrefix(answer, []byte("<body><style")) {
		t.Errorf("error %v in %.100s", err, answer)
	}
}

// summaryOf returns the page's summary.
func summaryOf(root *html.Node) *html.Node {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && value(n, "class") == "telecrm-summary" {
			return n
		}
	}
	return nil
}

func placeOfSummary(t *testing.T, root *html.Node) string {
	t.Helper()
	summary := summaryOf(root)
	switch next := nextElement(summary); {
	case has(summary, "data-top"):
		if summary.Parent.Data != "body" || summary != firstElement(summary.Parent) {
			t.Errorf("it is not first in body")
		}
		return atTop
	case summary.Parent.Data == "main" && firstElement(summary.Parent) == summary:
		return inMain
	case next != nil && next.Data == "form":
		return atForm
	}
	return "elsewhere"
}

func nextElement(n *html.Node) *html.Node {
	for n = n.NextSibling; n != nil && n.Type != html.ElementNode; {
		n = n.NextSibling
	}
	return n
}

// checkSeen checks with the tree that a browser builds that nothing around the summary may be
// closed.
func checkSeen(t interface{ Fatalf(string, ...any) }, answer []byte) {
	root, err := html.Parse(bytes.NewReader(answer))
	if err != nil {
		return // too deep for the parser
	}
	summary := summaryOf(root)
	if summary == nil {
		t.Fatalf("no summary in %s", answer)
	}
	for n := range summary.Ancestors() {
		if n.Type != html.ElementNode || n.Data == "body" || n.Data == "html" || value(n, "role") == "main" {
			continue
		}
		isMain := n.Data == "main"
		if n.Data == "details" || n.Data == "dialog" || has(n, "hidden") || has(n, "popover") || !isMain && (has(n, "class") || has(n, "id")) {
			t.Fatalf("the summary is in <%s> of %s", n.Data, answer)
		}
	}
}

// However the elements of a page are nested, the summary is outside of what may be closed.
func TestSummaryIsSeenOnRandomPages(t *testing.T) {
	pieces := []string{
		`<div>`, `<div class=x>`, `</div>`, `<section>`, `<section id=x>`, `</section>`, `<p>`, `<p class=x>`, `</p>`, `<span>`, `<span class=x>`, `</span>`,
		`<details>`, `</details>`, `<dialog open>`, `</dialog>`, `<main>`, `<main class=x>`, `</main>`, `<ul>`, `<li class=x>`, `</ul>`, `<table>`, `<tr>`, `<td>`,
		`<td class=x>`, `</td>`, `</table>`, `<b class=x>`, `</b>`, `<a id=x>`, `</a>`, `<button class=x>`, `</button>`, `<template>`, `</template>`, `<body>`, `</body>`,
		`<svg>`, `</svg>`, `<h1 class=x>`, `</h2>`, `<form>`, `</form>`, `<object class=x>`, `</object>`, `<!-- -->`, `text`, `<dd class=x>`, `<dt>`, `<br>`, `</br>`, `<hr>`,
	}
	rapid.Check(t, func(rt *rapid.T) {
		before := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(rt, "before"), "")
		o := own(t, before+enquiryForm+strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 4).Draw(rt, "after"), ""))
		o.Problems = []page.Problem{missing("q")}
		if answer, err := o.Render(); err == nil {
			checkSeen(rt, answer)
		}
	})
}
