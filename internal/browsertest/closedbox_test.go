package browsertest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// closedBoxes are forms in boxes that are closed when the page opens. The script opens the box.
var closedBoxes = map[string]struct{ body, open string }{
	"details":   {`<details><summary>Enquire</summary>%s</details>`, `document.querySelector("details").open = true`},
	"accordion": {`<details name="a" open><summary>One</summary><p>Text</p></details><details name="a"><summary>Enquire</summary>%s</details>`, `document.querySelectorAll("details")[1].open = true`},
	"dialog":    {`<dialog aria-label="Enquiry">%s</dialog>`, `document.querySelector("dialog").showModal()`},
	"popover":   {`<div id="box" popover>%s</div>`, `document.querySelector("#box").showPopover()`},
	"display":   {`<div style="display:none">%s</div>`, `document.querySelector("[style]").removeAttribute("style")`},
	"popup":     {`<div id="box" class="mfp-hide">%s</div>`, `document.querySelector("#box").className = ""`},
	"tab":       {`<section class="tab active"><p>First</p></section><section class="tab">%s</section>`, `document.querySelector(".tab:last-of-type").classList.add("active")`},
	"canvas":    {`<div class="canvas" aria-hidden="true">%s</div>`, `document.querySelector(".canvas").className = ""`},
	"header":    {`<header class="fixed"><p>Site</p></header><div class="tall"></div><div class="mfp-hide">%s</div>`, `document.querySelector(".mfp-hide").className = ""`},
	"modal":     {`<div class="micromodal" id="m"><div><main>%s</main></div></div>`, `document.querySelector("#m").className = ""`},
}

const closedBoxStyle = `.mfp-hide, .micromodal { display: none !important } .tab { display: none } .tab.active { display: block }
.canvas { position: fixed; left: -100vw; width: 20em; visibility: hidden } .fixed { position: fixed; top: 0; left: 0; right: 0; height: 6em; background: #ddd; z-index: 1030 } .tall { height: 8em }`

// A visitor whose form is in a closed box sees, without opening anything, what to correct. The
// values and the messages are in the box.
func TestClosedBoxes(t *testing.T) {
	caddyproc.InstallPackages(t)
	folder := t.TempDir()
	const form = `<form method="post" action="/enquire"><label for="name">Name</label> <input id="name" name="name">
<label for="phone">Phone</label> <input id="phone" name="phone"> <button>Send</button></form>`
	for name, box := range closedBoxes {
		page := fmt.Sprintf(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Contact</title><style>%s</style></head><body><h1>Page</h1>%s</body></html>`,
			closedBoxStyle, fmt.Sprintf(box.body, form))
		if err := os.WriteFile(filepath.Join(folder, name+".html"), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "static.html"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	site := startPages(t, folder)
	b := openTab(t)
	b.witness.expect(site.url+"/enquire", http.StatusUnprocessableEntity)
	for name, box := range closedBoxes {
		t.Run(name, func(t *testing.T) {
			b := &tab{t: t, ctx: b.ctx, witness: b.witness}
			b.open(site.url + "/" + name)
			before := b.violationsByElement()
			evaluate[any](b, box.open+"; void 0")
			before = append(before, b.violationsByElement()...)
			b.fill(byName("name"), "Anjali Menon")
			b.fill(byName("phone"), "12345")
			if status := b.press("form button"); status != http.StatusUnprocessableEntity {
				t.Fatalf("status %d", status)
			}
			checkSummary(b)
			if got := strings.Join(b.sends(), " "); got != "name=Anjali Menon phone=12345" {
				t.Errorf("the page has the values %s", got)
			}
			checkViolations(t, before, b.violationsByElement())
			if evaluate[bool](b, `document.querySelector(".telecrm-summary") === null`) {
				return // the built-in page has no box
			}
			evaluate[any](b, box.open+"; void 0")
			if !evaluate[bool](b, `document.querySelector(".telecrm-error").checkVisibility() && document.querySelector("#phone").checkVisibility()`) {
				t.Error("the box does not have the message")
			}
		})
	}
}
