package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// inspecting returns an Inspect for a site with the page.
func inspecting(page string) Inspect {
	return func(config, adapter string) (*check.Config, error) {
		if config != "site.conf" || adapter != "caddyfile" {
			return nil, errors.New("config: got " + config + " and " + adapter)
		}
		f := &check.Form{
			Name: "/enquire", Account: &check.Account{Name: "default", Identifier: "phone"}, Takes: func(_, path string) bool { return path == "/enquire" },
			Place: check.Place{File: "site.conf", Line: 2, Column: 2}, Fields: []mapping.Field{{Name: "phone"}}, Country: "IN", ThankYou: "/",
		}
		return &check.Config{Sites: []*check.Site{{
			Files: fstest.MapFS{"index.html": {Data: []byte(page)}}, Root: "site", Forms: []*check.Form{f},
		}}}, nil
	}
}

const (
	cleanPage = `<form method="post" action="/enquire"><label>Phone <input name="phone" type="tel" autocomplete="tel" required></label></form>`
	badPage   = `<form method="post" action="/enquire"><label>Phone <input name="fone" type="tel" required></label></form>`
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, page, flag string
		status           int
		want             string
	}{
		{"clean", cleanPage, "", 0, "Read 1 page with 1 form: nothing found.\n"},
		{"warnings alone", cleanPage + `<form method="post" action="https://formspree.io/f/x"></form>`, "", 0, "Site\n" +
			"  warning site/index.html:1:126  service-leftover\n" +
			"          the form posts to Formspree, so its enquiries do not become leads here\n" +
			"          │ method=\"post\" action=\"/enquire\"\n\n" +
			"Read 1 page with 2 forms: 0 errors, 1 warning, 0 notes.\n"},
		{"errors", badPage, "", 1, "Form /enquire\n" +
			"  error   site.conf:2:2  input-not-in-form\n" +
			"          no form has an input phone; did you mean fone?\n" +
			"          │ field phone fone\n" +
			"  warning site/index.html:1:52  input-not-mapped\n" +
			"          no line of the config takes fone, so what visitors enter there is lost; add a field, or unmapped for all that is left\n" +
			"          │ field fone\n\n" +
			"Read 1 page with 1 form: 1 error, 1 warning, 0 notes.\n"},
	} {
		stdout, stderr, err := runChecking(t, inspecting(tt.page), "", "", "check", "--config", "site.conf", "--adapter", "caddyfile", "--offline")
		if stdout != tt.want || stderr != "" || exitStatus(err) != tt.status {
			t.Errorf("%s: status %d, printed:\n%s%s", tt.name, exitStatus(err), stdout, stderr)
		}
	}
}

func exitStatus(err error) int {
	if exit, exits := errors.AsType[*ExitError](err); exits {
		return exit.Status
	}
	if err != nil {
		return -1
	}
	return 0
}

func TestCheckThatCannotRun(t *testing.T) {
	t.Parallel()
	stdout, stderr, err := runChecking(t, inspecting(cleanPage), "", "", "check", "--config", "other.conf")
	if stdout != "" || stderr != "Error: config: got other.conf and \n" || exitStatus(err) != 2 {
		t.Errorf("status %d, printed %q and %q", exitStatus(err), stdout, stderr)
	}
}

func TestCheckOfRefusedConfig(t *testing.T) {
	t.Parallel()
	inspect := func(string, string) (*check.Config, error) {
		return nil, check.RefusedError{{Place: check.Place{File: "site.conf", Line: 12}, Message: "field phone: a phone field needs a country"}}
	}
	stdout, stderr, err := runChecking(t, inspect, "", "", "check", "--since", "last")
	const want = "Site\n  error   site.conf:12  config-refused\n          field phone: a phone field needs a country\n\n" +
		"Not checked: everything else: Caddy refuses the config\nRead 0 pages with 0 forms: 1 error, 0 warnings, 0 notes.\n"
	if stdout != want || stderr != "" || exitStatus(err) != 1 {
		t.Errorf("status %d, printed:\n%s%s", exitStatus(err), stdout, stderr)
	}
}

func TestCheckAsJSON(t *testing.T) {
	t.Parallel()
	stdout, _, err := runChecking(t, inspecting(badPage), "", "", "check", "-c", "site.conf", "-a", "caddyfile", "--json")
	var report check.Report
	if failed := json.Unmarshal([]byte(stdout), &report); failed != nil || exitStatus(err) != 1 || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("status %d, printed %q: %v", exitStatus(err), stdout, failed)
	}
	if f := report.Findings[0]; f.Code != check.InputNotInForm || f.Place != (check.Place{File: "site.conf", Line: 2, Column: 2}) || report.Pages != 1 {
		t.Errorf("printed %q", stdout)
	}
}

func TestCheckAsSARIF(t *testing.T) {
	t.Parallel()
	stdout, _, err := runChecking(t, inspecting(badPage), "", "", "check", "-c", "site.conf", "-a", "caddyfile", "--sarif")
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	if failed := json.Unmarshal([]byte(stdout), &log); failed != nil || exitStatus(err) != 1 || log.Version != "2.1.0" || len(log.Runs) != 1 {
		t.Fatalf("status %d, printed %q: %v", exitStatus(err), stdout, failed)
	}
	run := log.Runs[0]
	if len(run.Tool.Driver.Rules) != len(check.Rules()) || len(run.Results) != 2 {
		t.Fatalf("printed %q", stdout)
	}
	second := run.Results[1]
	location := second.Locations[0].PhysicalLocation
	if second.RuleID != "input-not-mapped" || run.Tool.Driver.Rules[second.RuleIndex].ID != second.RuleID || second.Level != "warning" ||
		location.ArtifactLocation.URI != "site/index.html" || location.Region.StartLine != 1 || location.Region.StartColumn != 52 {
		t.Errorf("got %+v", second)
	}
}

func TestCheckSinceLast(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "telecrm", "check.json")
	check := func(page string) (stderr string, err error) {
		inspect := func(config, adapter string) (*check.Config, error) {
			c, err := inspecting(page)(config, adapter)
			c.State = state
			return c, err
		}
		_, stderr, err = runChecking(t, inspect, "", "", "check", "-c", "site.conf", "-a", "caddyfile", "--since", "last")
		return stderr, err
	}
	const renamed = "Changed: form /enquire: input fone is new on /, at site/index.html:1:52\nChanged: form /enquire: input phone vanished from /; it was at site/index.html:1:52\n"
	for i, tt := range []struct {
		page, want string
		status     int
	}{
		{cleanPage, "There is no earlier check to compare with.\n", 0},
		{cleanPage, "", 0},
		{badPage, renamed, 1},
		{badPage, renamed, 1}, // a check with errors does not count
		{cleanPage, "", 0},
	} {
		if stderr, err := check(tt.page); stderr != tt.want || exitStatus(err) != tt.status {
			t.Errorf("check %d: status %d, printed %q", i, exitStatus(err), stderr)
		}
	}
	if err := os.WriteFile(state, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if stderr, err := check(cleanPage); exitStatus(err) != 2 || !strings.Contains(stderr, "is damaged; remove it") {
		t.Errorf("status %d, printed %q", exitStatus(err), stderr)
	}
}
