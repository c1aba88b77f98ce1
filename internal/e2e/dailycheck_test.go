package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const checkedPage = `<form method="post" action="/contact">
<label>Name <input name="name" autocomplete="name"></label>
<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>
<label>City <input name="city"></label>
</form>`

// checkedSite returns the lines of a site with the page.
func checkedSite(t *testing.T, page string) (site, file string) {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{"contact.html": page, "thank-you.html": "<p>Thanks</p>"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "root " + root + "\n" + enquiry + "\ntry_files {path}.html {path}\nfile_server", filepath.Join(root, "contact.html")
}

// asked counts the requests to TeleCRM that are not for a lead.
func (s *server) asked(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^caddy_telecrm_crm_request_duration_seconds_count\{.*endpoint="(?:fields|actions|pipeline|member)".*\} \d+$`).
		FindAllString(get(t, "http://"+s.admin+"/metrics"), -1)
	return strings.Join(found, "\n")
}

// A running Caddy checks its forms after the start and after each reload. It logs a finding once when
// it appears and once when it is gone, counts it, and lists it. TeleCRM is asked once.
func TestCheckBesideTheServer(t *testing.T) {
	t.Parallel()
	site, file := checkedSite(t, checkedPage)
	s := serve(t, site, "check daily")
	const appeared, gone = `"the check of the forms found: no line of the config takes city`, `"the check of the forms does not find any more: no line of the config takes city`
	eventuallyTrue(t, "the finding is logged", func() bool { return strings.Contains(s.Log(), appeared) })
	if found := s.findings(t); found.Warnings != 1 || found.Errors != 0 || found.Notes != 0 || len(found.Findings) != 1 || found.Findings[0].Code != "input-not-mapped" || found.Findings[0].Place.String() != file+":4:13" {
		t.Errorf("the admin API lists %+v", found)
	}
	if page := get(t, "http://"+s.admin+"/telecrm/"); !strings.Contains(page, "no line of the config takes city") || !strings.Contains(page, "<code>field city</code>") {
		t.Errorf("the operators' page does not list it:\n%s", page)
	}
	if status := s.telecrm(t, "status"); !strings.Contains(status, "The check of the forms found 0 errors, 1 warning and 0 notes") {
		t.Errorf("the status does not count it:\n%s", status)
	}
	if text := get(t, "http://"+s.admin+"/metrics"); !strings.Contains(text, `caddy_telecrm_check_findings{form="/contact",severity="warning"} 1`) ||
		!strings.Contains(text, `caddy_telecrm_check_findings{form="/contact",severity="error"} 0`) || !strings.Contains(text, `caddy_telecrm_check_findings{form="",severity="error"} 0`) {
		t.Errorf("the metrics do not count it:\n%s", text)
	}
	asked := s.asked(t)
	if strings.Count(asked, "} 1") != 3 || strings.Count(asked, "\n") != 2 {
		t.Errorf("asked TeleCRM:\n%s", asked)
	}
	for reload := range 3 {
		at := s.findings(t).At
		s.reload(t, site+fmt.Sprintf("\nheader X-Reload %d", reload))
		eventuallyTrue(t, "the forms are checked again", func() bool { return s.findings(t).At.After(at) })
	}
	if n := strings.Count(s.Log(), appeared); n != 1 {
		t.Errorf("logged %d times after reloads", n)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(checkedPage, "<label>City <input name=\"city\"></label>\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.reload(t, site)
	eventuallyTrue(t, "the end of the finding is logged", func() bool { return strings.Contains(s.Log(), gone) })
	if now := s.asked(t); now != asked {
		t.Errorf("asked TeleCRM again:\n%s", now)
	}
	s.global = strings.Replace(s.global, "check daily", "check off", 1)
	s.reload(t, site)
	if text := get(t, "http://"+s.admin+"/metrics"); strings.Contains(text, "check_findings") {
		t.Error("a config that is not checked has findings")
	}
}

// findings returns what the admin API lists.
func (s *server) findings(t *testing.T) (found adminapi.Check) {
	t.Helper()
	if err := json.Unmarshal([]byte(get(t, "http://"+s.admin+"/telecrm/check")), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// A reload and a stop do not wait for a check that waits for TeleCRM, and a post does not either.
func TestCheckDelaysNothing(t *testing.T) {
	t.Parallel()
	site, _ := checkedSite(t, checkedPage)
	s := serve(t, site, "check daily")
	slow := sandbox.Fault{Delay: 9 * time.Second}
	s.crm.Inject(slow.On(sandbox.OpFields), slow.On(sandbox.OpFields), slow.On(sandbox.OpFields))
	eventuallyTrue(t, "TeleCRM is asked", func() bool { return s.crm.Requests() > 0 })
	start := time.Now()
	if got := s.post(t, "/contact", ravi); got.status != 303 {
		t.Errorf("posted: %+v", got)
	}
	s.reload(t, site+"\nheader X-Reload 1")
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("a post and a reload took %v", took)
	}
	start = time.Now()
	s.Stop(t)
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("the stop took %v", took)
	}
}

// The labels of the workspace serve the handler once they are known: one in other capitals is sent as
// the workspace spells it, and does not become another option.
func TestKnownLabelsServeTheHandler(t *testing.T) {
	t.Parallel()
	site, _ := checkedSite(t, checkedPage)
	site = strings.Replace(site, "field phone", "field phone\nset source {form.via} dropdown", 1)
	for check, want := range map[string]string{"check off": "web  SITE", "check daily": "Web site"} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			s := serveWith(t, site, func(c *sandbox.Config) {
				c.Schema = sandbox.DefaultSchema()
				for i, field := range c.Schema.Fields {
					if field.APIName == "source" {
						c.Schema.Fields[i].Type, c.Schema.Fields[i].Options = sandbox.TypeDropdown, []string{"Web site", "Expo"}
					}
				}
			}, check)
			if check == "check daily" {
				s.checkedMetrics(t)
			}
			values := url.Values{"name": {"Ravi Menon"}, "phone": {"081234 56789"}, "via": {"web  SITE"}}
			if got := s.post(t, "/contact", values); got.status != http.StatusSeeOther {
				t.Fatalf("posted: %+v", got)
			}
			eventuallyTrue(t, "the lead arrives", func() bool { return len(s.crm.Leads()) == 1 })
			if got := s.crm.Leads()[0].Fields["source"]; got != want {
				t.Errorf("sent %q, want %q", got, want)
			}
		})
	}
}
