package browsertest

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// templates lists contact pages of published site templates: the npm package, the folder of the
// site in it, and the page.
var templates = [][3]string{
	{"@getbase/base", "", "/index.html"},
	{"material-kit", "", "/examples/landing-page.html"},
	{"paper-kit-2", "", "/examples/landing.html"},
	{"soft-ui-design-system", "", "/pages/contact-us.html"},
	{"startbootstrap-agency", "dist", "/index.html"},
	{"startbootstrap-clean-blog", "dist", "/contact.html"},
	{"startbootstrap-freelancer", "dist", "/index.html"},
	{"startbootstrap-modern-business", "dist", "/contact.html"},
}

// On the pages of third-party templates, every control keeps its value, the errors can be found and
// read, and there are no new accessibility violations.
func TestTemplates(t *testing.T) {
	caddyproc.InstallPackages(t)
	for _, template := range templates {
		t.Run(template[0], func(t *testing.T) {
			s := startTemplate(t, template[0], template[1], template[2])
			t.Run("scripts off", func(t *testing.T) {
				b := openTab(t)
				b.witness.tolerate()
				b.withoutScripts()
				s.send(b, s.fillIn(b))
			})
			t.Run("scripts on", func(t *testing.T) {
				b := openTab(t)
				b.witness.tolerate()
				typed := s.fillIn(b)
				before := b.violationsByElement()
				s.send(b, typed)
				checkViolations(t, before, b.violationsByElement())
			})
		})
	}
}

// templateSite is a running site from a template, whose form posts to the plugin.
type templateSite struct {
	page     string   // URL
	controls []string // names of the controls that the visitor fills in
	form     string   // CSS selector
}

func startTemplate(t *testing.T, name, folder, file string) *templateSite {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("node_modules", filepath.FromSlash(name), folder))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	adapted, controls := tieForm(t, string(source))
	pages := t.TempDir()
	if err := os.MkdirAll(filepath.Join(pages, filepath.FromSlash(path.Dir(file))), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pages, filepath.FromSlash(file)), []byte(adapted), 0o600); err != nil {
		t.Fatal(err)
	}
	var fields strings.Builder
	for i, control := range controls {
		fmt.Fprintf(&fields, "\t\t\tfield f%d `%s` {\n\t\t\t\tpattern ^never$\n\t\t\t\trequired\n\t\t\t\tblank %s\n\t\t\t}\n", i, control, choices(adapted))
	}
	at := strings.TrimSuffix(file, "index.html")
	port := caddyproc.FreePort(t)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{
	admin off
	telecrm {
		check off
		account {
			token sandbox
			enterprise_id 66aa00bb11cc22dd33ee44ff
			base_url %s
			country IN
		}
		outbox off
	}
}
http://localhost:%s {
	route {
		telecrm /enquire {
%s			set phone 918123456789
			thank_you /thank-you
		}
		root %s %s
		root * %s
		file_server
	}
}
`, unreachableCRM, port, &fields, at, pages, root), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &templateSite{page: "http://localhost:" + port + at, controls: controls, form: `form[action="/enquire"]`}
	caddyproc.Start(t, binary, config, t.TempDir(), s.page)
	return s
}

var (
	formPattern    = regexp.MustCompile(`(?is)<form\b.*?</form>`)
	methodPattern  = regexp.MustCompile(`(?is)\s(?:method|action)="[^"]*"`)
	controlPattern = regexp.MustCompile(`(?is)<(?:input|select|textarea)\b[^>]*`)
	namePattern    = regexp.MustCompile(`(?is)\sname="([^"]*)"`)
	choicePattern  = regexp.MustCompile(`(?is)<(?:option|input)\b[^>]*\svalue="([^"]*)"|<option[^>]*>([^<]*)`)
	typePattern    = regexp.MustCompile(`(?is)\stype="([^"]*)"`)
)

// choices returns the answers that the page's forms offer, as words of a Caddyfile. An answer that a
// page offers is not an error, unless the config says that it is not one.
func choices(page string) string {
	words := []string{"on"}
	for _, found := range choicePattern.FindAllStringSubmatch(page, -1) {
		word := "`" + strings.TrimSpace(html.UnescapeString(found[1]+found[2])) + "`"
		if word != "``" && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// tieForm adapts a page as its owner has to: the form with the message posts to the plugin, and its
// controls have names. It returns the names of the controls that the visitor fills in.
func tieForm(t *testing.T, source string) (adapted string, controls []string) {
	t.Helper()
	unnamed := 0
	adapted = formPattern.ReplaceAllStringFunc(source, func(form string) string {
		if !strings.Contains(form, "<textarea") {
			return form
		}
		tag, inner, _ := strings.Cut(form, ">")
		inner = controlPattern.ReplaceAllStringFunc(inner, func(control string) string {
			kind := ""
			if found := typePattern.FindStringSubmatch(control); found != nil && strings.HasPrefix(control, "<input") {
				kind = found[1]
			}
			if slices.Contains([]string{"submit", "button", "reset", "image"}, kind) {
				return control
			}
			var name string
			if found := namePattern.FindStringSubmatch(control); found != nil {
				name = found[1]
			} else {
				unnamed++
				name = fmt.Sprintf("answer-%d", unnamed)
				element, rest, _ := strings.Cut(control, " ")
				control = element + ` name="` + name + `" ` + rest
			}
			if kind != "hidden" && kind != "file" && !slices.Contains(controls, name) {
				controls = append(controls, name)
			}
			return control
		})
		return methodPattern.ReplaceAllString(tag, "") + ` method="post" action="/enquire">` + inner
	})
	if len(controls) < 2 {
		t.Fatalf("the page has %d controls in a form with a message", len(controls))
	}
	return adapted, controls
}

// fillIn fills in every control of the form with an invalid value, and returns what the form would
// send.
func (s *templateSite) fillIn(b *tab) (typed []string) {
	b.t.Helper()
	b.open(s.page)
	form := `document.querySelector(` + quote(s.form) + `)`
	evaluate[any](b, `for (const [i, e] of Array.from(`+form+`.elements).entries()) {
		const values = {date: "2027-01-15", time: "10:30", "datetime-local": "2027-01-15T10:30", month: "2027-01", week: "2027-W03", number: "7", range: "7",
			color: "#336699", email: "asha@example.org", url: "https://www.example.org/?a=1&b=2"};
		if (e.disabled || ["file", "hidden", "submit", "button", "reset"].includes(e.type)) continue;
		if (e.localName == "select") e.selectedIndex = e.options.length - 1;
		else if (["checkbox", "radio"].includes(e.type)) e.checked = true;
		else e.value = values[e.type] || (e.localName == "textarea" ? "\n" : "") + i + " \"Asha\" <b>&amp; 'Ravi'</b> </textarea>";
		for (const type of ["input", "change"]) e.dispatchEvent(new Event(type, {bubbles: true}));
	}; void 0`)
	typed = s.sends(b)
	if len(typed) < 2 {
		b.t.Fatalf("the form sends %q", typed)
	}
	return typed
}

// sends lists what the form would send now, without values that are never shown again and without
// the plugin's own inputs.
func (s *templateSite) sends(b *tab) []string {
	b.t.Helper()
	form := `document.querySelector(` + quote(s.form) + `)`
	return evaluate[[]string](b, `Array.from(new FormData(`+form+`)).filter(([name, value]) => typeof value == "string" && !name.startsWith("_"))
		.filter(([name]) => `+form+`.elements[name].type != "password").map(([name, value]) => name + "=" + value)`)
}

// send sends the form and checks the error page.
func (s *templateSite) send(b *tab, typed []string) {
	b.t.Helper()
	// Some templates' buttons only work with the script of a form service, so it does not click.
	if status := b.load(submit(s.form)); status != http.StatusUnprocessableEntity {
		b.t.Fatalf("status %d", status)
	}
	if diff := cmp.Diff(typed, s.sends(b)); diff != "" {
		b.t.Errorf("the page does not keep what was typed (-typed +kept):\n%s", diff)
	}
	s.checkErrors(b)
}

// submit sends the form with the given selector.
func submit(selector string) chromedp.Action[chromedp.Void] {
	return act("HTMLFormElement.prototype.submit.call(document.querySelector(" + quote(selector) + ")); void 0")
}

// act runs JavaScript in the page.
func act(script string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[any](script)(ctx, target)
		return chromedp.Void{}, err
	}
}

func (s *templateSite) checkErrors(b *tab) {
	b.t.Helper()
	if got := evaluate[string](b, "document.title"); !strings.HasPrefix(got, "Error: ") {
		b.t.Errorf("the title is %q", got)
	}
	// Browsers set the focus after the layout.
	eventually(b.t, actionTimeout, "the focus on the summary", func() bool {
		return see[string](b, "document.activeElement.className") == "telecrm-summary"
	})
	// Elements that are fixed to the window do not cover the heading.
	if got := evaluate[string](b, `(heading => {
		const box = heading.getBoundingClientRect(), there = document.elementFromPoint(box.left + 5, box.top + box.height / 2);
		return there === heading || heading.contains(there) ? "" : (there ? there.outerHTML.slice(0, 200) : "nothing") + " at " + box.top;
	})(document.querySelector(".telecrm-summary h2"))`); got != "" {
		b.t.Errorf("the summary's heading is covered by %s", got)
	}
	focused := evaluate[[]string](b, `Array.from(document.querySelectorAll(".telecrm-summary a"), link => { link.click(); return document.activeElement.name || link.href; })`)
	if diff := cmp.Diff(s.controls, focused); diff != "" {
		b.t.Errorf("controls that the links lead to (-want +focused):\n%s", diff)
	}
	if got := evaluate[[]string](b, `Array.from(document.querySelectorAll("`+strings.ReplaceAll(s.form, `"`, `'`)+` [aria-describedby]"), e => e.getAttribute("aria-describedby").split(" "))
		.flat().filter(id => document.querySelectorAll("#" + CSS.escape(id)).length != 1)`); len(got) > 0 {
		b.t.Errorf("controls are described by ids that are missing or not unique: %q", got)
	}
	if got := evaluate[[]string](b, `Array.from(`+`document.querySelector(`+quote(s.form)+`).elements).filter(e => e.name && !["hidden", "file", "submit", "button", "radio"].includes(e.type) &&
		e.localName != "fieldset" && (e.getAttribute("aria-invalid") != "true" || !e.matches("[aria-describedby], fieldset[aria-describedby] *"))).map(e => e.name)`); len(got) > 0 {
		b.t.Errorf("not marked as invalid: %q", got)
	}
}
