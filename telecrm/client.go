package telecrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Client is a client of one workspace for the Sync API. It is safe for concurrent use.
type Client struct {
	conn connection
}

// New returns a client, or an error wrapping [ErrToken], [ErrEnterpriseID] or [ErrBaseURL] if c is
// invalid. It does not open a connection.
func New(c Config) (*Client, error) {
	conn, err := newConnection(c, DefaultBaseURL)
	if err != nil {
		return nil, err
	}
	return &Client{conn}, nil
}

// CreateLead creates a lead (https://docs.telecrm.in/sync-api/leads/create). It sends one request
// and always returns an answer. If TeleCRM did not respond, the verdict is [Retry] and Err says
// why.
func (c *Client) CreateLead(ctx context.Context, lead Lead) Answer {
	body, err := json.Marshal(lead)
	if err != nil {
		return unsent(errNotEncodable)
	}
	return readCreated(c.conn.post(ctx, EndpointCreate, "/lead", body)).withoutQuotes(lead)
}

// errNotEncodable replaces the encoder's own error, which may quote a value.
var errNotEncodable = errors.New("encoding lead: a value cannot be encoded as JSON")

// unsent returns the answer for an invalid request, which is not sent.
func unsent(err error) Answer {
	return Answer{Verdict: Rejected, Err: err}
}

// CloseIdleConnections closes idle connections.
func (c *Client) CloseIdleConnections() {
	c.conn.http.CloseIdleConnections()
}

// Format writes a fixed text for every verb.
func (Client) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "telecrm.Client")
}
