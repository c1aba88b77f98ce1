package route_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/route"
)

// The path of a post that no form takes is logged as far as it can be the path of a form. The rest may
// be about a person, or a secret of another program.
func TestMissedPathsHidePeople(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/contact":                             "/contact",
		"/":                                    "/",
		"/contact/":                            "/contact/",
		"/de/kontakt.html":                     "/de/kontakt.html",
		"/enquire-2026_v.html":                 "/enquire-2026_v.html",
		"/संपर्क":                              "/संपर्क",
		"/contact/asha@example.com":            "/contact/…",
		"/contact/asha@example.com/confirm":    "/contact/…/confirm",
		"/call/+91 81234 56789":                "/call/…",
		"/call/8123456789":                     "/call/…",
		"/call/81-23-45-67-89":                 "/call/…",
		"/reset/0b1c2d3e-4f50-6172-8394":       "/reset/…",
		"/reset/" + strings.Repeat("x", 65):    "/reset/…",
		"/x/{env.SECRET}":                      "/x/…",
		"/a/b/c/d/e/f/g/h/i":                   "/a/b/c/d/e/f/…",
		"/search/name=Asha":                    "/search/…",
		"/line\nbreak/" + "e\u0301" + "\u202e": "/…/…",
	} {
		core, log := observer.New(zapcore.WarnLevel)
		r := httptest.NewRequest(http.MethodPost, "http://www.example.com/", nil)
		r.URL.Path = path
		missed := route.NewMissed()
		missed.Note(zap.New(core), r, "enquire", caddyhttp.Error(http.StatusMethodNotAllowed, nil))
		missed.Note(zap.New(core), r, "enquire", caddyhttp.Error(http.StatusMethodNotAllowed, nil))
		if log.Len() != 1 || log.All()[0].ContextMap()["path"] != want {
			t.Errorf("%q: logged %v, want the path %q once", path, log.All(), want)
		}
	}
}
