package protect

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// What is remembered of a page is not used for another one: the file under it may be written anew
// with the same size in the same second, and so get the same entity tag.
func TestChangedPagesAreReadAnew(t *testing.T) {
	const form, other, size = `<form method=post action=/enquire>`, `<form method=post action=/searches>`, 2000
	page := func(parts ...string) string {
		text := strings.Join(parts, "")
		return text + strings.Repeat(" ", size-len(text))
	}
	pages := []string{
		page("<p>Hello</p>", form, "</form>"),
		page(form, "</form>", "<p>Hello</p>"),
		page(other, "</form>", form, "</form>"),
		page("<p>No form</p>"),
		page("<!-- ", form, "</form> -->", form),
		page("<p>topic_2 subject_2</p>", form),
		page(form, form, "</form></form>", form),
	}
	h := newProtected(t, "", "/enquire")
	file := filepath.Join(t.TempDir(), "index.html")
	written := time.Now().Truncate(time.Second)
	serve := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, written.Unix(), size)) // as file_server makes it
		http.ServeFile(w, r, file)
		return nil
	})
	for range 3 {
		for _, source := range pages {
			if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, written, written); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				got, err := h.get(getRequest("http://example.com/"), serve)
				if err != nil {
					t.Fatal(err)
				}
				// A page that is known is served as one that is not.
				fresh := newProtected(t, "", "/enquire")
				fresh.stamps, fresh.now = h.stamps, h.now
				want, err := fresh.get(getRequest("http://example.com/"), serve)
				if err != nil {
					t.Fatal(err)
				}
				if withoutStamps(got.Body.String()) != withoutStamps(want.Body.String()) {
					t.Fatalf("%s\n\nis served as\n\n%s\n\nwant\n\n%s", source, got.Body, want.Body)
				}
			}
		}
	}
}

var stampValue = regexp.MustCompile(`name="_stamp" value="[^"]*"`)

// withoutStamps removes the stamps, whose time changes every two seconds.
func withoutStamps(source string) string { return stampValue.ReplaceAllString(source, "") }

// The same bytes are another page with another policy or in another encoding.
func TestPagesDependOnTheirHeader(t *testing.T) {
	const source = `<form method=post action=/enquire></form>`
	h := newProtected(t, "", "/enquire")
	for _, policy := range []string{"", "default-src 'self'", ""} {
		w, err := h.get(getRequest("http://example.com/"), writing(http.Header{
			"Content-Type": {"text/html"}, "Content-Security-Policy": {policy},
		}, source))
		if err != nil {
			t.Fatal(err)
		}
		if hasStyle := strings.Contains(w.Body.String(), "style="); hasStyle != (policy == "") {
			t.Errorf("with the policy %q: %s", policy, w.Body)
		}
	}
	w, err := h.get(getRequest("http://example.com/"), writing(http.Header{"Content-Type": {"text/html; charset=utf-16"}}, source))
	if err != nil || w.Body.String() != source {
		t.Errorf("error %v, %q", err, w.Body)
	}
}

// However many pages there are, few are remembered, and of each little.
func TestKnownPagesAreFew(t *testing.T) {
	pages := newKnownPages()
	names := []string{"subject_2"}
	for n := range 3 * mostPages {
		source := []byte(fmt.Sprint("<form>", n))
		if first := pages.find(source, pageHeader{}, true); first != pages.find(source, pageHeader{}, true) {
			t.Fatal("the same page is two")
		}
		if len(pages.known) > mostPages {
			t.Fatalf("%d pages are remembered", len(pages.known))
		}
	}
	if pages.find([]byte("<form>"), pageHeader{}, false) == pages.find([]byte("<form>"), pageHeader{}, true) {
		t.Error("the beginning of a page counts as a whole one")
	}
	for name, source := range map[string]string{
		"many forms":     strings.Repeat("<form method=post></form>", mostForms+1),
		"long addresses": strings.Repeat("<form method=post action="+strings.Repeat("x", 1000)+"></form>", 10),
	} {
		known := pages.find([]byte(source), pageHeader{}, true)
		for range 2 {
			if forms, _ := known.formsIn([]byte(source), names); len(forms) != strings.Count(source, "<form") {
				t.Errorf("%s: %d forms", name, len(forms))
			}
		}
		if known.forms != nil {
			t.Errorf("%s: %d forms are remembered", name, len(known.forms))
		}
	}
}
