package browsertest

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// injections has texts that run or load something if a page does not escape them.
var injections = []string{
	`"><img src=x onerror="window.injected=1">`,
	`' onfocus='window.injected=1' autofocus='`,
	`" onfocus="window.injected=1" autofocus x="`,
	`</textarea><script>window.injected=1</script>`,
	`</title></style></select></option></noscript></template><script>window.injected=1</script>`,
	`'-(window.injected=1)-'`,
	`<svg onload=window.injected=1>`,
	`javascript:window.injected=1`,
	`<!--><script>window.injected=1</script>-->`,
	`{{constructor.constructor("window.injected=1")()}}${window.injected=1}`,
	`&lt;script&gt;window.injected=1&lt;/script&gt;&#34;&gt;`,
}

// Posted text does not run on the page that shows it again, neither the visitor's own nor the
// built-in one.
func TestPostedTextNeverRuns(t *testing.T) {
	for name, edits := range map[string][]string{"own page": nil, "built-in page": {"form enquiry", "form enquiry\nform_page /no-such-page"}} {
		t.Run(name, func(t *testing.T) {
			s, b := startSite(t, edits...), openTab(t)
			// An invalid date, number or similar value.
			b.witness.permit(s.pages+"/contact", "The specified value ")
			var clean []string
			for _, text := range append([]string{"harmless"}, injections...) {
				b.open(s.pages + "/contact")
				names := evaluate[[]string](b, postEverywhere(text))
				b.witness.expect(s.pages+"/contact", http.StatusUnprocessableEntity)
				if status := b.press(submitButton); status != http.StatusUnprocessableEntity {
					t.Fatalf("%q: status %d", text, status)
				}
				// Text that runs on focus gets the focus.
				evaluate[any](b, `for (const e of document.querySelectorAll("a, input, select, textarea, button")) e.focus(); void 0`)
				b.do(chromedp.Click(chromedp.CSS(summary + " a")))
				if evaluate[bool](b, `"injected" in window`) {
					t.Errorf("%q ran", text)
				}
				elements := evaluate[[]string](b, `Array.from(document.querySelectorAll("*"), e => e.localName + " " + e.getAttributeNames().sort())`)
				if clean == nil {
					clean = elements
				}
				if diff := cmp.Diff(clean, elements); diff != "" {
					t.Errorf("%q changes the page's elements (-without +with):\n%s", text, diff)
				}
				for _, name := range names {
					shown := evaluate[string](b, `(e => e.localName == "textarea" ? e.value : e.getAttribute("value"))(document.querySelector(`+quote(byName(name))+`))`)
					if shown != text {
						t.Errorf("%s shows %q for %q", name, shown, text)
					}
				}
			}
			if leads := s.leads(t); len(leads) > 0 {
				t.Errorf("%d leads were created", len(leads))
			}
		})
	}
}

// postEverywhere posts text in all controls of the page's form, even where a visitor could not type
// it, and lists the controls that show typed text.
func postEverywhere(text string) string {
	return `(text => {
		const shown = [];
		for (const e of document.querySelector("form").elements) {
			if (!e.name || e.type == "hidden" || e.type == "submit") continue;
			if (e.localName == "select") { e.options[1].value = text; e.selectedIndex = 1; continue; }
			if (e.type == "radio" || e.type == "checkbox") { e.value = text; e.checked = true; continue; }
			if (e.localName == "input") e.type = "text";
			e.value = text;
			shown.push(e.name);
		}
		return shown;
	})(` + quote(text) + `)`
}
