package e2e_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var stampInPage = regexp.MustCompile(`name="_stamp" value="([^"]+)"`)

// A page cached before a token was replaced stays valid. Validating a config does not create the
// secret, and only its owner can read it.
func TestCachedPagesSurviveTokenChange(t *testing.T) {
	dir := t.TempDir()
	const page = `<!doctype html><title>Contact</title><form method="post" action="/enquire"><input name="phone"></form>`
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	site := "root " + dir + `
	telecrm /enquire {
		field phone
		protect
		deliver later
		thank_you /thanks
	}
	file_server`
	s := serve(t, site)
	secrets := func() []string {
		var found []string
		_ = filepath.WalkDir(filepath.Dir(s.config), func(path string, _ os.DirEntry, _ error) error {
			if filepath.Base(path) == "guards.key" {
				found = append(found, path)
			}
			return nil
		})
		return found
	}
	resp, err := http.Get(s.site + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := stampInPage.FindSubmatch(body)
	if found == nil {
		t.Fatalf("no stamp in %s", body)
	}
	values := url.Values{"phone": {"08123456789"}, "_stamp": {string(found[1])}, "subject_2": {""}}

	s.global = strings.Replace(s.global, "{env.TELECRM_TEST_TOKEN}", "another-token", 1)
	s.reload(t, site)
	s.post(t, "/enquire", values)
	s.Stop(t)
	if log := s.Log(); !strings.Contains(log, `"msg":"submission"`) || strings.Contains(log, "stamp is forged") {
		t.Errorf("log after the token was replaced:\n%s", log)
	}
	made := secrets()
	if len(made) != 1 {
		t.Fatalf("got secrets %v, want one", made)
	}
	if info, err := os.Stat(made[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if err := os.Remove(made[0]); err != nil {
		t.Fatal(err)
	}
	if output, err := s.Run(t.Context(), "validate", "--config", s.config); err != nil || len(secrets()) != 0 {
		t.Errorf("validate: error %v, created %v\n%s", err, secrets(), output)
	}
}
