package sandboxhandler_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	_ "github.com/leadwire/caddy-telecrm/modules/sandboxhandler"
)

// A reload provisions the new config before it ends the old one. The stand-in keeps its leads.
func TestReloadKeepsLeads(t *testing.T) {
	before, stopBefore := load(t, `{"token": "a", "enterprise_id": "66aa00bb11cc22dd33ee44ff"}`)
	create := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/autoupdate/v2/enterprise/66aa00bb11cc22dd33ee44ff/lead",
		strings.NewReader(`{"fields": {"phone": "918123456789"}}`))
	create.Header.Set("Authorization", "Bearer a")
	create.Header.Set("Content-Type", "application/json")
	if w := serve(t, before, create); w.Code != http.StatusCreated {
		t.Fatalf("got status %d", w.Code)
	}
	after, stopAfter := load(t, `{"token": "another", "enterprise_id": "66aa00bb11cc22dd33ee44ff"}`)
	other, stopOther := load(t, `{"token": "a", "enterprise_id": "77aa00bb11cc22dd33ee44ff"}`)
	stopBefore()
	if n := leads(t, after); n != 1 {
		t.Errorf("got %d leads after a reload, want 1", n)
	}
	if n := leads(t, other); n != 0 {
		t.Errorf("another workspace has %d leads, want 0", n)
	}
	stopAfter()
	stopOther()
	restarted, stop := load(t, `{"token": "a", "enterprise_id": "66aa00bb11cc22dd33ee44ff"}`)
	defer stop()
	if n := leads(t, restarted); n != 0 {
		t.Errorf("got %d leads after a restart, want 0", n)
	}
}

func load(t *testing.T, config string) (caddyhttp.MiddlewareHandler, context.CancelFunc) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	module, err := ctx.LoadModuleByID("http.handlers.telecrm_sandbox", json.RawMessage(config))
	if err != nil {
		t.Fatal(err)
	}
	return module.(caddyhttp.MiddlewareHandler), cancel
}

func serve(t *testing.T, handler caddyhttp.MiddlewareHandler, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := handler.ServeHTTP(w, r, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

func leads(t *testing.T, handler caddyhttp.MiddlewareHandler) int {
	t.Helper()
	w := serve(t, handler, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/leads.json", nil))
	var list []any
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return len(list)
}
