package checkconfig_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/checkconfig"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// read adapts a Caddyfile and reads it.
func read(t *testing.T, file, source string) *check.Config {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(source), map[string]any{"filename": file})
	if err != nil {
		t.Fatal(err)
	}
	config, err := checkconfig.Read(adapted, file, []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TestDemoIsClean checks the demo site against the sandbox that it runs with.
func TestDemoIsClean(t *testing.T) {
	t.Chdir("../..")
	crm, err := sandbox.New(sandbox.Config{Token: "sandbox-token", EnterpriseID: "66aa00bb11cc22dd33ee44ff"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("sandbox-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	source := strings.NewReplacer("http://localhost:8081", server.URL, "example/sandbox-token.txt", token).Replace(string(content))
	config := read(t, "Caddyfile.example", source)
	config.Ask(t.Context())
	report, err := check.Run(t.Context(), *config)
	if err != nil {
		t.Fatal(err)
	}
	if report.Pages != 3 || report.Forms != 2 || len(report.Findings) > 0 || len(report.Unverified) > 0 {
		t.Errorf("read %d pages with %d forms, could not check %q, and found %+v", report.Pages, report.Forms, report.Unverified, report.Findings)
	}
	f, a := config.Sites[0].Forms[0], config.Accounts[0]
	for line, got := range map[string]check.Place{
		"\ttelecrm /contact {": f.Place, "\t\tfield product product dropdown {": f.Lines["field product"],
		"\t\t\tfield note message": f.Lines["action 1042 field note"], "\t\tthank_you /thank-you": f.Lines["thank_you"],
		"\t\taccount {": a.Place, "\t\t\tcountry IN": a.Lines["country"], "\t\toutbox sqlite example/outbox.db": config.FolderPlace,
	} {
		before, _, found := strings.Cut(source, "\n"+line+"\n")
		want := check.Place{File: "Caddyfile.example", Line: strings.Count(before, "\n") + 2, Column: strings.Count(line, "\t") + 1}
		if !found || got != want {
			t.Errorf("%q is at %s, want %s", line, got, want)
		}
	}
}

const site = `
{
	telecrm {
		account {
			token {env.CHECK_NO_SUCH_TOKEN}
			enterprise_id 66aa00bb11cc22dd33ee44ff
			country IN
		}
		account shop {
			token x
			enterprise_id 66aa00bb11cc22dd33ee44ee
			country DE
		}
	}
}
example.com, www.example.com {
	root * ROOT
	handle_path /de/* {
		telecrm /anfrage {
			form german
			account shop
			field phone
			thank_you /danke
		}
	}
	@forms path /enquire /ask*
	telecrm @forms {
		field name
		field phone
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
:9999 {
	respond "no forms here"
}
`

func TestReadFindsSitesFormsAndAccounts(t *testing.T) {
	t.Parallel()
	config := read(t, "Caddyfile", strings.ReplaceAll(site, "ROOT", t.TempDir()))
	if len(config.Sites) != 1 || len(config.Sites[0].Forms) != 2 || len(config.Accounts) != 2 {
		t.Fatalf("got %d sites and %d accounts", len(config.Sites), len(config.Accounts))
	}
	s := config.Sites[0]
	if !slices.Equal(s.Hosts, []string{"example.com", "www.example.com"}) || s.Files == nil || !slices.Equal(s.Try, []string{"{path}.html", "{path}"}) {
		t.Errorf("got site %+v", s)
	}
	for path, want := range map[string]bool{"/api/x": true, "/old": true, "/thank-you": false, "/members/x": false, "/": false} {
		if got := s.Answers(path); got != want {
			t.Errorf("another handler answers %s: %v", path, got)
		}
	}
	forms := make(map[string]*check.Form)
	for _, f := range s.Forms {
		forms[f.Name] = f
	}
	german, other := forms["german"], forms["/enquire"]
	if german == nil || other == nil {
		t.Fatalf("got forms %v", forms)
	}
	for path, want := range map[string]*check.Form{"/de/anfrage": german, "/anfrage": nil, "/enquire": other, "/asking": other, "/de/enquire": nil, "/": nil} {
		for _, f := range s.Forms {
			if got := f.Takes("", path); got != (f == want) {
				t.Errorf("%s takes %s: %v", f.Name, path, got)
			}
		}
	}
	if german.Takes("example.org", "/de/anfrage") || !german.Takes("www.example.com", "/de/anfrage") {
		t.Error("the hosts do not count")
	}
	if german.Account.Name != "shop" || german.Country != "DE" || other.Account.Name != "default" || other.Country != "IN" {
		t.Errorf("got accounts %s in %s, %s in %s", german.Account.Name, german.Country, other.Account.Name, other.Country)
	}
	if got := german.Place.String() + " " + german.Lines["field phone"].String() + " " + other.Place.String(); got != "Caddyfile:19:3 Caddyfile:22:4 Caddyfile:27:2" {
		t.Errorf("got places %s", got)
	}
	if len(config.Empty) != 1 || config.Empty[0].Place.String() != "Caddyfile:5:4" || !strings.Contains(config.Empty[0].Reason, "CHECK_NO_SUCH_TOKEN is not set") {
		t.Errorf("got empty placeholders %+v", config.Empty)
	}
	if other.Account.API != nil || german.Account.API == nil {
		t.Error("an account without a token can be asked, or one with a token cannot")
	}
}

func TestReadWithoutForms(t *testing.T) {
	t.Parallel()
	if _, err := checkconfig.Read([]byte(`{"apps":{"http":{"servers":{"a":{}}}}}`), "caddy.json", nil); !errors.Is(err, checkconfig.ErrNoForms) {
		t.Errorf("got %v", err)
	}
	if _, err := checkconfig.Read([]byte(`{`), "caddy.json", nil); err == nil || errors.Is(err, checkconfig.ErrNoForms) {
		t.Errorf("got %v", err)
	}
}

// A JSON config does not have lines, but is checked all the same. Routes of a named route and of a
// snippet count where they are used.
func TestReadWithoutLines(t *testing.T) {
	t.Parallel()
	const form = `"handler":"telecrm","form":"a","fields":[{"name":"phone"}],"thank_you":"/","token":"x","enterprise_id":"66aa00bb11cc22dd33ee44ff","country":"IN"`
	config, err := checkconfig.Read([]byte(`{"apps":{"telecrm":{"outbox":{"store":"off"}},"http":{"servers":{"a":{
		"trusted_proxies":{"source":"static"},
		"named_routes":{"forms":{"handle":[{`+form+`,"match":[{"path":["/a"],"method":["POST"]}]}]}},
		"routes":[{"match":[{"not":[{"path":["/private/*"]}]}],"handle":[{"handler":"invoke","name":"forms"}]},{"handle":[{"handler":"vars","root":"{http.request.host}"},{"handler":"file_server"}]}]}}}}}`), "caddy.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := config.Sites[0]
	f := s.Forms[0]
	if f.Place != (check.Place{File: "caddy.json"}) || f.Account.Place.File != "caddy.json" || f.Account.Name != "a" || f.Country != "IN" {
		t.Errorf("got form %+v of account %+v", f, f.Account)
	}
	if !f.Takes("", "/a") || f.Takes("", "/private/a") || f.Takes("", "/b") {
		t.Error("the matchers do not count")
	}
	if s.Files != nil || s.Root != "" || !s.HasTrustedProxies || config.Folder != "" {
		t.Errorf("got site %+v and folder %q", s, config.Folder)
	}
	if report, err := check.Run(t.Context(), *config); err != nil || len(report.Findings) > 0 {
		t.Errorf("found %+v, error %v", report.Findings, err)
	}
}

// A placeholder that comes from outside and has no value is noted wherever it is.
func TestPlaceholdersWithoutValues(t *testing.T) {
	t.Setenv("CHECK_CITY", "Pune")
	config := read(t, "Caddyfile", `
example.com {
	root * {env.CHECK_NO_ROOT}
	telecrm /enquire {
		token x
		enterprise_id 66aa00bb11cc22dd33ee44ff
		country IN
		field phone
		set city {env.CHECK_CITY}
		set source "{env.CHECK_NO_SOURCE} {query.utm_source}"
		action 1042 {
			set note "from {file./no/such/file}"
		}
		thank_you /thanks/{env.CHECK_NO_PAGE}?id={telecrm.id}
	}
	file_server
}
`)
	var got []string
	for _, empty := range config.Empty {
		got = append(got, empty.Place.String()+" "+empty.Setting+" "+empty.Text)
	}
	want := []string{
		"Caddyfile:14:3 thank_you {env.CHECK_NO_PAGE}", "Caddyfile:10:3 set source {env.CHECK_NO_SOURCE}",
		"Caddyfile:12:4 action 1042 set note {file./no/such/file}", "Caddyfile root {env.CHECK_NO_ROOT}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Each documented placeholder exists.
func TestDocumentedPlaceholdersExist(t *testing.T) {
	document, err := os.ReadFile("../../docs/caddyfile.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\{telecrm\\.[a-z_.]+\\})` \\|").FindAllStringSubmatch(string(document), -1)
	if len(rows) < 7 {
		t.Fatalf("%d placeholders are documented, want 7 or more", len(rows))
	}
	for _, row := range rows {
		config := read(t, "Caddyfile", `
example.com {
	root * /srv/site
	telecrm /enquire {
		token x
		enterprise_id 66aa00bb11cc22dd33ee44ff
		country IN
		field phone
		set a `+row[1]+`
		thank_you /thanks
	}
	file_server
}
`)
		for _, empty := range config.Empty {
			t.Errorf("%s: %s", empty.Text, empty.Reason)
		}
	}
}

// A placeholder of the plugin that does not exist is empty in every lead.
func TestPlaceholdersThatDoNotExist(t *testing.T) {
	config := read(t, "Caddyfile", `
example.com {
	root * /srv/site
	telecrm_attribution
	telecrm /enquire {
		token x
		enterprise_id 66aa00bb11cc22dd33ee44ff
		country IN
		field phone
		set a {telecrm.frist.utm_source}
		set b "{telecrm.visit} {telecrm.visits} {telecrm.id} {telecrm.form}"
		set c {telecrm.last.ref}
		action 1042 {
			set d {telecrm.utm_source}
		}
		thank_you /thanks?id={telecrm.id}
	}
	file_server
}
`)
	var got []string
	for _, empty := range config.Empty {
		got = append(got, empty.Place.String()+" "+empty.Text+" "+empty.Reason)
	}
	want := []string{
		"Caddyfile:10:3 {telecrm.frist.utm_source} it does not exist; did you mean {telecrm.first.utm_source}?",
		"Caddyfile:11:3 {telecrm.visit} it does not exist; did you mean {telecrm.visits}?",
		"Caddyfile:14:4 {telecrm.utm_source} it does not exist; did you mean {telecrm.last.utm_source}?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
