package handlertest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	caddytelecrm "github.com/leadwire/caddy-telecrm"
)

// site is a whole config whose servers do not listen.
type site struct {
	server *caddyhttp.Server
	log    *observer.ObservedLogs // of the handlers
	app    *observer.ObservedLogs
}

// newSite provisions the site blocks of a Caddyfile, all with one listener address. The global
// option has a default account and no outbox.
func newSite(t *testing.T, crm crm, blocks string) *site {
	t.Helper()
	adapted := adaptSite(t, crm, blocks)
	return startSite(t, adapted)
}

func adaptSite(t *testing.T, crm crm, blocks string) []byte {
	t.Helper()
	t.Setenv("TELECRM_TEST_TOKEN", testToken)
	text := fmt.Sprintf(`{
	auto_https off
	telecrm {
		check off
		account {
			token {env.TELECRM_TEST_TOKEN}
			enterprise_id %s
			base_url %s
			country IN
			crm_rate 1000000/s 1000
		}
		outbox off
	}
}
%s`, testEnterprise, crm.url, blocks)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return adapted
}

// startSite provisions a config in JSON with one server.
func startSite(t *testing.T, adapted []byte) *site {
	t.Helper()
	id, logs := newLogs()
	var config caddy.Config
	if err := caddy.StrictUnmarshalJSON(adapted, &config); err != nil {
		t.Fatal(err)
	}
	config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{
		Level: "DEBUG", WriterRaw: json.RawMessage(`{"output":"discard"}`), CoreRaw: caddyconfig.JSON(testCore{ID: id, Module: "handlertest"}, nil),
	}}}}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("telecrm")
	if err != nil {
		t.Fatal(err)
	}
	if err := app.(*caddytelecrm.App).Start(); err != nil {
		t.Fatal(err)
	}
	served, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	servers := served.(*caddyhttp.App).Servers
	if len(servers) != 1 {
		t.Fatalf("the config has %d servers, want 1", len(servers))
	}
	s := &site{log: logs.handler, app: logs.app}
	for _, s.server = range servers {
	}
	return s
}

// do serves a request as the server does.
func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return w
}

// logged returns the entries above info level whose message contains part.
func (s *site) logged(part string) []observer.LoggedEntry {
	return s.log.Filter(func(e observer.LoggedEntry) bool {
		return e.Level > zapcore.InfoLevel && strings.Contains(e.Message, part)
	}).All()
}

// postTo returns a POST of a form by a browser, with header lines such as "Name: value".
func postTo(address string, values url.Values, header ...string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, address, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	r.Header.Set("Accept-Language", "en")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	return r
}

// pagesIn writes pages to a new folder.
func pagesIn(t *testing.T, pages map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range pages {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
