package telecrm_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// call makes one request with its own client. Reading calls return their failure, or the zero
// [telecrm.Answer] for a success.
type call func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer

var asked = []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": "Ravi Menon asks for a call"}}}

// storingCalls are the requests that store something.
func storingCalls() map[string]call {
	return map[string]call{
		"create": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return newClient(tb, c).CreateLead(ctx, invented())
		},
		"update": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return newClient(tb, c).UpdateLead(ctx, leadID, map[string]any{"name": "Ravi Menon"})
		},
		"append": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return newClient(tb, c).AppendActions(ctx, leadID, asked)
		},
		"upsert": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return newAsync(tb, c).UpsertLead(ctx, invented())
		},
	}
}

// readingCalls are the requests that change nothing.
func readingCalls() map[string]call {
	failure := func(f *telecrm.Answer) telecrm.Answer {
		if f == nil {
			return telecrm.Answer{}
		}
		return *f
	}
	return map[string]call{
		"find": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return failure(findInvented(ctx, newClient(tb, c)).Failure)
		},
		"get": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return failure(newClient(tb, c).GetLead(ctx, leadID).Failure)
		},
		"definitions": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return failure(newClient(tb, c).FieldDefinitions(ctx).Failure)
		},
		"actions": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return failure(newClient(tb, c).ActionDefinitions(ctx).Failure)
		},
		"pipeline": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return failure(newClient(tb, c).Pipeline(ctx).Failure)
		},
		"member": func(tb testing.TB, ctx context.Context, c telecrm.Config) telecrm.Answer {
			tb.Helper()
			return failure(newClient(tb, c).Member(ctx, "agent7@example.org").Failure)
		},
	}
}

func everyCall() map[string]call {
	calls := storingCalls()
	maps.Copy(calls, readingCalls())
	return calls
}

// forEveryCall runs check for every request. stores means that the request may be carried out
// without the caller knowing.
func forEveryCall(t *testing.T, check func(t *testing.T, make call, stores bool)) {
	t.Helper()
	for name, make := range everyCall() {
		_, stores := storingCalls()[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, make, stores)
		})
	}
}

func TestEveryCallConnectionRefused(t *testing.T) {
	t.Parallel()
	down := "http://127.0.0.1:" + caddyproc.FreePort(t)
	forEveryCall(t, func(t *testing.T, make call, _ bool) {
		t.Helper()
		checkFault(t, make(t, context.Background(), telecrm.Config{BaseURL: down}), false, syscall.ECONNREFUSED)
	})
}

// Servers that receive the request and send no usable response.
func TestEveryCallWithoutResponse(t *testing.T) {
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
			answer: "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n" + `{"fields":{"name":"x"},"actions":[`,
			stay:   true, cause: context.DeadlineExceeded, takes: telecrm.DefaultTimeout,
		},
		{
			name:   "closed in the middle of the body",
			answer: "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n" + `{"status":"QUEUED","data":[`,
			cause:  io.ErrUnexpectedEOF,
		},
		{name: "closed before the body", answer: "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n", cause: io.ErrUnexpectedEOF},
		{name: "another protocol", answer: "SSH-2.0-918123456789\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			forEveryCall(t, func(t *testing.T, make call, stores bool) {
				t.Helper()
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
					answer := make(t, t.Context(), server.config(telecrm.Config{}))
					checkFault(t, answer, stores, tc.cause)
					if took := time.Since(start); took != tc.takes {
						t.Errorf("took %v, want %v", took, tc.takes)
					}
					if n := server.requests.Load(); n != 1 {
						t.Errorf("%d requests arrived, want 1", n)
					}
					checkHides(t, everyVerb(answer.Err), "918123456789")
				})
			})
		})
	}
}

func TestEveryCallContextAlreadyCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	forEveryCall(t, func(t *testing.T, make call, _ bool) {
		t.Helper()
		var got []sent
		checkFault(t, make(t, ctx, telecrm.Config{Transport: recorder(&got)}), false, context.Canceled)
		if len(got) != 0 {
			t.Errorf("%d requests were sent", len(got))
		}
	})
}

func TestEveryCallKeepsPace(t *testing.T) {
	t.Parallel()
	forEveryCall(t, func(t *testing.T, make call, _ bool) {
		t.Helper()
		var got []sent
		pace := rate.NewLimiter(rate.Every(time.Hour), 1)
		config := telecrm.Config{Transport: recorder(&got), Pace: pace}
		make(t, context.Background(), config)
		if len(got) != 1 {
			t.Fatalf("%d requests were sent, want 1", len(got))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		checkFault(t, make(t, ctx, config), false, nil)
		if len(got) != 1 {
			t.Errorf("%d requests were sent before their turn, want 0", len(got))
		}
	})
}

func TestEveryCallFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect} {
		forEveryCall(t, func(t *testing.T, make call, _ bool) {
			t.Helper()
			var strayed atomic.Int32
			elsewhere := newServer(t, func(http.ResponseWriter, *http.Request) { strayed.Add(1) })
			base := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere+r.URL.Path, status)
			})
			if got := make(t, context.Background(), telecrm.Config{BaseURL: base}); got.Verdict != telecrm.Hold || got.Status != status {
				t.Errorf("answer is %v, want hold, HTTP %d", got, status)
			}
			if n := strayed.Load(); n != 0 {
				t.Errorf("%d requests followed the redirect", n)
			}
		})
	}
}

// Verdicts of error responses for every request.
func TestEveryCallVerdict(t *testing.T) {
	t.Parallel()
	const (
		unauthorized = `{"error":{"code":"NOT_AUTHORIZED","message":"Invalid access token."}}`
		duplicate    = `{"error":{"code":"LEAD_ALREADY_EXISTS"}}`
		missing      = `{"error":{"code":"LEAD_NOT_FOUND"}}`
	)
	for _, tc := range []struct {
		name      string
		status    int
		body      string
		want      telecrm.Verdict
		ambiguous bool                       // for storing calls
		unusable  bool                       // Err is set
		except    map[string]telecrm.Verdict // calls with another verdict
	}{
		{name: "bad request", status: 400, body: `{"error":{"code":"BAD_REQUEST"}}`, want: telecrm.Rejected},
		{name: "400 with a page", status: 400, body: errorPage, want: telecrm.Rejected},
		{name: "wrong token", status: 401, body: unauthorized, want: telecrm.Hold},
		{name: "wrong token in a success", status: 200, body: unauthorized, want: telecrm.Hold},
		{name: "no license bought", status: 402, want: telecrm.Hold},
		{name: "403 about the lead", status: 403, body: `{"error":{"code":"INVALID_LEAD"}}`, want: telecrm.Rejected},
		{name: "403 of a firewall", status: 403, body: errorPage, want: telecrm.Hold},
		{name: "license expired", status: 400, body: `{"error":{"code":"ENTERPRISE_LICENSE_EXPIRED"}}`, want: telecrm.Hold},
		{name: "enterprise not found", status: 404, body: `{"error":{"code":"ENTERPRISE_NOT_FOUND"}}`, want: telecrm.Hold},
		{name: "404 with a page", status: 404, body: errorPage, want: telecrm.Hold},
		{name: "404 with another code", status: 404, body: `{"error":{"code":"NOT_FOUND"}}`, want: telecrm.Hold},
		{
			name: "lead not found", status: 404, body: missing, want: telecrm.Hold,
			except: map[string]telecrm.Verdict{"update": telecrm.Missing, "append": telecrm.Missing, "get": telecrm.Missing},
		},
		{
			name: "lead not found in a success", status: 200, body: missing, want: telecrm.Retry, ambiguous: true,
			except: map[string]telecrm.Verdict{"update": telecrm.Missing, "append": telecrm.Missing, "get": telecrm.Missing},
		},
		{name: "lead not found by the server's fault", status: 500, body: missing, want: telecrm.Retry, ambiguous: true},
		{name: "405 with a page", status: 405, body: errorPage, want: telecrm.Hold},
		{name: "request timeout", status: 408, want: telecrm.Retry, ambiguous: true},
		{
			name: "conflict", status: 409, body: duplicate, want: telecrm.Retry,
			except: map[string]telecrm.Verdict{
				"create": telecrm.Duplicate, "update": telecrm.Rejected, "append": telecrm.Rejected,
			},
		},
		{name: "too large", status: 413, want: telecrm.Rejected},
		{name: "unsupported media type", status: 415, want: telecrm.Rejected},
		{name: "too early", status: 425, want: telecrm.Retry},
		{name: "too many requests", status: 429, want: telecrm.Retry},
		{name: "internal error", status: 500, want: telecrm.Retry, ambiguous: true},
		{name: "bad gateway", status: 502, body: errorPage, want: telecrm.Retry, ambiguous: true},
		{name: "success with a page", status: 200, body: errorPage, want: telecrm.Retry, ambiguous: true, unusable: true},
		{name: "success with an error", status: 200, body: `{"error":{"code":"SOME_CODE"}}`, want: telecrm.Retry, ambiguous: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for name, make := range everyCall() {
				want := tc.want
				if other, ok := tc.except[name]; ok {
					want = other
				}
				_, stores := storingCalls()[name]
				header := http.Header{"Retry-After": {"120"}}
				got := make(t, context.Background(), telecrm.Config{
					Transport: transport(func(req *http.Request) (*http.Response, error) {
						return respond(req, tc.status, header, tc.body), nil
					}),
				})
				if got.Verdict != want || got.Status != tc.status || got.RetryAfter != 2*time.Minute {
					t.Errorf("%s: answer is %v, retry after %v; want %v, HTTP %d, retry after 2m", name, got, got.RetryAfter, want, tc.status)
				}
				if ambiguous := tc.ambiguous && stores && want == telecrm.Retry; got.Ambiguous != ambiguous {
					t.Errorf("%s: ambiguous is %t, want %t", name, got.Ambiguous, ambiguous)
				}
				if (got.Err != nil) != tc.unusable {
					t.Errorf("%s: Err is %v; want one: %t", name, got.Err, tc.unusable)
				}
			}
		})
	}
}
