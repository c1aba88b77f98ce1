package telecrm_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

const (
	testToken      = "8f1c2d3e-1700000000000:5a6b7c8d-9e0f"
	testEnterprise = "66aa00bb11cc22dd33ee44ff"
)

// invented is a made-up lead. Its values occur nowhere else in these tests, so finding one means
// that it leaked.
func invented() telecrm.Lead {
	return telecrm.Lead{Fields: map[string]any{
		"phone": "918123456789",
		"name":  "Ravi Menon",
		"email": "ravi@example.org",
	}}
}

// newClient returns a client of c with defaults for missing settings.
func newClient(tb testing.TB, c telecrm.Config) *telecrm.Client {
	tb.Helper()
	if c.Token == "" {
		c.Token = testToken
	}
	if c.EnterpriseID == "" {
		c.EnterpriseID = testEnterprise
	}
	client, err := telecrm.New(c)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(client.CloseIdleConnections)
	return client
}

// newAsync returns an async client of c with defaults for missing settings.
func newAsync(tb testing.TB, c telecrm.Config) *telecrm.AsyncClient {
	tb.Helper()
	if c.Token == "" {
		c.Token = testToken
	}
	if c.EnterpriseID == "" {
		c.EnterpriseID = testEnterprise
	}
	client, err := telecrm.NewAsync(c)
	if err != nil {
		tb.Fatalf("NewAsync: %v", err)
	}
	tb.Cleanup(client.CloseIdleConnections)
	return client
}

// newServer returns the base URL of a server that answers with handler.
func newServer(tb testing.TB, handler http.HandlerFunc) string {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	return server.URL
}

// answering is a handler with a fixed response.
func answering(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// transport is a [http.RoundTripper] that reports no progress.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) { return t(req) }

// respond returns a response to a request that was not sent.
func respond(req *http.Request, status int, header http.Header, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     header,
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    req,
	}
}

// discardLog discards a server's error log.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
