package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Pages that a script rebuilds in the browser are left alone by protect, nothing is held against
// their posts, and visitors get the built-in page about errors. The log says so once.
func TestRebuiltPages(t *testing.T) {
	const (
		static = `<!DOCTYPE html><html lang="en"><head><title>Contact</title></head><body><main>
<form method="post" action="/enquire"><label>Mobile <input name="phone"></label><input name="name"></form>
</main><script src="/client.js"></script></body></html>`
		rebuilt = `<!DOCTYPE html><html lang="en"><head><title>Contact</title></head><body><div id="root">` +
			`<form method="post" action="/enquire"><label>Mobile <input name="phone"/></label><input name="name"/></form>` +
			`</div><script src="/client.js"></script></body></html>`
	)
	for name, test := range map[string]struct {
		page      string
		isRebuilt bool
		outcome   string // of a post without trap and stamp from a program
	}{
		"static":  {static, false, "asked"},
		"rebuilt": {rebuilt, true, "created"},
		"large":   {strings.Replace(rebuilt, "</form>", "</form><p>"+strings.Repeat("words ", 100000)+"</p>", 1), true, "created"},
		"bound":   {strings.Replace(static, `name="name"`, `name="name" x-model="name"`, 1), true, "created"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "contact.html"), []byte(test.page), 0o600); err != nil {
				t.Fatal(err)
			}
			s := serve(t, "root "+dir+`
	telecrm /enquire {
		field name
		field phone
		thank_you /thanks
		protect
	}
	try_files {path}.html
	file_server`)
			const warning = "would remove what is added to its page"
			if strings.Contains(s.Log(), warning) {
				t.Error("the log warns before there is a page")
			}
			for range 2 {
				body := s.ask(t, http.MethodGet, "/contact").body
				if (body == test.page) != test.isRebuilt {
					t.Errorf("the page has changed: %t", body != test.page)
				}
			}
			_, body := s.postFrom(t, "/enquire", s.site+"/contact", url.Values{"name": {"Asha Rao"}, "phone": {"12"}})
			if isOwn := strings.Contains(body, "<title>Error: Contact</title>"); isOwn == test.isRebuilt {
				t.Errorf("the answer is the visitor's own page: %t", isOwn)
			}
			if !strings.Contains(body, `value="12"`) || !strings.Contains(body, "Asha Rao") {
				t.Errorf("the answer does not contain what was typed: %s", body)
			}
			s.postAs(t, strings.TrimPrefix(s.site, "http://"), "/enquire", s.site+"/contact", url.Values{"name": {"Asha Rao"}, "phone": {"08123456789"}})
			s.awaitLogged(t, `"outcome":"`+test.outcome+`"`, 1)
			if got := strings.Count(s.Log(), warning); (got == 1) != test.isRebuilt || got > 1 {
				t.Errorf("the log warns %d times", got)
			}
			if strings.Contains(s.Log(), "Asha") {
				t.Error("the log contains what was typed")
			}
		})
	}
}
