package browsertest

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// Error messages do not add accessibility violations to a page. The built-in page does not have
// any.
func TestErrorPagesAreAccessible(t *testing.T) {
	caddyproc.InstallPackages(t)
	s, b := startSite(t, "form callback", "form callback\nform_page /no-such-page"), openTab(t)

	b.open(s.pages + "/contact")
	before := b.violations()
	b.do(chromedp.SendKeys(chromedp.CSS(byName("phone")), "12345"))
	// An answer that is not an option also makes the select and the radio group invalid.
	evaluate[any](b, `document.querySelector("[name=product]").options[4].value = "Nuclear";
		document.querySelector("[name=product]").selectedIndex = 4;
		document.querySelector("[name=interests]").value = "Nuclear"; document.querySelector("[name=interests]").checked = true;
		document.querySelector("[name=contact_by]").value = "Pigeon"; void 0`)
	b.witness.expect(s.pages+"/contact", http.StatusUnprocessableEntity)
	b.press(submitButton)
	if got := evaluate[int](b, `document.querySelectorAll(".telecrm-error").length`); got != 6 {
		t.Fatalf("%d messages, want 6", got)
	}
	checkViolations(t, before, b.violations())

	b.open(s.pages)
	fillCallback(b, "", "12345")
	b.witness.expect(s.pages+"/callback", http.StatusUnprocessableEntity)
	b.press(submitButton)
	checkViolations(t, nil, b.violations())
}

func checkViolations(t *testing.T, before, after []string) {
	t.Helper()
	for _, violation := range after {
		if !slices.Contains(before, violation) {
			t.Errorf("accessibility violation: %s", violation)
		}
	}
}

// violations lists the axe-core rules (https://github.com/dequelabs/axe-core) that the page
// violates in light or in dark mode, with the offending tags.
func (b *tab) violations() []string {
	b.t.Helper()
	return b.violationsBy("node.html", "dark", "light")
}

// violationsByElement lists the violations in light mode, and identifies elements in a way that
// does not depend on their attributes and texts. Content outside of all landmarks counts as one
// violation if the form is not in a landmark.
func (b *tab) violationsByElement() []string {
	b.t.Helper()
	return b.violationsBy(`(rule.id == "region" ? "" : node.element.localName + " " + (node.element.name || node.element.classList[0] || ""))`, "light")
}

func (b *tab) violationsBy(nodeText string, schemes ...string) []string {
	b.t.Helper()
	axe, err := os.ReadFile(filepath.Join("node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	evaluate[any](b, string(axe)+"; void 0")
	// A colour on its way to another one may not contrast yet.
	eventually(b.t, actionTimeout, "the page's transitions to end", func() bool {
		return see[bool](b, `document.getAnimations().every(a => a.playState !== "running" || a.effect.getComputedTiming().endTime === Infinity)`)
	})
	var found []string
	for _, scheme := range schemes {
		b.paint(scheme)
		evaluate[any](b, `window.broken = null; axe.run({elementRef: true}).then(result => {
			if (result.passes.length > 0) window.broken = result.violations.flatMap(rule => rule.nodes.map(node => rule.id + ": " + `+nodeText+`));
		}); void 0`)
		eventually(b.t, actionTimeout, "axe-core", func() bool { return see[bool](b, "window.broken !== null") })
		found = append(found, evaluate[[]string](b, "window.broken")...)
	}
	return found
}
