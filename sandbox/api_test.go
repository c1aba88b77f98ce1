package sandbox_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	path := func(p string) func(*http.Request) {
		return func(r *http.Request) { r.URL.Path, r.URL.RawPath = p, "" }
	}
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	method := func(m string) func(*http.Request) {
		return func(r *http.Request) { r.Method = m }
	}
	body := func(b string) func(*http.Request) {
		return func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(b)) }
	}
	const html = "HTML"
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
		status int
		code   string // or html
	}{
		{"no token", header("Authorization"), 401, "NOT_AUTHORIZED"},
		{"wrong token", header("Authorization", "Bearer sync-tokem"), 401, "NOT_AUTHORIZED"},
		{"longer token", header("Authorization", "Bearer sync-token2"), 401, "NOT_AUTHORIZED"},
		{"wrong scheme", header("Authorization", "Basic sync-token"), 401, "NOT_AUTHORIZED"},
		{"scheme in lower case", header("Authorization", "bearer sync-token"), 401, "NOT_AUTHORIZED"},
		{"two tokens", header("Authorization", "Bearer sync-token", "Bearer sync-token"), 401, "NOT_AUTHORIZED"},
		{"unknown enterprise", path("/autoupdate/v2/enterprise/66aa00/lead"), 401, "NOT_AUTHORIZED"},
		{"empty enterprise", path("/autoupdate/v2/enterprise//lead"), 401, "NOT_AUTHORIZED"},

		{"other resource", path("/autoupdate/v2/enterprise/" + enterprise + "/leads"), 404, html},
		{"trailing slash", path(leadPath + "/"), 404, html},
		{"no resource", path("/autoupdate/v2/enterprise/" + enterprise), 404, html},
		{"no prefix", path("/enterprise/" + enterprise + "/lead"), 404, html},
		{"double slash", path("/autoupdate/v2//enterprise/" + enterprise + "/lead"), 404, html},
		{"empty path", path(""), 404, html},
		{"get", method(http.MethodGet), 405, html},
		{"put", method(http.MethodPut), 405, html},
		{"search for nobody's resource", path(searchPath + "/x"), 404, html},
		{"search of an unknown enterprise", path("/autoupdate/v2/enterprise/66aa00/lead/search"), 401, "NOT_AUTHORIZED"},
		{"search without a token", func(r *http.Request) { path(searchPath)(r); header("Authorization")(r) }, 401, "NOT_AUTHORIZED"},
		{"search without content type", func(r *http.Request) { path(searchPath)(r); header("Content-Type")(r) }, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"search by get", func(r *http.Request) { path(searchPath)(r); method(http.MethodGet)(r) }, 405, html},
		{"search cut short", func(r *http.Request) {
			path(searchPath)(r)
			r.Body = io.NopCloser(iotest.ErrReader(errors.New("gone")))
		}, 400, "BAD_REQUEST"},
		{"post to the page", path("/"), 405, html},
		{"post to leads.json", path("/leads.json"), 405, html},

		{"no content type", header("Content-Type"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"form", header("Content-Type", "application/x-www-form-urlencoded"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"other charset", header("Content-Type", "application/json; charset=latin1"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"too large", body(`{"fields":{"phone":"918123456789"}}` + strings.Repeat(" ", 1<<20)), 413, "PAYLOAD_TOO_LARGE"},
		{"cut short", func(r *http.Request) {
			r.Body = io.NopCloser(iotest.ErrReader(errors.New("gone")))
		}, 400, "INVALID_LEAD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			r := newRequest(t, phoneBody(1))
			tt.change(r)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if tt.code == html {
				if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
					t.Errorf("content type %q, want HTML", w.Header().Get("Content-Type"))
				}
			} else if code := errorCode(t, w); code != tt.code {
				t.Errorf("code %q, want %q", code, tt.code)
			}
			if s.Requests() != 1 {
				t.Errorf("%d requests counted, want 1", s.Requests())
			}
			if len(s.Leads()) != 0 {
				t.Error("a refused request stored a lead")
			}
		})
	}
}

func TestUnauthorizedMessages(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	r := newRequest(t, phoneBody(1))
	r.URL.Path = "/autoupdate/v2/enterprise/66aa00/lead"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), "66aa00") {
		t.Errorf("%s does not name the enterprise", w.Body)
	}
	r = newRequest(t, phoneBody(1))
	r.Header.Set("Authorization", "Bearer wrong-secret")
	w = httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if strings.Contains(w.Body.String(), enterprise) || strings.Contains(w.Body.String(), "wrong-secret") {
		t.Errorf("%s says more than that the token is wrong", w.Body)
	}
}

func TestContentTypeWithCharset(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	r := newRequest(t, phoneBody(1))
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		t.Errorf("status %d, want 201", w.Code)
	}
}
