package challenge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/internal/hostname"
)

// Service is a third-party challenge service.
type Service string

// The services.
const (
	Turnstile Service = "turnstile"
	HCaptcha  Service = "hcaptcha"
	ReCAPTCHA Service = "recaptcha"
)

// service describes how a [Service] differs from the others. They share one protocol: the widget
// posts a token, and the service tells, once per token, where and how the visitor earned it.
type service struct {
	input string // the input that the widget posts the token in
	url   string

	hasAction      bool // the verdict names an action
	hasScore       bool // the verdict has a score from 0 (bot) to 1 (person)
	repeatsVerdict bool // repeats its verdict under the same idempotency key
	mayOmitHost    bool // the verdict may omit the host under load
}

// The protocol's variants are documented at
// https://developers.cloudflare.com/turnstile/get-started/server-side-validation/,
// https://docs.hcaptcha.com/#verify-the-user-response-server-side,
// https://developers.google.com/recaptcha/docs/verify and
// https://developers.google.com/recaptcha/docs/v3.
var services = map[Service]service{
	Turnstile: {
		input: "cf-turnstile-response", url: "https://challenges.cloudflare.com/turnstile/v0/siteverify",
		hasAction: true, repeatsVerdict: true,
	},
	HCaptcha: {
		input: "h-captcha-response", url: "https://api.hcaptcha.com/siteverify",
		mayOmitHost: true,
	},
	ReCAPTCHA: {
		input: "g-recaptcha-response", url: "https://www.google.com/recaptcha/api/siteverify",
		hasAction: true, hasScore: true,
	},
}

// Services returns all services, sorted.
func Services() []Service { return slices.Sorted(maps.Keys(services)) }

// DefaultSiteverifyTimeout is the default timeout of a verification.
const DefaultSiteverifyTimeout = 3 * time.Second

const (
	maxSiteverifyToken  = 10 << 10 // bytes; Turnstile's have at most 2048, the others do not document a limit
	maxSiteverifyAnswer = 64 << 10 // bytes
	siteverifyConns     = 32       // at once
)

// SiteverifyConfig configures a [Siteverify].
type SiteverifyConfig struct {
	Service Service

	// Secret is the site's secret key; required.
	Secret string

	// Hosts are the host names that answers may be for; default the host of the request.
	Hosts []string

	// Action is the required action of the answer; default any. hCaptcha does not support it.
	Action string

	// Score is the lowest accepted score, from 0 to 1. Only reCAPTCHA version 3 returns scores.
	Score float64

	// URL is the verification endpoint; default the service's own. It must be https, except for
	// localhost and loopback addresses.
	URL string

	// Timeout bounds one verification; default [DefaultSiteverifyTimeout].
	Timeout time.Duration

	// Transport carries the requests; default a clone of [http.DefaultTransport] with 32
	// connections at most.
	Transport http.RoundTripper
}

// Siteverify verifies answers with a challenge service. It does not send the visitor's address,
// which is optional, or any other data of the visitor. It is safe for concurrent use.
type Siteverify struct {
	service
	url     string
	hosts   []string
	action  string
	score   float64
	timeout time.Duration
	http    *http.Client

	// sign adds the secret to a request. The secret lives in a function because fmt prints
	// unexported fields without calling their methods.
	sign func(url.Values)
}

// NewSiteverify returns a client for c.Service, or an error if c is invalid. It does not open a
// connection.
func NewSiteverify(c SiteverifyConfig) (*Siteverify, error) {
	of, known := services[c.Service]
	address, urlErr := checkSiteverifyURL(cmp.Or(c.URL, of.url))
	switch {
	case !known:
		return nil, fmt.Errorf("unknown service %q; use turnstile, hcaptcha or recaptcha", string(c.Service))
	case c.Secret == "" || strings.ContainsFunc(c.Secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("secret is empty, or contains a space, a line break or a non-ASCII character; copy it again")
	case c.Action != "" && !of.hasAction:
		return nil, fmt.Errorf("action: %s does not support it; remove it", c.Service)
	case c.Score != 0 && !of.hasScore:
		return nil, fmt.Errorf("score: %s does not support it; remove it", c.Service)
	case !(c.Score >= 0 && c.Score <= 1):
		return nil, fmt.Errorf("score must be between 0 and 1, got %v", c.Score)
	case urlErr != nil:
		return nil, urlErr
	}
	if c.Transport == nil {
		c.Transport = newSiteverifyTransport()
	}
	secret := c.Secret
	return &Siteverify{
		service: of,
		url:     address,
		hosts:   c.Hosts,
		action:  c.Action,
		score:   c.Score,
		timeout: cmp.Or(max(c.Timeout, 0), DefaultSiteverifyTimeout),
		http: &http.Client{
			Transport:     c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		sign: func(v url.Values) { v.Set("secret", secret) },
	}, nil
}

func checkSiteverifyURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("verify URL must begin with https:// and a host")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", errors.New("verify URL must be https; otherwise the secret is sent unencrypted")
	case u.User != nil || u.Fragment != "":
		return "", errors.New("verify URL must not contain a user or a fragment")
	}
	return raw, nil
}

// isLoopback does not trust names below localhost, because a resolver may look them up elsewhere.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

func newSiteverifyTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	clone := t.Clone()
	clone.MaxConnsPerHost, clone.MaxIdleConnsPerHost = siteverifyConns, siteverifyConns
	return clone
}

// Input returns the name of the input in which the widget posts its answer.
func (s *Siteverify) Input() string { return s.input }

// CloseIdleConnections closes idle connections.
func (s *Siteverify) CloseIdleConnections() { s.http.CloseIdleConnections() }

// Verify returns nil if the service confirms that answer was earned on host, a name without a port,
// or on one of the configured hosts, for the right action and with a sufficient score. Otherwise it
// returns an error wrapping [ErrUnanswered], [ErrFailed] or [ErrUnverified]. A service accepts each
// answer once.
func (s *Siteverify) Verify(ctx context.Context, answer, host string) error {
	if answer == "" {
		return ErrUnanswered
	}
	// A firewall in front of the service may block what is not a token, which would look like a
	// failure of the service.
	if len(answer) > maxSiteverifyToken || strings.ContainsFunc(answer, isNotTokenRune) {
		return failure("answer is not a token")
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	said, err := s.ask(ctx, answer)
	if err != nil {
		return err
	}
	return s.judge(said, host)
}

func isNotTokenRune(r rune) bool {
	isAlphanumeric := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	return !isAlphanumeric && !strings.ContainsRune("-._~+/=:", r)
}

// verdict is a service's response about a token.
type verdict struct {
	Success  *bool    `json:"success"`
	Hostname string   `json:"hostname"`
	Action   string   `json:"action"`
	Score    *float64 `json:"score"`
	Codes    []string `json:"error-codes"`
}

// ask asks the service. It asks again for a lost verdict only if the service repeats verdicts,
// because the others consume the token.
func (s *Siteverify) ask(ctx context.Context, answer string) (verdict, error) {
	form := url.Values{"response": {answer}}
	s.sign(form)
	if !s.repeatsVerdict {
		return s.askOnce(ctx, form)
	}
	form.Set("idempotency_key", uuid.NewString())
	said, err := s.askOnce(ctx, form)
	if err != nil && ctx.Err() == nil {
		return s.askOnce(ctx, form)
	}
	return said, err
}

func (s *Siteverify) askOnce(ctx context.Context, form url.Values) (verdict, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(form.Encode()))
	if err != nil {
		return verdict{}, unverifiable("building the request failed")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "caddy-telecrm")
	resp, err := s.http.Do(req)
	if err != nil {
		return verdict{}, unverifiable(whyUnreachable(ctx, err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSiteverifyAnswer+1))
	if err != nil {
		return verdict{}, unverifiable(whyUnreachable(ctx, err))
	}
	var said verdict
	if len(body) > maxSiteverifyAnswer || json.Unmarshal(body, &said) != nil || said.Success == nil || resp.StatusCode >= http.StatusInternalServerError {
		return verdict{}, unverifiable(fmt.Sprintf("the service answered with status %d and no verdict", resp.StatusCode))
	}
	return said, nil
}

// whyUnreachable returns the reason for logs. It never quotes external text.
func whyUnreachable(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "the service did not answer in time"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "the service cannot be reached: " + dns.Error()
	}
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return "the service cannot be reached: " + network.Error()
	}
	return "lost the connection to the service"
}

// The services' error codes by cause. Other codes are about the answer. Only known codes reach the
// log.
var (
	secretCodes   = []string{"missing-input-secret", "invalid-input-secret"}
	internalCodes = []string{"internal-error"}
	usedCodes     = []string{
		"timeout-or-duplicate", "expired-input-response", "already-seen-response", "invalid-or-already-seen-response",
	}
)

func (s *Siteverify) judge(said verdict, host string) error {
	hasCode := func(code string) bool { return slices.Contains(said.Codes, code) }
	switch {
	case *said.Success:
		return s.judgeSuccess(said, host)
	case slices.ContainsFunc(secretCodes, hasCode):
		return unverifiable("the service does not know the secret; copy it again")
	case slices.ContainsFunc(internalCodes, hasCode):
		return unverifiable("the service reports an internal error")
	case slices.ContainsFunc(usedCodes, hasCode):
		return failure("answer came too late, or was used before")
	}
	return failure("the service says that the answer is wrong")
}

func (s *Siteverify) judgeSuccess(said verdict, host string) error {
	hosts := s.hosts
	if len(hosts) == 0 {
		hosts = []string{host}
	}
	isHost := func(h string) bool { return h != "" && hostname.Name(h) == hostname.Name(said.Hostname) }
	isOurs := slices.ContainsFunc(hosts, isHost) || s.mayOmitHost && said.Hostname == "not-provided"
	switch {
	case !isOurs:
		return failure("answer is for another host")
	case s.action != "" && said.Action != s.action:
		return failure("answer is for another action")
	case said.Score != nil && *said.Score < s.score:
		return failure("score is too low")
	}
	return nil
}
