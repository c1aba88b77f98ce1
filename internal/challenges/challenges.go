// Package challenges sets up a form's challenge from its config.
package challenges

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

	"github.com/leadwire/caddy-telecrm/challenge"
	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// Config sets up a challenge: a task for the visitor or their browser that is costly for programs
// that send many forms. The page must include the challenge's widget, which needs JavaScript.
// `fail` says what happens to visitors without it.
//
// With `altcha` the browser computes for a moment, and no other service is involved
// (https://altcha.org). The other kinds are services of companies that see every visitor of the
// page: `turnstile` (https://developers.cloudflare.com/turnstile/), `hcaptcha`
// (https://docs.hcaptcha.com) and `recaptcha`, version 2 or 3
// (https://developers.google.com/recaptcha).
type Config struct {
	// `altcha`, `turnstile`, `hcaptcha` or `recaptcha`. Required.
	Kind string `json:"kind,omitempty"`

	// With `altcha`, the path that the widget fetches its challenges from. Default: the path that
	// the form is posted to, with the query `?altcha`, such as `/contact?altcha`
	Path string `json:"path,omitempty"`

	// With `altcha`, the highest number that the browser may have to try; on average it tries half
	// of them. A phone from 2023 tries about 40,000 per second, an old one a tenth of that
	// (https://altcha.org/docs/complexity/). From 1,000 to 10,000,000. Default: `50000`
	Complexity int `json:"complexity,omitempty"`

	// With `altcha`, how long a challenge can be answered. After that, the widget fetches another
	// one. Default: `20m`
	Expires caddy.Duration `json:"expires,omitempty"`

	// With a service, the secret key that belongs to the page's site key. Write `{env.NAME}` or
	// `{file./path}`: the placeholder is resolved when the config is loaded and the secret stays
	// out of the config. Required.
	Secret string `json:"secret,omitempty"`

	// With a service, the hosts whose pages may show the challenge. Default: the one that the form
	// is posted to
	Hosts []string `json:"hosts,omitempty"`

	// With `turnstile` and `recaptcha`, the action that the page's widget names. Default: any
	Action string `json:"action,omitempty"`

	// With `recaptcha`, the lowest score of version 3 that counts as passed, from 0 to 1. Version 2
	// does not give a score. Default: `0.5`
	Score *float64 `json:"score,omitempty"`

	// With a service, where to verify answers. It must be https, except on loopback addresses.
	// Default: the service's own
	VerifyURL string `json:"verify_url,omitempty"`

	// With a service, how long verifying an answer may take. The visitor waits for it. Default:
	// `3s`
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// What to do when the challenge was not passed: `open` adds to the post's spam score, so people
	// without JavaScript must send the form a second time, and an outage of the service does not
	// block anyone; `closed` accepts a post only after the challenge is passed. Default: `open`
	Fail string `json:"fail,omitempty"`
}

// The kind of challenge that needs no service.
const kindAltcha = "altcha"

// What to do when a challenge was not passed.
const (
	failOpen   = "open"
	failClosed = "closed"
)

// Defaults and bounds of a [Config].
const (
	altchaQuery       = "altcha"
	defaultComplexity = 50_000
	leastComplexity   = 1_000
	defaultExpires    = 20 * time.Minute
	leastExpires      = time.Minute
	defaultScore      = 0.5
)

// complaintPause keeps an outage of a service from flooding the log.
const complaintPause = time.Minute

// Kinds returns the kinds of challenge.
func Kinds() []string {
	return append([]string{kindAltcha}, serviceNames()...)
}

func serviceNames() []string {
	services := challenge.Services()
	list := make([]string, 0, len(services))
	for _, service := range services {
		list = append(list, string(service))
	}
	return list
}

// Verifier is a challenge in use.
type Verifier struct {
	form     string
	input    string // the answer's
	verify   func(ctx context.Context, answer, host, lead string) error
	closed   bool
	issue    func() challenge.AltchaChallenge // nil if a service issues the challenges
	path     string                           // where challenges are fetched; empty for the form's own path
	complain rate.Sometimes
	logger   *zap.Logger
	release  func() error
}

// Spend records in a store that several machines share that a key was used for a lead, for the given
// time at least. It returns false if it was used for another lead there. Nil means that no other
// machine needs to know.
type Spend func(ctx context.Context, key string, lasts time.Duration, lead string) (isFirst bool, err error)

// Open sets up the challenge of a form. The keys sign it. Forms with the same name share the memory
// of used answers, on this machine and by spend. The caller must call [Verifier.Close].
func (c Config) Open(form, name string, keys signing.Keys, spend Spend, logger *zap.Logger) (*Verifier, error) {
	c, err := c.resolve(caddy.NewReplacer(), logger)
	if err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	v := &Verifier{
		form: form, closed: c.Fail == failClosed, path: c.Path, logger: logger,
		complain: rate.Sometimes{Interval: complaintPause},
	}
	if c.Kind == kindAltcha {
		return v, c.openAltcha(v, name, keys, spend)
	}
	return v, c.openService(v)
}

// Check rejects settings that cannot work, except those that package challenge checks.
func (c Config) Check() error {
	isAltcha := c.Kind == kindAltcha
	switch {
	case !slices.Contains(Kinds(), c.Kind):
		return fmt.Errorf("unknown kind %q; known kinds are: %s", c.Kind, strings.Join(Kinds(), ", "))
	case isAltcha && (c.Secret != "" || len(c.Hosts) > 0 || c.Action != "" || c.Score != nil || c.VerifyURL != "" || c.Timeout != 0):
		return errors.New("altcha takes only path, complexity, expires and fail")
	case !isAltcha && (c.Path != "" || c.Complexity != 0 || c.Expires != 0):
		return fmt.Errorf("%s takes only secret, host, action, score, verify_url, timeout and fail", c.Kind)
	case !isAltcha && c.Secret == "":
		return errors.New("secret is required: the secret key that belongs to the page's site key")
	case c.Fail != "" && c.Fail != failOpen && c.Fail != failClosed:
		return fmt.Errorf("fail: must be open or closed, got %q", c.Fail)
	case c.Complexity != 0 && c.Complexity < leastComplexity:
		return fmt.Errorf("complexity: must be %d or more, got %d", leastComplexity, c.Complexity)
	case c.Expires != 0 && time.Duration(c.Expires) < leastExpires:
		return fmt.Errorf("expires: must be %s or more, got %s", leastExpires, time.Duration(c.Expires))
	case c.Timeout < 0:
		return errors.New("timeout: must not be negative")
	}
	if u, err := url.ParseRequestURI(c.Path); c.Path != "" && (err != nil || u.Path != c.Path || strings.HasPrefix(c.Path, "//")) {
		return errors.New("path: must begin with / and not have a query")
	}
	return nil
}

// pool holds the used answers of each form, so that a reload does not make them valid again.
var pool = caddy.NewUsagePool()

// pooledSpent holds the used answers of one form.
type pooledSpent struct{ *challenge.Spent }

// Destruct implements [caddy.Destructor]. There is nothing to release.
func (pooledSpent) Destruct() error { return nil }

func (c Config) openAltcha(into *Verifier, name string, keys signing.Keys, spend Spend) error {
	pooled, _, err := pool.LoadOrNew(name, func() (caddy.Destructor, error) {
		return pooledSpent{challenge.NewSpent()}, nil
	})
	if err != nil {
		return err
	}
	into.release = func() error {
		_, err := pool.Delete(name)
		return err
	}
	altcha, err := challenge.NewAltcha(challenge.AltchaConfig{
		Keys:      keys,
		MaxNumber: cmp.Or(c.Complexity, defaultComplexity),
		Lifetime:  cmp.Or(time.Duration(c.Expires), defaultExpires),
		Spent:     pooled.(pooledSpent).Spent,
		Spend: func(ctx context.Context, id string, lasts time.Duration, lead string) bool {
			return into.spend(ctx, spend, "altcha\x00"+name+"\x00"+id, lasts, lead)
		},
	})
	if err != nil {
		return err
	}
	into.input, into.issue = challenge.AltchaInput, altcha.Issue
	into.verify = func(ctx context.Context, answer, _, lead string) error { return altcha.Verify(ctx, answer, lead) }
	return nil
}

// spendTimeout is how long a visitor waits for the answers that other machines know.
const spendTimeout = 500 * time.Millisecond

// spend reports whether other machines do not know a key, or know it for the same lead. If they
// cannot be asked, this machine decides alone: people come first.
func (v *Verifier) spend(ctx context.Context, spend Spend, key string, lasts time.Duration, lead string) bool {
	if spend == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), spendTimeout)
	defer cancel()
	isFirst, err := spend(ctx, key, lasts, lead)
	if err == nil {
		return isFirst
	}
	v.complain.Do(func() {
		v.logger.Warn("other machines cannot be asked whether a challenge's answer was used there, so this one decides alone; this is logged once a minute at most",
			zap.String("form", v.form), zap.Error(err))
	})
	return true
}

func (c Config) openService(into *Verifier) error {
	config := challenge.SiteverifyConfig{
		Service: challenge.Service(c.Kind),
		Secret:  c.Secret,
		Hosts:   c.Hosts,
		Action:  c.Action,
		URL:     c.VerifyURL,
		Timeout: time.Duration(c.Timeout),
	}
	switch {
	case c.Score != nil:
		config.Score = *c.Score
	case config.Service == challenge.ReCAPTCHA:
		config.Score = defaultScore
	}
	service, err := challenge.NewSiteverify(config)
	if err != nil {
		return err
	}
	into.input = service.Input()
	into.verify = func(ctx context.Context, answer, host, _ string) error { return service.Verify(ctx, answer, host) }
	into.release = func() error {
		service.CloseIdleConnections()
		return nil
	}
	return nil
}

// resolve expands the placeholders of c. It warns about a secret that is written out.
func (c Config) resolve(repl *caddy.Replacer, logger *zap.Logger) (Config, error) {
	if c.Secret != "" && !strings.Contains(c.Secret, "{") {
		logger.Warn("the challenge's secret is written out in the config, which the admin API shows and Caddy saves to disk; use {env.NAME} or {file./path} (with {$NAME} it is written out too)")
	}
	c.Hosts = slices.Clone(c.Hosts)
	settings := make([]placeholder.Setting, 0, 4+len(c.Hosts))
	settings = append(settings,
		placeholder.Setting{Name: "path", Value: &c.Path},
		placeholder.Setting{Name: "secret", Value: &c.Secret},
		placeholder.Setting{Name: "action", Value: &c.Action},
		placeholder.Setting{Name: "verify_url", Value: &c.VerifyURL})
	for i := range c.Hosts {
		settings = append(settings, placeholder.Setting{Name: "host", Value: &c.Hosts[i]})
	}
	return c, placeholder.Expand(repl, settings...)
}

// Issues reports whether r fetches a challenge for the page's widget. On the form's own path it
// does only if matches returns true.
func (v *Verifier) Issues(r *http.Request, matches func(*http.Request) (bool, error)) (bool, error) {
	if v == nil || v.issue == nil || r.Method != http.MethodGet {
		return false, nil
	}
	asked := httpx.OriginalURL(r)
	if v.path != "" {
		return v.path == asked.Path || v.path == r.URL.Path, nil
	}
	// A form sent with GET has a value there.
	if values := asked.Query()[altchaQuery]; len(values) != 1 || values[0] != "" {
		return false, nil
	}
	return matches(r)
}

// Issue returns a new challenge, to be sent as JSON.
func (v *Verifier) Issue() any { return v.issue() }

// Verify checks the answer in a form that was posted from a page of the host, and marks the answer
// as used for the lead. It may take as long as the challenge's timeout.
func (v *Verifier) Verify(ctx context.Context, host string, posted *form.Form, lead string) challenge.Result {
	if v == nil {
		return challenge.Result{}
	}
	var answer string
	for _, value := range posted.Values(v.input) {
		answer = cmp.Or(answer, value)
	}
	err := v.verify(ctx, answer, host, lead)
	if errors.Is(err, challenge.ErrUnverified) {
		v.complain.Do(func() {
			v.logger.Warn("the challenge cannot be verified; this is logged once a minute at most",
				zap.String("form", v.form), zap.Bool("refused", v.closed), zap.Error(err))
		})
	}
	return challenge.Judge(err, v.closed)
}

// Try reports whether a form has an answer, and what follows if not. It takes an answer for a right
// one: verifying uses it up, and may ask a service.
func (v *Verifier) Try(posted *form.Form) (answered bool, _ challenge.Result) {
	if slices.ContainsFunc(posted.Values(v.input), func(answer string) bool { return answer != "" }) {
		return true, challenge.Result{}
	}
	return false, challenge.Judge(challenge.ErrUnanswered, v.closed)
}

// Close releases the challenge.
func (v *Verifier) Close() error {
	if v == nil || v.release == nil {
		return nil
	}
	return v.release()
}

// Interface guard
var _ caddy.Destructor = pooledSpent{}
