package browsertest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// buildTimeout bounds rendering and bundling all pages.
const buildTimeout = 3 * time.Minute

// frameworkPages are the pages that frameworks/build.mjs renders.
var frameworkPages = []struct {
	name      string
	isRebuilt bool // a script rebuilds the form
}{
	{"react18-root", true},
	{"react18-part", true},
	{"react18-document", true},
	{"react19-root", true},
	{"react19-part", true},
	{"react19-document", true},
	{"vue", true},
	{"svelte", true},
	{"astro", true},
	{"alpine", true},

	{"react18-widget", false},
	{"react19-widget", false},
	{"astro-beside", false},
	{"alpine-around", false},
	{"static", false},
}

// Pages that the real packages render on a server and rebuild in the browser: visitors see what to
// correct and keep what they typed, protect does not disturb the script, and nobody is asked twice
// to send the form once more. Pages on which scripts rebuild something else are not affected.
func TestFrameworks(t *testing.T) {
	folder := buildFrameworks(t)
	site := startPages(t, folder)
	b := openTab(t)
	b.witness.permit("console", "info") // the frameworks' notes about development
	b.witness.expect(site.url+"/enquire", http.StatusUnprocessableEntity)
	for n, page := range frameworkPages {
		t.Run(page.name, func(t *testing.T) {
			b := &tab{t: t, ctx: b.ctx, witness: b.witness}
			wait := func(isOwn bool) {
				t.Helper()
				if isOwn {
					eventually(t, actionTimeout, "the page's script", func() bool { return see[bool](b, `document.documentElement.dataset.ready === "yes"`) })
				}
			}
			visit := func(phone string) {
				t.Helper()
				b.open(site.url + "/" + page.name)
				wait(true)
				if stamps := evaluate[int](b, `document.querySelectorAll("[name=_stamp]").length`); (stamps > 0) == page.isRebuilt {
					t.Errorf("the page has %d stamps", stamps)
				}
				b.fill(byName("name"), "Anjali Menon")
				b.fill(byName("phone"), phone)
			}

			visit("12345")
			if status := b.press("form button"); status != http.StatusUnprocessableEntity {
				t.Fatalf("a wrong phone: status %d", status)
			}
			wait(!page.isRebuilt)
			checkSummary(b)
			if isOwn := evaluate[bool](b, `document.querySelector(".telecrm-summary") !== null`); isOwn == page.isRebuilt {
				t.Errorf("the visitor's own page is shown: %t", isOwn)
			}
			if got := strings.Join(b.sends(), " "); got != "name=Anjali Menon phone=12345" {
				t.Errorf("the page has the values %s", got)
			}

			// The challenge is not answered, so that the post is doubtful.
			phone := fmt.Sprintf("0812345%04d", 6000+n)
			b.fill(byName("phone"), phone)
			if status := b.press("form button"); status != http.StatusUnprocessableEntity {
				t.Fatalf("a doubtful post: status %d", status)
			}
			wait(!page.isRebuilt)
			checkSummary(b)
			if status := b.press("form button"); status != http.StatusOK || b.path() != "/thank-you" {
				t.Errorf("sent once more: status %d at %s", status, b.path())
			}

			// Someone goes back to their page, without the confirmation.
			visit(phone)
			b.fill(byName("name"), "Anjali M. Menon")
			b.press("form button")
			eventually(t, actionTimeout, "the second post to pass", func() bool {
				visit(phone)
				b.fill(byName("name"), "Anjali M. Menon")
				return b.press("form button") == http.StatusOK
			})
		})
	}
	if got := strings.Count(site.Log(), "would remove what is added to its page"); got != 1 {
		t.Errorf("the log says %d times that a script rebuilds the form", got)
	}
}

// checkSummary expects a visible summary that has the focus.
func checkSummary(b *tab) {
	b.t.Helper()
	eventually(b.t, actionTimeout, "the focus on the summary", func() bool { return see[bool](b, `document.activeElement.matches("`+summary+`")`) },
		func() string { return see[string](b, "document.activeElement.outerHTML") })
	if !evaluate[bool](b, `(heading => {
		const box = heading.getBoundingClientRect();
		return heading.checkVisibility({visibilityProperty: true, opacityProperty: true}) && box.top >= 0 && box.bottom <= innerHeight &&
			heading.contains(document.elementFromPoint(box.left + 5, box.top + box.height / 2));
	})(document.querySelector("`+summary+` :is(h1, h2)"))`) {
		b.t.Error("the heading of the summary is not visible")
	}
}

// buildFrameworks installs the frameworks, and returns a folder with pages.
func buildFrameworks(t *testing.T) string {
	t.Helper()
	caddyproc.Need(t, "node")
	pages, err := filepath.Abs(filepath.Join("frameworks", "build.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(pages); err != nil { // go test tracks the files that a test opens
		t.Fatal(err)
	}
	for _, folder := range []string{"frameworks", filepath.Join("frameworks", "react18"), filepath.Join("frameworks", "astro")} {
		installIn(t, folder)
	}
	out := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	if printed, err := exec.CommandContext(ctx, "node", pages, out).CombinedOutput(); err != nil {
		t.Fatalf("building the pages: %v\n%s", err, printed)
	}
	return out
}

// installIn installs the packages of a folder.
func installIn(t *testing.T, folder string) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	caddyproc.InstallPackages(t)
	t.Chdir(here)
}

// pagesSite is a running site with pages in a folder.
type pagesSite struct {
	*caddyproc.Process
	url string
}

func startPages(t *testing.T, folder string) *pagesSite {
	t.Helper()
	port := caddyproc.FreePort(t)
	s := &pagesSite{url: "http://localhost:" + port}
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
		outbox sqlite %s
	}
}
http://localhost:%s {
	root %s
	telecrm /enquire {
		field name
		field phone
		deliver later
		protect
		challenge altcha
		rate_limit off
		dedupe off
		thank_you /thank-you
	}
	respond /favicon.ico 204
	header /thank-you Content-Type text/html
	respond /thank-you "<title>Thank you</title>"
	try_files {path}.html {path}
	file_server
}
`, unreachableCRM, filepath.Join(t.TempDir(), "outbox.db"), port, folder), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Process = caddyproc.Start(t, binary, config, t.TempDir(), s.url+"/static")
	return s
}
