package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// libraryFields are the controls of the form in the pages for front-end libraries.
const libraryFields = `<div up-form-group><label for="name">Name</label> <input id="name" name="name"></div>
<div up-form-group><label for="phone">Phone</label> <input id="phone" name="phone"></div>
<div up-form-group><label for="message">Message</label> <textarea id="message" name="message"></textarea></div>
`

// libraryPage is a page on which a front-end library posts the form.
type libraryPage struct {
	scripts []string // files in node_modules
	head    string
	body    string // attributes of the body
	form    string // with %s for the controls
}

// write writes the page and its scripts into the site's folder.
func (p libraryPage) write(t *testing.T, root string) {
	t.Helper()
	head := p.head
	for i, script := range p.scripts {
		content, err := os.ReadFile(filepath.Join("node_modules", filepath.FromSlash(script)))
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("script-%d.js", i)
		writeFile(t, root, name, string(content))
		head += fmt.Sprintf(`<script defer src="/%s"></script>`, name)
	}
	writeFile(t, root, "visit.html", fmt.Sprintf(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Visit</title><link rel="icon" href="data:,">
%s</head><body%s><header>Our place</header><main><h1>Visit us</h1>
%s
<div id="result">Nothing yet</div></main></body></html>`, head, p.body, strings.ReplaceAll(p.form, "%s", libraryFields)))
	writeFile(t, root, "thank-you.html", `<!doctype html><html lang="en"><head><title>Thank you</title><link rel="icon" href="data:,"></head><body><h1 id="thanks">Thank you</h1></body></html>`)
}

func writeFile(t *testing.T, root, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// visit opens the page in a browser. Edits change the Caddyfile.
func (p libraryPage) visit(t *testing.T, edits ...string) (*site, *tab) {
	t.Helper()
	caddyproc.InstallPackages(t)
	root := t.TempDir()
	p.write(t, root)
	edits = append([]string{"root * example/site", "root * " + root, "form callback", "form callback\nfield message"}, edits...)
	s, b := startSite(t, edits...), openTab(t)
	s.keepOut("Ravi")
	b.open(s.pages + "/visit")
	return s, b
}

// send fills in the form and presses its button. It removes the messages of the last answer.
func (b *tab) send(name, phone, message string) {
	b.t.Helper()
	evaluate[any](b, `document.querySelectorAll(".telecrm-error, .telecrm-summary").forEach(e => e.remove())`)
	b.set(byName("name"), name)
	b.set(byName("phone"), phone)
	b.set(byName("message"), message)
	b.clickSend()
}

// clickSend presses the form's button once the library has taken over what it put into the page:
// htmx does so a moment after the text shows, and until then the browser would post by itself.
func (b *tab) clickSend() {
	b.t.Helper()
	eventually(b.t, actionTimeout, "the library to settle", func() bool {
		return see[bool](b, `!document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")`)
	})
	evaluate[any](b, `document.getElementById("send").click()`)
}

// awaitText waits until the page shows the text, and returns all of it.
func (b *tab) awaitText(text string) (all string) {
	b.t.Helper()
	eventually(b.t, actionTimeout, fmt.Sprintf("%q", text), func() bool {
		all = see[string](b, `document.body ? document.body.innerText : ""`)
		return strings.Contains(all, text)
	}, func() string { return all })
	return all
}

// checkTyped expects the form's values.
func (b *tab) checkTyped(name, phone, message string) {
	b.t.Helper()
	got := evaluate[[]string](b, `["name", "phone", "message"].map(name => document.querySelector("[name=" + name + "]")?.value)`)
	if want := []string{name, phone, message}; strings.Join(got, "|") != strings.Join(want, "|") {
		b.t.Errorf("the form has %q, want %q", got, want)
	}
}

// wrongPhone begins the message about a wrong phone number.
const wrongPhone = "The phone number in “Phone” is too short."
