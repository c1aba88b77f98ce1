package telecrm

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// MaxAnswerBytes is the longest answer that is read to its end.
const MaxAnswerBytes = 256 << 10

// Pace makes a request wait for its turn. A *rate.Limiter of
// golang.org/x/time/rate is one.
type Pace interface {
	// Wait returns nil when the request may be sent, or an error, without
	// waiting for it, when its turn cannot come before ctx ends.
	Wait(ctx context.Context) error
}

// connection carries the requests of one workspace to one of the APIs.
type connection struct {
	enterprise *url.URL // the root of everything that is the workspace's
	timeout    time.Duration
	pace       Pace
	observe    Observer // nil: nobody observes
	now        func() time.Time
	http       *http.Client

	// authorize puts the token into a request. The token lives in a function
	// because fmt prints the unexported fields of a struct that holds a
	// client by value without asking their methods.
	authorize func(http.Header)
}

// newConnection returns a connection to the API at base unless c names another
// one. Its errors are those of [New].
func newConnection(c Config, base string) (connection, error) {
	if err := checkToken(c.Token); err != nil {
		return connection{}, err
	}
	if err := checkEnterpriseID(c.EnterpriseID); err != nil {
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
	bearer := "Bearer " + string(c.Token)
	return connection{
		enterprise: root.JoinPath("enterprise", c.EnterpriseID),
		timeout:    c.Timeout,
		pace:       c.Pace,
		observe:    c.Observe,
		now:        c.Now,
		http: &http.Client{
			Transport: c.Transport,
			// A redirect would carry the lead, and perhaps the token, to a
			// place that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		authorize: func(h http.Header) { h.Set("Authorization", bearer) },
	}, nil
}

// url returns the address of what has that path below the workspace.
func (c *connection) url(path string) string {
	return c.enterprise.String() + path
}

// idleConnections is how many connections are kept for requests to come.
const idleConnections = 256

// newTransport gives the client connections of its own, so that closing its
// idle ones touches nobody else's.
func newTransport() http.RoundTripper {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		clone := t.Clone()
		// The default keeps two connections to a host, so that of many
		// requests side by side most would open one of their own.
		clone.MaxIdleConns, clone.MaxIdleConnsPerHost = idleConnections, idleConnections
		return clone
	}
	return http.DefaultTransport
}

// reply is what came back of one request.
type reply struct {
	unanswered error // why nothing did; nil if something did
	ambiguous  bool  // unanswered, and the request may have been carried out

	status     int
	body       []byte
	bodyErr    error // why body may be cut off
	retryAfter time.Duration
	date       time.Time // by the server's clock; zero if it did not tell
}

func (c *connection) get(ctx context.Context, endpoint Endpoint, path string) reply {
	return c.send(ctx, endpoint, http.MethodGet, path, nil)
}

func (c *connection) post(ctx context.Context, endpoint Endpoint, path string, body []byte) reply {
	return c.send(ctx, endpoint, http.MethodPost, path, body)
}

// send sends one request; without a body if that is nil.
func (c *connection) send(ctx context.Context, endpoint Endpoint, method, path string, body []byte) (came reply) {
	if c.pace != nil {
		if err := c.pace.Wait(ctx); err != nil {
			return reply{unanswered: fmt.Errorf("waiting for a turn under the account's pace: %w", err)}
		}
	}
	if err := ctx.Err(); err != nil {
		return reply{unanswered: fmt.Errorf("sending request: %w", err)}
	}
	if c.observe != nil {
		ended := c.observe(ctx, endpoint)
		defer func() { ended(came.status) }()
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	var went progress
	req, err := http.NewRequestWithContext(went.follow(ctx), method, c.url(path), bytes.NewReader(body))
	if err != nil {
		return reply{unanswered: fmt.Errorf("building request: %w", withoutURL(err))}
	}
	c.authorize(req.Header)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "caddy-telecrm")

	resp, err := c.http.Do(req)
	if err != nil {
		return reply{unanswered: fmt.Errorf("sending request: %w", went.loggable(err)), ambiguous: went.out()}
	}
	defer resp.Body.Close()
	text, err := readCapped(resp.Body)
	if err != nil {
		err = went.loggable(err)
	}
	return reply{
		status:     resp.StatusCode,
		body:       text,
		bodyErr:    err,
		retryAfter: retryAfter(resp.Header.Get("Retry-After"), c.now()),
		date:       date(resp.Header.Get("Date")),
	}
}

// readCapped reads at most [MaxAnswerBytes]. It returns what came even if it
// returns an error.
func readCapped(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxAnswerBytes+1))
	if len(text) > MaxAnswerBytes {
		return text[:MaxAnswerBytes], errTooLong
	}
	return text, err
}
