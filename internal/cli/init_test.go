package cli

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// siteFolder returns a folder with a contact page.
func siteFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const page = `<form method="post" action="/enquire"><input name="phone" type="tel"><input name="company"><textarea name="question"></textarea></form>`
	if err := os.WriteFile(filepath.Join(dir, "contact.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestInitAsksTheWorkspace(t *testing.T) {
	crm, err := sandbox.New(sandbox.Config{Token: "sandbox-token", EnterpriseID: "66aa00bb11cc22dd33ee44ff"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)
	t.Setenv("TELECRM_TOKEN", "sandbox-token")
	t.Setenv("TELECRM_ENTERPRISE_ID", "66aa00bb11cc22dd33ee44ff")
	base := server.URL + "/autoupdate/v2"
	stdout, stderr, err := run(t, "", "", "init", "--root", siteFolder(t), "--base-url", base, "--country", "IN")
	if err != nil || stderr != "" {
		t.Fatalf("error %v, printed %s", err, stderr)
	}
	for _, want := range []string{"\t\tfield phone\n", "\t\tfield company\n", "\t\taction 1042 {\n\t\t\t# Callback asked\n\t\t\tfield note question\n\t\t}\n", "country IN\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("did not print %q:\n%s", want, stdout)
		}
	}
	t.Setenv("TELECRM_TOKEN", "other")
	if _, _, err := run(t, "", "", "init", "--root", siteFolder(t), "--base-url", base); err == nil || !strings.Contains(err.Error(), "HTTP 401 NOT_AUTHORIZED; try --offline") {
		t.Errorf("with a wrong token: got %v", err)
	}
}

func TestInitWithoutAnAccount(t *testing.T) {
	t.Setenv("TELECRM_TOKEN", "")
	root := siteFolder(t)
	stdout, stderr, err := run(t, "", "", "init", "--root", root)
	if err != nil || !strings.Contains(stderr, "Only name, phone and email are matched") || !strings.Contains(stdout, "# No field of the workspace fits the input company.") {
		t.Errorf("error %v, printed %s%s", err, stdout, stderr)
	}
	output := filepath.Join(t.TempDir(), "Caddyfile")
	for i, want := range []string{"", "exists, and init does not overwrite it"} {
		stdout, stderr, err := run(t, "", "", "init", "--root", root, "--offline", "--output", output)
		if stdout != "" || stderr != "" || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("run %d: error %v, printed %s%s", i, err, stdout, stderr)
		}
	}
	if content, err := os.ReadFile(output); err != nil || !strings.Contains(string(content), "telecrm /enquire {") {
		t.Errorf("wrote %s, error %v", content, err)
	}
	// An output that exists is refused before anything is read or asked.
	if _, stderr, err := run(t, "", "", "init", "--root", root, "--output", output); err == nil || stderr != "" {
		t.Errorf("over an existing file: error %v, printed %s", err, stderr)
	}
}

func TestInitNeedsASite(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"init"}, {"init", "--root", filepath.Join(t.TempDir(), "none")}, {"init", "--url", "example.com", "--offline"}} {
		if stdout, _, err := run(t, "", "", args...); err == nil || stdout != "" {
			t.Errorf("%v: printed %s", args, stdout)
		}
	}
}

// What Caddy would refuse in the config is refused before it is written.
func TestInitRefusesValues(t *testing.T) {
	root := siteFolder(t)
	for _, test := range []struct{ flag, value, want string }{
		{"--country", "India", "did you mean IN?"},
		{"--country", "XX", "--country"},
		{"--time-zone", "Asia/Kolkatta", "--time-zone"},
		{"--time-zone", "Local", "--time-zone"},
		{"--site", "www.example.com {", "--site"},
		{"--site", "a\nb", "--site"},
		{"--site", "", "--site"},
		{"--base-url", "crm.example", "--base-url"},
	} {
		stdout, _, err := run(t, "", "", "init", "--offline", "--root", root, test.flag, test.value)
		if err == nil || !strings.Contains(err.Error(), test.want) || stdout != "" {
			t.Errorf("%s %q: error %v, printed %s", test.flag, test.value, err, stdout)
		}
	}
	for _, site := range []string{":8080", "example.com, www.example.com", "{$DOMAIN}", "http://localhost:8080"} {
		if _, _, err := run(t, "", "", "init", "--offline", "--root", root, "--site", site, "--country", "in", "--time-zone", "Asia/Kolkata"); err != nil {
			t.Errorf("--site %s: %v", site, err)
		}
	}
}

// "-" is the standard output, as it is the standard input elsewhere, and not a file of that name.
func TestOutputToTheTerminal(t *testing.T) {
	root := siteFolder(t)
	t.Chdir(t.TempDir())
	e := newEndpoint(t, someLeads(1)...)
	for _, args := range [][]string{
		{"init", "--offline", "--root", root, "--output", "-"},
		{"leads", "export", "--format", "csv", "--output", "-"},
		{"leads", "export", "--format", "ndjson", "--output", "-"},
	} {
		stdout, _, err := e.run(t, args...)
		if err != nil || strings.Count(stdout, "\n") == 0 || strings.Contains(stdout, "written to") {
			t.Errorf("%v: error %v, printed %q", args, err, stdout)
		}
	}
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("wrote %v, error %v", files, err)
	}
}
