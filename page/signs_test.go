package page_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/page"
)

const (
	plainForm = "<form method=\"post\" action=\"/contact\">\n<label>Phone <input name=\"q\" required></label>\n<button>Send</button>\n</form>"
	// reactForm and vueForm are written as these frameworks write them.
	reactForm = `<form action="/contact" method="post"><label for="p">Phone</label><input id="p" required="" name="q" value=""/><button>Send</button></form>`
	vueForm   = `<form method="post" action="/contact"><label>Phone <input name="q" required></label><button>Send</button></form>`
	bundle    = `<script src="/assets/client.js"></script>`
	moduleTag = `<script type="module" src="/assets/client.js"></script>`
)

// Forms that a script rebuilds are recognized by what frameworks leave on the page. Other forms are
// not, whatever else is on it.
func TestRebuiltForms(t *testing.T) {
	for _, test := range []struct {
		name, page string
		sign       string // a part of it; "" if no script rebuilds the form
	}{
		{"React, root", `<div id="root">` + reactForm + `</div>` + bundle, "React writes"},
		{"React, any element", `<div id="contact"><section class="x">` + reactForm + `</section></div>` + bundle, "React writes"},
		{"React, an element without an id", "<main>\n" + `<div class="enquiry">` + reactForm + `</div>` + bundle, "React writes"},
		{"React, texts", `<div id="x"><h1>Hi <!-- -->Ann</h1>` + vueForm + `</div>` + bundle, "<!-- -->"},
		{"React, texts in the form", `<div>` + strings.Replace(vueForm, "Phone", "Phone<!-- -->*", 1) + `</div>` + bundle, "<!-- -->"},
		{"React, texts after the form", `<div id="x">` + plainForm + `<p>Hi <!-- -->Ann</p></div>` + bundle, "<!-- -->"},
		{"React, Suspense", `<div><!--$-->` + vueForm + `<!--/$--></div>` + bundle, "<!--$-->"},
		{"React 17", `<div class="x" data-reactroot="">` + vueForm + `</div>` + bundle, "data-reactroot"},
		{"React, whole document", `<!DOCTYPE html><html lang="en"><head><meta charSet="utf-8"/><title>T</title></head><body><h1>Hi</h1>` + reactForm + `<script src="/client.js" async=""></script></body></html>`, "React writes"},
		{"React, whole document after a line break", "<!DOCTYPE html>\n" + `<html lang="en"><head><title>T</title></head><body id="b">` + reactForm + bundle + `</body></html>`, "React writes"},
		{"React, inline module", `<section id="enquire">` + plainForm + `</section><script type="module">import {hydrateRoot} from "/r.js"; hydrateRoot(document.getElementById("enquire"), x)</script>`, "hydrateRoot"},
		{"React, inline, the document", plainForm + `<script>ReactDOM.hydrateRoot(document, x)</script>`, "hydrateRoot"},
		{"react-rails", `<div data-react-class="Contact" data-react-props="{}">` + vueForm + `</div>` + bundle, "data-react-class"},
		{"Next, pages", `<div id="__next">` + vueForm + `</div><script id="__NEXT_DATA__" type="application/json">{}</script>`, "__next"},
		{"Next, app", plainForm + `<script>(self.__next_f=self.__next_f||[]).push([0])</script>`, "__next_f"},
		{"Gatsby", `<div id="___gatsby"><div id="gatsby-focus-wrapper">` + vueForm + `</div></div>` + bundle, "___gatsby"},
		{"Remix", vueForm + `<script>window.__remixContext = {};</script>`, "__remixContext"},
		{"React Router", vueForm + `<script>window.__reactRouterContext = {};</script>`, "__reactRouterContext"},
		{"Vue, app", `<div id="app">` + vueForm + `</div>` + bundle, `id="app"`},
		{"Vue, several roots", `<div id="x"><!--[--><h1>Hi</h1>` + vueForm + `<!--]--></div>` + bundle, "<!--[-->"},
		{"Vue, an empty slot", `<div id="x"><!---->` + vueForm + `</div>` + moduleTag, "<!---->"},
		{"Vue, scoped styles", `<div data-v-7ba5bd90>` + vueForm + `</div>` + bundle, "data-v-7ba5bd90"},
		{"Vue 2", `<div data-server-rendered="true">` + vueForm + `</div>` + bundle, "data-server-rendered"},
		{"Vue, another id", `<div id="contact-app">` + vueForm + `</div>` + moduleTag, `id="contact-app"`},
		{"Nuxt", `<div id="__nuxt">` + vueForm + `</div><script>window.__NUXT__={}</script>`, "__nuxt"},
		{"Svelte 5", `<div><!--[--><h1>Hi</h1> ` + reactForm + `<!--]--></div>` + moduleTag, "<!--[-->"},
		{"Svelte 5, a block", `<div><!--[-1-->` + vueForm + `<!--]--></div>` + moduleTag, "<!--[-1-->"},
		{"SvelteKit", `<body data-sveltekit-preload-data="hover"><div style="display: contents">` + vueForm + `<script>{__sveltekit_1x2y = {base: ""}}</script></div>`, "__sveltekit_"},
		{"Astro", `<astro-island uid="1" ssr="" client="load">` + vueForm + `</astro-island><script>self.Astro</script>`, "<astro-island>"},
		{"Angular", `<app-root ng-version="19.0.0" ng-server-context="ssr">` + vueForm + `</app-root>` + moduleTag, "ng-"},
		{"Qwik", `<html q:container="paused"><body>` + vueForm + moduleTag, "q:container"},
		{"Solid", `<main data-hk="000">` + vueForm + `</main><script>window._$HY||(e=>{})()</script>`, "data-hk"},
		{"Inertia", `<div id="x" data-page="{&quot;component&quot;:&quot;Contact&quot;}">` + vueForm + `</div>` + moduleTag, "data-page"},
		{"Blazor", `<div class="page"><!--Blazor:{"type":"server"}-->` + vueForm + `</div>` + bundle, "Blazor"},
		{"Alpine", strings.Replace(plainForm, "required", `x-model="phone"`, 1), "x-model"},
		{"Alpine, lazily", strings.Replace(plainForm, "required", `x-model.lazy.trim="phone"`, 1), "x-model.lazy.trim"},
		{"Alpine, a value", strings.Replace(plainForm, "required", `:value="phone"`, 1), ":value"},
		{"Vue in the page", strings.Replace(plainForm, "required", `v-model="phone"`, 1), "v-model"},
		{"AngularJS", strings.Replace(plainForm, "required", `data-ng-model="phone"`, 1), "data-ng-model"},
		{"Knockout", strings.Replace(plainForm, "required", `data-bind="value: phone"`, 1), "data-bind"},
		{"Livewire", strings.Replace(plainForm, "required", `wire:model.live="phone"`, 1), "wire:model.live"},

		{"plain", plainForm, ""},
		{"a script", `<div id="contact">` + plainForm + `</div>` + bundle, ""},
		{"a module", `<main id="main">` + plainForm + `</main>` + moduleTag, ""},
		{"on one line", `<div id="contact">` + vueForm + `</div>` + bundle, ""},
		{"on one line, with a module", `<div id="wrapper">` + vueForm + `</div>` + moduleTag, ""},
		{"XHTML", `<div id="contact">` + strings.ReplaceAll(reactForm, "/>", " />") + `</div>` + bundle, ""},
		{"called app", `<div id="app">` + "\n" + plainForm + "\n" + `</div>` + bundle, ""},
		{"analytics alone", `<div id="app">` + vueForm + `</div><script async src="https://www.example.com/tag.js"></script><script>window.dataLayer = []</script>`, ""},
		{"rendered, and no script", `<div id="root">` + reactForm + `<!-- --></div>`, ""},
		{"data alone", `<div id="root"><!--[-->` + reactForm + `<!--]--></div><script type="application/ld+json">{}</script>`, ""},
		{"a React widget", `<div id="widget"><p>Hi <!-- -->Ann<!--$--><!--/$--></p></div><main id="main">` + plainForm + `</main>` + bundle, ""},
		{"a React widget in the same main", `<main id="main"><div id="map"><b>1<!-- -->2</b></div>` + plainForm + `</main>` + bundle, ""},
		{"an empty React root", `<div id="root"></div><div class="x">` + plainForm + `</div>` + moduleTag, ""},
		{"an inline script that hydrates a widget", `<div id="cart"></div>` + plainForm + `<script type="module">hydrateRoot(document.getElementById("cart"), x)</script>`, ""},
		{"a widget in the form", strings.Replace(plainForm, "<button", `<div id="date"><!--[--><i></i><!----><!--]--></div><button`, 1) + bundle, ""},
		{"an island beside the form", `<astro-island client="load"><p>1<!-- -->2</p></astro-island>` + plainForm + moduleTag, ""},
		{"an island in the form", strings.Replace(plainForm, "<button", `<astro-island client="load"><i>1</i><!----></astro-island><button`, 1) + moduleTag, ""},
		{"a Vue widget beside the form", `<div id="app"><!--[--><i></i><!--]--></div><section class="x">` + plainForm + `</section>` + moduleTag, ""},
		{"beside Next's root", `<div id="__next"><p></p></div>` + plainForm + `<script id="__NEXT_DATA__" type="application/json">{}</script>`, ""},
		{"Alpine around it", `<div x-data="{open: false}"><p x-show="open">x</p>` + strings.Replace(plainForm, "required", `x-on:input="n++" x-ref="phone"`, 1) + `</div>` + bundle, ""},
		{"x-model on another form", `<form action="/search"><input x-model="q"></form>` + plainForm + bundle, ""},
		{"x-model on a hidden input", strings.Replace(plainForm, "<button", `<input type="hidden" name="t" x-model="t"><button`, 1), ""},
		{"htmx", strings.Replace(plainForm, "<form", `<form hx-boost="true"`, 1) + bundle, ""},
		{"a comment", `<div id="x"><!-- the form --><!--[if IE]><p>IE</p><![endif]-->` + plainForm + `</div>` + bundle, ""},
		{"words about hydration", `<div id="x">` + plainForm + `</div><script>drink("hydrate (daily)"); document.body</script>`, ""},
		{"data-page of a theme", `<div data-page="contact">` + plainForm + `</div>` + bundle, ""},
		{"in a script", `<div id="x">` + plainForm + `</div><script>x = "<div id=__next><!--[-->"</script>`, ""},
		{"in a template", `<template><div id="__next"><!--[--></template>` + plainForm + bundle, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := own(t, test.page)
			o.Problems = []page.Problem{missing("q")}
			_, err := o.Render()
			var rebuilt *page.RebuiltError
			switch {
			case test.sign == "" && err != nil:
				t.Errorf("error %v", err)
			case test.sign != "" && (!errors.As(err, &rebuilt) || !errors.Is(err, page.ErrRebuilt) || !strings.Contains(rebuilt.Sign, test.sign)):
				t.Errorf("error %v, want a sign with %q", err, test.sign)
			}
			// Pages are recognized in the same way while they are served.
			if sign := lastSign(test.page, test.page); !strings.Contains(sign, test.sign) || (sign == "") != (test.sign == "") {
				t.Errorf("served: %q, want a sign with %q", sign, test.sign)
			}
		})
	}
}

// lastSign returns what shows that a script rebuilds the page's last form, if only the beginning of
// the page is known when it is served.
func lastSign(beginning, source string) (sign string) {
	var forms *page.Forms
	forms = page.NewForms("text/html", nil, func(page.PostForm) string {
		sign = page.ReadRebuilt([]byte(beginning), beginning == source).At(forms.At())
		return ""
	})
	protect(forms, source, func() int { return 7 })
	return sign
}

// Forms after the beginning of a large page, or of one that is sent piece by piece, are judged by
// the beginning.
func TestRebuiltFormsAfterTheBeginning(t *testing.T) {
	for beginning, want := range map[string]bool{
		`<div id="root">` + reactForm + bundle:              true,
		bundle + `<div id="root"><p>Text</p>`:               true,
		bundle + `<div id="__next"><main>`:                  true,
		bundle + `<div class="x"><!--[--><p>`:               true,
		bundle + `<div id="__next"></div><div class="x">`:   false,
		`<div id="__next">` + vueForm:                       true, // the scripts are behind it
		`<div id="x">` + reactForm + `</div>`:               true,
		plainForm + bundle:                                  false,
		bundle + `<div id="w"><!--[--><!--]--></div><main>`: false,
	} {
		if sign := lastSign(beginning, beginning+plainForm); (sign != "") != want {
			t.Errorf("after %s: %q", beginning, sign)
		}
	}
}

// Pages with many forms and traces do not take longer than others.
func TestRebuiltFormsOfHostilePages(t *testing.T) {
	size := page.MaxSource
	if testing.Short() {
		size /= 8
	}
	for name, piece := range map[string]string{
		"forms": `<form><input name=q></form>`, "open elements": `<div id=x><form></form>`, "fragments": `<!--[-->`, "separators": `<!-- -->`, "comments": `<!--`,
		"scripts": `<script>hydrate(`, "roots": `<p data-reactroot>`, "bindings": `<form><input x-model=q name=q></form>`, "end tags": `<b><p></b></div>`,
	} {
		t.Run(name, func(t *testing.T) {
			source := `<section><table>` + strings.Repeat(piece, size/len(piece)-10) + plainForm + bundle
			start := time.Now()
			page.ReadRebuilt([]byte(source), true)
			if took := time.Since(start); took > time.Minute { // it takes a second
				t.Errorf("it took %v", took)
			}
		})
	}
}
