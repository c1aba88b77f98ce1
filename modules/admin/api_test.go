package admin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/modules/outboxes"
)

// Caddy logs the errors of its admin endpoint. What is wrong in a request is told to the client only:
// it may be about a person, and is in a body for that reason.
func TestRefusalsAreNotLogged(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	openFor(t, &outboxes.SQLite{File: filepath.Join(t.TempDir(), "outbox.db")})
	for _, body := range []string{
		`{"state": "8123456789"}`, `{"account": "8123456789"}`, `{"since": "8123456789"}`, `{"until": "8123456789"}`,
		`{"since": "8123456789", "identifier": "8123456789"}`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/telecrm/leads/search", strings.NewReader(body))
		err := methods{http.MethodPost: serveSearch}.ServeHTTP(httptest.NewRecorder(), r)
		var refused caddy.APIError
		if !errors.As(err, &refused) || refused.HTTPStatus != http.StatusBadRequest || !strings.Contains(refused.Message, "8123456789") {
			t.Errorf("%s: the client gets %+v", body, refused)
		}
		if err == nil || strings.Contains(err.Error(), "8123456789") {
			t.Errorf("%s: logged %v", body, err)
		}
	}
}
