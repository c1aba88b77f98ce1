package e2e_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// put matches what protect adds to a form.
var put = regexp.MustCompile(`<div hidden aria-hidden="true"[^>]*><label lang="en">Leave this empty <input type="text" name="([a-z]+_2)"[^>]*></label></div><input type="hidden" name="_stamp" value="([\w.-]+)">`)

// protectedSite writes pages to dir and returns Caddyfile lines that protect their forms.
func protectedSite(t *testing.T) (dir, site string) {
	t.Helper()
	dir = t.TempDir()
	contact := fmt.Sprintf(pageWithForm, "words", "/enquire")
	var squeezed strings.Builder
	gz := gzip.NewWriter(&squeezed)
	io.WriteString(gz, contact)
	gz.Close()
	for file, content := range map[string]string{
		"contact.html":    contact,
		"contact.html.gz": squeezed.String(),
		"plain.html":      "<!DOCTYPE html><title>Plain</title><p>" + strings.Repeat("words ", 200),
		"large.html":      fmt.Sprintf(pageWithForm, strings.Repeat("words ", 50000), "/enquire"),
		"templated.html":  fmt.Sprintf(pageWithForm, `{{.Req.Method}} {{.Req.URL.Path}}`, "/enquire"),
		"style.css":       "form { color: red }",
		"style.css.gz":    squeezed.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, "root " + dir + `
	encode gzip
	telecrm /enquire {
		field name
		field phone
		unmapped message
		thank_you /thanks
		protect
	}
	route /templated* {
		templates
		try_files {path}.html
		file_server
	}
	try_files {path}.html {path}
	file_server {
		precompressed gzip
	}`
}

// gotPage is a page as a visitor's browser gets it.
type gotPage struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with header lines such as "Name: value".
func (s *server) ask(t *testing.T, method, path string, header ...string) gotPage {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.site+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" && method == http.MethodGet {
		if body, err = gzip.NewReader(resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return gotPage{resp.StatusCode, resp.Header, string(text)}
}

// Pages from Caddy's own handlers are protected, and caches can still use them.
func TestProtectedSite(t *testing.T) {
	dir, site := protectedSite(t)
	s := serve(t, site)
	source := func(file string) string { return read(t, filepath.Join(dir, file)) }

	got := s.ask(t, http.MethodGet, "/contact")
	contact, tag, modified := got.body, got.header.Get("ETag"), got.header.Get("Last-Modified")
	if len(put.FindAllString(contact, -1)) != 1 || put.ReplaceAllString(contact, "") != source("contact.html") {
		t.Fatalf("got a page other than the source with a protected form:\n%s", contact)
	}
	if got.header.Get("Content-Length") != strconv.Itoa(len(contact)) || !strings.HasPrefix(tag, `W/"`) || modified == "" || got.header.Get("Accept-Ranges") != "" {
		t.Errorf("header %v", got.header)
	}

	for _, test := range []struct {
		name, method, path string
		header             []string
		status             int
		source             string // expected body without the added inputs
		protected          bool
		want               map[string]string
	}{
		{"compressed", http.MethodGet, "/contact", []string{"Accept-Encoding: gzip"}, 200, source("contact.html"), true, map[string]string{"Content-Encoding": "gzip", "Etag": tag, "Vary": "Accept-Encoding"}},
		{"range", http.MethodGet, "/contact", []string{"Range: bytes=5-10"}, 200, source("contact.html"), true, map[string]string{"Etag": tag}},
		{"range with If-Range", http.MethodGet, "/contact", []string{"Range: bytes=5-10", "If-Range: " + modified}, 200, source("contact.html"), true, nil},
		{"cached", http.MethodGet, "/contact", []string{"If-None-Match: " + tag}, 304, "", false, map[string]string{"Etag": tag, "Content-Length": ""}},
		{"cached, compressed", http.MethodGet, "/contact", []string{"If-None-Match: " + tag, "Accept-Encoding: gzip"}, 304, "", false, map[string]string{"Etag": tag}},
		{"cached by date", http.MethodGet, "/contact", []string{"If-Modified-Since: " + modified}, 304, "", false, nil},
		{"cached before protect", http.MethodGet, "/contact", []string{"If-None-Match: " + strings.TrimPrefix(tag, "W/"), "Sec-Fetch-Mode: navigate"}, 200, source("contact.html"), true, map[string]string{"Etag": tag}},
		{"HEAD", http.MethodHead, "/contact", nil, 200, "", false, map[string]string{"Etag": tag, "Content-Length": "", "Content-Type": "text/html; charset=utf-8"}},
		{"no form", http.MethodGet, "/plain", nil, 200, source("plain.html"), false, map[string]string{"Content-Length": strconv.Itoa(len(source("plain.html")))}},
		{"large", http.MethodGet, "/large", nil, 200, source("large.html"), true, map[string]string{"Content-Length": ""}},
		{"large, compressed", http.MethodGet, "/large", []string{"Accept-Encoding: gzip"}, 200, source("large.html"), true, map[string]string{"Content-Encoding": "gzip"}},
		{"template", http.MethodGet, "/templated", nil, 200, fmt.Sprintf(pageWithForm, "GET /templated.html", "/enquire"), true, map[string]string{"Etag": ""}},
		{"style sheet", http.MethodGet, "/style.css", []string{"Accept: text/css,*/*;q=0.1", "Range: bytes=0-3"}, 206, "form", false, map[string]string{"Content-Length": "4"}},
		{"precompressed style sheet", http.MethodHead, "/style.css", []string{"Accept: text/css,*/*;q=0.1", "Accept-Encoding: gzip"}, 200, "", false, map[string]string{"Content-Encoding": "gzip"}},
		{"not found", http.MethodGet, "/nothing", nil, 404, "", false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.ask(t, test.method, test.path, test.header...)
			if got.status != test.status || put.MatchString(got.body) != test.protected || put.ReplaceAllString(got.body, "") != test.source {
				t.Errorf("got status %d, want %d; protected %v, want %v; body\n%.1000s", got.status, test.status, put.MatchString(got.body), test.protected, got.body)
			}
			for name, want := range test.want {
				if value := got.header.Get(name); value != want {
					t.Errorf("%s: got %q, want %q", name, value, want)
				}
			}
		})
	}
}

// A post from a protected page makes a lead without the added inputs. The page that asks for
// corrections is protected too.
func TestProtectedSubmission(t *testing.T) {
	_, site := protectedSite(t)
	s := serve(t, site)
	contact := s.ask(t, http.MethodGet, "/contact").body
	seal := func(text string) url.Values {
		match := put.FindStringSubmatch(text)
		if match == nil {
			t.Fatalf("no seal in\n%s", text)
		}
		return url.Values{match[1]: {""}, "_stamp": {match[2]}}
	}
	values := seal(contact)
	stamp := values.Get("_stamp")
	values.Set("name", "Asha")
	values.Set("phone", "12")
	_, again := s.postFrom(t, "/enquire", s.site+"/contact", values)
	if strings.Count(again, "_stamp") != 1 || strings.Count(again, "aria-invalid") != 1 || strings.Count(again, `class="telecrm-error"`) != 1 || strings.Contains(again, stamp) {
		t.Errorf("page with corrections:\n%s", again)
	}
	if !strings.Contains(again, `value="Asha"`) {
		t.Errorf("the page does not contain what was typed:\n%s", again)
	}
	values = seal(again)
	values.Set("name", "Asha")
	values.Set("phone", "081234 56789")
	values.Set("colour", "red")
	if got := s.post(t, "/enquire", values); got.status != http.StatusSeeOther {
		t.Fatalf("status %d", got.status)
	}
	leads := s.crm.Leads()
	if len(leads) != 1 {
		t.Fatalf("%d leads", len(leads))
	}
	if diff := cmp.Diff(map[string]any{"name": "Asha", "phone": "918123456789", "message": "Colour: red"}, leads[0].Fields); diff != "" {
		t.Errorf("the lead (-want +got):\n%s", diff)
	}
}

// Proxied pages are protected while they stream.
func TestProtectedProxy(t *testing.T) {
	goOn := make(chan struct{})
	const form = `<form method=post action=/enquire>`
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/slow":
			io.WriteString(w, "<p>"+form)
			http.NewResponseController(w).Flush()
			<-goOn
			io.WriteString(w, "<p>"+form)
		case "/short":
			w.Header().Set("Content-Length", "200000")
			io.WriteString(w, form+strings.Repeat("x", 100000))
		case "/hints":
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			io.WriteString(w, form)
		default:
			w.Header().Set("Content-Encoding", "gzip")
			gz := gzip.NewWriter(w)
			io.WriteString(gz, form)
			gz.Close()
		}
	}))
	defer backend.Close()
	s := serve(t, `telecrm /enquire {
		field phone
		thank_you /thanks
		protect
	}
	reverse_proxy `+backend.Listener.Addr().String())

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.site+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	early := make([]byte, 4096)
	n, err := io.ReadAtLeast(resp.Body, early, len(form)+200)
	if err != nil || len(put.FindAll(early[:n], -1)) != 1 {
		t.Errorf("before the page is complete: error %v, body %q", err, early[:n])
	}
	close(goOn)
	if rest, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(put.ReplaceAllString(string(rest), ""), "<p>"+form) {
		t.Errorf("rest of the page: error %v, body %q", err, rest)
	}

	if body := s.ask(t, http.MethodGet, "/hints").body; put.ReplaceAllString(body, "") != form || !put.MatchString(body) {
		t.Errorf("page after an early hint: %q", body)
	}
	// The backend compresses because Caddy asks it to; Caddy then decompresses the page.
	if got := s.ask(t, http.MethodGet, "/compressed", "Accept-Encoding: gzip"); !put.MatchString(got.body) || put.ReplaceAllString(got.body, "") != form {
		t.Errorf("compressed page: header %v, body %q", got.header, got.body)
	}
	req.URL.Path = "/short"
	resp, err = http.DefaultClient.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("got no error for a truncated page")
	}
}

// Visitors who leave in the middle of a page do not leak goroutines.
func TestProtectedPageDoesNotLeak(t *testing.T) {
	dir, site := protectedSite(t)
	if err := os.WriteFile(filepath.Join(dir, "huge.html"), []byte(strings.Repeat("<p>words</p><form method=post action=/enquire></form>", 200000)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newInProcess(t)
	p.mustLoad(t, site)
	visit := func() {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.site, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(conn, "GET /huge HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n")
		if _, err := io.ReadFull(conn, make([]byte, 100000)); err != nil {
			t.Fatal(err)
		}
	}
	visit()
	before := runtime.NumGoroutine()
	for range 50 {
		visit()
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before+5 {
		if time.Now().After(deadline) {
			t.Fatalf("goroutines grew from %d to %d", before, runtime.NumGoroutine())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
