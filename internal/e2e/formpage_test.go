package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const pageWithForm = `<!DOCTYPE html>
<html lang="en"><head><title>Contact</title></head><body><main><p>%s</p>
<form method="post" action="%s"><label for="p">Mobile</label><input id="p" name="phone"><input name="name" autofocus></form>
</main></body></html>
`

// The visitor's own page is shown again, however the site serves it.
func TestOwnPage(t *testing.T) {
	dir := t.TempDir()
	for file, content := range map[string]string{
		"contact.html":    fmt.Sprintf(pageWithForm, `host {{.Host}}, cookie {{.Cookie "who"}}, by {{.Req.Method}}`, "/contact"),
		"about/form.html": fmt.Sprintf(pageWithForm, "about", "/enquire"),
		"named.html":      fmt.Sprintf(pageWithForm, "named {{.Req.URL.RawQuery}}", "/by-script"),
		"plain.html":      fmt.Sprintf(pageWithForm, `plain <input form=f autocomplete=cc-number name=number>`, "/plain"),
		"latin.html":      "<meta charset=iso-8859-1>" + fmt.Sprintf(pageWithForm, "caf\xe9", "/enquire"),
		"account.html":    fmt.Sprintf(pageWithForm, "account", "/account"),
		"large.html":      fmt.Sprintf(pageWithForm, strings.Repeat("x", 1<<20), "/enquire"),
		"form.txt":        fmt.Sprintf(pageWithForm, "text", "/enquire"),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const block = " {\nfield name\nfield phone\nthank_you /thanks\n%s\n}\n"
	s := serve(t, "root "+dir+`
	log
	encode
	header Content-Security-Policy "style-src 'self'"
	header /latin Content-Type "text/html; charset=iso-8859-1"
	header /about/* Set-Cookie seen=1
	@posts method POST
	header @posts X-Posted yes
	telecrm /contact`+fmt.Sprintf(block, "")+`
	telecrm /enquire`+fmt.Sprintf(block, "")+`
	telecrm /named`+fmt.Sprintf(block, "form_page /named?x=1")+`
	telecrm /lost`+fmt.Sprintf(block, "form_page /no-such-page")+`
	telecrm /plain`+fmt.Sprintf(block, "errors plain")+`
	telecrm /loop`+fmt.Sprintf(block, "form_page /again")+`
	rewrite /again /loop
	method /again POST
	respond /answer `+"`"+strings.ReplaceAll(fmt.Sprintf(pageWithForm, "answer", "/enquire"), "\n", "")+"`"+` 200
	header /answer Content-Type text/html
	templates
	try_files {path}.html {path}
	file_server`)

	for _, test := range []struct {
		name, path, referer string
		has                 string // text that only the visitor's own page contains
		values              url.Values
	}{
		{"at the form's own address", "/contact", s.site + "/contact", "host 127.0.0.1, cookie asha, by GET", nil},
		{"without a Referer", "/contact", "", "host 127.0.0.1, cookie asha, by GET", nil},
		{"from another site", "/contact", "https://example.com/x", "host 127.0.0.1", nil},
		{"from the Referer", "/enquire", s.site + "/about/form.html?x", `<input type="hidden" name="_form_page" value="/about/form.html?x">`, nil},
		{"from before the first error", "/enquire", s.site + "/enquire", "<p>about</p>", url.Values{"_form_page": {"/about/form.html"}}},
		{"form_page", "/named", s.site + "/about/form.html", "<p>named x=1</p>", nil},
		{"from another handler", "/enquire", s.site + "/answer", "<p>answer</p>", nil},
		{"errors plain", "/plain", s.site + "/plain", "", url.Values{"number": {"4111 1111"}}},
		{"legacy encoding", "/enquire", s.site + "/latin", "<p>café</p>", nil},
		{"form that posts elsewhere", "/enquire", s.site + "/account", "", nil},
		{"too large", "/enquire", s.site + "/large", "", nil},
		{"not HTML", "/enquire", s.site + "/form.txt", "", nil},
		{"not found", "/lost", s.site + "/contact", "", nil},
		{"rewritten to a POST", "/loop", s.site + "/contact", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := url.Values{"name": {`"><img src=x onerror=x>`}, "phone": {"12"}}
			maps.Copy(values, test.values)
			header, body := s.postFrom(t, test.path, test.referer, values)
			isOwn := strings.Contains(body, "<title>Error: Contact</title>")
			if isOwn != (test.has != "") || !strings.Contains(body, test.has) {
				t.Fatalf("unexpected page:\n%.3000s", body)
			}
			if !strings.Contains(body, `value="&#34;&gt;&lt;img src=x onerror=x&gt;"`) || !strings.Contains(body, `value="12"`) {
				t.Errorf("the page does not contain what was typed:\n%s", body)
			}
			if strings.Contains(body, "4111 1111") {
				t.Errorf("the page contains the number of a card:\n%s", body)
			}
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Etag": "", "Last-Modified": "", "Accept-Ranges": "", "X-Posted": "yes",
			} {
				if got := header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if !isOwn {
				return
			}
			if words := "The phone number in “<bdi>Mobile</bdi>” is too short."; strings.Count(body, words) != 1 || !strings.Contains(body, "This number is too short.") {
				t.Errorf("the page does not say %q:\n%s", words, body)
			}
			if got := header.Values("Content-Security-Policy"); len(got) != 1 || got[0] != "style-src 'self'" || strings.Contains(body, "<style") {
				t.Errorf("got policy %q with\n%s", got, body)
			}
			if cookie := header.Get("Set-Cookie"); (cookie != "") != strings.Contains(body, "<p>about</p>") {
				t.Errorf("got cookie %q", cookie)
			}
		})
	}
	posts := 0
	for line := range strings.Lines(s.Log()) {
		switch {
		case !strings.Contains(line, `"http.log.access`):
		case strings.Contains(line, `"method":"POST"`):
			posts++
		case !strings.Contains(line, `"uri":"/"`): // the test's own request, to wait for the server
			t.Errorf("the access log contains an internal request: %s", line)
		}
	}
	if posts == 0 {
		t.Error("the access log does not contain any post")
	}
}

// postFrom posts a form with errors from the page in referer.
func (s *server) postFrom(t *testing.T, path, referer string, values url.Values) (http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.site+path, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Referer": referer, "Cookie": "who=asha", "Accept": "text/html", "Accept-Encoding": "identity",
		"If-None-Match": "*", "Range": "bytes=0-1", "If-Modified-Since": "Wed, 25 Nov 2026 00:00:00 GMT",
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusUnprocessableEntity {
		t.Fatalf("status %d: %s", resp.StatusCode, body)
	}
	return resp.Header, string(body)
}

// If a form is too large, the visitor gets back what could be read.
func TestOwnPageForTooLargeForm(t *testing.T) {
	dir := t.TempDir()
	const source = `<!DOCTYPE html><html lang=en><title>Contact</title><main><p>own</p><form method=post action=/contact enctype=multipart/form-data>
<input name=name><textarea name=message></textarea><input type=file name=photo><input type=checkbox name=agree value=yes checked><input name=city value=Pune></form></main>`
	if err := os.WriteFile(filepath.Join(dir, "contact.html"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "root "+dir+"\nlog\ntelecrm /contact {\nfield name\nfield phone\nfield message\nfield note message\nthank_you /thanks\n}\ntry_files {path}.html\nfile_server")
	long := strings.Repeat("नमस्ते ", 2000)
	for _, test := range []struct {
		name                  string
		name2, message, photo string // in the order of the form
		want, wantNot         []string
	}{
		{"photo", "Asha", "Hello", strings.Repeat("x", 3<<20), []string{`name="name" value="Asha"`, ">\nHello</textarea>", `value=yes checked`, `value=Pune`, "leave the file out"}, []string{"aria-invalid"}},
		{"long text", "Asha", long, "", []string{`name="name" value="Asha"`, ">\n" + long + "</textarea>", `aria-invalid="true"`, "Enter at most <bdi>10000</bdi> characters in “<bdi>Message</bdi>”."}, []string{"checked", "the file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var body bytes.Buffer
			w := multipart.NewWriter(&body)
			for _, pair := range [][2]string{{"name", test.name2}, {"message", test.message}} {
				if err := w.WriteField(pair[0], pair[1]); err != nil {
					t.Fatal(err)
				}
			}
			if test.photo != "" {
				file, err := w.CreateFormFile("photo", "roof.jpg")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(file, test.photo); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got := s.postBody(t, "/contact", w.FormDataContentType(), &body)
			if got.status != http.StatusRequestEntityTooLarge {
				t.Fatalf("status %d", got.status)
			}
			for _, want := range append(test.want, "<p>own</p>", "What you sent is too large", "<title>Error: Contact</title>") {
				if !strings.Contains(got.body, want) {
					t.Errorf("the page does not contain %.100q:\n%.3000s", want, got.body)
				}
			}
			for _, not := range test.wantNot {
				if strings.Contains(got.body, not) {
					t.Errorf("the page contains %q:\n%.3000s", not, got.body)
				}
			}
		})
	}
	if n := len(s.crm.Leads()); n != 0 {
		t.Errorf("%d leads from forms that are too large, want 0", n)
	}
	s.awaitLogged(t, `"wrong":["message TOO_LONG"]`, 1)
}

// A body that is far too large is not read to the end.
func TestFarTooLargeFormIsNotRead(t *testing.T) {
	s := serve(t, "telecrm /contact {\nfield name\nfield phone\nthank_you /thanks\n}")
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(s.site, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	head := "POST /contact HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000000000\r\n\r\n"
	if _, err := io.WriteString(conn, head+strings.Repeat("x", 70<<10)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
		t.Errorf("status %d, connection closed: %v", resp.StatusCode, resp.Close)
	}
}

// If a lead cannot be kept, both the visitor's own page and the built-in page show the fallback
// text.
func TestFallback(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "contact.html"), fmt.Appendf(nil, pageWithForm, "own", "/contact"), 0o600); err != nil {
		t.Fatal(err)
	}
	const words = "Call us on <081234 56789>."
	const block = " {\nfield name\nfield phone\nthank_you /thanks\ndeliver now 300ms\nfallback \"" + words + "\"\n}\n"
	s := serve(t, "root "+dir+"\ntelecrm /contact"+block+"telecrm /elsewhere"+block+"try_files {path}.html\nfile_server", "outbox off")
	for path, isOwn := range map[string]bool{"/contact": true, "/elsewhere": false} {
		s.crm.Reset()
		s.crm.Inject(crmFaults["down"])
		got := s.post(t, path, ravi)
		if got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "<p>own</p>") != isOwn {
			t.Errorf("status %d, body\n%s", got.status, got.body)
		}
		for _, want := range []string{"Call us on &lt;081234 56789&gt;.", `value="Zenobia Quartermaine"`} {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s does not contain %q:\n%s", path, want, got.body)
			}
		}
	}
}

// Messages on the visitor's own page are in the page's language. All other answers are in the
// language that the browser asks for.
func TestLanguageOfAnswers(t *testing.T) {
	dir := t.TempDir()
	for file, lang := range map[string]string{"hindi.html": "hi-IN", "arabic.html": "ar", "portuguese.html": "pt-BR"} {
		content := strings.Replace(fmt.Sprintf(pageWithForm, "own", "/enquire"), `lang="en"`, `lang="`+lang+`"`, 1)
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	messages, err := filepath.Abs(filepath.Join("testdata", "messages"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TELECRM_TEST_MESSAGES", messages)
	s := serve(t, "root "+dir+`
	telecrm /enquire {
		field name {
			required
		}
		field phone
		thank_you /thanks
		messages {env.TELECRM_TEST_MESSAGES}
	}
	try_files {path}.html
	file_server`)
	for _, test := range []struct {
		from, asks string
		json       bool
		want       []string
	}{
		{"/hindi", "de", false, []string{"<title>त्रुटि: Contact", "<h2>एक समस्या है</h2>", "कृपया “<bdi>Name</bdi>” लिखना न भूलें।", "<p>own</p>"}},
		{"/arabic", "de", false, []string{"<title>خطأ: Contact", `<h2 dir="rtl">هناك مشكلة</h2>`, "يُرجى ملء «<bdi>Name</bdi>».", "<p>own</p>"}},
		{"/portuguese", "de", false, []string{"<title>Erro: Contact", "<h2>Há um problema</h2>", "Preencha “<bdi>Name</bdi>”.", "<p>own</p>"}},
		{"/nowhere", "ar-EG, en;q=0.5", false, []string{`<html lang="ar" dir="rtl">`, "<title>خطأ: هناك مشكلة</title>", "يُرجى ملء «<bdi>Name</bdi>»."}},
		{"/nowhere", "pt-BR", false, []string{`<html lang="pt-BR" dir="ltr">`, "Preencha “<bdi>Name</bdi>”.", `<span lang="en" dir="ltr">Send again</span>`}},
		{"/nowhere", "", false, []string{`<html lang="en" dir="ltr">`, "<title>Error: There is a problem</title>"}},
		{"/hindi", "de-CH, hi", true, []string{"Füllen Sie „Name“ aus."}},
		{"/hindi", "en;q=0.5, hi-IN", true, []string{"कृपया “Name” लिखना न भूलें।"}},
		{"/hindi", "ar", true, []string{"يُرجى ملء «\u2068Name\u2069»."}},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.site+"/enquire", strings.NewReader("name=&phone=081234+56789"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Referer", s.site+test.from)
		req.Header.Set("Accept-Language", test.asks)
		if test.json {
			req.Header.Set("Accept", "application/json")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("status %d, error %v: %s", resp.StatusCode, err, body)
		}
		for _, want := range test.want {
			if !strings.Contains(string(body), want) {
				t.Errorf("from %s, asking for %q: no %s in\n%s", test.from, test.asks, want, body)
			}
		}
		isOwn := strings.Contains(string(body), "<p>own</p>")
		if varies := strings.Contains(strings.Join(resp.Header.Values("Vary"), ","), "Accept-Language"); varies == isOwn {
			t.Errorf("from %s, asking for %q: got Vary %q", test.from, test.asks, resp.Header.Values("Vary"))
		}
	}
}
