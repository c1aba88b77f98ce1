package telecrm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// checkFault checks the answer to a request without a usable response.
func checkFault(t *testing.T, answer telecrm.Answer, ambiguous bool, cause error) {
	t.Helper()
	if answer.Verdict != telecrm.Retry {
		t.Errorf("verdict is %v, want retry", answer.Verdict)
	}
	if answer.Ambiguous != ambiguous {
		t.Errorf("ambiguous is %t, want %t; Err is %v", answer.Ambiguous, ambiguous, answer.Err)
	}
	if answer.Err == nil {
		t.Fatal("Err is nil")
	}
	if cause != nil && !errors.Is(answer.Err, cause) {
		t.Errorf("Err is %v, which does not wrap %v", answer.Err, cause)
	}
}

func TestCreateLeadConnectionRefused(t *testing.T) {
	t.Parallel()
	client := newClient(t, telecrm.Config{BaseURL: "http://127.0.0.1:" + caddyproc.FreePort(t)})
	checkFault(t, client.CreateLead(context.Background(), invented()), false, syscall.ECONNREFUSED)
}

func TestCreateLeadUntrustedCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(answering(201, typeJSON, `{"lead_id":"1"}`))
	server.Config.ErrorLog = discardLog()
	server.StartTLS()
	t.Cleanup(server.Close)
	client := newClient(t, telecrm.Config{BaseURL: server.URL})
	checkFault(t, client.CreateLead(context.Background(), invented()), false, nil)
}

func TestCreateLeadConnectionReset(t *testing.T) {
	t.Parallel()
	base := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("hijacking: %v", err)
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // closing sends a reset
		}
		_ = conn.Close()
	})
	client := newClient(t, telecrm.Config{BaseURL: base})
	checkFault(t, client.CreateLead(context.Background(), invented()), true, nil)
}

// Servers that receive the request and send no usable response.
func TestCreateLeadUnanswered(t *testing.T) {
	t.Parallel()
	const secret = "918123456789 ravi@example.org"
	for _, tc := range []struct {
		name   string
		answer string
		stay   bool // keep the connection open afterwards
		cause  error
		takes  time.Duration
	}{
		{name: "closed without a word"},
		{name: "silent past the timeout", stay: true, cause: context.DeadlineExceeded, takes: telecrm.DefaultTimeout},
		{
			name:   "silent in the middle of the header",
			answer: "HTTP/1.1 201 Created\r\nContent-",
			stay:   true, cause: context.DeadlineExceeded, takes: telecrm.DefaultTimeout,
		},
		{
			name:   "silent in the middle of the body",
			answer: strings.TrimSuffix(createdAnswer, "}"),
			stay:   true, cause: context.DeadlineExceeded, takes: telecrm.DefaultTimeout,
		},
		{
			name:   "closed in the middle of the header",
			answer: "HTTP/1.1 201 Created\r\nContent-Length: 38\r\n",
			cause:  io.ErrUnexpectedEOF,
		},
		{
			name:   "closed in the middle of the body",
			answer: strings.TrimSuffix(createdAnswer, "}"),
			cause:  io.ErrUnexpectedEOF,
		},
		{
			name:   "closed before the body",
			answer: "HTTP/1.1 201 Created\r\nContent-Length: 38\r\n\r\n",
			cause:  io.ErrUnexpectedEOF,
		},
		{name: "another protocol", answer: "SSH-2.0-" + secret + "\r\n"},
		{name: "broken header", answer: "HTTP/1.1 200 OK\r\nAuthorization Bearer " + secret + "\r\n\r\n"},
		{
			name:   "broken chunk",
			answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n",
		},
		{
			name:   "broken trailer",
			answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n0\r\n" + secret + "\r\n\r\n",
		},
		{
			name:   "broken redirect",
			answer: "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://[" + secret + "\r\n\r\n",
		},
		{
			name:   "broken compression",
			answer: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &pipeServer{serve: func(c *pipeConn) {
					if !c.readRequest() {
						return
					}
					c.write(tc.answer)
					if tc.stay {
						c.linger()
					}
				}}
				start := time.Now()
				answer := server.client(t, telecrm.Config{}).CreateLead(t.Context(), invented())
				checkFault(t, answer, true, tc.cause)
				if took := time.Since(start); took != tc.takes {
					t.Errorf("took %v, want %v", took, tc.takes)
				}
				if n := server.requests.Load(); n != 1 {
					t.Errorf("%d requests arrived, want 1", n)
				}
				for word := range strings.FieldsSeq(secret) {
					if strings.Contains(answer.Err.Error(), word) {
						t.Errorf("Err quotes the server: %v", answer.Err)
					}
				}
			})
		})
	}
}

// A lead with an id is created, even if the connection fails afterwards.
func TestCreateLeadBelievesACompleteBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pipeServer{serve: func(c *pipeConn) {
			if c.readRequest() {
				c.write(strings.Replace(createdAnswer, "Content-Length: 38", "Content-Length: 40", 1))
			}
		}}
		answer := server.client(t, telecrm.Config{}).CreateLead(t.Context(), invented())
		if !answer.Confirmed() || answer.LeadID != leadID {
			t.Errorf("answer is %v, want the lead created", answer)
		}
	})
}

func TestCreateLeadTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pipeServer{serve: func(c *pipeConn) { c.linger() }}
		client := server.client(t, telecrm.Config{Timeout: 3 * time.Second})

		start := time.Now()
		checkFault(t, client.CreateLead(t.Context(), invented()), true, context.DeadlineExceeded)
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v, want the timeout", took)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		checkFault(t, client.CreateLead(ctx, invented()), true, context.DeadlineExceeded)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want the context's time", took)
		}
	})
}

func TestCreateLeadNeverConnects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, telecrm.Config{
			Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}},
		})
		checkFault(t, client.CreateLead(t.Context(), invented()), false, context.DeadlineExceeded)
	})
}

func TestCreateLeadUnknownHost(t *testing.T) {
	t.Parallel()
	unknown := &net.DNSError{Err: "no such host", Name: "crm.example.com", IsNotFound: true}
	client := newClient(t, telecrm.Config{
		BaseURL: "https://crm.example.com",
		Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: unknown}
		}},
	})
	checkFault(t, client.CreateLead(context.Background(), invented()), false, unknown)
}

func TestCreateLeadContextAlreadyCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	client := newClient(t, telecrm.Config{
		Transport: transport(func(*http.Request) (*http.Response, error) {
			t.Error("a request was sent")
			return nil, context.Canceled
		}),
	})
	checkFault(t, client.CreateLead(ctx, invented()), false, context.Canceled)
}

func TestCreateLeadContextCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	base := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	client := newClient(t, telecrm.Config{BaseURL: base})
	checkFault(t, client.CreateLead(ctx, invented()), true, context.Canceled)
}

// A transport that does not report progress may have sent the request.
func TestCreateLeadTransportWithoutTrace(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	client := newClient(t, telecrm.Config{
		Transport: transport(func(*http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("carrying: %w", broken)
		}),
	})
	checkFault(t, client.CreateLead(context.Background(), invented()), true, broken)
}
