package check_test

import (
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The same form in the other ways in which people write it is clean too.
func TestVariationsAreClean(t *testing.T) {
	t.Parallel()
	const product = `<label>Product <select name="product"><option value="">Choose one</option><option>Solar</option><option>Battery</option></select></label>`
	for name, change := range map[string]func(s *site){
		"radio buttons": func(s *site) {
			s.replace(product, `<fieldset><legend>Product</legend><label><input type="radio" name="product" value="Solar"> Solar</label><input type="radio" id="b" name="product" value="Battery"><label for="b">Battery</label></fieldset>`)
		},
		"groups of options": func(s *site) {
			s.replace(product, `<label>Product <select name="product"><option value="" disabled selected hidden>Choose<optgroup label="Roof"><option value="Solar">Panels<optgroup label="Cellar"><option>  battery </optgroup></select></label>`)
		},
		"fixed choice": func(s *site) {
			s.replace(product, `<input type="hidden" name="product" value="Solar">`)
			s.field("product").Options = []string{"Solar"}
		},
		"typed choice": func(s *site) {
			s.replace(product, `<label>Product <input name="product" list="products"></label><datalist id="products"><option>Solar</datalist>`)
		},
		"labels elsewhere": func(s *site) {
			s.replace(`<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>`, `<input name="phone" aria-labelledby="l" type="tel" autocomplete="off" required><span id="l">Phone</span>`)
			s.replace(`<label>Name <input name="name"`, `<div><input aria-label="Name" name="name"`)
			s.replace(`<label>Email <input name="email"`, `<label for="e">Email</label><div><input id="e" name="email"`)
		},
		"controls outside of the form": func(s *site) {
			s.replace(`<form method`, `<label>Phone <input form="f" name="phone" type="tel" autocomplete="tel" required></label><form id="f" method`)
			s.replace(`<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>`, "")
		},
		"target of the button": func(s *site) {
			s.replace(`<form method="post" action="/enquire">`, "<form>")
			s.replace("<button>", `<button formmethod="post" formaction="/enquire">`)
		},
		"htmx":                func(s *site) { s.replace(`<form method="post" action="/enquire">`, `<form hx-post="/enquire">`) },
		"multipart":           func(s *site) { s.replace(`<form `, `<form enctype="multipart/form-data" novalidate `) },
		"encoding as default": func(s *site) { s.replace(`<form `, `<form enctype="Application/X-WWW-Form-Urlencoded" `) },
		"capitals, no quotes": func(s *site) {
			s.replace(`<form method="post" action="/enquire">`, "<FORM\n METHOD=POST\tACTION = '/enquire'\n>")
		},
		"base":                 func(s *site) { s.replace("<head>", `<head><base href="/">`); s.replace(`"/enquire"`, `"enquire"`) },
		"own host, other case": func(s *site) { s.replace(`"/enquire"`, `"https://WWW.Example.com/enquire"`) },
		"two forms on a page": func(s *site) {
			_, body, _ := strings.Cut(contact, "<body>")
			form, _, _ := strings.Cut(body, "</body>")
			s.replace("</body>", form+"</body>")
		},
		"files and other services": func(s *site) {
			s.replace("<button>", `<label>Bill <input type="file" name="bill"></label><input type="hidden" name="form-name" value="x"><input type="hidden" name="_next" value="/thank-you"><textarea name="g-recaptcha-response" hidden></textarea><button>`)
		},
		"known trap": func(s *site) {
			s.replace("<button>", `<p hidden><label>Leave empty <input name="_gotcha" tabindex="-1" autocomplete="off"></label></p><button>`)
		},
		"buttons": func(s *site) {
			s.replace("<button>Send</button>", `<input type="submit" value="Send"><input type="reset"><button type="button" aria-label="Help">?</button><button name="via" value="x">Send</button>`)
		},
		"disabled":                         func(s *site) { s.replace("<button>", `<label>Later <input name="later" disabled></label><button>`) },
		"a limit below that of the config": func(s *site) { s.replace(`maxlength="2000"`, `maxlength=" 500 "`) },
		"several boxes for a text": func(s *site) {
			s.field("message").Input = "topic"
			s.form.Actions[0].Fields[0].Input = "topic"
			s.replace(`<label>Message <textarea name="message" maxlength="2000"></textarea></label>`, `<label><input type="checkbox" name="topic" value="Roof"> Roof</label><label><input type="checkbox" name="topic" value="Cellar"> Cellar</label>`)
		},
		"tags": func(s *site) {
			s.form.Fields = append(s.form.Fields, mapping.Field{Name: "interests", Type: "tags", Options: []string{"Subsidy", "Financing"}})
			s.replace("<button>", `<label>For <select name="interests" multiple><option>Subsidy<option>Financing</select></label><button>`)
		},
		"everything else": func(s *site) {
			s.form.Unmapped = "message2"
			s.workspace().Fields.Fields = append(s.workspace().Fields.Fields, telecrm.FieldDefinition{APIName: "message2", Type: "TEXT"})
			s.replace("<button>", `<label>City <input name="city"></label><button>`)
		},
		"dates in a known order": func(s *site) { s.form.DateOrder = "dmy"; s.replace(`type="date"`, `placeholder="dd/mm/yyyy"`) },
		"thank you elsewhere":    func(s *site) { s.form.ThankYou = "https://thanks.example.org/?id={telecrm.id}" },
		"thank you with a query": func(s *site) { s.form.ThankYou = "/thank-you?id={telecrm.id}#top" },
		"thank you of a program": func(s *site) {
			s.form.ThankYou = "/app/done"
			s.Answers = func(path string) bool { return strings.HasPrefix(path, "/app/") }
		},
		"page in another folder": func(s *site) { s.write("de/kontakt/index.html", contact) },
		"page with a byte order": func(s *site) { s.write("contact.html", "\ufeff"+contact) },
		"page in another charset": func(s *site) {
			s.write("latin.html", "<meta charset=iso-8859-1><p>\xe9</p>"+contact[strings.Index(contact, "<form"):])
		},
		"script in the page": func(s *site) {
			s.replace("</body>", `<script src="/js/site.js"></script><script>document.forms[0].addEventListener("submit", e => {})</script></body>`)
		},
		"closed box, plain errors": func(s *site) {
			s.replace("<form ", `<dialog><form `)
			s.replace("</form>", "</form></dialog>")
			s.form.Errors = "plain"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			change(s)
			if report := run(t, s.config); len(report.Findings)+len(report.Unverified) > 0 {
				t.Errorf("could not check %q, and found %s", report.Unverified, describe(report.Findings))
			}
		})
	}
}
