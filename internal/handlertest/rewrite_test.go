package handlertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// A form is taken wherever rewrites have moved its path, its page is protected and comes back with
// what to correct.
func TestFormsBehindRewrites(t *testing.T) {
	dir := pagesIn(t, map[string]string{
		"contact.html":       `<!DOCTYPE html><title>Ours</title><form method="post" action=""><input name="name"><input name="phone"></form>`,
		"index.html":         `<!DOCTYPE html><title>Ours</title><form method="post" action=""><input name="name"><input name="phone"></form>`,
		"pages/contact.html": `<!DOCTYPE html><title>Ours</title><form method="post" action=""><input name="name"><input name="phone"></form>`,
		"contact/index.html": `<!DOCTYPE html><title>Ours</title><form method="post" action=""><input name="name"><input name="phone"></form>`,
	})
	const files = "try_files {path}.html {path}\nfile_server\n"
	for name, test := range map[string]struct{ path, site string }{
		"handle_path":                     {"/landing/contact", "handle_path /landing/* {\n%s\n" + files + "}"},
		"handle_path around a route":      {"/landing/contact", "handle_path /landing/* {\nroute {\n" + files[:len("try_files {path}.html {path}\n")] + "%s\nfile_server\n}\n}"},
		"nested handle_path":              {"/a/b/contact", "handle_path /a/* {\nhandle_path /b/* {\n%s\n" + files + "}\n}"},
		"handle_path without a slash":     {"/landing/contact", "handle_path /landing* {\n%s\n" + files + "}"},
		"handle_path and its folder":      {"/landing/contact", "handle_path /landing/* {\n%s\ntry_files /pages{path}.html\nfile_server\n}"},
		"rewrite alias":                   {"/kontakt", "rewrite /kontakt /contact\n%s\n" + files},
		"rewrite alias in a handle":       {"/kontakt", "handle /kontakt {\nrewrite * /contact\n%s\n" + files + "}"},
		"rewrite alias to one page":       {"/kontakt", "rewrite /kontakt /contact\n%s\ntry_files {path}.none /index.html\nfile_server\n"},
		"rewrite by a regular expression": {"/de/contact", "@de path_regexp de ^/(?:de|fr)(/.*)$\nrewrite @de {re.de.1}\n%s\n" + files},
		"rewrite of a rewrite":            {"/old", "route {\nuri replace old kontakt\nrewrite /kontakt /contact\nuri replace contact contact.html\n%s\nfile_server\n}"},
		"uri strip_prefix":                {"/landing/contact", "uri strip_prefix /landing\n%s\n" + files},
		"uri strip_suffix":                {"/contact/x", "uri strip_suffix /x\n%s\n" + files},
		"uri replace":                     {"/kontakt", "uri replace kontakt contact\n%s\n" + files},
		"handle and strip_prefix":         {"/landing/contact", "handle /landing/* {\nuri strip_prefix /landing\n%s\n" + files + "}"},
		"a named route":                   {"/landing/contact", "handle_path /landing/* {\ninvoke form\n}"},
		"a folder's index":                {"/landing/contact", "handle_path /landing/* {\n%s\ntry_files {path}/index.html\nfile_server\n}"},
		"a named matcher":                 {"/landing/contact", "handle_path /landing/* {\n@form {\npath /contact\nmethod POST GET\n}\n@@\n" + files + "}"},
		"clean URLs alone":                {"/contact", "%s\n" + files},
		"a query":                         {"/landing/contact?utm_source=x", "handle_path /landing/* {\n%s\n" + files + "}"},
	} {
		t.Run(name, func(t *testing.T) {
			block := strings.Replace(siteForm, "field name", "protect\nfield name", 1)
			site := strings.Replace(strings.Replace(test.site, "%s", block, 1), "@@", strings.Replace(block, "/contact", "@form", 1), 1)
			s := newSite(t, newCRM(t), fmt.Sprintf("&(form) {\nroute {\ntry_files {path}.html {path}\n%s\nfile_server\n}\n}\n:80 {\nroot %s\n%s\n}", block, dir, site))
			page := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://www.example.com"+test.path, nil)
			page.Header.Set("Accept", "text/html")
			shown := s.do(page).Body.String()
			if !strings.Contains(shown, "Ours</title>") || strings.Count(shown, `name="_stamp"`) != 1 {
				t.Errorf("the page is not protected once: %s", shown)
			}
			post := func(values url.Values) *httptest.ResponseRecorder {
				return s.do(postTo("http://www.example.com"+test.path, values, "Sec-Fetch-Site: same-origin", "Referer: http://www.example.com"+test.path))
			}
			if w := post(meera); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/thanks" {
				t.Errorf("status %d, redirect to %q", w.Code, w.Header().Get("Location"))
			}
			if w := post(with(meera, "phone", "12")); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Ours</title>") || !strings.Contains(w.Body.String(), `value="Meera Iyer"`) {
				t.Errorf("status %d, page %.200s", w.Code, w.Body)
			}
			if hints := s.logged("no form takes"); len(hints) != 0 {
				t.Errorf("logged %v", hints)
			}
		})
	}
}

// A form is protected if its post would be taken, whatever rewrites make of both paths.
func TestFormsThatPostBehindRewritesAreProtected(t *testing.T) {
	for _, test := range []struct {
		site, page, action string
		want               bool
	}{
		{"%s\ntry_files {path}.html\nfile_server", "/about", "/contact", true},
		{"%s\ntry_files {path}.html\nfile_server", "/about", "/other", false},
		{"handle_path /forms/* {\n%s\ntry_files {path}.html\nfile_server\n}", "/forms/about", "contact", true},
		{"handle_path /forms/* {\n%s\ntry_files {path}.html\nfile_server\n}", "/forms/about", "/forms/contact", true},
		{"handle_path /forms/* {\n%s\ntry_files {path}.html\nfile_server\n}", "/forms/about", "http://www.example.com/forms/contact", true},
		{"handle_path /forms/* {\n%s\ntry_files {path}.html\nfile_server\n}", "/forms/about", "/else/contact", false},
		{"rewrite /kontakt /contact\n%s\ntry_files {path}.html\nfile_server", "/about", "/kontakt", true},
		{"rewrite /kontakt /contact\n%s\ntry_files {path}.html\nfile_server", "/about", "/other", false},
		{"uri strip_prefix /de\n%s\ntry_files {path}.html\nfile_server", "/about", "/de/contact", true},
	} {
		t.Run(test.page+" to "+test.action, func(t *testing.T) {
			dir := pagesIn(t, map[string]string{"about.html": `<!DOCTYPE html><form method="post" action="` + test.action + `"><input name="phone"></form>`})
			block := strings.Replace(siteForm, "field name", "protect\nfield name", 1)
			s := newSite(t, newCRM(t), ":80 {\nroot "+dir+"\n"+strings.Replace(test.site, "%s", block, 1)+"\n}")
			page := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://www.example.com"+test.page, nil)
			page.Header.Set("Accept", "text/html")
			shown := s.do(page).Body.String()
			if got := strings.Contains(shown, `name="_stamp"`); got != test.want || !strings.Contains(shown, "<form") {
				t.Errorf("protected is %v, want %v: %s", got, test.want, shown)
			}
		})
	}
}

// Rewrites do not lead posts to a form that are for something else.
func TestRewritesLeadNoOtherPostsToAForm(t *testing.T) {
	for name, test := range map[string]struct{ path, site string }{
		"another path":            {"/landing/other", "handle_path /landing/* {\n%s\ntry_files {path}.html\nrespond other 418\n}"},
		"the path elsewhere":      {"/other/contact", "handle_path /landing/* {\n%s\n}\nrewrite /other/contact /x\nrespond other 418"},
		"before the form's route": {"/kontakt", "route {\nrewrite /kontakt /x\n%s\nrewrite /x /contact\nrespond other 418\n}"},
		"in another route":        {"/kontakt", "handle /kontakt {\nrewrite * /contact\nrewrite * /x\nrespond other 418\n}\nhandle {\n%s\n}"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, newCRM(t), ":80 {\n"+strings.Replace(test.site, "%s", siteForm, 1)+"\n}")
			if w := s.do(postTo("http://www.example.com"+test.path, meera)); w.Code != http.StatusTeapot {
				t.Errorf("status %d, want 418", w.Code)
			}
		})
	}
}

// A POST that no form takes, and that file_server refuses, is worth a line in the log: once a path,
// and for a bounded number of paths.
func TestHintAtPostsThatNoFormTakes(t *testing.T) {
	dir := pagesIn(t, map[string]string{"landing/kontakt": "x", "kontakt": "x"})
	for name, site := range map[string]string{
		"two forms":   siteForm + strings.ReplaceAll(siteForm, "/contact", "/callback") + "file_server\n",
		"handle_path": "handle_path /landing/* {\n" + siteForm + "try_files {path}.html {path}\nfile_server\n}\nhandle {\nrespond 404\n}",
		"route":       "route {\n" + siteForm + "file_server\n}",
		"with errors": siteForm + "file_server\nhandle_errors {\nheader X sorry\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, newCRM(t), ":80 {\nroot "+dir+"\n"+site+"\n}")
			for range 3 {
				for path, want := range map[string]int{"/landing/kontakt": http.StatusMethodNotAllowed, "/landing/none": http.StatusNotFound, "/landing/xmlrpc.php": http.StatusNotFound} {
					r := postTo("http://www.example.com"+path+"?phone=secret", meera)
					if path != "/landing/xmlrpc.php" {
						r.Header.Set("Sec-Fetch-Site", "same-origin")
					}
					if w := s.do(r); w.Code != want {
						t.Errorf("%s: status %d, want %d", path, w.Code, want)
					}
				}
			}
			hints := s.logged("no form takes")
			if len(hints) != 2 || strings.Contains(fmt.Sprint(hints), "xmlrpc") {
				t.Fatalf("logged %v, want one line a path", hints)
			}
			for n := range 1000 {
				s.do(postTo(fmt.Sprintf("http://www.example.com/landing/%d%s", n, strings.Repeat("/x", 200)), meera, "Sec-Fetch-Site: same-origin"))
			}
			hints = s.logged("no form takes")
			if len(hints) < 10 || len(hints) > 100 {
				t.Errorf("%d lines", len(hints))
			}
			for _, hint := range hints {
				if path := hint.ContextMap()["path"].(string); len(path) > 200 || strings.Contains(fmt.Sprint(hint.ContextMap()), "secret") {
					t.Errorf("logged %v", hint.ContextMap())
				}
			}
			page := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://www.example.com/landing/none", nil)
			s.do(page)
			if again := s.logged("no form takes"); len(again) != len(hints) {
				t.Error("a GET is logged")
			}
		})
	}
}
