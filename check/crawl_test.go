package check_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/check"
)

// serve runs the pages as a site. Its pages link to each other.
func serve(t *testing.T, pages map[string]string, header http.Header) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), header)
		content, has := pages[r.URL.Path]
		switch {
		case !has:
			http.NotFound(w, r)
		case strings.HasPrefix(content, "/"):
			http.Redirect(w, r, content, http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, content)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func pagesOf(contact string) map[string]string {
	return map[string]string{
		"/":      `<a href="contact">Contact</a> <a href="/blog/?page=1">Blog</a> <a href="https://other.example/x">Other</a> <a href="/gone">Gone</a> <a href=mailto:a@example.org>`,
		"/blog/": `<a href="?page=2">Next</a><a href="old">Old</a>`, "/blog/old": "/contact",
		"/contact": contact, "/thank-you": "<p>Thanks</p>",
	}
}

func TestRunningSite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Files = nil
	s.config.URL = serve(t, pagesOf(contact), nil)
	report := run(t, s.config)
	if len(report.Findings) > 0 || report.Pages != 3 || report.Forms != 1 {
		t.Errorf("read %d pages with %d forms, and found %s", report.Pages, report.Forms, describe(report.Findings))
	}
}

func TestMistakesOfRunningSite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	pages := pagesOf(strings.Replace(contact, `name="email"`, `name="e_mail"`, 1))
	delete(pages, "/thank-you")
	s.config.URL = serve(t, pages, http.Header{"Cf-Ray": {"1"}})
	report := run(t, s.config)
	want := map[check.Code]string{
		check.InputNotMapped: s.config.URL + "/contact:7:14", check.InputNotInForm: "Caddyfile:23:3",
		check.ThankYouMissing: "Caddyfile:35:3", check.TrustedProxiesMissing: "",
	}
	for _, f := range report.Findings {
		if place, expected := want[f.Code]; !expected || f.Place.String() != place {
			t.Errorf("found %s", describe([]check.Finding{f}))
		}
		delete(want, f.Code)
	}
	if len(want) > 0 {
		t.Errorf("did not find %v", want)
	}
}

func TestRunningSiteThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"localhost:8080", "ftp://localhost", "http://127.0.0.1:1", serve(t, nil, nil)} {
		s := newSite(t)
		s.config.URL = address
		if _, err := check.Run(t.Context(), s.config); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(address, "ftp:")) {
			t.Errorf("%s: got %v", address, err)
		}
	}
	s := newSite(t)
	s.config.URL = serve(t, nil, nil)
	if _, err := check.Run(t.Context(), s.config); err == nil || strings.Contains(err.Error(), "--root") || !strings.Contains(err.Error(), "give the address of another page") {
		t.Errorf("a site without a home page: got %v", err)
	}
	s = newSite(t)
	other := *s.Site
	other.Hosts = []string{"shop.example.com"}
	s.config.Sites = append(s.config.Sites, &other)
	s.config.URL = serve(t, pagesOf(contact), nil)
	if _, err := check.Run(t.Context(), s.config); err == nil || !strings.Contains(err.Error(), "no site of the config has the host 127.0.0.1") {
		t.Errorf("got %v", err)
	}
}

// A site may make any number of pages.
func TestCrawlingEnds(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<a href="%s/a">a</a><a href="%s/b">b</a>`, strings.TrimRight(r.URL.Path, "/"), strings.TrimRight(r.URL.Path, "/"))
	}))
	t.Cleanup(server.Close)
	s := newSite(t)
	s.config.URL = server.URL
	report := run(t, s.config)
	if report.Pages != 2000 || !slices.ContainsFunc(report.Findings, func(f check.Finding) bool { return f.Code == check.HandlerWithoutForm }) {
		t.Errorf("read %d pages, and found %s", report.Pages, describe(report.Findings))
	}
}
