package browsertest

import (
	"net/http"
	"testing"
)

// Unpoly shows what is wrong with an input as soon as the visitor leaves it. Nothing is sent, and
// the form may be sent afterwards.
func TestUnpolyValidates(t *testing.T) {
	for name, form := range map[string]string{
		"each input":     `<form id="enquiry" method="post" action="/callback" up-submit up-validate>%s<button id="send">Send</button></form>`,
		"whole form":     `<form id="enquiry" method="post" action="/callback" up-submit up-validate="#enquiry">%s<button id="send">Send</button></form>`,
		"page of a form": `<div class="modal"><form id="enquiry" method="post" action="/callback" up-submit up-validate>%s<button id="send">Send</button></form></div>`,
	} {
		t.Run(name, func(t *testing.T) {
			s, b := libraryPage{scripts: []string{"unpoly/unpoly.js"}, form: form}.visit(t,
				"thank_you /thank-you\n\t}\n\n\ttry_files", "thank_you \"/thank-you\"\nrate_limit 1 1h\n\t}\n\n\ttry_files")
			b.witness.permit("console", "log")
			b.witness.expect(s.pages+"/callback", http.StatusUnprocessableEntity)
			b.set(byName("name"), "Ravi")
			eventually(t, actionTimeout, "the name to be checked", func() bool { return see[bool](b, `!up.network.isBusy()`) })
			if got := evaluate[int](b, `document.querySelectorAll(".telecrm-error").length`); got != 0 {
				t.Errorf("%d messages before the visitor reached the phone", got)
			}
			b.set(byName("phone"), "12345")
			b.awaitText(wrongPhone)
			if got := evaluate[int](b, `document.querySelectorAll(".telecrm-error").length`); got != 1 {
				t.Errorf("%d messages", got)
			}
			if evaluate[bool](b, `!!document.querySelector(".telecrm-summary")`) {
				t.Error("a summary took the focus")
			}
			b.checkTyped("Ravi", "12345", "")
			b.set(byName("phone"), "08123456789")
			eventually(t, actionTimeout, "the message to go", func() bool {
				return see[int](b, `document.querySelectorAll(".telecrm-error").length`) == 0
			})
			if leads := s.leads(t); len(leads) > 0 {
				t.Errorf("%d leads", len(leads))
			}
			b.checkTyped("Ravi", "08123456789", "")
			b.clickSend()
			b.awaitText("Thank you")
			s.onlyLead(t)
		})
	}
}
