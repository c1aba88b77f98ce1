package browsertest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

const trap = "subject_2"

// Visitors do not notice the trap, even if the site's policy blocks its style, and their posts
// become normal leads.
func TestProtectedForm(t *testing.T) {
	caddyproc.InstallPackages(t)
	for _, test := range []struct {
		name, header string
		complaint    string // console message about the policy
	}{
		{"no policy", "", ""},
		{"a policy against styles", `header Content-Security-Policy "style-src 'self'"`, ""},
		// The header is added last, so the plugin does not see the policy.
		{"a late policy against styles", `header >Content-Security-Policy "style-src 'self'"`, "Applying inline style violates the following Content Security Policy directive"},
		{"a style sheet that hides", "rewrite /style.css /hiding.css\nheader /hiding.css Content-Type text/css\nrespond /hiding.css \"[hidden] { display: none !important }\"", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startSite(t, "# protect", "protect", "root * example/site", "root * example/site\n"+test.header)
			b := openTab(t)
			if test.complaint != "" {
				b.witness.permit(s.pages+"/contact", test.complaint)
			}
			b.open(s.pages + "/contact")
			if stamps := evaluate[int](b, `document.querySelectorAll("form[method=post] > input[type=hidden][name=_stamp]").length`); stamps != 1 {
				t.Fatalf("the page has %d stamps", stamps)
			}
			checkUnseen(b)
			after := b.violations()
			evaluate[any](b, `document.querySelector("[name=`+trap+`]").closest("div").remove()`)
			checkViolations(t, b.violations(), after)

			b.open(s.pages + "/contact")
			b.do(
				chromedp.SendKeys(chromedp.CSS(byName("name")), "Anjali Menon"),
				chromedp.SendKeys(chromedp.CSS(byName("phone")), "12345"),
			)
			b.agree()
			b.witness.expect(s.pages+"/contact", http.StatusUnprocessableEntity)
			b.press(submitButton)
			checkErrorPage(b, "phone")
			checkUnseen(b)
			b.fill(byName("phone"), "081234 56789")
			if status := b.press(submitButton); status != http.StatusOK || b.path() != "/thank-you" {
				t.Fatalf("after the form: path %s, status %d", b.path(), status)
			}
			lead := strings.ToLower(fmt.Sprint(s.onlyLead(t).Fields))
			if strings.Contains(lead, "subject") || strings.Contains(lead, "stamp") || !strings.Contains(lead, "918123456789") {
				t.Errorf("the lead is %s", lead)
			}
		})
	}
}

// checkUnseen fails if the trap can be seen, scrolled to, reached with the Tab key or read by a
// screen reader.
func checkUnseen(b *tab) {
	b.t.Helper()
	const input = `document.querySelector("[name=` + trap + `]")`
	if !evaluate[bool](b, input+`.value === "" && `+input+`.closest("[aria-hidden=true]") !== null`) {
		b.t.Error("the trap is filled in, or visible to screen readers")
	}
	if evaluate[bool](b, `(() => {
		const label = `+input+`.closest("div").getBoundingClientRect();
		return label.width > 0 && label.bottom + window.scrollY > 0;
	})()`) {
		b.t.Error("the trap is visible")
	}
	if !evaluate[bool](b, `document.documentElement.scrollWidth <= document.documentElement.clientWidth`) {
		b.t.Error("the page scrolls sideways")
	}
	// The trap is before the form's first control.
	evaluate[any](b, `document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("tabindex")`)
	for reached := []string{}; !slices.Contains(reached, "name"); {
		b.do(chromedp.KeyEvent(kb.Tab))
		reached = append(reached, evaluate[string](b, `document.activeElement.name ?? ""`))
		if slices.Contains(reached, trap) || len(reached) > 40 {
			b.t.Errorf("the Tab key leads to %q", reached)
			return
		}
	}
}
