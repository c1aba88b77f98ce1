package telecrm_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Each way in which TeleCRM may be away has its cause and a text that says what was wrong.
func TestCauses(t *testing.T) {
	t.Parallel()
	status := func(code int, contentType, body string) func(t *testing.T) telecrm.Config {
		return func(t *testing.T) telecrm.Config {
			t.Helper()
			server := httptest.NewServer(answering(code, contentType, body))
			t.Cleanup(server.Close)
			return telecrm.Config{BaseURL: server.URL}
		}
	}
	raw := func(serve func(net.Conn)) func(t *testing.T) telecrm.Config {
		return func(t *testing.T) telecrm.Config {
			t.Helper()
			return telecrm.Config{BaseURL: "http://localhost", Timeout: time.Second, Transport: &http.Transport{
				DialContext: func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() {
						defer far.Close()
						_, _ = far.Read(make([]byte, 1<<16))
						serve(far)
					}()
					return near, nil
				},
			}}
		}
	}
	for _, tc := range []struct {
		name   string
		config func(t *testing.T) telecrm.Config
		cause  telecrm.Cause
		says   string
	}{
		{"refused", func(t *testing.T) telecrm.Config {
			t.Helper()
			return telecrm.Config{BaseURL: "http://127.0.0.1:" + caddyproc.FreePort(t)}
		}, telecrm.CauseConnect, "connection refused"},
		{"unknown host", func(t *testing.T) telecrm.Config {
			t.Helper()
			resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "crm.example", IsNotFound: true}
			}}
			dialer := &net.Dialer{Resolver: resolver}
			return telecrm.Config{BaseURL: "https://crm.example", Transport: &http.Transport{DialContext: dialer.DialContext}}
		}, telecrm.CauseDNS, "lookup crm.example"},
		{"untrusted certificate", func(t *testing.T) telecrm.Config {
			t.Helper()
			server := httptest.NewUnstartedServer(answering(201, typeJSON, `{}`))
			server.Config.ErrorLog = discardLog()
			server.StartTLS()
			t.Cleanup(server.Close)
			return telecrm.Config{BaseURL: server.URL}
		}, telecrm.CauseTLS, "certificate"},
		{"another name in the certificate", func(t *testing.T) telecrm.Config {
			t.Helper()
			server := httptest.NewUnstartedServer(answering(201, typeJSON, `{}`))
			server.Config.ErrorLog = discardLog()
			server.StartTLS()
			t.Cleanup(server.Close)
			trusting := server.Client().Transport.(*http.Transport).Clone()
			trusting.DialContext = nil
			trusting.TLSClientConfig.ServerName = "crm.invalid"
			return telecrm.Config{BaseURL: server.URL, Transport: trusting}
		}, telecrm.CauseTLS, "crm.invalid"},
		{"HTTP where HTTPS is expected", func(t *testing.T) telecrm.Config {
			t.Helper()
			server := httptest.NewServer(answering(201, typeJSON, `{}`))
			t.Cleanup(server.Close)
			return telecrm.Config{BaseURL: strings.Replace(server.URL, "http:", "https:", 1)}
		}, telecrm.CauseTLS, "HTTPS"},
		{"silence", raw(func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }), telecrm.CauseTimeout, "deadline exceeded"},
		{"cut off", raw(func(net.Conn) {}), telecrm.CauseConnection, "EOF"},
		{"another protocol", raw(func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-x\r\n\r\n") }), telecrm.CauseUnreadable, "not valid HTTP"},
		{"200 with HTML", status(200, "text/html", "<html>"), telecrm.CauseUnreadable, "HTTP 200: reading answer: response is not from TeleCRM"},
		{"200 with an unknown error", status(200, typeJSON, `{"error":{"code":"OOPS"}}`), telecrm.CauseUnreadable, "HTTP 200 OOPS"},
		{"408", status(408, typeJSON, `{}`), telecrm.CauseOther, "HTTP 408"},
		{"429", status(429, typeJSON, `{}`), telecrm.CauseBusy, "HTTP 429"},
		{"500", status(500, typeJSON, `{"error":"Ravi Menon"}`), telecrm.CauseServer, "HTTP 500"},
		{"502 with HTML", status(502, "text/html", "<html>"), telecrm.CauseServer, "HTTP 502"},
		{"503", status(503, "text/plain", "down"), telecrm.CauseServer, "HTTP 503"},
		{"401", status(401, typeJSON, `{"error":{"code":"NOT_AUTHORIZED"}}`), telecrm.CauseAccount, "HTTP 401 NOT_AUTHORIZED"},
		{"403", status(403, "text/html", "<html>"), telecrm.CauseAccount, "HTTP 403"},
		{"400", status(400, typeJSON, `{"error":{"code":"INVALID_LEAD"}}`), "", "HTTP 400 INVALID_LEAD"},
		{"409", status(409, typeJSON, `{}`), "", "HTTP 409"},
		{"201", status(201, typeJSON, `{"lead_id":"1"}`), "", "HTTP 201"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			answer := newClient(t, tc.config(t)).CreateLead(t.Context(), invented())
			if got := answer.Cause(); got != tc.cause {
				t.Errorf("cause %q, want %q; %s", got, tc.cause, answer.Problem())
			}
			if tc.cause != "" && !slices.Contains(telecrm.Causes(), tc.cause) {
				t.Errorf("%q is not among the causes", tc.cause)
			}
			problem := answer.Problem()
			if !strings.Contains(problem, tc.says) || strings.Contains(problem, "Menon") || strings.HasPrefix(problem, "retry") {
				t.Errorf("problem %q, want %q in it", problem, tc.says)
			}
		})
	}
}

// A problem is one short line, whatever the error says.
func TestProblemIsShort(t *testing.T) {
	t.Parallel()
	long := telecrm.Answer{Err: &net.DNSError{Err: strings.Repeat("ü\n", 1000), Name: "crm.example"}}
	if got := long.Problem(); len([]rune(got)) > 320 || strings.Contains(got, "\n") {
		t.Errorf("%d characters: %q", len([]rune(got)), got)
	}
	if got := (telecrm.Answer{}).Problem(); got != "retry" {
		t.Errorf("problem without a reason: %q", got)
	}
}
