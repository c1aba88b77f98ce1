package telecrm_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// foundAnswer is a raw HTTP response to a search.
const foundAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 45\r\n\r\n" +
	`{"data":[{"id":"64c1f0aa12bb34cc56dd78ee"}]}` + "\n"

// checkSearchFault checks that a search failed and can be repeated.
func checkSearchFault(t *testing.T, got telecrm.Found, cause error) {
	t.Helper()
	if got.OK() || len(got.Leads) != 0 {
		t.Fatalf("result is %v, want a failure", got)
	}
	checkFault(t, *got.Failure, false, cause)
}

func TestFindLeadsConnectionRefused(t *testing.T) {
	t.Parallel()
	client := newClient(t, telecrm.Config{BaseURL: "http://127.0.0.1:" + caddyproc.FreePort(t)})
	checkSearchFault(t, findInvented(context.Background(), client), syscall.ECONNREFUSED)
}

func TestFindLeadsUnanswered(t *testing.T) {
	t.Parallel()
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
			name:   "silent in the middle of the body",
			answer: strings.TrimSuffix(foundAnswer, "}\n"),
			stay:   true, cause: context.DeadlineExceeded, takes: telecrm.DefaultTimeout,
		},
		{name: "closed in the middle of the body", answer: strings.TrimSuffix(foundAnswer, "]}\n"), cause: io.ErrUnexpectedEOF},
		{name: "closed just before the end of the body", answer: strings.TrimSuffix(foundAnswer, "\n"), cause: io.ErrUnexpectedEOF},
		{name: "another protocol", answer: "SSH-2.0-918123456789\r\n"},
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
				got := findInvented(t.Context(), server.client(t, telecrm.Config{}))
				checkSearchFault(t, got, tc.cause)
				if took := time.Since(start); took != tc.takes {
					t.Errorf("took %v, want %v", took, tc.takes)
				}
				if n := server.requests.Load(); n != 1 {
					t.Errorf("%d requests arrived, want 1", n)
				}
				checkHides(t, everyVerb(got.Failure.Err), "918123456789")
			})
		})
	}
}

func TestFindLeadsContextAlreadyCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var got []sent
	client := newClient(t, telecrm.Config{Transport: recorder(&got)})
	checkSearchFault(t, findInvented(ctx, client), context.Canceled)
	if len(got) != 0 {
		t.Errorf("%d requests were sent", len(got))
	}
}

func TestFindLeadsTransportWithoutTrace(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	client := newClient(t, telecrm.Config{
		Transport: transport(func(*http.Request) (*http.Response, error) { return nil, broken }),
	})
	checkSearchFault(t, findInvented(context.Background(), client), broken)
}

// Searches and creates share the pace and the connection.
func TestFindLeadsSharesPaceAndConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &pipeServer{serve: func(c *pipeConn) {
			for _, answer := range []string{createdAnswer, foundAnswer} {
				if !c.readRequest() {
					return
				}
				c.write(answer)
			}
			c.linger()
		}}
		client := server.client(t, telecrm.Config{Pace: rate.NewLimiter(rate.Every(time.Minute), 1)})
		start := time.Now()
		if answer := client.CreateLead(t.Context(), invented()); !answer.Confirmed() {
			t.Fatalf("answer is %v", answer)
		}
		synctest.Wait()
		if got := findInvented(t.Context(), client); !got.OK() || len(got.Leads) != 1 || got.Leads[0].ID != leadID {
			t.Errorf("result is %v, want the lead", got)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v, want a minute", took)
		}
		if n := server.dials.Load(); n != 1 {
			t.Errorf("%d connections were opened, want 1", n)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		checkSearchFault(t, findInvented(ctx, client), nil)
	})
}
