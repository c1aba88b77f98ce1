package browsertest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// plainPages are pages without a style for errors. %s is the form.
var plainPages = map[string]struct{ style, body string }{
	"none":    {``, `<main><h1>Contact</h1>%s</main>`},
	"flush":   {`body, main { margin: 0 }`, `<main>%s</main>`},
	"columns": {`form { display: grid; grid-template-columns: 1fr 1fr; gap: 1em } body { margin: 0 }`, `<h1>Contact</h1>%s`},
	"beside":  {`form p { display: flex; gap: 1em } label { width: 6em } input { width: 12em }`, `<main><h1>Contact</h1>%s</main>`},
	"rows":    {`form p { display: grid; grid-template-columns: 6em 1fr; gap: .5em } input { box-sizing: border-box; width: 100% }`, `<main><h1>Contact</h1>%s</main>`},
	"dark":    {`:root { color-scheme: dark }`, `<main><h1>Contact</h1>%s</main>`},
	"painted": {`body { margin: 0; background: #101418; color: #eee } h1 { color: #eee } label { color: #eee }`, `<main><h1>Contact</h1>%s</main>`},
	"closed":  {`body { margin: 0 } .popup { display: none }`, `<h1>Contact</h1><div class="popup">%s</div>`},
	"follows": {`:root { color-scheme: light dark }`, `<main><h1>Contact</h1>%s</main>`},
}

// Errors look like errors on pages that do not style them: red and readable on light and dark, away
// from the window's edge, with links that a finger can hit.
func TestErrorsOnPlainPages(t *testing.T) {
	caddyproc.InstallPackages(t)
	folder := t.TempDir()
	const form = `<form method="post" action="/enquire"><p><label for="name">Name</label> <input id="name" name="name"></p>
<p><label for="phone">Phone</label> <input id="phone" name="phone"></p><button>Send</button></form>`
	for name, plain := range plainPages {
		content := fmt.Sprintf(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Contact</title><style>%s</style></head><body>%s</body></html>`,
			plain.style, fmt.Sprintf(plain.body, form))
		if err := os.WriteFile(filepath.Join(folder, name+".html"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	site := startPages(t, folder)
	b := openTab(t)
	b.witness.expect(site.url+"/enquire", http.StatusUnprocessableEntity)
	for name := range plainPages {
		t.Run(name, func(t *testing.T) {
			b := &tab{t: t, ctx: b.ctx, witness: b.witness}
			b.open(site.url + "/" + name)
			before := b.violationsByElement()
			room := b.widthOf("[name=phone]")
			evaluate[any](b, `document.querySelector("[name=name]").value = "Anjali Menon"; document.querySelector("[name=phone]").value = "12345"; document.querySelector("form").submit(); void 0`)
			b.awaitText("too short")
			if left := b.widthOf("[name=phone]"); left < room {
				t.Errorf("the message leaves the input %v pixels of %v", left, room)
			}
			for _, screen := range screens {
				call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
					Width: screen.width, Height: screen.height, DeviceScaleFactor: 1, Mobile: screen.mobile,
				})
				for _, scheme := range []string{"light", "dark"} {
					b.paint(scheme)
					checkPlainError(b, fmt.Sprintf("%s on a %s in %s", name, screen.name, scheme))
					b.takePicture(fmt.Sprintf("plain-%s-%s-%s.png", name, screen.name, scheme))
				}
				b.paint("light")
			}
			call(b, emulation.ClearDeviceMetricsOverride, struct{}{})
			checkViolations(t, before, b.violationsByElement())
		})
	}
}

// widthOf returns how wide the element is.
func (b *tab) widthOf(selector string) float64 {
	b.t.Helper()
	return evaluate[float64](b, fmt.Sprintf("document.querySelector(%s).getBoundingClientRect().width", quote(selector)))
}

// checkPlainError measures the summary and the messages.
func checkPlainError(b *tab, page string) {
	b.t.Helper()
	got := evaluate[string](b, `(() => {
		const box = document.querySelector(".telecrm-summary"), place = box.getBoundingClientRect();
		const light = color => {
			const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map(part => part / 255).map(c => c > .04045 ? ((c + .055) / 1.055) ** 2.4 : c / 12.92);
			return .2126 * r + .7152 * g + .0722 * b;
		};
		const contrast = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		const wrong = [];
		if (place.left + scrollX < 8 || place.top + scrollY < 8 || document.documentElement.clientWidth - place.right < 8)
			wrong.push("the box touches the edge: " + JSON.stringify(place));
		for (const link of box.querySelectorAll("a"))
			if (link.getBoundingClientRect().height < 44) wrong.push("a link is " + link.getBoundingClientRect().height + " high");
		for (const [text, paper] of [[".telecrm-error", ".telecrm-error"], [".telecrm-summary a", ".telecrm-summary"], [".telecrm-summary h2", ".telecrm-summary"]]) {
			const color = getComputedStyle(document.querySelector(text)).color, ground = getComputedStyle(document.querySelector(paper)).backgroundColor;
			const [r, g, b] = color.match(/[\d.]+/g).map(Number);
			if (contrast(light(color), light(ground)) < 4.5) wrong.push(text + ": " + color + " on " + ground);
			if (!text.endsWith("h2") && (r <= g + 64 || r <= b + 64)) wrong.push(text + " is not red: " + color);
		}
		return wrong.join("; ");
	})()`)
	if got != "" {
		b.t.Errorf("%s: %s", page, got)
	}
}
