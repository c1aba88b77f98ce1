package browsertest

import (
	"strings"
	"testing"
)

const (
	htmx2 = "htmx2/dist/htmx.min.js"
	htmx4 = "htmx.org/dist/htmx.min.js"
)

// hxForm is the form of a page that htmx posts, with more attributes.
func hxForm(attributes string) string {
	return `<form hx-post="/callback" ` + attributes + `>%s<button id="send">Send</button></form>`
}

const plainForm = `<form method="post" action="/callback">%s<button id="send">Send</button></form>`

// htmxPages are pages of htmx as their authors write them.
var htmxPages = map[string]libraryPage{
	"2/hx-post":              {scripts: []string{htmx2}, form: hxForm("")},
	"2/target":               {scripts: []string{htmx2}, form: hxForm(`hx-target="#result"`)},
	"2/target, outerHTML":    {scripts: []string{htmx2}, form: hxForm(`hx-target="#result" hx-swap="outerHTML"`)},
	"2/select":               {scripts: []string{htmx2}, form: hxForm(`hx-target="#result" hx-select="#result"`)},
	"2/no swap":              {scripts: []string{htmx2}, form: hxForm(`hx-swap="none"`)},
	"2/push":                 {scripts: []string{htmx2}, form: hxForm(`hx-push-url="true"`)},
	"2/requested with":       {scripts: []string{htmx2}, form: hxForm(`hx-headers='{"X-Requested-With": "XMLHttpRequest"}'`)},
	"2/multipart":            {scripts: []string{htmx2}, form: hxForm(`hx-encoding="multipart/form-data"`)},
	"2/no Referer":           {scripts: []string{htmx2}, form: hxForm(""), head: `<meta name="referrer" content="no-referrer">`},
	"2/button":               {scripts: []string{htmx2}, form: `<form>%s<button id="send" hx-post="/callback">Send</button></form>`},
	"2/hx-boost":             {scripts: []string{htmx2}, form: plainForm, body: ` hx-boost="true"`},
	"2/hx-boost with select": {scripts: []string{htmx2}, form: plainForm, body: ` hx-boost="true" hx-select="main" hx-target="main" hx-swap="outerHTML"`},
	"2/head-support":         {scripts: []string{htmx2, "htmx-ext-head-support/dist/head-support.min.js"}, form: plainForm, body: ` hx-boost="true" hx-ext="head-support"`},
	"2/response-targets":     {scripts: []string{htmx2, "htmx-ext-response-targets/dist/response-targets.min.js"}, form: hxForm(`hx-target-error="#result"`), body: ` hx-ext="response-targets"`},
	"2/swaps 422": {
		scripts: []string{htmx2}, form: hxForm(""),
		head: `<meta name="htmx-config" content='{"responseHandling": [{"code": "422", "swap": true}, {"code": "[45]..", "swap": false, "error": true}, {"code": "...", "swap": true}]}'>`,
	},
	"4/hx-post":           {scripts: []string{htmx4}, form: hxForm("")},
	"4/target":            {scripts: []string{htmx4}, form: hxForm(`hx-target="#result"`)},
	"4/target, outerHTML": {scripts: []string{htmx4}, form: hxForm(`hx-target="#result" hx-swap="outerHTML"`)},
	"4/select":            {scripts: []string{htmx4}, form: hxForm(`hx-target="#result" hx-select="#result"`)},
	"4/hx-status":         {scripts: []string{htmx4}, form: hxForm(`hx-status:422="select:#errors" hx-status:5xx="swap:none"`)},
	"4/no Referer":        {scripts: []string{htmx4}, form: hxForm(""), head: `<meta name="referrer" content="no-referrer">`},
	"4/hx-action":         {scripts: []string{htmx4}, form: `<form hx-action="/callback" hx-method="post">%s<button id="send">Send</button></form>`},
	"4/hx-boost":          {scripts: []string{htmx4}, form: plainForm, body: ` hx-boost:inherited="true"`},
	"4/does not swap 4xx": {scripts: []string{htmx4}, form: hxForm(""), head: `<meta name="htmx-config" content='{"noSwap": [204, 304, "4xx", "5xx"]}'>`},
	"4/like 2":            {scripts: []string{htmx4, "htmx.org/dist/ext/htmx-2-compat.min.js"}, form: plainForm, body: ` hx-boost="true"`},
}

// Visitors of pages with htmx see what to correct on their own page, and then the thank-you page.
func TestHTMX(t *testing.T) {
	for name, page := range htmxPages {
		t.Run(name, func(t *testing.T) {
			s, b := page.visit(t)
			if strings.Contains(name, "like 2") {
				b.witness.tolerate() // it reports what it does in the console
			}
			entries := evaluate[int](b, "history.length")
			for range 2 {
				b.send("Ravi", "12345", "Two\nlines & <b>")
				b.awaitText(wrongPhone)
				b.checkTyped("Ravi", "12345", "Two\nlines & <b>")
				if got := evaluate[int](b, "history.length"); got != entries || b.path() != "/visit" {
					t.Errorf("after an error: path %s, %d entries of history, want %d", b.path(), got, entries)
				}
			}
			b.checkSummary("phone")
			if text := b.awaitText("Our place"); !strings.Contains(text, "Nothing yet") || !strings.Contains(text, "Visit us") {
				t.Errorf("parts of the page are gone:\n%s", text)
			}
			if got := evaluate[string](b, "document.title"); got != "Error: Visit" {
				t.Errorf("title %q", got)
			}
			b.set(byName("phone"), "08123456789")
			b.clickSend()
			b.awaitText("Thank you")
			if b.path() != "/thank-you" || evaluate[bool](b, `!!document.querySelector("form")`) {
				t.Errorf("thanked at %s: %s", b.path(), evaluate[string](b, "document.body.outerHTML"))
			}
			if lead := s.onlyLead(t); lead.Fields["phone"] != "918123456789" {
				t.Errorf("the lead is %v", lead.Fields)
			}
			evaluate[any](b, "history.back()")
			b.awaitText("Visit us")
			if b.path() != "/visit" {
				t.Errorf("back leads to %s", b.path())
			}
		})
	}
}

// checkSummary expects a visible summary with the focus, whose links lead to the controls.
func (b *tab) checkSummary(wrong ...string) {
	b.t.Helper()
	eventually(b.t, actionTimeout, "the summary to get the focus", func() bool {
		return see[bool](b, `document.activeElement.matches("`+summary+`")`)
	}, func() string { return evaluate[string](b, "document.activeElement.outerHTML.slice(0, 300)") })
	if got := evaluate[int](b, `document.querySelectorAll("`+summary+`").length`); got != 1 {
		b.t.Errorf("%d summaries", got)
	}
	if !evaluate[bool](b, `(box => box.height > 0 && box.top >= 0 && box.bottom <= innerHeight)(document.querySelector("`+summary+` :is(h1, h2)").getBoundingClientRect())`) {
		b.t.Error("the heading of the summary is not visible")
	}
	focused := evaluate[[]string](b, `Array.from(document.querySelectorAll("`+summary+` a"), link => { link.click(); return document.activeElement.name; })`)
	if strings.Join(focused, " ") != strings.Join(wrong, " ") {
		b.t.Errorf("the links lead to %q, want %q", focused, wrong)
	}
	if got := evaluate[[]string](b, `Array.from(document.querySelectorAll("[aria-invalid]"), e => e.name)`); strings.Join(got, " ") != strings.Join(wrong, " ") {
		b.t.Errorf("marked as wrong: %q, want %q", got, wrong)
	}
}

// Visitors of pages with htmx also see the answers that are not about an input, and keep what they
// typed.
func TestHTMXOtherAnswers(t *testing.T) {
	limit := []string{"thank_you /thank-you\n\t}\n\n\ttry_files", "thank_you \"/thank-you\"\nrate_limit 1 1h\n\t}\n\n\ttry_files"}
	for name, test := range map[string]struct {
		edits []string // of the Caddyfile
		setUp func(*tab)
		says  string
	}{
		"asked to confirm": {
			[]string{"form callback", "form callback\nprotect"},
			func(b *tab) { evaluate[any](b, `document.querySelectorAll("[name=_stamp]").forEach(e => e.remove())`) },
			"One more step",
		},
		"too large": {
			[]string{"max_body 20MB", "max_body 1KB"},
			func(b *tab) { b.set(byName("message"), strings.Repeat("x", 2000)) },
			"What you sent is too large",
		},
		"too many":     {limit, func(b *tab) { b.fetchPosts(1) }, "several times in a short time"},
		"far too many": {limit, func(b *tab) { b.fetchPosts(12) }, "several times in a short time"},
		"unavailable": {
			[]string{crmURL, unreachableCRM, "outbox sqlite example/outbox.db", "outbox off # example/outbox.db"},
			func(*tab) {}, "we could not accept your message",
		},
		"built-in page": {
			[]string{"form callback", "form callback\nform_page /no-such-page\nfield city {\nrequired\n}"},
			func(*tab) {}, "Fill in “City”",
		},
	} {
		for _, version := range []string{"2/hx-post", "2/hx-boost with select", "4/select"} {
			t.Run(name+"/"+version, func(t *testing.T) {
				_, b := htmxPages[version].visit(t, test.edits...)
				test.setUp(b)
				b.witness.tolerate() // the posts before are answered with an error
				b.set(byName("name"), "Ravi")
				b.set(byName("phone"), "08123456789")
				b.clickSend()
				b.awaitText(test.says)
				eventually(t, actionTimeout, "the summary to get the focus", func() bool {
					return see[bool](b, `document.activeElement.matches("`+summary+`")`)
				})
				if got := evaluate[string](b, `document.querySelector("[name=name]").value`); got != "Ravi" || b.path() != "/visit" {
					t.Errorf("at %s the name is %q", b.path(), got)
				}
				if name == "asked to confirm" {
					b.clickSend()
					b.awaitText("Thank you")
				}
			})
		}
	}
}

// fetchPosts posts an invalid form without the library, count times.
func (b *tab) fetchPosts(count int) {
	b.t.Helper()
	for range count {
		evaluate[any](b, `fetch("/callback", {method: "POST", body: new URLSearchParams("name=Ravi")}).then(r => r.text())`)
	}
}
