package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	secretToken  = "99999999-8888-7777-1700000000000:66666666-5555-4444"
	enterpriseID = "66aa00bb11cc22dd33ee44ff"
)

// patience bounds waiting for things that should happen soon, on a machine that is busy with other
// tests. A request to TeleCRM that times out there, after ten seconds, is sent again after five.
const patience = 2 * time.Minute

// binary builds the real Caddy when the first test needs it.
var binary = sync.OnceValues(func() (string, error) {
	var err error
	if binaryDir, err = os.MkdirTemp("", "caddy-telecrm"); err != nil {
		return "", err
	}
	return caddyproc.Build(binaryDir)
})

var binaryDir string

func TestMain(m *testing.M) {
	// Tests name documents and examples relative to the module's root.
	if err := os.Chdir("../.."); err != nil {
		panic(err)
	}
	caddyproc.KeepNoConnections()
	storage, err := os.MkdirTemp("", "caddy-telecrm")
	if err != nil {
		panic(err)
	}
	caddy.DefaultStorage.Path = storage // for configs provisioned in this process
	code := m.Run()
	_ = os.RemoveAll(storage)
	_ = os.RemoveAll(binaryDir)
	os.Exit(code)
}

// server is a running Caddy with its own stand-in for TeleCRM.
type server struct {
	*caddyproc.Process
	crm    *sandbox.Sandbox
	site   string // the site's root URL
	admin  string // the admin endpoint's address
	config string // the Caddyfile's path
	global string // its global block
}

// serve runs a Caddy with the given Caddyfile lines in its only site. The telecrm option has an
// account and the given lines.
func serve(t *testing.T, site string, option ...string) *server {
	t.Helper()
	return serveWith(t, site, func(*sandbox.Config) {}, option...)
}

// serveWith is like serve, with another stand-in.
func serveWith(t *testing.T, site string, configure func(*sandbox.Config), option ...string) *server {
	t.Helper()
	caddyproc.LeaveOutIfShort(t)
	config := sandbox.Config{Token: secretToken, EnterpriseID: enterpriseID}
	configure(&config)
	crm, err := sandbox.New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(crm)
	t.Cleanup(listener.Close)

	if !slices.ContainsFunc(option, func(line string) bool { return strings.HasPrefix(line, "check ") }) {
		option = append(option, "check off") // it would ask the stand-in meanwhile
	}
	dir := t.TempDir()
	s := &server{
		crm:    crm,
		site:   "http://127.0.0.1:" + caddyproc.FreePort(t),
		admin:  "127.0.0.1:" + caddyproc.FreePort(t),
		config: filepath.Join(dir, "Caddyfile"),
	}
	s.global = fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	debug
	grace_period 5s
	telecrm {
		account {
			token {env.TELECRM_TEST_TOKEN}
			enterprise_id %s
			base_url http://%s/autoupdate/v2
			country IN
			crm_rate 1000/s 1000
		}
		%s
	}
}
`, s.admin, enterpriseID, strings.TrimPrefix(listener.URL, "http://"), strings.Join(option, "\n"))
	s.write(t, site)
	s.start(t)
	return s
}

// start starts Caddy, or starts it again.
func (s *server) start(t *testing.T) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s.Process = caddyproc.Start(t, path, s.config, filepath.Dir(s.config), s.site+"/", "TELECRM_TEST_TOKEN="+secretToken)
}

// write rewrites the Caddyfile for a reload.
func (s *server) write(t *testing.T, site string) {
	t.Helper()
	content := s.global + strings.TrimPrefix(s.site, "http://127.0.0.1") + " {\n" + site + "\n}\n"
	if err := os.WriteFile(s.config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload makes the running server load the site.
func (s *server) reload(t *testing.T, site string) {
	t.Helper()
	s.write(t, site)
	if output, err := s.Run(t.Context(), "reload", "--config", s.config, "--address", s.admin); err != nil {
		t.Fatalf("reload: %v\n%s", err, output)
	}
}

// answer is what a visitor's browser gets.
type answer struct {
	status   int
	location string
	body     string
}

// post posts a form and does not follow redirects.
func (s *server) post(t *testing.T, path string, values url.Values) answer {
	t.Helper()
	return s.postBody(t, path, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
}

// postBody posts a form in any encoding.
func (s *server) postBody(t *testing.T, path, contentType string, form io.Reader) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.site+path, form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultTransport.RoundTrip(req)
	for ctx.Err() == nil && isCutOff(err) && req.GetBody != nil {
		if req.Body, err = req.GetBody(); err == nil {
			resp, err = http.DefaultTransport.RoundTrip(req)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("Location"), string(body)}
}

var ravi = url.Values{"name": {"Zenobia Quartermaine"}, "phone": {"081234 56789"}}

const enquiry = `
	telecrm /contact {
		field name
		field phone
		rate_limit off
		thank_you /thank-you
	}`

// The directive works in all places where people put it.
func TestPlacesInCaddyfile(t *testing.T) {
	for _, test := range []struct {
		name, path, site string
	}{
		{"clean URLs by try_files", "/contact", "root * example/site\ntry_files {path}.html {path}\nfile_server" + enquiry},
		{"inside handle", "/contact", "root * example/site\nhandle /contact {\ntry_files {path}.html" + enquiry + "\nfile_server\n}"},
		{"inside handle_path", "/site/contact", "handle_path /site/* {" + enquiry + "\n}"},
		{"inside route", "/contact", "route {" + enquiry + "\nrespond 404\n}"},
		{"named matcher", "/contact/", "@contact path /contact /contact/" + strings.Replace(enquiry, "/contact", "@contact", 1)},
		{"no matcher", "/any/where", strings.Replace(enquiry, "/contact ", "", 1)},
		{"behind templates and encode", "/contact", "encode\ntemplates\nroot * example/site\nfile_server" + enquiry},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, test.site)
			if got := s.post(t, test.path, ravi); got.status != http.StatusSeeOther || got.location != "/thank-you" {
				t.Fatalf("status %d, redirect to %q: %s", got.status, got.location, got.body)
			}
			if leads := s.crm.Leads(); len(leads) != 1 || leads[0].Fields["phone"] != "918123456789" {
				t.Errorf("leads %v", leads)
			}
			if strings.HasPrefix(test.path, "/any") {
				return
			}
			if s.post(t, "/elsewhere", ravi).status == http.StatusSeeOther {
				t.Error("a post to another path was handled")
			}
		})
	}
}

// The site's own error page can show what is wrong.
func TestErrorsHandleRendersTheSitesPage(t *testing.T) {
	s := serve(t, strings.Replace(enquiry, "field name", "errors handle\nfield name", 1)+`
	handle_errors {
		respond "{err.status_code}: {telecrm.error.summary} ({telecrm.error.fields})"
	}`)
	got := s.post(t, "/contact", url.Values{"phone": {"12"}})
	want := "422: The phone number in “Phone” is too short. Enter all of its digits. (phone)"
	if got.status != http.StatusUnprocessableEntity || got.body != want {
		t.Errorf("status %d, body %q, want %q", got.status, got.body, want)
	}
}

var crmFaults = map[string]sandbox.Fault{
	"slow":    {Delay: time.Minute},
	"down":    {Drop: true},
	"refuses": sandbox.Faults()[sandbox.FaultUnauthorizedToken],
}

// If the CRM is slow, refuses the token or is down, visitors do not notice, and the lead arrives
// later.
func TestFailingCRM(t *testing.T) {
	for name, fault := range crmFaults {
		t.Run(name, func(t *testing.T) {
			site := strings.Replace(enquiry, "field name", "deliver now 300ms\nfield name", 1)
			s := serve(t, site)
			s.crm.Inject(fault)
			if got := s.post(t, "/contact", ravi); got.status != http.StatusSeeOther || got.location != "/thank-you" {
				t.Fatalf("status %d, redirect to %q: %s", got.status, got.location, got.body)
			}
			if name == "refuses" {
				// A new token is tried at once.
				s.global = strings.Replace(s.global, "{env.TELECRM_TEST_TOKEN}", "another", 1)
				s.reload(t, site)
				s.global = strings.Replace(s.global, "another", "{env.TELECRM_TEST_TOKEN}", 1)
				s.reload(t, site)
			}
			deadline := time.Now().Add(patience)
			for len(s.crm.Leads()) == 0 && time.Now().Before(deadline) {
				time.Sleep(50 * time.Millisecond)
			}
			if leads := s.crm.Leads(); len(leads) != 1 || leads[0].Fields["phone"] != "918123456789" {
				t.Errorf("leads %v\n%s", leads, s.Log())
			}
		})
	}
}

// Without an outbox, the visitor waits no longer than the budget and keeps what they typed.
func TestFailingCRMWithoutOutbox(t *testing.T) {
	s := serve(t, strings.Replace(enquiry, "field name", "deliver now 300ms\nfield name", 1), "outbox off")
	for name, fault := range crmFaults {
		t.Run(name, func(t *testing.T) {
			s.crm.Inject(fault)
			start := time.Now()
			got := s.post(t, "/contact", ravi)
			if got.status != http.StatusServiceUnavailable {
				t.Errorf("status %d, want 503", got.status)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("the answer took %v with a budget of 300ms", took)
			}
			for _, kept := range []string{`value="Zenobia Quartermaine"`, `value="081234 56789"`} {
				if !strings.Contains(got.body, kept) {
					t.Errorf("the page does not contain %s", kept)
				}
			}
		})
	}
}

// isCutOff reports whether a connection was cut off. A Caddy that loads a config closes a listener,
// and with it the connections that it has not accepted yet. What was sent over them was not read, so
// it can be sent again.
func isCutOff(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) }

// get fetches a page.
func get(t *testing.T, address string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		body, err := tryGet(ctx, address)
		if err == nil {
			return body
		}
		if ctx.Err() != nil || !isCutOff(err) {
			t.Fatal(err)
		}
	}
}

func tryGet(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// The validate command works next to a running server while the CRM is down, and warns about a
// literal token. A rejected reload does not affect the running config; an accepted one replaces it.
func TestCommandsWithRunningServer(t *testing.T) {
	s := serve(t, enquiry)
	s.crm.Inject(sandbox.Fault{Drop: true}, sandbox.Fault{Drop: true})
	if output, err := s.Run(t.Context(), "validate", "--config", s.config); err != nil || !strings.Contains(output, "Valid configuration") {
		t.Fatalf("validate: %v\n%s", err, output)
	}
	if s.crm.Requests() != 0 {
		t.Errorf("validate sent %d requests to the CRM", s.crm.Requests())
	}

	global := s.global
	s.global = strings.Replace(global, "{env.TELECRM_TEST_TOKEN}", "literal-token", 1)
	s.write(t, enquiry)
	if output, err := s.Run(t.Context(), "validate", "--config", s.config); err != nil || !strings.Contains(output, "the token is written out in the config") || strings.Contains(output, "literal-token") {
		t.Errorf("validate with a literal token: %v\n%s", err, output)
	}
	s.global = global

	s.write(t, strings.Replace(enquiry, "field name", "feild name", 1))
	output, err := s.Run(t.Context(), "reload", "--config", s.config, "--address", s.admin)
	if err == nil || !strings.Contains(output, `telecrm: unknown word \"feild\"; did you mean field? known words are: account, form, field,`) {
		t.Errorf("reload with a mistake: %v\n%s", err, output)
	}
	s.write(t, strings.Replace(enquiry, "field phone", "field phone {\ncountry Atlantis\n}", 1))
	if output, err := s.Run(t.Context(), "reload", "--config", s.config, "--address", s.admin); err == nil {
		t.Errorf("reload with an unknown country was accepted:\n%s", output)
	}
	s.crm.Reset()
	if got := s.post(t, "/contact", ravi); got.status != http.StatusSeeOther {
		t.Errorf("status %d after rejected reloads", got.status)
	}

	s.reload(t, strings.Replace(enquiry, "/thank-you", "/other", 1))
	if got := s.post(t, "/contact", url.Values{"phone": {"081234 56780"}}); got.location != "/other" {
		t.Errorf("got redirect to %q after the reload", got.location)
	}
}
