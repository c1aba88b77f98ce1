package telecrm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// Client talks to one workspace. It is safe for concurrent use.
type Client struct {
	leadURL   string
	searchURL string
	timeout   time.Duration
	pace      Pace
	now       func() time.Time
	http      *http.Client

	// authorize puts the token into a request. The token lives in a function
	// because fmt prints the unexported fields of a struct that holds a
	// Client by value without asking their methods.
	authorize func(http.Header)
}

// New returns a client, or an error wrapping [ErrToken], [ErrEnterpriseID] or
// [ErrBaseURL] when c cannot work. It opens no connection.
func New(c Config) (*Client, error) {
	if err := checkToken(c.Token); err != nil {
		return nil, err
	}
	if err := checkEnterpriseID(c.EnterpriseID); err != nil {
		return nil, err
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	base, err := parseBaseURL(c.BaseURL)
	if err != nil {
		return nil, err
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
	leads := base.JoinPath("enterprise", c.EnterpriseID, "lead")
	return &Client{
		leadURL:   leads.String(),
		searchURL: fmt.Sprintf("%s?skip=0&limit=%d", leads.JoinPath("search"), searchLimit),
		timeout:   c.Timeout,
		pace:      c.Pace,
		now:       c.Now,
		http: &http.Client{
			Transport: c.Transport,
			// A redirect would carry the lead, and perhaps the token, to a
			// place that nobody configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		authorize: func(h http.Header) { h.Set("Authorization", bearer) },
	}, nil
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

// CreateLead creates a lead
// (https://docs.telecrm.in/sync-api/leads/create). It sends one request and
// always returns an answer; when there was none from TeleCRM, the verdict is
// [Retry] and Err says why.
func (c *Client) CreateLead(ctx context.Context, lead Lead) Answer {
	body, err := json.Marshal(lead)
	if err != nil {
		// The encoder's own error may quote a value.
		return Answer{Verdict: Rejected, Err: errors.New("encoding lead: a value has no JSON form")}
	}
	return readCreated(c.post(ctx, c.leadURL, body))
}

// CloseIdleConnections closes the connections that no request is using.
func (c *Client) CloseIdleConnections() {
	c.http.CloseIdleConnections()
}

// Format writes a fixed text, for every verb.
func (Client) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "telecrm.Client")
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

func (c *Client) post(ctx context.Context, target string, body []byte) reply {
	if c.pace != nil {
		if err := c.pace.Wait(ctx); err != nil {
			return reply{unanswered: fmt.Errorf("waiting for a turn under the account's pace: %w", err)}
		}
	}
	if err := ctx.Err(); err != nil {
		return reply{unanswered: fmt.Errorf("sending request: %w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	var went progress
	req, err := http.NewRequestWithContext(went.follow(ctx), http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return reply{unanswered: fmt.Errorf("building request: %w", withoutURL(err))}
	}
	c.authorize(req.Header)
	req.Header.Set("Content-Type", "application/json")
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
