package telecrm

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// MaxAnswerBytes bounds how much of a response is read.
const MaxAnswerBytes = 256 << 10

// Pace limits the rate of requests. A *rate.Limiter of golang.org/x/time/rate implements it.
type Pace interface {
	// Wait returns nil when the request may be sent. If its turn cannot come before ctx ends, it
	// returns an error at once.
	Wait(ctx context.Context) error
}

// connection sends the requests of one workspace to one of the APIs.
type connection struct {
	enterprise string // the base of the workspace's URLs
	timeout    time.Duration
	pace       Pace
	observe    Observer // nil if not observed
	now        func() time.Time
	http       *http.Client

	// header returns the header of a request, which all requests share. The token lives in a function
	// because fmt prints the unexported fields of a struct without calling their methods.
	header func(hasBody bool) http.Header
}

// newConnection returns a connection to c.BaseURL, or else to base. Its errors are those of [New].
func newConnection(c Config, base string) (connection, error) {
	if err := checkToken(c.Token); err != nil {
		return connection{}, err
	}
	if err := CheckEnterpriseID(c.EnterpriseID); err != nil {
		return connection{}, err
	}
	root, err := parseBaseURL(cmp.Or(c.BaseURL, base))
	if err != nil {
		return connection{}, err
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	return connection{
		enterprise: root.JoinPath("enterprise", c.EnterpriseID).String(),
		timeout:    c.Timeout,
		pace:       c.Pace,
		observe:    c.Observe,
		now:        c.Now,
		http: &http.Client{
			Transport: c.Transport,
			// A redirect would send the lead, and perhaps the token, to a place that nobody
			// configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		header: headers("Bearer " + string(c.Token)),
	}, nil
}

// headers makes the headers of requests with and without a body. A transport must not change them.
func headers(authorization string) func(hasBody bool) http.Header {
	without := http.Header{"Authorization": {authorization}, "Accept": {"application/json"}, "User-Agent": {"caddy-telecrm"}}
	with := without.Clone()
	with.Set("Content-Type", "application/json")
	return func(hasBody bool) http.Header {
		if hasBody {
			return with
		}
		return without
	}
}

// url returns the URL of a path below the workspace.
func (c *connection) url(path string) string {
	return c.enterprise + path
}

// idleConnections is how many idle connections are kept.
const idleConnections = 256

// newTransport returns a transport of its own, so that closing its idle connections does not affect
// others.
func newTransport() http.RoundTripper {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		clone := t.Clone()
		// By default two idle connections are kept per host, so most concurrent requests would open
		// a new one.
		clone.MaxIdleConns, clone.MaxIdleConnsPerHost = idleConnections, idleConnections
		// Unpacking an answer of a few hundred bytes costs more than it saves.
		clone.DisableCompression = true
		return clone
	}
	return http.DefaultTransport
}

// reply is the raw result of one request.
type reply struct {
	unanswered error // why there is no response; nil if there is one
	ambiguous  bool  // there is no response, and the request may have been carried out

	status     int
	body       []byte
	bodyErr    error // why body is incomplete
	retryAfter time.Duration
	date       time.Time // the server's time; zero if not sent
}

func (c *connection) get(ctx context.Context, endpoint Endpoint, path string) reply {
	return c.send(ctx, endpoint, http.MethodGet, path, nil)
}

func (c *connection) post(ctx context.Context, endpoint Endpoint, path string, body []byte) reply {
	return c.send(ctx, endpoint, http.MethodPost, path, body)
}

// send sends one request, without a body if it is nil.
func (c *connection) send(ctx context.Context, endpoint Endpoint, method, path string, body []byte) (result reply) {
	if c.pace != nil {
		if err := c.pace.Wait(ctx); err != nil {
			return reply{unanswered: fmt.Errorf("waiting for the account's pace: %w", err)}
		}
	}
	if err := ctx.Err(); err != nil {
		return reply{unanswered: fmt.Errorf("sending request: %w", err)}
	}
	if c.observe != nil {
		ended := c.observe(ctx, endpoint)
		defer func() { ended(result.status) }()
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	var trace progress
	req, err := http.NewRequestWithContext(trace.follow(ctx), method, c.url(path), bytes.NewReader(body))
	if err != nil {
		return reply{unanswered: fmt.Errorf("building request: %w", withoutURL(err))}
	}
	req.Header = c.header(body != nil)
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{unanswered: fmt.Errorf("sending request: %w", trace.loggable(err)), ambiguous: trace.mayHaveArrived()}
	}
	defer resp.Body.Close()
	text, err := readCapped(resp.Body)
	if err != nil {
		err = trace.loggable(err)
	}
	return reply{
		status:     resp.StatusCode,
		body:       text,
		bodyErr:    err,
		retryAfter: retryAfter(resp.Header.Get("Retry-After"), c.now()),
		date:       date(resp.Header.Get("Date")),
	}
}

// readCapped reads at most [MaxAnswerBytes]. With an error it returns what it read so far.
func readCapped(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxAnswerBytes+1))
	if len(text) > MaxAnswerBytes {
		return text[:MaxAnswerBytes], errTooLong
	}
	return text, err
}
