package handlertest

import (
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	caddytelecrm "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/outbox"
)

const benchBlock = `
	field name {
		required
	}
	field phone
	field email
	thank_you /thanks
`

var benchValues = url.Values{"name": {"Ravi Menon"}, "phone": {"081234 56789"}, "email": {"ravi@example.org"}}

// BenchmarkPost measures a post that goes into the outbox.
func BenchmarkPost(b *testing.B) {
	benchmark(b, "application/x-www-form-urlencoded", benchValues.Encode(), http.StatusSeeOther)
}

func BenchmarkPostMultipart(b *testing.B) {
	var body strings.Builder
	w := multipart.NewWriter(&body)
	for _, name := range []string{"name", "phone", "email"} {
		if err := w.WriteField(name, benchValues.Get(name)); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	benchmark(b, w.FormDataContentType(), body.String(), http.StatusSeeOther)
}

// BenchmarkInvalid measures a post that gets the built-in page.
func BenchmarkInvalid(b *testing.B) {
	values := url.Values{"name": {"Ravi Menon"}, "phone": {"12"}, "email": {"ravi at example.org"}}
	benchmark(b, "application/x-www-form-urlencoded", values.Encode(), http.StatusUnprocessableEntity)
}

// benchmark posts the same body repeatedly. It includes Caddy's replacer and context for each
// request.
func benchmark(b *testing.B, contentType, body string, status int) {
	b.Helper()
	h := newBenchHandler(b)
	posted := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "https://www.example.com/enquire", nil)
	posted.Header.Set("Content-Type", contentType)
	reader := strings.NewReader(body)
	posted.Body = io.NopCloser(reader)
	posted.ContentLength = reader.Size()
	w := &discard{header: make(http.Header)}

	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		clear(w.header)
		r := caddyhttp.PrepareRequest(posted, caddy.NewReplacer(), w, nil)
		if err := h.ServeHTTP(w, r, nil); err != nil {
			b.Fatal(err)
		}
		if w.status != status {
			b.Fatalf("status %d, want %d", w.status, status)
		}
	}
}

// newBenchHandler returns a handler that delivers later, with an outbox that discards everything. At
// the account's pace nothing is sent meanwhile.
func newBenchHandler(b *testing.B) *caddytelecrm.Handler {
	b.Helper()
	r := newRig("", benchBlock+"deliver later\nrate_limit off\ndedupe off")
	r.settings.CRMRate = "1/h 1"
	r.guest = forgetful{}
	h := r.handler(b)
	if err := h.app.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = h.app.Cleanup() })
	r.logs.discard.Store(true)
	return h.Handler
}

// forgetful is an outbox that discards everything.
type forgetful struct{ outbox.Store }

func (f forgetful) Resource() (string, error) { return "forgetful", nil }

func (f forgetful) Open(*zap.Logger) (outbox.Store, error)     { return f, nil }
func (f forgetful) Append(context.Context, outbox.Entry) error { return nil }
func (f forgetful) Settle(context.Context, string, outbox.Settlement) error {
	return nil
}
func (f forgetful) Counts(context.Context) ([]outbox.Count, error) { return nil, nil }

func (f forgetful) Clock(context.Context) (outbox.Clock, error)               { return outbox.Clock{}, nil }
func (f forgetful) SetClock(context.Context, outbox.Clock) error              { return nil }
func (f forgetful) ForgetBefore(context.Context, time.Time, int) (int, error) { return 0, nil }

func (f forgetful) Expire(context.Context, outbox.State, time.Time, int) (int, error) { return 0, nil }
func (f forgetful) Compact(context.Context) error                                     { return nil }
func (f forgetful) Health() error                                                     { return nil }
func (f forgetful) Close() error                                                      { return nil }
func (f forgetful) NextDue(context.Context, string) (time.Time, bool, error) {
	return time.Time{}, false, nil
}

func (f forgetful) Take(context.Context, string, time.Time, time.Time, int, func(string) bool) ([]outbox.Entry, error) {
	return nil, nil
}

// discard is a ResponseWriter that records only the status.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// notOurs are requests that a form's handler hands on.
var notOurs = map[string]struct{ method, path string }{
	"page":    {http.MethodGet, "/contact"},
	"asset":   {http.MethodGet, "/assets/site.css"},
	"post":    {http.MethodPost, "/search"},
	"options": {http.MethodOptions, "/enquire"},
}

func prepareNotOurs(tb testing.TB, method, path string) (h testHandler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) {
	tb.Helper()
	rig := newRig("", benchBlock+"rate_limit off")
	rig.paths = []string{"/enquire"}
	h = rig.handler(tb)
	w = &discard{header: make(http.Header)}
	r = httptest.NewRequestWithContext(tb.Context(), method, "https://www.example.com"+path, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
	return h, w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
}

// BenchmarkNotOurs measures what the handler costs the other requests of a site.
func BenchmarkNotOurs(b *testing.B) {
	for name, request := range notOurs {
		b.Run(name, func(b *testing.B) {
			h, w, r, next := prepareNotOurs(b, request.method, request.path)
			b.ReportAllocs()
			for b.Loop() {
				if err := h.ServeHTTP(w, r, next); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The other requests of a site do not allocate anything in the handler.
func TestNotOursAllocatesNothing(t *testing.T) {
	for name, request := range notOurs {
		t.Run(name, func(t *testing.T) {
			h, w, r, next := prepareNotOurs(t, request.method, request.path)
			got := testing.AllocsPerRun(100, func() {
				if err := h.ServeHTTP(w, r, next); err != nil {
					t.Fatal(err)
				}
			})
			if got > 0 {
				t.Errorf("%v allocations", got)
			}
		})
	}
}
