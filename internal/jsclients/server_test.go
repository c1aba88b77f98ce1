package jsclients_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// binary is the path of the Caddy under test.
var binary string

func TestMain(m *testing.M) {
	os.Exit(caddyproc.BuildAndRun(m, &binary))
}

const (
	token      = "sandbox-token"
	enterprise = "66aa00bb11cc22dd33ee44ff"
	thankYou   = "/thank-you"
)

// config is the site under test. It does not have an outbox, so that failures of the CRM reach the
// visitor. Its paths are those that formspree posts to.
const config = `{
	admin off
	telecrm {
		check off
		account {
			token %s
			enterprise_id %s
			base_url %s/autoupdate/v2
			country IN
			crm_rate 100/s 100
		}
		outbox off
	}
}

%s {
	bind 127.0.0.1
	telecrm /f/contact {
		form contact
		field name {
			required
		}
		field phone
		field email
		field employees employees number
		unmapped more
		rate_limit off
		dedupe off
		thank_you %s
	}
}
`

// crm is a stand-in for TeleCRM that listens at URL.
type crm struct {
	*sandbox.Sandbox

	URL string
}

func startCRM(t *testing.T) crm {
	t.Helper()
	stand, err := sandbox.New(sandbox.Config{Token: token, EnterpriseID: enterprise})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stand.Close)
	server := httptest.NewServer(stand)
	t.Cleanup(server.Close)
	return crm{stand, server.URL}
}

// startCaddy runs the site until the test ends, and returns its URL.
func startCaddy(t *testing.T, crmURL string) string {
	t.Helper()
	url := "http://127.0.0.1:" + caddyproc.FreePort(t)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, token, enterprise, crmURL, url, thankYou), 0o600); err != nil {
		t.Fatal(err)
	}
	caddyproc.Start(t, binary, file, t.TempDir(), url)
	return url
}
