package e2e_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Typed text is never executed as a template of the site, in any order of the handlers.
func TestTypedTemplatesDoNotRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "contact.html"), fmt.Appendf(nil, pageWithForm, "own {{1 | add 41}}", "/contact"), 0o600); err != nil {
		t.Fatal(err)
	}
	const block = " {\nfield name\nfield phone\nrate_limit off\nthank_you /thanks\n}\n"
	for name, site := range map[string]string{
		"around templates": "root " + dir + "\ntemplates\ntelecrm /contact" + block + "telecrm /elsewhere" + block + "try_files {path}.html\nfile_server",
		"within templates": "root " + dir + "\nroute {\ntemplates\ntelecrm /contact" + block + "telecrm /elsewhere" + block + "try_files {path}.html\nfile_server\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, site)
			for _, path := range []string{"/contact", "/elsewhere"} {
				for _, typed := range []string{`{{env "TELECRM_TEST_TOKEN"}}`, "{{env `TELECRM_TEST_TOKEN`}}", `{{placeholder "env.TELECRM_TEST_TOKEN"}}`, `{{{1 | add 41}}}`, "{{`x`}}", `{{/* x */}}`, `{{`} {
					for _, input := range []string{"name", "extra"} {
						got := s.post(t, path, url.Values{input: {typed}, "phone": {"12"}})
						if got.status != 422 || strings.Contains(got.body, secretToken) || strings.Contains(got.body, "{{") {
							t.Errorf("%s %s=%s: status %d with\n%s", path, input, typed, got.status, got.body)
						}
					}
				}
			}
		})
	}
}
