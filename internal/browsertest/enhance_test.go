package browsertest

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// enhance adds the site's script to the page.
func (b *tab) enhance() {
	b.t.Helper()
	evaluate[any](b, `new Promise(done => {
		const script = document.createElement("script");
		script.src = "/enhance.js";
		script.onload = () => done(null);
		document.head.append(script);
	})`)
}

// The site's script sends a form where the browser would send it.
func TestEnhancedFormGoesWhereTheBrowserSendsIt(t *testing.T) {
	const ask = `document.querySelector("form").insertAdjacentHTML("beforeend", '<button id="other" name="go" value="1" formnovalidate `
	for name, test := range map[string]struct {
		change, press string
		path, note    string // of the page in the end, and of the lead
	}{
		"button with an address": {ask + `formaction="/callback">Call me</button>')`, "#other", "/thank-you", "Asked to be called back"},
		"page with a base": {
			`document.querySelector("form").removeAttribute("action"); document.head.insertAdjacentHTML("afterbegin", '<base href="/elsewhere/">')`,
			submitButton, "/thank-you", "Hello",
		},
		"script that fails": {
			ask + `formaction="/callback">Call me</button>'); window.fetch = () => Promise.reject(new TypeError())`,
			"#other", "/thank-you", "Asked to be called back",
		},
		"button that gets": {ask + `formmethod="get" formaction="/thank-you">Cancel</button>')`, "#other", "/thank-you", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, b := startSite(t), openTab(t)
			b.open(s.pages + "/contact")
			b.enhance()
			evaluate[any](b, test.change+"; void 0")
			b.set(byName("name"), "Anjali Menon")
			b.set(byName("phone"), "081234 56789")
			b.set(byName("message"), "Hello")
			b.agree()
			b.do(chromedp.Click(chromedp.CSS(test.press)))
			eventually(t, actionTimeout, "the page "+test.path, func() bool { return b.path() == test.path },
				func() string { return see[string](b, `document.body.innerText.slice(0, 600)`) })
			if test.note == "" {
				if leads := s.leads(t); len(leads) > 0 {
					t.Errorf("leads %v, want none", leads)
				}
				return
			}
			if lead := s.onlyLead(t); len(lead.Actions) != 1 || lead.Actions[0].Fields["note"] != test.note {
				t.Errorf("the lead is %v, want the note %q", lead, test.note)
			}
		})
	}
}
