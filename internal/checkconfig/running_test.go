package checkconfig_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/checkconfig"
)

const runningSite = `
{
	auto_https off
	PROXIES
	telecrm {
		outbox off
		account {
			token x
			enterprise_id 66aa00bb11cc22dd33ee44ff
			country IN
		}
	}
}
example.com, www.example.com {
	root * ROOT
	vars visitor {header.X-Forwarded-For}
	handle_path /de/* {
		telecrm /anfrage {
			form german
			token y
			enterprise_id 66aa00bb11cc22dd33ee44ee
			country DE
			field phone telefon
			field email
			thank_you /danke
		}
	}
	@forms {
		path /enquire /ask*
		not path /ask/me
	}
	telecrm @forms {
		field name
		field phone
		field visit visit date
		thank_you /thank-you
	}
	handle /api/* {
		reverse_proxy localhost:9000
	}
	forward_auth /members/* localhost:9001 {
		uri /auth
	}
	redir /old /new
	header X-Frame-Options DENY
	encode gzip
	try_files {path}.html {path}
	file_server
}
`

// A config that runs is read like its file, but for the places in it.
func TestRunningConfig(t *testing.T) {
	root := t.TempDir()
	for name, page := range map[string]string{
		"contact.html":  `<form method="post" action="/enquire"><input name="name"><input name="fone"></form>`,
		"ask.html":      `<form method="post"><input name="phone"></form>`,
		"me.html":       `<form method="post" action="/ask/me"><input name="phone"></form>`,
		"de.html":       `<form method="post" action="/de/anfrage"><input name="telefon" required><input name="ort"></form>`,
		"thank-you.htm": `<p>Thanks</p>`,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, proxies := range []string{"", "servers {\n trusted_proxies static private_ranges\n}"} {
		source := strings.NewReplacer("ROOT", root, "PROXIES", proxies).Replace(runningSite)
		want := compareRunning(t, source, []string{"default x", "german y"})
		if len(want) < 8 {
			t.Fatalf("only %d findings", len(want))
		}
		if isTrusted := slices.ContainsFunc(want, func(f string) bool { return strings.HasPrefix(f, "trusted-proxies-missing") }); isTrusted != (proxies == "") {
			t.Errorf("found %q", want)
		}
	}
}

// The redirects that Caddy adds for other sites do not answer for a site without a host.
func TestRunningConfigWithRedirects(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "contact.html"), []byte(`<form method="post" action="/enquire"><input name="phone"></form>`), 0o600); err != nil {
		t.Fatal(err)
	}
	want := compareRunning(t, strings.ReplaceAll(`
{
	http_port 9080
	telecrm {
		outbox off
		account {
			token x
			enterprise_id 66aa00bb11cc22dd33ee44ff
			country IN
		}
	}
}
http:// {
	root * ROOT
	telecrm /enquire {
		field phone
		thank_you /thanks
	}
	file_server
}
www.example.com {
	respond secure
}
`, "ROOT", root), []string{"default x"})
	if !slices.ContainsFunc(want, func(f string) bool { return strings.HasPrefix(f, "thank-you-missing") }) {
		t.Errorf("found %q", want)
	}
}

// compareRunning compares the findings of a Caddyfile with those of the config that runs.
func compareRunning(t *testing.T, source string, accounts []string) []string {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(source), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	fromFile, err := checkconfig.Read(adapted, "Caddyfile", nil)
	if err != nil {
		t.Fatal(err)
	}
	fromFile.Folder = ""
	config, opened := loaded(t, adapted)
	want, got := findings(t, fromFile), findings(t, config)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("from the file (-) and from what runs (+):\n%s", diff)
	}
	if diff := cmp.Diff(accounts, opened); diff != "" {
		t.Error(diff)
	}
	return want
}

// findings checks the config. It leaves out places.
func findings(t *testing.T, c *check.Config) []string {
	t.Helper()
	report, err := check.Run(t.Context(), *c)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range report.Findings {
		list = append(list, fmt.Sprintf("%s %s %s %s: %s; %s", f.Code, f.Severity, f.Form, f.Account, f.Message, f.Remedy))
	}
	slices.Sort(list)
	return list
}

// loaded loads a config and reads it back, with the accounts that it opens.
func loaded(t *testing.T, adapted []byte) (c *check.Config, opened []string) {
	t.Helper()
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	c, err = checkconfig.Running{
		Servers:  app.(*caddyhttp.App).Servers,
		Accounts: map[string]*account.Settings{"default": {Token: "x", EnterpriseID: "66aa00bb11cc22dd33ee44ff", Country: "IN"}},
		Open:     func(a *check.Account, written account.Settings) { opened = append(opened, a.Name+" "+written.Token) },
	}.Read()
	if err != nil {
		t.Fatal(err)
	}
	return c, slices.Sorted(slices.Values(opened))
}
