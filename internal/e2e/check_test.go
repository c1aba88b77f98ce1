package e2e_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// The command finds mistakes in the config, the pages and the workspace, and says so by its exit
// status.
func TestCheckCommand(t *testing.T) {
	t.Parallel()
	caddy, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	crm, err := sandbox.New(sandbox.Config{Token: "sandbox-token", EnterpriseID: "66aa00bb11cc22dd33ee44ff"})
	if err != nil {
		t.Fatal(err)
	}
	crmServer := httptest.NewServer(crm)
	t.Cleanup(crmServer.Close)
	t.Cleanup(crm.Close)
	const contact = `<form method="post" action="/enquire">
<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>
<label>City <input name="city"></label>
</form>`
	const config = `{
	admin off
	telecrm {
		account {
			token {env.CHECK_TOKEN}
			enterprise_id 66aa00bb11cc22dd33ee44ff
			base_url CRM/autoupdate/v2
			country IN
		}
		outbox sqlite outbox.db
	}
}
:0 {
	root * site
	telecrm /enquire {
		field phone
		field city
		action 1042 {
			set note "Call back"
		}
		thank_you /thanks
	}
	try_files {path}.html {path}
	file_server
}
`
	for _, tt := range []struct {
		name, config, page, token string
		args                      []string
		status                    int
		want                      []string
	}{
		{"clean", config, contact, "sandbox-token", nil, 0, []string{"Read 2 pages with 1 form: nothing found."}},
		{"mapping and workspace", strings.Replace(config, "field city", "field City city", 1), contact, "sandbox-token", nil, 1, []string{"error   Caddyfile:17:3  field-case", "│ field city"}},
		{"offline", strings.Replace(config, "field city", "field City city", 1), contact, "", []string{"--offline"}, 1, []string{"Caddyfile:5:4  placeholder-empty"}},
		{"config of another machine", strings.Replace(config, "root * site", "root * /srv/none", 1), contact, "", []string{"--offline", "--root", "site"}, 0, []string{"Read 2 pages with 1 form: nothing found."}},
		{"no pages here", strings.Replace(config, "root * site", "root * /srv/none", 1), contact, "", []string{"--offline"}, 2, []string{"in /srv/none: no such file or directory; if they are elsewhere on this machine, give their folder with --root"}},
		{"page", config, strings.Replace(contact, `name="phone"`, `name="fone"`, 1), "sandbox-token", nil, 1, []string{"Caddyfile:16:3  input-not-in-form", "field phone fone", "site/contact.html:2:14  input-not-mapped"}},
		{"token", config, contact, "other", nil, 1, []string{"Account default", "Caddyfile:5:4  token-refused"}},
		{"no TeleCRM", strings.Replace(config, "CRM/autoupdate", "http://127.0.0.1:1/autoupdate", 1), contact, "sandbox-token", nil, 2, []string{"Not checked: the fields of account default"}},
		{"type that Caddy refuses", strings.Replace(config, "field phone", "field phone phone fone", 1), contact, "sandbox-token", nil, 1, []string{"error   Caddyfile:16  config-refused", "known types are: text, email"}},
		{"config that cannot be read", config + "}", contact, "sandbox-token", nil, 2, []string{"Error: loading the config"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, content := range map[string]string{
				"Caddyfile": strings.Replace(tt.config, "CRM", crmServer.URL, 1), "site/contact.html": tt.page, "site/thanks.html": "<p>Thanks</p>",
			} {
				file := filepath.Join(dir, filepath.FromSlash(name))
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), caddy, append([]string{"telecrm", "check"}, tt.args...)...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "CHECK_TOKEN="+tt.token, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
			output, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("exit status %d, want %d", got, tt.status)
			}
			for _, want := range tt.want {
				if !strings.Contains(filepath.ToSlash(string(output)), want) {
					t.Errorf("did not print %q", want)
				}
			}
			if t.Failed() {
				t.Logf("printed:\n%s", output)
			}
		})
	}
}

// A site of one's own: init writes a config that Caddy accepts, check has no errors, and try shows
// the lead.
func TestInitCheckTryCommands(t *testing.T) {
	t.Parallel()
	caddy, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const contact = `<form method="post" action="/enquire">
<label>Name <input name="name" autocomplete="name"></label>
<label>Mobile <input name="mobile" type="tel" autocomplete="tel" required></label>
</form>`
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "site"), 0o700),
		os.WriteFile(filepath.Join(dir, "site", "contact.html"), []byte(contact), 0o600),
		os.WriteFile(filepath.Join(dir, "site", "thanks.html"), []byte("<p>Thanks</p>"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), caddy, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TELECRM_TOKEN=x", "TELECRM_ENTERPRISE_ID=66aa00bb11cc22dd33ee44ff", "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		output, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("caddy %s: %v\n%s", strings.Join(args, " "), err, output)
		}
		return string(output)
	}
	run("telecrm", "init", "--root", "site", "--country", "IN", "--time-zone", "Asia/Kolkata", "--offline", "--output", "Caddyfile")
	run("validate")
	if output := run("telecrm", "check", "--offline", "--since", "last"); !strings.Contains(output, "nothing found") {
		t.Errorf("check printed %s", output)
	}
	if output := run("telecrm", "try", "name=Ravi", "mobile=081234 56789"); !strings.Contains(output, `"phone": "918123456789"`) {
		t.Errorf("try printed %s", output)
	}
}
