package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Front-end libraries get the visitor's page in the way each expects, from a site that answers them
// differently.
func TestPagesForLibraries(t *testing.T) {
	dir := t.TempDir()
	page := fmt.Sprintf(pageWithForm, "contact", "/in/enquire")
	if err := os.WriteFile(filepath.Join(dir, "contact.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	// The site answers libraries with a part of the page.
	s := serve(t, "root "+dir+`
	@part header HX-Request *
	@part2 header X-Up-Version *
	@part3 header X-Requested-With *
	handle /contact {
		respond @part "part"
		respond @part2 "part"
		respond @part3 "part"
		try_files {path}.html
		file_server
	}
	telecrm /in/enquire {
		field name {
			required
		}
		field phone
		rate_limit off
		thank_you /thanks
	}`)
	unpoly := map[string]string{"X-Up-Version": "3.14.3", "X-Up-Target": "form", "X-Requested-With": "XMLHttpRequest"}
	const summary, message, base = `class="telecrm-summary"`, `class="telecrm-error"`, `<base href`
	wrong, correct := url.Values{"name": {"Asha"}, "phone": {"12"}}, url.Values{"name": {"Asha"}, "phone": {"08123456789"}}
	for _, test := range []struct {
		name     string
		values   url.Values
		headers  map[string]string
		status   int
		contains []string
		without  []string
	}{
		{"htmx", wrong, map[string]string{"HX-Request": "true", "HX-Current-URL": s.site + "/contact", "X-Requested-With": "XMLHttpRequest"}, 200, []string{summary, message, "<p>contact</p>"}, []string{base}},
		{"Unpoly", wrong, unpoly, 422, []string{summary, message, "<p>contact</p>"}, []string{base}},
		{"Turbo", wrong, map[string]string{"Accept": "text/vnd.turbo-stream.html, text/html, application/xhtml+xml"}, 422, []string{summary, message}, []string{base}},
		{"no library", wrong, nil, 422, []string{summary, message, base}, nil},
		{"check, wrong", wrong, map[string]string{"X-Up-Version": "3.14.3", "X-Up-Validate": "phone"}, 422, []string{message}, []string{summary, base}},
		{"check, correct", correct, map[string]string{"X-Up-Version": "3.14.3", "X-Up-Validate": "phone"}, 200, []string{"08123456789"}, []string{summary, message}},
		{"check, wrong and not reached", url.Values{"name": {""}, "phone": {"12"}}, map[string]string{"X-Up-Version": "3.14.3", "X-Up-Validate": "phone"}, 422, []string{message}, []string{"name-error", "Fill in"}},
		{"check, not reached", url.Values{"name": {""}, "phone": {"08123456789"}}, map[string]string{"X-Up-Version": "3.14.3", "X-Up-Validate": "phone"}, 200, nil, []string{message}},
		{"check, all", url.Values{"name": {""}, "phone": {"08123456789"}}, map[string]string{"X-Up-Version": "3.14.3", "X-Up-Validate": ":unknown"}, 422, []string{"Fill in"}, nil},
		{"check of an old page", correct, map[string]string{"X-Up-Version": "3.14.3", "X-Up-Validate": "phone", "Referer": s.site + "/gone"}, 204, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.site+"/in/enquire", strings.NewReader(test.values.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Referer", s.site+"/contact")
			for name, value := range test.headers {
				r.Header.Set(name, value)
			}
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != test.status {
				t.Fatalf("error %v, status %d, want %d:\n%s", err, resp.StatusCode, test.status, body)
			}
			for _, part := range test.contains {
				if !strings.Contains(string(body), part) {
					t.Errorf("the page does not contain %q:\n%s", part, body)
				}
			}
			for _, part := range test.without {
				if strings.Contains(string(body), part) {
					t.Errorf("the page contains %q:\n%s", part, body)
				}
			}
			if resp.Header.Get("Cache-Control") != "no-store" || !strings.Contains(strings.Join(resp.Header.Values("Vary"), ","), "X-Up-Validate") {
				t.Errorf("Cache-Control %q, Vary %q", resp.Header.Get("Cache-Control"), resp.Header.Values("Vary"))
			}
		})
	}
}
