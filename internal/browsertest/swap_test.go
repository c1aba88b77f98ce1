package browsertest

import (
	"net/http"
	"testing"
)

// The pages of other libraries, as their authors write them.
var swappingPages = map[string]libraryPage{
	"Turbo": {scripts: []string{"@hotwired/turbo/dist/turbo.es2017-umd.js"}, form: plainForm},
	"Turbo Frame": {
		scripts: []string{"@hotwired/turbo/dist/turbo.es2017-umd.js"},
		form:    `<turbo-frame id="frame" target="_top">` + plainForm + `</turbo-frame>`,
	},
	"Unpoly":             {scripts: []string{"unpoly/unpoly.js"}, form: unpolyForm(`up-submit`)},
	"Unpoly, whole body": {scripts: []string{"unpoly/unpoly.js"}, form: unpolyForm(`up-submit up-target="body" up-fail-target="body"`)},
	"Alpine AJAX": {
		scripts: []string{"@imacrayon/alpine-ajax/dist/cdn.min.js", "alpinejs/dist/cdn.min.js"},
		form:    `<form id="enquiry" x-data x-target="enquiry" x-target.away="_top" method="post" action="/callback">%s<button id="send">Send</button></form>`,
	},
}

func unpolyForm(attributes string) string {
	return `<form id="enquiry" method="post" action="/callback" ` + attributes + `>%s<button id="send">Send</button></form>`
}

// Visitors of pages with Turbo, Unpoly and Alpine AJAX see what to correct, and then the thank-you
// page.
func TestLibrariesThatSwap(t *testing.T) {
	for name, page := range swappingPages {
		t.Run(name, func(t *testing.T) {
			s, b := page.visit(t)
			b.witness.permit("console", "log") // of Unpoly
			b.witness.expect(s.pages+"/callback", http.StatusUnprocessableEntity)
			for range 2 {
				b.send("Ravi", "12345", "Two\nlines & <b>")
				b.awaitText(wrongPhone)
				b.checkTyped("Ravi", "12345", "Two\nlines & <b>")
			}
			if b.path() != "/visit" {
				t.Errorf("after an error at %s", b.path())
			}
			b.set(byName("phone"), "08123456789")
			b.clickSend()
			b.awaitText("Thank you")
			if lead := s.onlyLead(t); lead.Fields["phone"] != "918123456789" {
				t.Errorf("the lead is %v", lead.Fields)
			}
		})
	}
}

// Visitors of pages with Turbo, Unpoly and Alpine AJAX see that they are asked to send it again.
func TestLibrariesThatSwapAskToConfirm(t *testing.T) {
	for name, page := range swappingPages {
		t.Run(name, func(t *testing.T) {
			s, b := page.visit(t, "form callback", "form callback\nprotect")
			b.witness.permit("console", "log")
			b.witness.expect(s.pages+"/callback", http.StatusUnprocessableEntity)
			evaluate[any](b, `document.querySelectorAll("[name=_stamp]").forEach(e => e.remove())`)
			b.send("Ravi", "08123456789", "Hello")
			b.awaitText("One more step")
			b.checkTyped("Ravi", "08123456789", "Hello")
			b.clickSend()
			b.awaitText("Thank you")
		})
	}
}
