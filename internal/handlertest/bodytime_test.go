package handlertest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// listening starts a server for the handler, with Go's default of no timeouts, and with HTTP/2 if
// encrypted. answered is called after each request.
func (h testHandler) listening(t *testing.T, encrypted bool, answered func(*http.Request)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, host)
		if err := h.ServeHTTP(w, r, &passed{}); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		answered(r)
	}))
	server.EnableHTTP2 = encrypted
	if encrypted {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

// dripped is an endless body that arrives one byte at a time.
type dripped struct{ done chan struct{} }

func (d dripped) Read(p []byte) (int, error) {
	select {
	case <-d.done:
		return 0, io.ErrUnexpectedEOF
	case <-time.After(5 * time.Millisecond):
		p[0] = 'a'
		return 1, nil
	}
}

func (d dripped) Close() error { return nil }

// A client that sends an endless body slowly gets an answer, and the connection is closed, whether
// or not the handler reads the body.
func TestSlowBodiesEnd(t *testing.T) {
	for name, test := range map[string]struct {
		header, value string
		posts, status int
	}{
		"read":                    {"Accept", "application/json", 1, http.StatusBadRequest},
		"answered with a page":    {"Accept", "text/html", 1, http.StatusBadRequest},
		"from another site":       {"Sec-Fetch-Site", "cross-site", 1, http.StatusForbidden},
		"over the rate limit":     {"Accept", "text/html", 2, http.StatusTooManyRequests},
		"far over the rate limit": {"Accept", "text/html", 3, http.StatusTooManyRequests},
	} {
		for protocol, encrypted := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
			t.Run(name+" "+protocol, func(t *testing.T) {
				rig := newRig(newCRM(t).url, simpleBlock+"rate_limit 1 1h")
				rig.seam.BodyPatience = 100 * time.Millisecond
				h := rig.handler(t)
				server := h.listening(t, encrypted, func(*http.Request) {})
				for n := range test.posts {
					status := drip(t, server, test.header, test.value)
					if n == test.posts-1 && status != test.status {
						t.Errorf("status %d, want %d", status, test.status)
					}
				}
				if test.status == http.StatusBadRequest && !strings.Contains(h.submission(t)["reason"].(string), httpx.ErrSlowBody.Error()) {
					t.Errorf("logged %v", h.submission(t))
				}
			})
		}
	}
}

// drip posts an endless body slowly and returns the answer's status.
func drip(t *testing.T, server *httptest.Server, header, value string) int {
	t.Helper()
	const head = "POST /enquire HTTP/1.1\r\nHost: www.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	body := dripped{done: make(chan struct{})}
	defer close(body.done)
	if server.TLS != nil {
		client := server.Client()
		client.Timeout = 20 * time.Second
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/enquire", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set(header, value)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, head+"Content-Length: 200000\r\n"+header+": "+value+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(conn, io.LimitReader(body, 200_000)) }()
	answers := bufio.NewReader(conn)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if _, err := answers.ReadByte(); err == nil {
		t.Error("got more data after the answer")
	} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection stays open")
	}
	return resp.StatusCode
}

// The clock stops when the body has arrived, even an empty one. It interrupts neither the wait for
// TeleCRM nor the connection.
func TestBodyClockStops(t *testing.T) {
	for protocol, encrypted := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(protocol, func(t *testing.T) {
			crm := newCRM(t)
			rig := newRig(crm.url, "set phone 918123456789\nset name Meera\nthank_you /\ndedupe off")
			rig.seam.BodyPatience = 50 * time.Millisecond
			h := rig.handler(t)
			server := h.listening(t, encrypted, func(r *http.Request) {
				if err := r.Context().Err(); err != nil {
					t.Errorf("the request's context was canceled: %v", err)
				}
			})
			client := server.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			for n := range 3 {
				crm.Inject(sandbox.Fault{Delay: 200 * time.Millisecond})
				reused := false
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
				})
				body := []string{"", "name=Meera"}[n%2]
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/enquire", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusSeeOther || reused != (n > 0) {
					t.Errorf("post %d: status %d, connection reused: %v", n+1, resp.StatusCode, reused)
				}
			}
		})
	}
}

// deadlined is a ResponseRecorder that records the read deadline.
type deadlined struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (d *deadlined) SetReadDeadline(deadline time.Time) error {
	d.deadline = deadline
	return nil
}

// Rejected visitors get a page if their post has arrived, or if it is so long that the server does
// not wait for it. Timed-out clients get a bare status. The read deadline still applies to the rest
// of the body.
func TestRejectedBodies(t *testing.T) {
	cutOff := func() io.Reader {
		return io.MultiReader(strings.NewReader("name=M"), iotest.ErrReader(os.ErrDeadlineExceeded))
	}
	for name, test := range map[string]struct {
		body     io.Reader
		length   int64
		isPage   bool
		hasEnded bool
	}{
		"complete":             {strings.NewReader("name=Meera"), 10, true, true},
		"complete in chunks":   {strings.NewReader("name=" + strings.Repeat("a", 100_000)), -1, true, true},
		"endless chunks":       {strings.NewReader(strings.Repeat("a", httpx.MaxUnread+1)), -1, true, false},
		"timed out":            {cutOff(), 60_000, false, false},
		"chunks timed out":     {cutOff(), -1, false, false},
		"too long to wait for": {cutOff(), httpx.MaxUnread + 1, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, newCRM(t).url, simpleBlock)
			r := httptest.NewRequest(http.MethodPost, "/enquire", test.body)
			r.ContentLength = test.length
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
			if err := h.ServeHTTP(w, r, &passed{}); err != nil {
				t.Fatal(err)
			}
			if isPage := strings.Contains(w.Body.String(), "</html>"); w.Code != http.StatusForbidden || isPage != test.isPage {
				t.Errorf("got status %d, page %v; want 403, %v", w.Code, isPage, test.isPage)
			}
			if w.deadline.IsZero() != test.hasEnded {
				t.Errorf("read deadline %v, body ended: %v", w.deadline, test.hasEnded)
			}
			logged := h.submission(t)
			if reason, _ := logged["reason"].(string); logged["outcome"] != "foreign" || (reason == "") != test.isPage {
				t.Errorf("logged %v", logged)
			}
		})
	}
}
