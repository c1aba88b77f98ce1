package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/trial"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// stage judges posts by their mapping alone.
type stage struct{ config *check.Config }

func rehearsing(c *check.Config) (Stage, error) { return stage{c}, nil }

func (s stage) Page(_ context.Context, address string) (trial.Page, error) {
	name := strings.TrimPrefix(address, "http://localhost/")
	source, err := os.ReadFile(filepath.Join(s.config.Sites[0].Root, name))
	if err != nil {
		return trial.Page{}, fmt.Errorf("page: %s answers with status 404", address)
	}
	return trial.Page{Body: source, ContentType: "text/html"}, nil
}

func (s stage) Try(_ context.Context, post trial.Post, record *trial.Record) error {
	f := s.config.Sites[0].Forms[0]
	posted, err := form.Read(bytes.NewReader(post.Body), post.Header.Get("Content-Type"), form.DefaultLimits(), nil)
	if err != nil {
		return err
	}
	m, err := mapping.New(mapping.Config{Fields: f.Fields, Identifier: "phone", Locale: mapping.Locale{Country: "IN"}})
	if err != nil {
		return err
	}
	record.Form, record.Posted, record.Draft, record.Outcome = f.Name, posted, m.Lead(posted, strings.ToLower, nil), trial.Sent
	switch {
	case http.NewCrossOriginProtection().Check(&http.Request{Method: http.MethodPost, Host: "localhost", Header: post.Header}) != nil:
		record.Outcome = "foreign"
	case len(record.Draft.Problems) > 0:
		record.Outcome = "invalid"
	}
	record.Add("origins", trial.Passed(record.Outcome != "foreign"), "")
	return nil
}

func (stage) Close() error { return nil }

// try runs the command on a site with the page, in a folder of its own.
func try(t *testing.T, page, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	inspect := func(config, adapter string) (*check.Config, error) {
		c, err := inspecting(page)(config, adapter)
		if err != nil {
			return nil, err
		}
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "contact.html"), []byte(page), 0o600); err != nil {
			return nil, err
		}
		c.Sites[0].Root, c.Sites[0].Files = root, os.DirFS(root)
		return c, nil
	}
	stdout, stderr, err := runChecking(t, inspect, "", stdin, append([]string{"try", "-c", "site.conf", "-a", "caddyfile"}, args...)...)
	return stdout, stderr, exitStatus(err)
}

func TestTry(t *testing.T) {
	t.Parallel()
	const want = `Form /enquire  site.conf:2:2
POST http://localhost/enquire
from http://localhost/contact.html

  INPUT  VALUE         BECOMES
  phone  081234 56789  phone
  city   Pune          nothing: no line of the config takes it

  FIELD  VALUE         TYPE   WHY                           LINE
  phone  918123456789  phone  input phone, as written in IN  site.conf:2:2

  GUARD       RESULT
  origins     passes
  spam score  0       from 5 the visitor is asked to send it again, from 10 it is parked

The lead would be sent to TeleCRM:
POST https://next.telecrm.in/autoupdate/v2/enterprise/<enterprise_id>/lead
{
  "fields": {
    "phone": "918123456789"
  }
}
`
	squeeze := func(text string) string {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			lines[i] = strings.Join(strings.Fields(line), " ")
		}
		return strings.Join(lines, "\n")
	}
	for _, flags := range [][]string{nil, {"--path", "/enquire"}, {"--form", "/enquire"}} {
		stdout, stderr, status := try(t, cleanPage, "", append(flags, "phone=081234 56789", "city=Pune")...)
		if diff := cmp.Diff(squeeze(want), squeeze(stdout)); diff != "" || status != 0 || stderr != "" {
			t.Errorf("%v: status %d, errors %q, printed (-want +got):\n%s", flags, status, stderr, diff)
		}
	}
	stdout, _, status := try(t, cleanPage, "", "phone=12")
	if status != 1 || !strings.Contains(stdout, "To correct: ") || !strings.Contains(stdout, "Nothing would be sent") || strings.Contains(stdout, `"fields"`) {
		t.Errorf("status %d, printed:\n%s", status, stdout)
	}
	stdout, _, status = try(t, cleanPage, "", "phone=8123456789", "--header", "Origin: https://other.example")
	if status != 1 || !strings.Contains(stdout, "a page of another site sends it") {
		t.Errorf("status %d, printed:\n%s", status, stdout)
	}
}

// The form's own values, and a saved post in any form that people have, become the same lead.
func TestTryKindsOfPost(t *testing.T) {
	t.Parallel()
	const page = `<form method="post" action="/enquire" enctype="multipart/form-data"><input type="hidden" name="page" value="home">
<select name="plan"><option>Solo<option selected>Team</select><input type="checkbox" name="ok"><input name="phone" type="tel"></form>`
	har := func(post string) string {
		return `{"log":{"entries":[{"request":{"method":"GET","url":"https://www.example.com/"}},{"request":{"method":"POST","url":"https://www.example.com/other"}},
			{"request":{"method":"POST","url":"https://www.example.com/enquire","headers":[{"name":":method","value":"POST"},{"name":"Origin","value":"https://www.example.com"},
			{"name":"Content-Length","value":"1"},{"name":"Cookie","value":"session=1"}],"postData":` + post + `}}]}}`
	}
	const multipart = "--b\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n+91 81234 56789\r\n--b--\r\n"
	for name, test := range map[string]struct {
		stdin string
		args  []string
		want  string // inputs
	}{
		"page":                     {"", []string{"--from-page", "/contact.html", "phone=8123456789"}, "page=home plan=Team phone=8123456789"},
		"page, other values":       {"", []string{"--from-page", "contact.html", "plan=Solo", "plan=Team", "phone=8123456789"}, "page=home plan=Solo plan=Team phone=8123456789"},
		"URL-encoded":              {"phone=%2B91+81234+56789&city=Pune", []string{"--body", "-"}, "phone=+91 81234 56789 city=Pune"},
		"lines":                    {"phone=+91 81234 56789\n\ncity=Pune = Poona\r\n", []string{"--body", "-"}, "phone=+91 81234 56789 city=Pune = Poona"},
		"one line with a space":    {"phone=+91 81234 56789", []string{"--body", "-"}, "phone=+91 81234 56789"},
		"JSON":                     {`{"phone":"8123456789","city":"Pune"}`, []string{"--body", "-"}, "phone=8123456789 city=Pune"},
		"multipart":                {multipart, []string{"--body", "-"}, "phone=+91 81234 56789"},
		"multipart from an editor": {strings.ReplaceAll(multipart, "\r\n", "\n"), []string{"--body", "-"}, "phone=+91 81234 56789"},
		"content type":             {"phone=8123456789", []string{"--body", "-", "--content-type", "application/x-www-form-urlencoded"}, "phone=8123456789"},
		"HAR of Chrome":            {har(`{"mimeType":"application/x-www-form-urlencoded","text":"phone=81234+56789"}`), []string{"--body", "-"}, "phone=81234 56789"},
		"HAR with parameters":      {har(`{"mimeType":"multipart/form-data","params":[{"name":"phone","value":"81234 56789"},{"name":"bill","fileName":"a.pdf"}]}`), []string{"--body", "-"}, "phone=81234 56789"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := try(t, page, test.stdin, append(test.args, "--json")...)
			var shown check.Trial
			if err := json.Unmarshal([]byte(stdout), &shown); err != nil || status != 0 {
				t.Fatalf("status %d, error %v, printed %s%s", status, err, stdout, stderr)
			}
			var inputs []string
			for _, in := range shown.Inputs {
				inputs = append(inputs, in.Name+"="+in.Value)
			}
			if got := strings.Join(inputs, " "); got != test.want || shown.Request.Lead.Fields["phone"] != "918123456789" {
				t.Errorf("got %s, and request %+v; want %s", got, shown.Request, test.want)
			}
		})
	}
}

func TestTryThatCannotRun(t *testing.T) {
	t.Parallel()
	const twoForms = cleanPage + `<form method="post" action="/other"><input name="a"></form>`
	for name, test := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"nothing":           {"", nil, "missing; give <input>=<value>"},
		"not a value":       {"", []string{"phone"}, "must be <input>=<value>"},
		"no name":           {"", []string{"=x"}, "must be <input>=<value>"},
		"unknown form":      {"", []string{"--form", "other", "a=b"}, "the forms are /enquire"},
		"unknown path":      {"", []string{"--path", "/other", "a=b"}, "the forms are /enquire"},
		"form and path":     {"", []string{"--path", "/enquire", "--form", "/enquire", "a=b"}, "got both"},
		"page and body":     {"", []string{"--from-page", "/", "--body", "-"}, "got both"},
		"body and values":   {"a=b", []string{"--body", "-", "a=b"}, "got both"},
		"no page":           {"", []string{"--from-page", "/nothing"}, "answers with status 404"},
		"page of others":    {"", []string{"--from-page", "/contact.html", "--form", "x"}, "no form on /contact.html posts to a form of the config"},
		"no file":           {"", []string{"--body", "/nonexistent/post"}, "no such file"},
		"empty body":        {" \n", []string{"--body", "-"}, "it is empty"},
		"not a post":        {"hello", []string{"--body", "-"}, "it is not a post"},
		"HAR without posts": {`{"log":{"entries":[]}}`, []string{"--body", "-"}, "no post that a form of the config takes"},
		"header":            {"", []string{"--header", "Origin", "a=b"}, "must be <name>: <value>"},
	} {
		stdout, stderr, status := try(t, twoForms, test.stdin, test.args...)
		if stdout != "" || status != exitNotChecked || !strings.HasPrefix(stderr, "Error: ") || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: status %d, printed %q and %q", name, status, stdout, stderr)
		}
	}
}

func TestTryWithSeveralForms(t *testing.T) {
	t.Parallel()
	inspect := func(string, string) (*check.Config, error) {
		c, err := inspecting(cleanPage)("site.conf", "caddyfile")
		second := *c.Sites[0].Forms[0]
		second.Name, second.Fields = "/callback", []mapping.Field{{Name: "phone", Input: "tel"}}
		c.Sites[0].Forms = append(c.Sites[0].Forms, &second)
		return c, err
	}
	_, stderr, err := runChecking(t, inspect, "", "", "try", "--path", "/nope", "phone=1")
	if exitStatus(err) != exitNotChecked || !strings.Contains(stderr, `form: none takes the path "/nope"; the forms are /enquire, /callback`) {
		t.Errorf("got %v and %q", err, stderr)
	}
	_, stderr, err = runChecking(t, inspect, "", "", "try", "--form", "nope", "phone=1")
	if exitStatus(err) != exitNotChecked || !strings.Contains(stderr, `form: none has the name "nope"; the forms are /enquire, /callback`) {
		t.Errorf("got %v and %q", err, stderr)
	}
	_, stderr, err = runChecking(t, inspect, "", "", "try", "phone=1")
	if exitStatus(err) != exitNotChecked || !strings.Contains(stderr, "name one with --form: /enquire, /callback") {
		t.Errorf("got %v and %q", err, stderr)
	}
}

// A saved post keeps its headers, except those that say how and by whom it was sent.
func TestHARHeaders(t *testing.T) {
	t.Parallel()
	e := &entrance{config: &check.Config{Sites: []*check.Site{{Address: "http://localhost:8080", Forms: []*check.Form{{
		Name: "/enquire", Takes: func(_, path string) bool { return path == "/enquire" },
	}}}}}}
	var r archivedRequest
	if err := json.Unmarshal([]byte(`{"method":"POST","url":"https://www.example.com/enquire?a=b","headers":[{"name":"origin","value":"https://www.example.com"},
		{"name":"Referer","value":"https://www.example.com/contact?x"},{"name":"User-Agent","value":"Mozilla/5.0"},{"name":"Cookie","value":"a=b"},{"name":":path","value":"/"}],
		"postData":{"mimeType":"text/plain","text":"a"}}`), &r); err != nil {
		t.Fatal(err)
	}
	post, err := e.archived(r).post()
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Origin": {"http://localhost:8080"}, "Referer": {"http://localhost:8080/contact?x"}, "User-Agent": {"Mozilla/5.0"}, "Content-Type": {"text/plain"},
	}
	if diff := cmp.Diff(want, post.Header); diff != "" || post.URL != "http://localhost:8080/enquire?a=b" {
		t.Errorf("URL %s, headers (-want +got):\n%s", post.URL, diff)
	}
}

func TestAdminOf(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"admin":{"listen":"localhost:12019"}}`: "localhost:12019", `{}`: "", `{`: "", "": "",
	} {
		if got := adminOf([]byte(config)); got != want {
			t.Errorf("%s: got %q, want %q", config, got, want)
		}
	}
}
