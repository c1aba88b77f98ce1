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
	"strings"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Errors that a [Client] wraps.
var (
	// ErrUnreachable means that nothing answers at the address of the admin endpoint.
	ErrUnreachable = errors.New("no Caddy answers there; check that it is running, and the address of its admin endpoint")
	// ErrNoPlugin means that the server that answers does not have the plugin.
	ErrNoPlugin = errors.New("this server does not have the telecrm plugin")
)

// Error is an error that the API returned.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Client calls an admin endpoint.
type Client struct {
	// HTTP sends the requests.
	HTTP *http.Client
	// Origin is the endpoint's URL, without a path. It is also sent as the Origin header, which the
	// endpoint may require.
	Origin string
	// WithoutOrigin leaves the Origin header out. An endpoint at a socket does not allow any origin.
	WithoutOrigin bool
	// Address names the endpoint in errors.
	Address string
}

// longestAnswer bounds the answer that is read. A full page of the longest leads fits.
const longestAnswer = 256 << 20

// Status returns the state of all deliveries.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/status", nil)
}

// List returns a page of leads.
func (c *Client) List(ctx context.Context, f Filter) (Page, error) {
	return call[Page](ctx, c, http.MethodPost, "/leads/search", f)
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

// Get returns one lead, with its content.
func (c *Client) Get(ctx context.Context, id string) (Lead, error) {
	path, err := below("/leads/", "lead id", id)
	if err != nil {
		return Lead{}, err
	}
	return call[Lead](ctx, c, http.MethodGet, path, nil)
}

// Retry retries one lead at once.
func (c *Client) Retry(ctx context.Context, id string) error {
	path, err := below("/leads/", "lead id", id)
	if err != nil {
		return err
	}
	_, err = call[struct{}](ctx, c, http.MethodPost, path+"/retry", nil)
	return err
}

// RetryAll retries leads in the given state, as many as fit into one call: see [Retried]. Suspected
// spam stays parked unless suspectedSpam is set.
func (c *Client) RetryAll(ctx context.Context, state outbox.State, account, after string, suspectedSpam bool) (Retried, error) {
	query := choice(state, account, after)
	if suspectedSpam {
		query.Set("suspected_spam", "true")
	}
	return call[Retried](ctx, c, http.MethodPost, "/leads/retry?"+query.Encode(), nil)
}

// Discard removes one lead from the outbox.
func (c *Client) Discard(ctx context.Context, id string) error {
	path, err := below("/leads/", "lead id", id)
	if err != nil {
		return err
	}
	_, err = call[struct{}](ctx, c, http.MethodDelete, path, nil)
	return err
}

// Erase removes a person's leads from the outbox, as many as fit into one call: see [Erased].
func (c *Client) Erase(ctx context.Context, e Erasure) (Erased, error) {
	return call[Erased](ctx, c, http.MethodPost, "/leads/erase", e)
}

// OwnRoot returns the root certificate of Caddy's own certificate authority in PEM
// (https://caddyserver.com/docs/api#get-pkicaltidgt).
func (c *Client) OwnRoot(ctx context.Context) (string, error) {
	authority, err := ask[struct {
		Root string `json:"root_certificate"`
	}](ctx, c, http.MethodGet, "/pki/ca/local", nil)
	return authority.Root, err
}

// Check looks for damage in the outbox.
func (c *Client) Check(ctx context.Context) (Checked, error) {
	return call[Checked](ctx, c, http.MethodPost, "/outbox/check", nil)
}

// Backup writes the outbox to a new file, and each of its spools to another one.
func (c *Client) Backup(ctx context.Context, b Backup) (BackedUp, error) {
	return call[BackedUp](ctx, c, http.MethodPost, "/outbox/backup", b)
}

// Resume retries an account at once.
func (c *Client) Resume(ctx context.Context, account string) (Resumed, error) {
	path, err := below("/accounts/", "account", account)
	if err != nil {
		return Resumed{}, err
	}
	return call[Resumed](ctx, c, http.MethodPost, path+"/resume", nil)
}

// below returns the path of the thing named name. The name stays one segment of the path, because
// the server would take an empty one, "." and ".." for another path.
func below(parent, what, name string) (string, error) {
	if name == "" {
		return "", &Error{Status: http.StatusNotFound, Message: what + ": is empty"}
	}
	segment := url.PathEscape(name)
	if strings.Trim(name, ".") == "" {
		segment = strings.ReplaceAll(name, ".", "%2E")
	}
	return parent + segment, nil
}

// call sends body as JSON, if it is not nil, and decodes the answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	return ask[T](ctx, c, method, Prefix+path, body)
}

func ask[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	var content io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return answer, fmt.Errorf("encoding the request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Origin+path, content)
	if err != nil {
		return answer, fmt.Errorf("asking %s: %w", c.Address, err)
	}
	if !c.WithoutOrigin {
		req.Header.Set("Origin", c.Origin)
	}
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
	decoder.UseNumber() // a float64 would round long ids
	if err := decoder.Decode(&answer); err != nil {
		return answer, fmt.Errorf("asking %s: %w", c.Address, ErrNoPlugin)
	}
	return answer, nil
}

// refusal decodes an error answer. The API answers with JSON; a server without the plugin does not.
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
	return fmt.Errorf("asking %s: unexpected status %d", c.Address, status)
}
