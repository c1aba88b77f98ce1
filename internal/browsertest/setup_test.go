package browsertest

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	setupToken      = "sandbox-token"
	setupEnterprise = "66aa00bb11cc22dd33ee44ff"
)

// proposed is a template of which `caddy telecrm init` makes a working site.
type proposed struct{ name, folder, page string }

var proposals = []proposed{
	{"blk-design-system", "", "/examples/profile-page.html"},
	{"material-kit", "", "/examples/landing-page.html"},
	{"paper-kit-2", "", "/examples/landing.html"},
	{"shards-ui", "dist", "/agency-landing.html"},
	{"soft-ui-design-system", "", "/pages/contact-us.html"},
	{"startbootstrap-agency", "dist", "/index.html"},
	{"startbootstrap-clean-blog", "dist", "/contact.html"},
	{"startbootstrap-creative", "dist", "/index.html"},
	{"startbootstrap-freelancer", "dist", "/index.html"},
	{"startbootstrap-modern-business", "dist", "/contact.html"},
	{"startbootstrap-new-age", "dist", "/index.html"},
	{"startbootstrap-personal", "dist", "/contact.html"},
}

// inModal is the template whose form is in a modal, as check rightly notes.
const inModal = "startbootstrap-new-age"

// For the contact form of a published template, init writes a config, and says what to change in the
// page. With both, the config is one that Caddy takes, check finds nothing wrong, and what a visitor
// sends from the page reaches TeleCRM.
func TestInitOnTemplates(t *testing.T) {
	caddyproc.InstallPackages(t)
	crm, err := sandbox.New(sandbox.Config{Token: setupToken, EnterpriseID: setupEnterprise})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)

	s := &setupRun{baseURL: server.URL + "/autoupdate/v2", home: t.TempDir(), roots: make(map[string]string), ports: make(map[string]string)}
	config := ""
	for _, p := range proposals {
		options, block := s.propose(t, p)
		if config == "" {
			config = options
		}
		config += "\n" + block
	}
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := s.run("validate", "--config", file); err != nil {
		t.Fatalf("validate: %v\n%s\n%s", err, output, config)
	}
	s.check(t, file)
	caddyproc.Start(t, binary, file, s.home, "http://localhost:"+s.ports[proposals[0].name], s.env()...)
	b := openTab(t)
	b.witness.tolerate()
	for i, p := range proposals {
		t.Run(p.name, func(t *testing.T) {
			b.t = t
			phone := fmt.Sprintf("0812345%04d", 6000+i)
			s.send(b, p, phone)
			var lead sandbox.Lead
			eventually(t, actionTimeout, "the lead", func() bool {
				all := crm.Leads()
				at := slices.IndexFunc(all, func(l sandbox.Lead) bool { return l.Fields["phone"] == "91"+phone[1:] })
				if at >= 0 {
					lead = all[at]
				}
				return at >= 0
			})
			if lead.Fields["name"] != "Ravi Menon" || lead.Fields["email"] != "ravi@example.org" || len(lead.Remarks) > 0 || len(lead.Actions) != 1 || lead.Actions[0].Fields["note"] != "Please call" {
				t.Errorf("TeleCRM has %+v", lead)
			}
		})
	}
}

// setupRun sets up templates.
type setupRun struct {
	baseURL, home string
	roots, ports  map[string]string // of the templates
}

func (s *setupRun) env() []string {
	return []string{
		"TELECRM_TOKEN=" + setupToken, "TELECRM_ENTERPRISE_ID=" + setupEnterprise, "XDG_DATA_HOME=" + s.home, "XDG_CONFIG_HOME=" + s.home,
	}
}

// run runs a command of the binary and returns its standard output.
func (s *setupRun) run(args ...string) (string, error) {
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), s.env()...)
	output, err := cmd.Output()
	return string(output), err
}

// propose lets init write a config for a template, and changes the page as the config says. It
// returns the global options and the site.
func (s *setupRun) propose(t *testing.T, p proposed) (options, site string) {
	t.Helper()
	root, port := t.TempDir(), caddyproc.FreePort(t)
	s.roots[p.name], s.ports[p.name] = root, port
	from, err := filepath.Abs(filepath.Join("node_modules", filepath.FromSlash(p.name), p.folder))
	if err != nil {
		t.Fatal(err)
	}
	mirror(t, from, root, strings.Split(strings.TrimPrefix(p.page, "/"), "/"))
	propose := func() string {
		config, err := s.run("telecrm", "init", "--root", root, "--site", ":"+port, "--country", "IN", "--time-zone", "Asia/Kolkata", "--base-url", s.baseURL)
		if err != nil {
			t.Fatalf("%s: init: %v\n%s", p.name, err, config)
		}
		if formatted := string(caddyfile.Format([]byte(config))); formatted != config {
			t.Errorf("%s: not formatted (-formatted +written):\n%s", p.name, cmp.Diff(formatted, config))
		}
		return config
	}
	changePages(t, propose())
	config := propose()
	if strings.Contains(config, "# In ") || !strings.Contains(config, "telecrm /") {
		t.Errorf("%s: after all changes, the config is\n%s", p.name, config)
	}
	options, site, _ = strings.Cut(config, "\n}\n\n")
	return options + "\n}\n", site
}

// mirror makes the folder with a copy of the page, and links to all other files of the site.
func mirror(t *testing.T, from, to string, page []string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		switch {
		case entry.Name() == page[0] && entry.IsDir():
			err = os.Mkdir(target, 0o700)
			mirror(t, source, target, page[1:])
		case entry.Name() == page[0]:
			var content []byte
			if content, err = os.ReadFile(source); err == nil {
				err = os.WriteFile(target, content, 0o600)
			}
		case filepath.Ext(source) != ".html":
			err = os.Symlink(source, target)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// check runs the check, which finds nothing but the modal.
func (s *setupRun) check(t *testing.T, file string) {
	t.Helper()
	output, err := s.run("telecrm", "check", "--config", file, "--json")
	var report check.Report
	if failed := json.Unmarshal([]byte(output), &report); failed != nil || err != nil || len(report.Unverified) > 0 {
		t.Errorf("check: %v, %v\n%s", err, failed, output)
	}
	for _, f := range report.Findings {
		if f.Code != check.FormHidden || !strings.HasPrefix(f.Place.File, s.roots[inModal]) {
			t.Errorf("%s %s at %s: %s", f.Severity, f.Code, f.Place, f.Message)
		}
	}
	if report.Forms != len(proposals) || len(report.Findings) != 1 {
		t.Errorf("%d forms and %d findings", report.Forms, len(report.Findings))
	}
}

// send fills in the form as a visitor does, and presses its button.
func (s *setupRun) send(b *tab, p proposed, phone string) {
	b.t.Helper()
	b.open("http://localhost:" + s.ports[p.name] + strings.TrimSuffix(p.page, "index.html"))
	missing := evaluate[string](b, fmt.Sprintf(`(() => {
		const form = [...document.forms].find(form => form.method == "post" && form.elements.namedItem("phone"));
		if (!form) return "form";
		form.id = "tried";
		const values = {name: "Ravi Menon", email: "ravi@example.org", phone: %s, message: "Please call"};
		const asks = e => [e.name, e.id, e.placeholder, e.labels && e.labels[0] ? e.labels[0].textContent : ""].join(" ").toLowerCase();
		for (const e of form.elements) {
			if (["hidden", "submit", "button"].includes(e.type)) continue;
			const kind = e.localName == "textarea" ? "message" : ["phone", "mail", "name", "message"].find(word => asks(e).includes(word));
			if (!kind) { e.value = ""; continue; }
			e.value = values[kind == "mail" ? "email" : kind];
			for (const type of ["input", "change"]) e.dispatchEvent(new Event(type, {bubbles: true}));
		}
		const button = [...form.elements].find(e => e.type == "submit");
		if (!button || !form.checkValidity()) return "valid form with a button";
		button.classList.add("tried-button");
		return "";
	})()`, quote(phone)))
	if missing != "" {
		b.t.Fatalf("the page does not have a %s", missing)
	}
	if status := b.load(press("#tried .tried-button")); status != 200 {
		b.t.Fatalf("status %d", status)
	}
	if at := b.path(); at != "/" && at != p.page {
		b.t.Errorf("the visitor is at %s", at)
	}
}

// press clicks a button by script, which does not depend on what covers it.
func press(selector string) chromedp.Action[chromedp.Void] {
	return act("document.querySelector(" + quote(selector) + ").click(); void 0")
}
