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
)

// Service is a challenge that somebody else sets and verifies.
type Service string

// The services.
const (
	Turnstile Service = "turnstile"
	HCaptcha  Service = "hcaptcha"
	ReCAPTCHA Service = "recaptcha"
)

// service is what tells a [Service] from the others. They share one protocol:
// the page's widget posts a token, of which the service says, once, where and
// how it was earned.
type service struct {
	input string // that the widget posts the token in
	url   string

	names     bool // the action that a token is for
	scores    bool // from 0, a machine, to 1, a person
	repeats   bool // its verdict, if it is asked again under the same key
	mayNotSay bool // the host, when it has much to do
}

// The protocol's variants are documented at
// https://developers.cloudflare.com/turnstile/get-started/server-side-validation/,
// https://docs.hcaptcha.com/#verify-the-user-response-server-side,
// https://developers.google.com/recaptcha/docs/verify and
// https://developers.google.com/recaptcha/docs/v3.
var services = map[Service]service{
	Turnstile: {
		input: "cf-turnstile-response", url: "https://challenges.cloudflare.com/turnstile/v0/siteverify",
		names: true, repeats: true,
	},
	HCaptcha: {
		input: "h-captcha-response", url: "https://api.hcaptcha.com/siteverify",
		mayNotSay: true,
	},
	ReCAPTCHA: {
		input: "g-recaptcha-response", url: "https://www.google.com/recaptcha/api/siteverify",
		names: true, scores: true,
	},
}

// Services returns all services.
func Services() []Service { return slices.Sorted(maps.Keys(services)) }

// DefaultSiteverifyTimeout is how long a service may take by default.
const DefaultSiteverifyTimeout = 3 * time.Second

const (
	maxSiteverifyToken  = 10 << 10 // bytes; Turnstile's have 2048 at most, the others say nothing
	maxSiteverifyAnswer = 64 << 10 // bytes
	siteverifyConns     = 32       // at a time
)

// SiteverifyConfig says which answers a [Siteverify] takes.
type SiteverifyConfig struct {
	Service Service

	// Secret is the site's secret key; required.
	Secret string

	// Hosts are those whose visitors may have met the challenge; default the
	// one that is asked about.
	Hosts []string

	// Action is the one that the answer must be for; default any. hCaptcha
	// has none.
	Action string

	// Score is the least that counts as passed, from 0 to 1; only for
	// reCAPTCHA, of which version 2 gives none.
	Score float64

	// URL is where answers are verified; default the service's own. It must
	// be https, except for localhost and loopback addresses.
	URL string

	// Timeout bounds one verification; default [DefaultSiteverifyTimeout].
	Timeout time.Duration

	// Transport carries the requests; default a clone of
	// [http.DefaultTransport] with 32 connections at most.
	Transport http.RoundTripper
}

// Siteverify asks a service whether the answer to its challenge is right. It
// tells the service nothing of the visitor, whose address is optional. It is
// safe for concurrent use.
type Siteverify struct {
	service
	url     string
	hosts   []string
	action  string
	score   float64
	timeout time.Duration
	http    *http.Client

	// sign puts the secret into a request. The secret lives in a function
	// because fmt prints unexported fields without asking their methods.
	sign func(url.Values)
}

// NewSiteverify returns a client of c's service, or an error when c cannot
// work. It opens no connection.
func NewSiteverify(c SiteverifyConfig) (*Siteverify, error) {
	of, known := services[c.Service]
	address, urlErr := checkSiteverifyURL(cmp.Or(c.URL, of.url))
	switch {
	case !known:
		return nil, fmt.Errorf("there is no service %q", string(c.Service))
	case c.Secret == "" || strings.ContainsFunc(c.Secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the secret is empty, or holds a space, a line break or a letter outside ASCII; copy it again")
	case c.Action != "" && !of.names:
		return nil, fmt.Errorf("answers of %s name no action", c.Service)
	case c.Score != 0 && !of.scores:
		return nil, fmt.Errorf("answers of %s have no score", c.Service)
	case !(c.Score >= 0 && c.Score <= 1):
		return nil, errors.New("the score is not between 0 and 1")
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
		return "", errors.New("the URL to verify at must begin with https:// and a host")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", errors.New("the URL to verify at must be https, or the secret would travel in clear")
	case u.User != nil || u.Fragment != "":
		return "", errors.New("the URL to verify at must have no user and no fragment")
	}
	return raw, nil
}

// isLoopback does not trust the names below localhost: a resolver may look
// them up elsewhere.
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

// Input is the name of the input that the widget posts its answer in.
func (s *Siteverify) Input() string { return s.input }

// CloseIdleConnections closes the connections that no request is using.
func (s *Siteverify) CloseIdleConnections() { s.http.CloseIdleConnections() }

// Verify returns nil if the service says that answer was earned on host, a
// name without a port, or on one of the configured ones, for the right action
// and with a sufficient score. Otherwise it returns an error wrapping
// [ErrUnanswered], [ErrFailed] or [ErrUnverified]. A service takes each answer
// once.
func (s *Siteverify) Verify(ctx context.Context, answer, host string) error {
	if answer == "" {
		return ErrUnanswered
	}
	// What no widget makes might have a firewall before the service answer in
	// its place, which would look like a failure of the service.
	if len(answer) > maxSiteverifyToken || strings.ContainsFunc(answer, isNotOfToken) {
		return failure("its answer is no token")
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	said, err := s.ask(ctx, answer)
	if err != nil {
		return err
	}
	return s.judge(said, host)
}

func isNotOfToken(r rune) bool {
	isAlphanumeric := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	return !isAlphanumeric && !strings.ContainsRune("-._~+/=:", r)
}

// verdict is what a service says of a token.
type verdict struct {
	Success  *bool    `json:"success"`
	Hostname string   `json:"hostname"`
	Action   string   `json:"action"`
	Score    *float64 `json:"score"`
	Codes    []string `json:"error-codes"`
}

// ask asks the service, and once more for a verdict that was lost if that
// costs nothing: a token that the service has seen is worth nothing any more.
func (s *Siteverify) ask(ctx context.Context, answer string) (verdict, error) {
	form := url.Values{"response": {answer}}
	s.sign(form)
	if !s.repeats {
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
		return verdict{}, unverifiable("the request cannot be made")
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
		return verdict{}, unverifiable(fmt.Sprintf("the service answers with status %d and no verdict", resp.StatusCode))
	}
	return said, nil
}

// whyUnreachable never quotes what came from outside.
func whyUnreachable(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "the service gave no answer in time"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "the service cannot be reached: " + dns.Error()
	}
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return "the service cannot be reached: " + network.Error()
	}
	return "the connection to the service broke"
}

// What the services' error codes are about; others are about the answer. Only
// known codes are repeated.
var (
	siteverifyOurs   = []string{"missing-input-secret", "invalid-input-secret"}
	siteverifyTheirs = []string{"internal-error"}
	siteverifyUsed   = []string{
		"timeout-or-duplicate", "expired-input-response", "already-seen-response", "invalid-or-already-seen-response",
	}
)

func (s *Siteverify) judge(said verdict, host string) error {
	hasCode := func(code string) bool { return slices.Contains(said.Codes, code) }
	switch {
	case *said.Success:
		return s.judgeSuccess(said, host)
	case slices.ContainsFunc(siteverifyOurs, hasCode):
		return unverifiable("the service does not know the secret; copy it again")
	case slices.ContainsFunc(siteverifyTheirs, hasCode):
		return unverifiable("the service says that it has an error of its own")
	case slices.ContainsFunc(siteverifyUsed, hasCode):
		return failure("its answer came too late, or was used before")
	}
	return failure("the service says that its answer is wrong")
}

func (s *Siteverify) judgeSuccess(said verdict, host string) error {
	hosts := s.hosts
	if len(hosts) == 0 {
		hosts = []string{host}
	}
	isHost := func(h string) bool { return h != "" && strings.EqualFold(h, said.Hostname) }
	isOurs := slices.ContainsFunc(hosts, isHost) || s.mayNotSay && said.Hostname == "not-provided"
	switch {
	case !isOurs:
		return failure("its answer is for another host")
	case s.action != "" && said.Action != s.action:
		return failure("its answer is for another action")
	case said.Score != nil && *said.Score < s.score:
		return failure("its answer has too low a score")
	}
	return nil
}
