package caddytelecrm

import (
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/telecrm"
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

// BenchmarkPost is a post on its whole way, but for the two networks.
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

// BenchmarkInvalid is a post that is answered with the built-in page.
func BenchmarkInvalid(b *testing.B) {
	values := url.Values{"name": {"Ravi Menon"}, "phone": {"12"}, "email": {"ravi at example.org"}}
	benchmark(b, "application/x-www-form-urlencoded", values.Encode(), http.StatusUnprocessableEntity)
}

// benchmark posts the same body again and again. Of what Caddy does around
// the handler it measures the request's own replacer and context too.
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

// newBenchHandler has a log that is encoded and thrown away, and an account
// whose CRM takes every lead at once.
func newBenchHandler(b *testing.B) *Handler {
	b.Helper()
	h := newHandler(b, "", benchBlock).Handler
	h.logger = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zapcore.InfoLevel))
	pace, err := parseRate("1000000/s 1000")
	if err != nil {
		b.Fatal(err)
	}
	h.account.client, err = telecrm.New(telecrm.Config{
		Token:        testToken,
		EnterpriseID: testEnterprise,
		Pace:         pace,
		Transport:    takesAll{},
		Observe:      meters.observer(func() string { return defaultAccount }),
	})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// takesAll is a CRM without a network.
type takesAll struct{}

func (takesAll) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil, err
	}
	const answer = `{"lead_id":"64c1f0aa12bb34cc56dd78ee","actions":[],"remarks":[]}`
	return &http.Response{
		Status:        "201 Created",
		StatusCode:    http.StatusCreated,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(strings.NewReader(answer)),
		ContentLength: int64(len(answer)),
		Request:       r,
	}, nil
}

// discard is a ResponseWriter that remembers the status alone.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
