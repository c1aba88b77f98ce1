package telecrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Client talks to one workspace through the Sync API. It is safe for
// concurrent use.
type Client struct {
	conn connection
}

// New returns a client, or an error wrapping [ErrToken], [ErrEnterpriseID] or
// [ErrBaseURL] when c cannot work. It opens no connection.
func New(c Config) (*Client, error) {
	conn, err := newConnection(c, DefaultBaseURL)
	if err != nil {
		return nil, err
	}
	return &Client{conn}, nil
}

// CreateLead creates a lead
// (https://docs.telecrm.in/sync-api/leads/create). It sends one request and
// always returns an answer; when there was none from TeleCRM, the verdict is
// [Retry] and Err says why.
func (c *Client) CreateLead(ctx context.Context, lead Lead) Answer {
	body, err := json.Marshal(lead)
	if err != nil {
		return unsent(errNoJSON)
	}
	return readCreated(c.conn.post(ctx, EndpointCreate, "/lead", body)).withoutQuotes(lead)
}

// errNoJSON stands for the encoder's own error, which may quote a value.
var errNoJSON = errors.New("encoding lead: a value has no JSON form")

// unsent is the answer to what makes no request.
func unsent(err error) Answer {
	return Answer{Verdict: Rejected, Err: err}
}

// CloseIdleConnections closes the connections that no request is using.
func (c *Client) CloseIdleConnections() {
	c.conn.http.CloseIdleConnections()
}

// Format writes a fixed text, for every verb.
func (Client) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "telecrm.Client")
}
