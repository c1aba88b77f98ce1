package telecrm

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Defaults of a [Config].
const (
	DefaultBaseURL      = "https://next.telecrm.in/autoupdate/v2"
	DefaultAsyncBaseURL = "https://next-api.telecrm.in"
	DefaultTimeout      = 10 * time.Second
)

// Config configures the access to one TeleCRM workspace.
type Config struct {
	// Token is a Sync token for [New] and an Async token for [NewAsync]; required. Each API refuses
	// the other's tokens (https://docs.telecrm.in/authentication).
	Token Token

	// EnterpriseID is the workspace's id; required. It is not a secret.
	EnterpriseID string

	// BaseURL is the root of the API; default [DefaultBaseURL], and [DefaultAsyncBaseURL] for
	// [NewAsync]. It must be https, except for localhost and loopback addresses.
	BaseURL string

	// Timeout bounds one request, including reading the response; default [DefaultTimeout]. It does
	// not bound waiting for the pace; only the context does.
	Timeout time.Duration

	// Pace limits the rate of requests; default none.
	Pace Pace `json:"-"`

	// Observe is called for each request; default none.
	Observe Observer `json:"-"`

	// Transport carries the requests; default a clone of [http.DefaultTransport].
	Transport http.RoundTripper `json:"-"`

	// Now is the clock for Retry-After dates; default [time.Now].
	Now func() time.Time `json:"-"`
}

// Errors that [New] and [NewAsync] wrap.
var (
	ErrToken        = errors.New("token cannot be used")
	ErrEnterpriseID = errors.New("enterprise id cannot be used")
	ErrBaseURL      = errors.New("base url cannot be used")
)

func checkToken(token Token) error {
	switch {
	case token == "":
		return fmt.Errorf("%w: it is empty", ErrToken)
	case strings.ContainsFunc(string(token), isNotGraphicASCII):
		return fmt.Errorf("%w: it contains a space, a line break or a non-ASCII character; copy it again", ErrToken)
	}
	return nil
}

// CheckEnterpriseID returns an error wrapping [ErrEnterpriseID] if id cannot be a workspace's id.
func CheckEnterpriseID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrEnterpriseID)
	case strings.Contains(id, ":"):
		return fmt.Errorf("%w: it holds a colon, as tokens do; use the 24-character id that TeleCRM shows beside them", ErrEnterpriseID)
	case id == "." || id == ".." || strings.ContainsAny(id, `/\?#%`) || strings.ContainsFunc(id, isNotGraphicASCII):
		return fmt.Errorf("%w: it contains an invalid character; copy it again", ErrEnterpriseID)
	}
	return nil
}

func isNotGraphicASCII(r rune) bool { return r <= ' ' || r > '~' }

// CheckBaseURL returns an error wrapping [ErrBaseURL] if raw cannot be the root of an API.
func CheckBaseURL(raw string) error {
	_, err := parseBaseURL(raw)
	return err
}

func parseBaseURL(raw string) (*url.URL, error) {
	base, err := url.Parse(raw)
	switch {
	case err != nil:
		// The parser's own error quotes the URL, which may contain a password.
		return nil, fmt.Errorf("%w: it is not a URL", ErrBaseURL)
	case base.Hostname() == "" || base.Scheme != "https" && base.Scheme != "http":
		return nil, fmt.Errorf("%w: it must begin with https:// and a host", ErrBaseURL)
	case base.Scheme == "http" && !isLoopback(base.Hostname()):
		return nil, fmt.Errorf("%w: it must be https; otherwise the token and leads are sent unencrypted", ErrBaseURL)
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, fmt.Errorf("%w: it must not contain a user, query or fragment", ErrBaseURL)
	}
	return base, nil
}

// isLoopback does not trust names below localhost, because a resolver may look them up elsewhere.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
