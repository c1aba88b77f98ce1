package browsertest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/leadwire/caddy-telecrm/page"
)

// pageInLanguage is a contact page in any language.
const pageInLanguage = `<!DOCTYPE html>
<html lang="%s"%s><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%s</title><link rel="icon" href="data:,"></head>
<body style="font-family: sans-serif; max-width: 40rem; margin: auto"><main><h1>%[3]s</h1>
<form method="post" action="/contact" novalidate>
<p><label for="name">%s</label><br><input id="name" name="name"></p>
<p><label for="phone">%s</label><br><input id="phone" name="phone" type="tel"></p>
<p><label for="email">E-mail (work)</label><br><input id="email" name="email"></p>
<p><label for="employees">%s</label><br><input id="employees" name="employees"></p>
<p><label for="visit_date">%s</label><br><input id="visit_date" name="visit_date"></p>
<p><label><input type="checkbox" name="consent" value="yes"> %s</label></p>
<p><button type="submit">%s</button></p>
</form></main></body></html>
`

// The labels of pageInLanguage, after its title.
var (
	arabic = []any{"تواصل معنا", "الاسم", "رقم الهاتف", "عدد الموظفين", "تاريخ الزيارة", "أوافق على الاتصال بي", "إرسال"}
	hindi  = []any{"संपर्क करें", "आपका नाम", "फ़ोन नंबर", "कर्मचारियों की संख्या", "आने की तारीख", "मुझे फ़ोन किया जा सकता है", "भेजें"}
)

// Messages have the language and the direction of the page, whatever script their labels use.
func TestPagesInOtherLanguages(t *testing.T) {
	for _, test := range []struct {
		name, lang, attributes, direction string
		labels                            []any
	}{
		{"arabic", "ar", ` dir="rtl"`, "rtl", arabic},
		{"arabic-undirected", "ar-EG", "", "rtl", arabic},
		{"hindi", "hi-IN", "", "ltr", hindi},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			content := fmt.Sprintf(pageInLanguage, append([]any{test.lang, test.attributes}, test.labels...)...)
			if err := os.WriteFile(filepath.Join(dir, "contact.html"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s, b := startSite(t, "root * example/site", "root * "+dir), openTab(t)
			b.withoutScripts()
			b.open(s.pages + "/contact")
			b.sendWrong(s)
			checkErrorPage(b, "name", "phone", "email", "employees", "visit_date", "consent")
			b.checkWords(test.lang, test.direction, "E-mail (work)")
			b.takePicture("error-" + test.name + ".png")
		})
	}
}

// The site's script requests messages in the page's language, and takes its own words from the
// form.
func TestEnhancedFormSpeaksThePagesLanguage(t *testing.T) {
	dir := t.TempDir()
	script, err := os.ReadFile(filepath.Join("..", "..", "example", "site", "enhance.js"))
	if err != nil {
		t.Fatal(err)
	}
	content := fmt.Sprintf(pageInLanguage, append([]any{"hi-IN", ""}, hindi...)...)
	content = strings.NewReplacer(
		"<form ", `<form data-heading="एक समस्या है" data-error="त्रुटि:" `,
		`<input id="phone"`, `<span data-fs-error="phone"></span><input id="phone"`,
		"</head>", `<script src="/enhance.js" defer></script></head>`,
	).Replace(content)
	for name, file := range map[string][]byte{"contact.html": []byte(content), "enhance.js": script} {
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, b := startSite(t, "root * example/site", "root * "+dir), openTab(t)
	b.open(s.pages + "/contact")
	for range 2 {
		b.witness.expect(s.pages+"/contact", http.StatusUnprocessableEntity)
		b.set(byName("phone"), "12345")
		evaluate[any](b, `document.querySelector(".telecrm-summary")?.remove()`)
		b.do(chromedp.Click(chromedp.CSS(submitButton)))
		eventually(t, actionTimeout, "the summary", func() bool { return see[bool](b, `document.querySelector(".telecrm-summary") !== null`) })
		checkErrorPage(b, "name", "phone", "consent")
		if got := evaluate[string](b, "document.title"); got != "त्रुटि: संपर्क करें" {
			t.Errorf("the title is %q", got)
		}
		want := "त्रुटि: " + page.Shipped().For("hi").Message(page.Fault{Code: "PHONE_TOO_SHORT", Label: "Phone"})
		if got := evaluate[string](b, `document.querySelector("[data-fs-error]").textContent`); got != want {
			t.Errorf("the author's element for the message has %q, want %q", got, want)
		}
		if got := evaluate[string](b, `document.querySelector(".telecrm-summary h2").textContent`); got != "एक समस्या है" {
			t.Errorf("the heading is %q", got)
		}
	}
}

// The built-in page is in the browser's language.
func TestBuiltinPageInArabic(t *testing.T) {
	s, b := startSite(t, "form enquiry", "form enquiry\nform_page /no-such-page"), openTab(t)
	call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": "ar-EG, en;q=0.8"}})
	b.open(s.pages + "/contact")
	evaluate[any](b, `for (const name of ["visit_date", "employees"]) document.querySelector("form [name=" + name + "]").type = "text"; void 0`)
	b.sendWrong(s)
	checkErrorPage(b, "name", "phone", "email", "employees", "visit_date", "consent")
	b.checkWords("ar", "rtl", "Email")
	if got := evaluate[string](b, `getComputedStyle(document.body).direction`); got != "rtl" {
		t.Errorf("direction of the page: %s", got)
	}
	b.takePicture("error-arabic-builtin.png")
}

// sendWrong sends a form in which every input is invalid.
func (b *tab) sendWrong(s *site) {
	b.t.Helper()
	b.do(
		chromedp.SendKeys(chromedp.CSS(byName("phone")), "12345"),
		chromedp.SendKeys(chromedp.CSS(byName("email")), "nobody"),
		chromedp.SendKeys(chromedp.CSS(byName("visit_date")), "31/02/2026"),
		chromedp.SendKeys(chromedp.CSS(byName("employees")), "-7"),
	)
	b.witness.expect(s.pages+"/contact", http.StatusUnprocessableEntity)
	if status := b.press(submitButton); status != http.StatusUnprocessableEntity {
		b.t.Fatalf("status %d", status)
	}
}

// checkWords expects the heading and the messages in the given language and direction, with a date
// from left to right.
func (b *tab) checkWords(lang, direction, email string) {
	b.t.Helper()
	words := page.Shipped().For(lang)
	if got := evaluate[string](b, `document.querySelector("`+summary+` :is(h1, h2)").textContent`); got != words.Text(page.Heading) {
		b.t.Errorf("the heading is %q", got)
	}
	texts := evaluate[[]string](b, `Array.from(document.querySelectorAll("`+summary+` a"), a => a.innerText)`)
	if want := isolated.Replace(words.Message(page.Fault{Code: "TYPE_EMAIL", Label: email})); len(texts) != 6 || texts[2] != want {
		b.t.Errorf("the messages are %q; the third should be %q", texts, want)
	}
	// The last message is the operator's, whose direction is unknown.
	runs := evaluate[[]string](b, `Array.from(document.querySelectorAll("`+summary+` :is(h1, h2, li:not(:last-child) a)"), e => getComputedStyle(e).direction)`)
	if !slices.Equal(runs, slices.Repeat([]string{direction}, 6)) {
		b.t.Errorf("directions of the messages: %q", runs)
	}
	if !evaluate[bool](b, `(() => {
		const walker = document.createTreeWalker(document.querySelector("`+summary+`"), NodeFilter.SHOW_TEXT);
		const left = (node, from, to) => { const range = document.createRange(); range.setStart(node, from); range.setEnd(node, to); return range.getBoundingClientRect().left; };
		for (let node = walker.nextNode(); node; node = walker.nextNode()) {
			const at = node.data.indexOf("2026-03-31");
			if (at >= 0) return left(node, at, at + 4) < left(node, at + 5, at + 7) && left(node, at + 5, at + 7) < left(node, at + 8, at + 10);
		}
		return false;
	})()`) {
		b.t.Error("the example date is not left to right")
	}
}

// isolated removes the isolates around a label, because a page has elements instead.
var isolated = strings.NewReplacer("\u2068", "", "\u2069", "")
