package checkconfig_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/setup"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// sites are pages as people write them. Those that must be changed before they work have a second
// version.
var sites = map[string]map[string]string{
	"plain": {"contact.html": `<form method="post" action="/enquire">
<label>Name <input name="name" autocomplete="name" required></label>
<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>
<label>Product <select name="product"><option value="">Choose</option><option>Rooftop solar</option><option>Solar water heater</option><option>Battery storage</option><option>Something else</option></select></label>
<label>Message <textarea name="message" maxlength="500"></textarea></label></form>`},
	"own clean URL": {"kontakt/index.html": `<form method="post">
<label>Vorname <input name="vorname" autocomplete="given-name"></label><label>Nachname <input name="nachname" autocomplete="family-name"></label>
<label>Telefon <input name="telefon" type="tel" autocomplete="tel" required></label>
<label>Etwas <input name="etwas"></label></form>`},
	"radio buttons, boxes and dates": {"index.html": `<form method="post" action="book">
<label>Mobile <input name="your-mobile" type="tel" autocomplete="tel" required></label>
<fieldset><legend>How</legend><label><input type="radio" name="contact_by" value="Phone"> Phone</label><label><input type="radio" name="contact_by" value="Email"> Email</label><label><input type="radio" name="contact_by" value="WhatsApp"> WhatsApp</label></fieldset>
<label><input type="checkbox" name="interests[]" value="Subsidy"> Subsidy</label><label><input type="checkbox" name="interests[]" value="Net metering"> Net metering</label>
<label><input type="checkbox" name="interests[]" value="Financing"> Financing</label><label><input type="checkbox" name="interests[]" value="Maintenance"> Maintenance</label>
<label>Day <input name="visit_date" placeholder="dd/mm/yyyy"></label>
<label>Budget <input name="budget"></label></form>`},
}

// What setup writes adapts, is formatted as Caddy formats it, and has no findings.
func TestProposedConfigIsClean(t *testing.T) {
	t.Setenv("TELECRM_TOKEN", "sandbox-token")
	t.Setenv("TELECRM_ENTERPRISE_ID", "66aa00bb11cc22dd33ee44ff")
	crm, err := sandbox.New(sandbox.Config{Token: "sandbox-token", EnterpriseID: "66aa00bb11cc22dd33ee44ff"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)
	client, err := telecrm.New(telecrm.Config{Token: "sandbox-token", EnterpriseID: "66aa00bb11cc22dd33ee44ff", BaseURL: server.URL + "/autoupdate/v2"})
	if err != nil {
		t.Fatal(err)
	}
	workspace := &check.Workspace{Fields: client.FieldDefinitions(t.Context()), Actions: client.ActionDefinitions(t.Context())}
	for name, pages := range sites {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for file, content := range pages {
				write(t, filepath.Join(root, file), "<!DOCTYPE html><title>Contact</title>\n"+content)
			}
			write(t, filepath.Join(root, "thank-you.html"), "<p>Thanks</p>")
			proposed, err := setup.Caddyfile(t.Context(), setup.Options{
				Site:    check.Site{Files: os.DirFS(root), Root: root, Try: []string{"{path}.html", "{path}"}},
				Country: "IN", TimeZone: "Asia/Kolkata", Workspace: workspace,
			})
			if err != nil {
				t.Fatal(err)
			}
			if formatted := caddyfile.Format([]byte(proposed)); !bytes.Equal(formatted, []byte(proposed)) {
				t.Errorf("Caddy formats this differently:\n%s\n%s", proposed, formatted)
			}
			source := strings.Replace(proposed, "\t\t\tcountry", fmt.Sprintf("\t\t\tbase_url %s/autoupdate/v2\n\t\t\tcountry", server.URL), 1)
			config := read(t, "Caddyfile", source)
			config.Folder = root
			config.Ask(t.Context())
			report, err := check.Run(t.Context(), *config)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Findings) > 0 || len(report.Unverified) > 0 || report.Forms == 0 {
				t.Errorf("found %+v, could not check %q, in\n%s", report.Findings, report.Unverified, source)
			}
		})
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
