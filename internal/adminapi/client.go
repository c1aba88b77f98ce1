package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Errors that a [Client] wraps.
var (
	// ErrUnreachable: nothing answers at the admin endpoint's address.
	ErrUnreachable = errors.New("no Caddy answers there; is it running, and is that the address of its admin endpoint?")
	// ErrNoPlugin: a Caddy answers, or something else, that knows nothing of
	// the plugin.
	ErrNoPlugin = errors.New("that server has no telecrm plugin")
)

// Error is what the API answers when something cannot be done.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Client talks to an admin endpoint.
type Client struct {
	// HTTP carries the requests.
	HTTP *http.Client
	// Origin is the endpoint's URL, without a path. It is sent as the Origin
	// header, too, which the endpoint may insist on.
	Origin string
	// Address is what errors call the endpoint.
	Address string
}

// longestAnswer bounds what is read of an answer: a full page of leads that
// are as long as forms allow.
const longestAnswer = 256 << 20

// Status asks how deliveries fare.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/status", nil)
}

// List asks for a page of leads.
func (c *Client) List(ctx context.Context, f Filter) (Page, error) {
	query := choice(f.State, f.Account, f.After)
	if f.Limit != 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	if f.Full {
		query.Set("full", "true")
	}
	return call[Page](ctx, c, http.MethodGet, "/leads?"+query.Encode(), nil)
}

func choice(state outbox.State, account, after string) url.Values {
	query := make(url.Values)
	for name, value := range map[string]string{"state": string(state), "account": account, "after": after} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// Get asks for one lead, with its content.
func (c *Client) Get(ctx context.Context, id string) (Lead, error) {
	return call[Lead](ctx, c, http.MethodGet, "/leads/"+url.PathEscape(id), nil)
}

// Retry has one lead tried again at once.
func (c *Client) Retry(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, "/leads/"+url.PathEscape(id)+"/retry", nil)
	return err
}

// RetryAll retries leads in that state, as many as fit into one call: see [Retried]. Suspected spam is
// left parked unless suspectedSpam is set.
func (c *Client) RetryAll(ctx context.Context, state outbox.State, account, after string, suspectedSpam bool) (Retried, error) {
	query := choice(state, account, after)
	if suspectedSpam {
		query.Set("suspected_spam", "true")
	}
	return call[Retried](ctx, c, http.MethodPost, "/leads/retry?"+query.Encode(), nil)
}

// Discard removes one lead from the outbox.
func (c *Client) Discard(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/leads/"+url.PathEscape(id), nil)
	return err
}

// Erase removes a person from the outbox, as far as fits into one call: see
// [Erased].
func (c *Client) Erase(ctx context.Context, e Erasure) (Erased, error) {
	return call[Erased](ctx, c, http.MethodPost, "/leads/erase", e)
}

// Resume has an account tried at once.
func (c *Client) Resume(ctx context.Context, account string) (Resumed, error) {
	return call[Resumed](ctx, c, http.MethodPost, "/accounts/"+url.PathEscape(account)+"/resume", nil)
}

// call makes a request with the JSON body, if it is not nil, and reads the
// answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	var content io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return answer, fmt.Errorf("encoding the request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Origin+Prefix+path, content)
	if err != nil {
		return answer, fmt.Errorf("asking %s: %w", c.Address, err)
	}
	req.Header.Set("Origin", c.Origin)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return answer, fmt.Errorf("asking %s: %w", c.Address, ctx.Err())
		}
		return answer, fmt.Errorf("asking %s: %w (%w)", c.Address, ErrUnreachable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	if err != nil {
		return answer, fmt.Errorf("reading the answer of %s: %w", c.Address, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return answer, c.refusal(resp.StatusCode, text)
	}
	if resp.StatusCode == http.StatusNoContent {
		return answer, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // long ids of the form's own would be rounded
	if err := decoder.Decode(&answer); err != nil {
		return answer, fmt.Errorf("asking %s: %w", c.Address, ErrNoPlugin)
	}
	return answer, nil
}

// refusal reads an answer that tells why something cannot be done. Every one
// of the API's is JSON; that of a server without the plugin is not.
func (c *Client) refusal(status int, text []byte) error {
	var refused struct {
		Message string `json:"error"`
	}
	if err := json.Unmarshal(text, &refused); err == nil && refused.Message != "" {
		return &Error{Status: status, Message: refused.Message}
	}
	if status == http.StatusNotFound {
		return fmt.Errorf("asking %s: %w", c.Address, ErrNoPlugin)
	}
	return fmt.Errorf("asking %s: it answers with status %d", c.Address, status)
}
