package caddytelecrm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/grammar"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// Challenge is something that the visitor, or their browser, has to do, which
// is dear for machines that send many forms. The page needs the challenge's
// widget, and that needs scripts: what becomes of visitors without them is for
// `fail` to say.
//
// With `altcha` the browser has to work for a moment. Nobody else is asked,
// and nothing of the visitor is told to anyone (https://altcha.org). The
// others are services of companies that see every visitor of the page:
// `turnstile` (https://developers.cloudflare.com/turnstile/), `hcaptcha`
// (https://docs.hcaptcha.com) and `recaptcha`, version 2 or 3
// (https://developers.google.com/recaptcha).
type Challenge struct {
	// `altcha`, `turnstile`, `hcaptcha` or `recaptcha`. Required.
	Kind string `json:"kind,omitempty"`

	// With `altcha`, the path that the widget fetches its challenges from.
	// Default: whatever the form may be posted to, with the query `?altcha`,
	// such as `/contact?altcha`
	Path string `json:"path,omitempty"`

	// With `altcha`, the highest number that the browser may have to try; it
	// tries half of them on average. A telephone of 2023 tries about 40,000 a
	// second and an old one a tenth of that
	// (https://altcha.org/docs/complexity/). From 1,000 to 10,000,000.
	// Default: `50000`
	Complexity int `json:"complexity,omitempty"`

	// With `altcha`, how long a challenge can be answered. The widget fetches
	// another one after that. Default: `20m`
	Expires caddy.Duration `json:"expires,omitempty"`

	// With a service, the secret key that belongs to the page's site key.
	// Write `{env.NAME}` or `{file./path}`: the placeholder is resolved when
	// the config is loaded and the secret stays out of the config. Required.
	Secret string `json:"secret,omitempty"`

	// With a service, the hosts whose pages may show the challenge. Default:
	// the one that the form is posted to
	Hosts []string `json:"hosts,omitempty"`

	// With `turnstile` and `recaptcha`, the action that the page's widget
	// names. Default: any
	Action string `json:"action,omitempty"`

	// With `recaptcha`, the least score of version 3 that counts as passed,
	// from 0 to 1. Version 2 gives none. Default: `0.5`
	Score *float64 `json:"score,omitempty"`

	// With a service, where to verify answers. It must be https, except on
	// loopback addresses. Default: the service's own
	VerifyURL string `json:"verify_url,omitempty"`

	// With a service, how long verifying an answer may take, for which the
	// visitor waits. Default: `3s`
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// What to do when the challenge was not passed: `open` has it count with
	// all else that speaks for junk, so that people without scripts have to
	// send the form a second time, and nobody notices that a service is down;
	// `closed` takes nothing before the challenge is passed. Default: `open`
	Fail string `json:"fail,omitempty"`
}

// The kind of challenge that needs no service.
const kindAltcha = "altcha"

// What to do when a challenge was not passed.
const (
	failOpen   = "open"
	failClosed = "closed"
)

// Defaults and bounds of a [Challenge].
const (
	altchaQuery       = "altcha"
	defaultComplexity = 50_000
	leastComplexity   = 1_000
	defaultExpires    = 20 * time.Minute
	leastExpires      = time.Minute
	defaultScore      = 0.5
)

// complaintPause keeps a service's outage from filling the log.
const complaintPause = time.Minute

func challengeKinds() []string {
	return append([]string{kindAltcha}, serviceNames()...)
}

func serviceNames() []string {
	services := guard.Services()
	list := make([]string, 0, len(services))
	for _, service := range services {
		list = append(list, string(service))
	}
	return list
}

// challenge is a [Challenge] in use.
type challenge struct {
	input    string // the answer's
	verify   func(ctx context.Context, answer, host string) error
	closed   bool
	issue    func() guard.AltchaChallenge // nil: the page's widget gets its challenges elsewhere
	path     string                       // that they are fetched from; empty: the form's own
	complain rate.Sometimes
	release  func() error
}

// open makes a challenge of c. The keys sign it, and forms with the same name
// share a memory of what was answered.
func (c Challenge) open(name string, keys guard.Keys) (*challenge, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	opened := &challenge{closed: c.Fail == failClosed, path: c.Path, complain: rate.Sometimes{Interval: complaintPause}}
	if c.Kind == kindAltcha {
		return opened, c.openAltcha(opened, name, keys)
	}
	return opened, c.openService(opened)
}

// check reports what cannot work, but for what the guard package checks.
func (c Challenge) check() error {
	isAltcha := c.Kind == kindAltcha
	switch {
	case !slices.Contains(challengeKinds(), c.Kind):
		return fmt.Errorf("%q is unknown; known kinds are: %s", c.Kind, strings.Join(challengeKinds(), ", "))
	case isAltcha && (c.Secret != "" || len(c.Hosts) > 0 || c.Action != "" || c.Score != nil || c.VerifyURL != "" || c.Timeout != 0):
		return errors.New("altcha takes path, complexity, expires and fail alone")
	case !isAltcha && (c.Path != "" || c.Complexity != 0 || c.Expires != 0):
		return fmt.Errorf("%s takes secret, host, action, score, verify_url, timeout and fail alone", c.Kind)
	case !isAltcha && c.Secret == "":
		return errors.New("secret is required: the secret key that belongs to the page's site key")
	case c.Fail != "" && c.Fail != failOpen && c.Fail != failClosed:
		return fmt.Errorf("fail %q is unknown; known ways are: open, closed", c.Fail)
	case c.Complexity != 0 && c.Complexity < leastComplexity:
		return fmt.Errorf("complexity must be %d or more", leastComplexity)
	case c.Expires != 0 && time.Duration(c.Expires) < leastExpires:
		return fmt.Errorf("expires must be %s or more", leastExpires)
	case c.Timeout < 0:
		return errors.New("timeout is negative")
	}
	if u, err := url.ParseRequestURI(c.Path); c.Path != "" && (err != nil || u.Path != c.Path || strings.HasPrefix(c.Path, "//")) {
		return errors.New("path must begin with /, and have no query")
	}
	return nil
}

// pooledSpent is the memory of answers to the challenges of one form, so that
// a reload lets no answer count again. It needs no end.
type pooledSpent struct{ *guard.Spent }

// Destruct does nothing.
func (pooledSpent) Destruct() error { return nil }

func (c Challenge) openAltcha(into *challenge, name string, keys guard.Keys) error {
	memory := "altcha\x00" + name
	pooled, _, err := pool.LoadOrNew(memory, func() (caddy.Destructor, error) {
		return pooledSpent{guard.NewSpent()}, nil
	})
	if err != nil {
		return err
	}
	into.release = func() error {
		_, err := pool.Delete(memory)
		return err
	}
	altcha, err := guard.NewAltcha(guard.AltchaConfig{
		Keys:      keys,
		MaxNumber: cmp.Or(c.Complexity, defaultComplexity),
		Lifetime:  cmp.Or(time.Duration(c.Expires), defaultExpires),
		Spent:     pooled.(pooledSpent).Spent,
	})
	if err != nil {
		return err
	}
	into.input, into.issue = guard.AltchaInput, altcha.Issue
	into.verify = func(_ context.Context, answer, _ string) error { return altcha.Verify(answer) }
	return nil
}

func (c Challenge) openService(into *challenge) error {
	config := guard.SiteverifyConfig{
		Service: guard.Service(c.Kind),
		Secret:  c.Secret,
		Hosts:   c.Hosts,
		Action:  c.Action,
		URL:     c.VerifyURL,
		Timeout: time.Duration(c.Timeout),
	}
	switch {
	case c.Score != nil:
		config.Score = *c.Score
	case config.Service == guard.ReCAPTCHA:
		config.Score = defaultScore
	}
	service, err := guard.NewSiteverify(config)
	if err != nil {
		return err
	}
	into.input, into.verify = service.Input(), service.Verify
	into.release = func() error {
		service.CloseIdleConnections()
		return nil
	}
	return nil
}

// resolve expands the placeholders of c. It warns about a secret that is
// written out.
func (c Challenge) resolve(repl *caddy.Replacer, logger *zap.Logger) (Challenge, error) {
	if c.Secret != "" && !strings.Contains(c.Secret, "{") {
		logger.Warn("the challenge's secret is written out in the config, which the admin API shows and Caddy saves to disk; use {env.NAME} or {file./path} (with {$NAME} it is written out too)")
	}
	c.Hosts = slices.Clone(c.Hosts)
	type setting struct {
		name  string
		value *string
	}
	settings := make([]setting, 0, 4+len(c.Hosts))
	settings = append(settings, setting{"path", &c.Path}, setting{"secret", &c.Secret}, setting{"action", &c.Action}, setting{"verify_url", &c.VerifyURL})
	for i := range c.Hosts {
		settings = append(settings, setting{"host", &c.Hosts[i]})
	}
	for _, s := range settings {
		if *s.value == "" {
			continue
		}
		expanded, err := repl.ReplaceOrErr(*s.value, true, true)
		if err != nil {
			return c, fmt.Errorf("%s: %w; set it before Caddy starts", s.name, err)
		}
		*s.value = strings.TrimSpace(expanded)
	}
	return c, nil
}

// provisionChallenge makes the form's challenge ready, if it has one.
func (h *Handler) provisionChallenge() error {
	if h.Challenge == nil {
		return nil
	}
	resolved, err := h.Challenge.resolve(caddy.NewReplacer(), h.logger)
	if err != nil {
		return err
	}
	// An account's name in the config stays when its token changes.
	name := cmp.Or(h.AccountName, h.EnterpriseID, defaultAccount) + "\x00" + h.Form
	keys, err := h.keys("altcha " + name)
	if err != nil {
		return err
	}
	h.challenge, err = resolved.open(name, keys)
	return err
}

// fetchesChallenge reports whether a request that is no POST is the widget's
// for a challenge.
func (h *Handler) fetchesChallenge(r *http.Request) (bool, error) {
	if r.Method != http.MethodGet || h.challenge == nil || h.challenge.issue == nil {
		return false, nil
	}
	asked := httpx.OriginalURL(r)
	if h.challenge.path != "" {
		return h.challenge.path == asked.Path || h.challenge.path == r.URL.Path, nil
	}
	// A form that is sent with GET has an answer there.
	if values := asked.Query()[altchaQuery]; len(values) != 1 || values[0] != "" {
		return false, nil
	}
	return h.matches(r)
}

// serveChallenge gives the widget a challenge. Scripts of other origins than
// those that are listed cannot read it, since it comes without CORS headers.
func (h *Handler) serveChallenge(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	h.guards.origins.Share(w.Header(), r)
	return writeJSON(w, http.StatusOK, h.challenge.issue())
}

// challenged says what to make of the answer in a posted form to the form's
// challenge, if there is one. It counts the answer as used, and may take as
// long as the challenge's timeout.
func (h *Handler) challenged(ctx context.Context, r *http.Request, posted *form.Form) guard.Challenged {
	if h.challenge == nil {
		return guard.Challenged{}
	}
	var answer string
	for _, value := range posted.Values(h.challenge.input) {
		answer = cmp.Or(answer, value)
	}
	err := h.challenge.verify(ctx, answer, httpx.Hostname(r))
	if errors.Is(err, guard.ErrUnverified) {
		h.challenge.complain.Do(func() {
			h.logger.Warn("the challenge cannot be verified; this is logged once a minute at most",
				zap.String("form", h.Form), zap.Bool("refused", h.challenge.closed), zap.Error(err))
		})
	}
	return guard.JudgeChallenge(err, h.challenge.closed)
}

func (h *Handler) readChallenge(d *caddyfile.Dispenser) error {
	c := new(Challenge)
	if args := d.RemainingArgs(); len(args) == 1 {
		c.Kind = args[0]
	}
	if !slices.Contains(challengeKinds(), c.Kind) {
		return d.Errf("challenge takes one of: %s", strings.Join(challengeKinds(), ", "))
	}
	h.Challenge = c
	return grammar.Block(d, "challenge", []grammar.Word{
		grammar.Text("path", &c.Path),
		grammar.Whole("complexity", &c.Complexity),
		grammar.Duration("expires", &c.Expires),
		grammar.Text("secret", &c.Secret),
		{Name: "host", Read: c.readHosts},
		grammar.Text("action", &c.Action),
		grammar.Number("score", &c.Score),
		grammar.Text("verify_url", &c.VerifyURL),
		grammar.Duration("timeout", &c.Timeout),
		grammar.Text("fail", &c.Fail),
	})
}

func (c *Challenge) readHosts(d *caddyfile.Dispenser) error {
	c.Hosts = d.RemainingArgs()
	if len(c.Hosts) == 0 {
		return d.Errf("host takes one or more hosts, such as www.example.com")
	}
	return nil
}

// Interface guard
var _ caddy.Destructor = pooledSpent{}
