package caddytelecrm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/answer"
	"github.com/leadwire/caddy-telecrm/internal/challenges"
	"github.com/leadwire/caddy-telecrm/internal/grammar"
	"github.com/leadwire/caddy-telecrm/mapping"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("telecrm", parseGlobalOption)
	httpcaddyfile.RegisterDirective("telecrm", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("telecrm", httpcaddyfile.Before, "templates")
}

// parseDirective parses the telecrm directive. Its matcher goes into the handler instead of the
// route, where it would see only the URI as rewritten by earlier directives such as try_files.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	at := grammar.Here(h.Dispenser)
	if err := grammar.CheckPath(h.Dispenser); err != nil {
		return nil, err
	}
	matcherSet, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	p := parser{Handler: new(Handler), places: make(map[string]func(error) error)}
	if err := p.read(h.Dispenser); err != nil {
		return nil, err
	}
	app, err := appOf(h.Option("telecrm"))
	if err != nil {
		return nil, err
	}
	if err := p.check(app, at); err != nil {
		return nil, err
	}
	if matcherSet != nil {
		p.MatchRaw = caddyhttp.RawMatcherSets{matcherSet}
	}
	return h.NewRoute(nil, p.Handler), nil
}

// parser parses the block of the telecrm directive.
type parser struct {
	*Handler

	mapping grammar.Mapping
	places  map[string]func(error) error // add the place of each word that was read
}

// check reports what cannot work, as far as that is known before the config is loaded. Errors
// without a place of their own get that of the directive.
func (p *parser) check(app *App, at func(error) error) error {
	settings := &p.Settings
	if account.Connect(p.Settings) && p.AccountName != "" {
		return p.places["account"](errAccountTwice)
	}
	if !account.Connect(p.Settings) {
		name := cmp.Or(p.AccountName, account.Default)
		if settings = app.Accounts[name]; settings == nil {
			if p.AccountName != "" {
				at = p.places["account"]
			}
			return at(account.Unknown(name, slices.Sorted(maps.Keys(app.Accounts))))
		}
	}
	if p.ThankYou == "" {
		return at(errNoThankYou)
	}
	country := cmp.Or(p.Country, settings.Country)
	if grammar.IsExpandedLater(country) || grammar.IsExpandedLater(settings.Identifier) {
		return nil
	}
	in := mapping.Locale{Country: country, Location: time.UTC}
	if err := p.mapping.Check(in); err != nil {
		return err
	}
	identifier := cmp.Or(settings.Identifier, account.DefaultIdentifier)
	m, err := mapping.New(mapping.Config{Fields: p.Fields, Set: p.Set, Actions: p.Actions, Unmapped: p.Unmapped, Attribution: p.Attribution, Identifier: identifier, Locale: in})
	if err != nil {
		return at(err)
	}
	duplicates := delivery.OnDuplicate{Policy: delivery.Policy(p.OnDuplicate), Fields: p.UpdateFields}
	if err := duplicates.Check(identifier, m.Names()); err != nil {
		return p.places["on_duplicate"](err)
	}
	return nil
}

// appOf returns the app as parsed from the telecrm global option so far, or an empty one.
func appOf(option any) (*App, error) {
	app := new(App)
	if parsed, ok := option.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(parsed.Value, app); err != nil {
			return nil, fmt.Errorf("reading the earlier telecrm option: %w", err)
		}
	}
	return app, nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	telecrm [<matcher>] {
//	    account    <name>
//	    # ... or the account's own words (see the global option), except that
//	    # country, time_zone and date_order may accompany a name.
//
//	    form       <name>
//	    field      <api_name> [<input> [<type>]] {
//	        required [<message>]
//	        label    <text>
//	        country  <code>
//	        date_order dmy|mdy|ymd
//	        options  <label>...
//	        blank    <value>...
//	        pattern  <regexp> [<message>]
//	        min      <n>
//	        max      <n>
//	        default  <value>
//	    }
//	    set        <api_name> <value> [<type>]
//	    action     <code>|PAYMENT {
//	        field  ...
//	        set    ...
//	    }
//	    unmapped   <api_name>
//	    attribution [<api_name prefix>] {
//	        fields <name>...
//	    }
//
//	    on_duplicate actions | update <api_name>... | upsert | ignore | park
//	    deliver    now [<budget>] | later
//	    thank_you  <path or URL>
//	    errors     page | plain | handle | redirect <path or URL>
//	    form_page  <path>
//	    fallback   <text>
//	    honeypot   <input>... | off
//	    rate_limit <n> <window> | off {
//	        except <address or network>...
//	    }
//	    origins    <origin>...
//	    dedupe     <window> | off
//	    protect
//	    messages   <folder>
//	    max_body   <size>
//	    challenge  altcha {
//	        path       <path>
//	        complexity <n>
//	        expires    <duration>
//	        fail       open|closed
//	    }
//	    # ... or that of a service:
//	    challenge  turnstile|hcaptcha|recaptcha {
//	        secret     <secret>
//	        host       <host>...
//	        action     <name>
//	        score      <0 to 1>
//	        verify_url <url>
//	        timeout    <duration>
//	        fail       open|closed
//	    }
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := parser{Handler: h, places: make(map[string]func(error) error)}
	return p.read(d)
}

func (p *parser) read(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("telecrm takes one matcher and a block, got %q too; a path begins with /, a named matcher with @", d.Val())
	}
	words := append([]grammar.Word{
		grammar.Text("account", &p.AccountName),
		grammar.Written("form", &p.Form),
		p.mapping.Field(&p.Fields),
		p.mapping.Set(&p.Set),
		p.mapping.Action(&p.Actions),
		p.mapping.Unmapped(&p.Unmapped),
		{Name: "attribution", Read: func(d *caddyfile.Dispenser) (err error) { p.Attribution, err = grammar.Attribution(d); return err }},
		{Name: "on_duplicate", Read: p.readOnDuplicate},
		{Name: "deliver", Read: p.readDeliver},
		grammar.Text("thank_you", &p.ThankYou, checkThankYou),
		{Name: "errors", Read: p.readErrors},
		grammar.Text("form_page", &p.FormPage, checkFormPage),
		grammar.Text("fallback", &p.Fallback),
		{Name: "honeypot", Read: p.readHoneypot},
		{Name: "rate_limit", Read: p.readRateLimit},
		{Name: "origins", Many: true, Read: p.readOrigins},
		grammar.Text("dedupe", &p.Dedupe, func(text string) error { _, err := parseDedupe(text); return err }),
		grammar.Flag("protect", &p.Protect),
		grammar.Text("messages", &p.Messages),
		grammar.Size("max_body", &p.MaxBody),
		{Name: "challenge", Read: p.readChallenge},
	}, accountWords(&p.Settings)...)
	for i, word := range words {
		words[i].Read = func(d *caddyfile.Dispenser) error {
			p.places[word.Name] = grammar.Here(d)
			return word.Read(d)
		}
	}
	return grammar.Block(d, "telecrm", words)
}

func (h *Handler) readOnDuplicate(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("on_duplicate takes one of: %s", strings.Join(delivery.PolicyNames(), ", "))
	}
	h.OnDuplicate = d.Val()
	if err := grammar.Apply(d, "on_duplicate", h.OnDuplicate, delivery.CheckPolicy); err != nil {
		return err
	}
	h.UpdateFields = d.RemainingArgs()
	isUpdate := h.OnDuplicate == string(delivery.UpdateFields)
	switch {
	case isUpdate && len(h.UpdateFields) == 0:
		return grammar.TooFew(d, "on_duplicate update takes the API names of the fields to set")
	case !isUpdate && len(h.UpdateFields) > 0:
		return d.Errf("on_duplicate %s takes no argument, got %q", h.OnDuplicate, h.UpdateFields[0])
	}
	return nil
}

func (h *Handler) readDeliver(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) > 0 {
		if err := grammar.Apply(d, "deliver", args[0], grammar.OneOf(deliverNow, deliverLater)); err != nil {
			return err
		}
	}
	switch {
	case len(args) == 1:
	case len(args) == 2 && args[0] == deliverNow:
		if err := grammar.ParseDuration(d, "the budget of deliver now", args[1], &h.Budget); err != nil {
			return err
		}
	default:
		return d.Errf("deliver takes one of: now [<budget>], later")
	}
	h.Deliver = args[0]
	return nil
}

func (h *Handler) readErrors(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("errors takes one of: page, plain, handle, redirect <path or URL>")
	}
	if err := grammar.Apply(d, "errors", args[0], grammar.OneOf(errorAnswers()...)); err != nil {
		return err
	}
	h.Errors = args[0]
	switch isRedirect := h.Errors == answer.Redirect; {
	case isRedirect && len(args) == 2:
		h.ErrorsRedirect = args[1]
		return grammar.Apply(d, "errors redirect", args[1], checkErrorsRedirect)
	case isRedirect && len(args) == 1:
		return grammar.TooFew(d, "errors redirect takes one path or URL")
	case isRedirect:
		return d.Errf("errors redirect takes one path or URL")
	case len(args) > 1:
		return d.Errf("errors %s takes no argument, got %q", h.Errors, args[1])
	}
	return nil
}

func (h *Handler) readHoneypot(d *caddyfile.Dispenser) error {
	h.Honeypot = d.RemainingArgs()
	if len(h.Honeypot) == 0 {
		return d.Errf("honeypot takes the names of one or more inputs, or off")
	}
	if err := mapping.CheckWritten(h.Honeypot...); err != nil {
		return d.WrapErr(fmt.Errorf("honeypot: %w", err))
	}
	return nil
}

func (h *Handler) readRateLimit(d *caddyfile.Dispenser) error {
	check := func(text string) error { _, err := parseLimit(text); return err }
	if err := grammar.Joined("rate_limit", &h.RateLimit, check).Read(d); err != nil {
		return err
	}
	return grammar.Block(d, "rate_limit", []grammar.Word{{Name: "except", Many: true, Read: func(d *caddyfile.Dispenser) error {
		networks := d.RemainingArgs()
		if len(networks) == 0 {
			return d.Errf("except takes one or more addresses or networks, such as 203.0.113.0/24")
		}
		for _, network := range networks {
			if h.RateLimit == off {
				return d.Errf("except: needs a rate_limit, which is off")
			}
			if network == "private_ranges" {
				h.RateLimitExcept = append(h.RateLimitExcept, caddyhttp.PrivateRangesCIDR()...)
				continue
			}
			if _, err := parseNetwork(network); err != nil && !strings.Contains(network, "{") {
				return d.Errf("except: %v", err)
			}
			h.RateLimitExcept = append(h.RateLimitExcept, network)
		}
		return nil
	}}})
}

// parseNetwork parses an address, or a network such as 203.0.113.0/24.
func parseNetwork(text string) (netip.Prefix, error) {
	network, err := caddyhttp.CIDRExpressionToPrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("must be an address or a network, got %q; write one such as 203.0.113.7 or 203.0.113.0/24", text)
	}
	if addr := network.Addr(); addr.Is4In6() && network.Bits() >= 96 {
		network = netip.PrefixFrom(addr.Unmap(), network.Bits()-96)
	}
	return network.Masked(), nil
}

func (h *Handler) readOrigins(d *caddyfile.Dispenser) error {
	listed := d.RemainingArgs()
	if len(listed) == 0 {
		return d.Errf("origins takes one or more, such as https://www.example.com")
	}
	h.Origins = append(h.Origins, listed...)
	if _, err := guard.NewOrigins(listed, nil); err != nil {
		return d.WrapErr(fmt.Errorf("origins: %w", err))
	}
	return nil
}

func (h *Handler) readChallenge(d *caddyfile.Dispenser) error {
	c := new(challenges.Config)
	if !d.AllArgs(&c.Kind) {
		return d.Errf("challenge takes one of: %s", strings.Join(challenges.Kinds(), ", "))
	}
	if err := grammar.Apply(d, "challenge", c.Kind, grammar.OneOf(challenges.Kinds()...)); err != nil {
		return err
	}
	h.Challenge = c
	at := grammar.Here(d)
	err := grammar.Block(d, "challenge", []grammar.Word{
		grammar.Text("path", &c.Path),
		grammar.Whole("complexity", &c.Complexity),
		grammar.Duration("expires", &c.Expires),
		grammar.Secret("secret", &c.Secret),
		{Name: "host", Read: func(d *caddyfile.Dispenser) error {
			if c.Hosts = d.RemainingArgs(); len(c.Hosts) == 0 {
				return d.Errf("host takes one or more hosts, such as www.example.com")
			}
			return nil
		}},
		grammar.Text("action", &c.Action),
		grammar.Number("score", &c.Score),
		grammar.Text("verify_url", &c.VerifyURL),
		grammar.Duration("timeout", &c.Timeout),
		grammar.Text("fail", &c.Fail, grammar.OneOf("open", "closed")),
	})
	if err != nil {
		return err
	}
	if err := c.Check(); err != nil && !grammar.IsExpandedLater(c.Path) {
		return at(fmt.Errorf("challenge %s: %w", c.Kind, err))
	}
	return nil
}

// Errors of a whole block.
var (
	errNoThankYou   = errors.New("thank_you is required: the path or URL of the page to show when all is well")
	errAccountTwice = errors.New("name an account or write its settings here, not both; only country, time_zone and date_order may accompany a name")
)

// errorAnswers returns the words for the ways to tell a visitor about an error.
func errorAnswers() []string {
	return []string{answer.Page, answer.Plain, answer.Handle, answer.Redirect}
}

func checkThankYou(target string) error { return answer.CheckTarget(target, answer.PlaceholderID) }

func checkErrorsRedirect(target string) error {
	return answer.CheckTarget(target, answer.PlaceholderID, answer.PlaceholderOutcome, answer.PlaceholderErrorFields, answer.PlaceholderConfirm)
}

func checkFormPage(path string) error {
	if u, err := url.ParseRequestURI(path); err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(path, "//") {
		return fmt.Errorf("it must be a path that begins with /, got %q", path)
	}
	return nil
}

// parseLimit parses `<n> <window>`, or `off` for a zero limit.
func parseLimit(text string) (guard.Limit, error) {
	const form = "write <n> <window>, such as 10 1m, or off"
	if text == off {
		return guard.Limit{}, nil
	}
	words := strings.Fields(text)
	if len(words) != 2 {
		return guard.Limit{}, errors.New(form)
	}
	posts, err := strconv.ParseUint(words[0], 10, 16)
	if err != nil || posts == 0 {
		return guard.Limit{}, fmt.Errorf("must be between 1 and 65535 posts, got %q; %s", words[0], form)
	}
	window, err := caddy.ParseDuration(words[1])
	if err != nil || window <= 0 {
		return guard.Limit{}, fmt.Errorf("must have a duration above zero, got %q; %s", words[1], form)
	}
	return guard.Limit{Posts: int(posts), Window: window}, nil
}

// parseDedupe parses a duration, or `off` for 0.
func parseDedupe(text string) (time.Duration, error) {
	if text == off {
		return 0, nil
	}
	window, err := caddy.ParseDuration(text)
	if err != nil || window <= 0 {
		return 0, fmt.Errorf("must be a duration above zero, got %q; write one such as 10m, or off", text)
	}
	return window, nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
