package e2e_test

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// inProcess is a Caddy in the test's own process, for tests with their own event handlers or trace
// exporter. Only one can run at a time.
type inProcess struct {
	server

	crmHost string // host and port of the stand-in
	outbox  string
}

// newInProcess prepares a Caddy that is stopped when the test ends.
func newInProcess(t *testing.T) *inProcess {
	t.Helper()
	crm, err := sandbox.New(sandbox.Config{Token: secretToken, EnterpriseID: enterpriseID})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(crm)
	t.Cleanup(listener.Close)
	t.Cleanup(crm.Close)
	t.Setenv("TELECRM_TEST_TOKEN", secretToken)
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	p := &inProcess{
		server:  server{crm: crm, site: "http://127.0.0.1:" + caddyproc.FreePort(t)},
		crmHost: strings.TrimPrefix(listener.URL, "http://"),
		outbox:  filepath.Join(t.TempDir(), "outbox.db"),
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// load loads a config with the given lines in its only site and the given global options.
func (p *inProcess) load(site string, options ...string) error {
	config, err := adaptText(fmt.Sprintf(`{
	admin off
	persist_config off
	grace_period 5s
	log {
		output discard
	}
	telecrm {
		check off
		account {
			token {env.TELECRM_TEST_TOKEN}
			enterprise_id %s
			base_url http://%s/autoupdate/v2
			country IN
			crm_rate 1000/s 1000
		}
		outbox sqlite %s
	}
	%s
}
%s {
	bind 127.0.0.1
	metrics /metrics
	%s
}
`, enterpriseID, p.crmHost, p.outbox, strings.Join(options, "\n"), p.site, site))
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

// mustLoad is load that must succeed.
func (p *inProcess) mustLoad(t *testing.T, site string, options ...string) {
	t.Helper()
	if err := p.load(site, options...); err != nil {
		t.Fatal(err)
	}
}
