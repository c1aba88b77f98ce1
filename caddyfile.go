package caddytelecrm

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/answer"
	"github.com/leadwire/caddy-telecrm/internal/challenges"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
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
	matcherSet, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if matcherSet != nil {
		handler.MatchRaw = caddyhttp.RawMatcherSets{matcherSet}
	}
	return h.NewRoute(nil, handler), nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	telecrm [<matcher>] {
//	    account    <name>
//	    # ... or the account's own words (see the global option), except that
//	    # country and time_zone may accompany a name.
//
//	    form       <name>
//	    field      <api_name> [<input> [<type>]] {
//	        required [<message>]
//	        label    <text>
//	        country  <code>
//	        options  <label>...
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
//
//	    on_duplicate actions | update <api_name>... | upsert | ignore | park
//	    deliver    now [<budget>] | later
//	    thank_you  <path or URL>
//	    errors     page | handle | redirect <path or URL>
//	    form_page  <path>
//	    fallback   <text>
//	    honeypot   <input>... | off
//	    rate_limit <n> <window> | off
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
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("telecrm takes one matcher and a block, got %q too; a path begins with /, a named matcher with @", d.Val())
	}
	return grammar.Block(d, "telecrm", append([]grammar.Word{
		grammar.Text("account", &h.AccountName),
		grammar.Text("form", &h.Form),
		fieldWord(&h.Fields),
		setWord(&h.Set),
		{Name: "action", Many: true, Read: h.readAction},
		grammar.Text("unmapped", &h.Unmapped),
		{Name: "on_duplicate", Read: h.readOnDuplicate},
		{Name: "deliver", Read: h.readDeliver},
		grammar.Text("thank_you", &h.ThankYou),
		{Name: "errors", Read: h.readErrors},
		grammar.Text("form_page", &h.FormPage),
		grammar.Text("fallback", &h.Fallback),
		{Name: "honeypot", Read: h.readHoneypot},
		grammar.Joined("rate_limit", &h.RateLimit),
		{Name: "origins", Many: true, Read: h.readOrigins},
		grammar.Text("dedupe", &h.Dedupe),
		grammar.Flag("protect", &h.Protect),
		grammar.Text("messages", &h.Messages),
		grammar.Size("max_body", &h.MaxBody),
		{Name: "challenge", Read: h.readChallenge},
	}, accountWords(&h.Settings)...))
}

func (h *Handler) readOnDuplicate(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("on_duplicate takes one of: %s", delivery.PolicyNames())
	}
	h.OnDuplicate = d.Val()
	h.UpdateFields = d.RemainingArgs()
	isUpdate := h.OnDuplicate == string(delivery.UpdateFields)
	switch {
	case !delivery.Policy(h.OnDuplicate).Known():
		return d.Errf("unknown on_duplicate policy %q; known policies are: %s", h.OnDuplicate, delivery.PolicyNames())
	case isUpdate && len(h.UpdateFields) == 0:
		return d.Errf("on_duplicate update takes the API names of the fields to set")
	case !isUpdate && len(h.UpdateFields) > 0:
		return d.Errf("on_duplicate %s takes no argument, got %q", h.OnDuplicate, h.UpdateFields[0])
	}
	return nil
}

func (h *Handler) readDeliver(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && (args[0] == deliverNow || args[0] == deliverLater):
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
	switch {
	case len(args) == 2 && args[0] == answer.Redirect:
		h.ErrorsRedirect = args[1]
	case len(args) == 1 && args[0] == answer.Redirect:
		return d.Errf("errors redirect takes a path or URL")
	case len(args) == 1 && (args[0] == answer.Page || args[0] == answer.Handle):
	default:
		return d.Errf("errors takes one of: page, handle, redirect <path or URL>")
	}
	h.Errors = args[0]
	return nil
}

func (h *Handler) readAction(d *caddyfile.Dispenser) error {
	var action mapping.Action
	if !d.AllArgs(&action.Code) {
		return d.Errf("action takes one code, such as 1042, or PAYMENT")
	}
	err := grammar.Block(d, "action", []grammar.Word{fieldWord(&action.Fields), setWord(&action.Set)})
	if err != nil {
		return err
	}
	h.Actions = append(h.Actions, action)
	return nil
}

func fieldWord(into *[]mapping.Field) grammar.Word {
	return grammar.Word{Name: "field", Many: true, Read: func(d *caddyfile.Dispenser) error {
		var f mapping.Field
		switch args := d.RemainingArgs(); len(args) {
		case 3:
			f.Type = args[2]
			fallthrough
		case 2:
			f.Input = args[1]
			fallthrough
		case 1:
			f.Name = args[0]
		default:
			return d.Errf("field takes: <api_name> [<input> [<type>]]")
		}
		err := grammar.Block(d, "field", []grammar.Word{
			{Name: "required", Read: func(d *caddyfile.Dispenser) error { return readRequired(d, &f) }},
			grammar.Text("label", &f.Label),
			grammar.Text("country", &f.Country),
			{Name: "options", Read: func(d *caddyfile.Dispenser) error { return readOptions(d, &f) }},
			{Name: "pattern", Read: func(d *caddyfile.Dispenser) error { return readPattern(d, &f) }},
			grammar.Number("min", &f.Min),
			grammar.Number("max", &f.Max),
			grammar.Text("default", &f.Default),
		})
		if err != nil {
			return err
		}
		*into = append(*into, f)
		return nil
	}}
}

func readRequired(d *caddyfile.Dispenser, f *mapping.Field) error {
	f.Required = true
	args := d.RemainingArgs()
	if len(args) > 1 {
		return d.Errf("required takes at most one message; put it in quotes")
	}
	if len(args) == 1 {
		f.RequiredMessage = args[0]
	}
	return nil
}

func readOptions(d *caddyfile.Dispenser, f *mapping.Field) error {
	f.Options = d.RemainingArgs()
	if len(f.Options) == 0 {
		return d.Errf("options takes one or more labels; put those with spaces in quotes")
	}
	return nil
}

func readPattern(d *caddyfile.Dispenser, f *mapping.Field) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Errf("pattern takes: <regexp> [<message>]")
	}
	f.Pattern = args[0]
	if len(args) == 2 {
		f.PatternMessage = args[1]
	}
	return nil
}

func setWord(into *[]mapping.Setting) grammar.Word {
	return grammar.Word{Name: "set", Many: true, Read: func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) < 2 || len(args) > 3 {
			return d.Errf("set takes: <api_name> <value> [<type>]; put a value with spaces in quotes")
		}
		s := mapping.Setting{Name: args[0], Value: args[1]}
		if len(args) == 3 {
			s.Type = args[2]
		}
		*into = append(*into, s)
		return nil
	}}
}

func (h *Handler) readHoneypot(d *caddyfile.Dispenser) error {
	h.Honeypot = d.RemainingArgs()
	if len(h.Honeypot) == 0 {
		return d.Errf("honeypot takes the names of one or more inputs, or off")
	}
	return nil
}

func (h *Handler) readOrigins(d *caddyfile.Dispenser) error {
	h.Origins = append(h.Origins, d.RemainingArgs()...)
	if len(h.Origins) == 0 {
		return d.Errf("origins takes one or more, such as https://www.example.com")
	}
	return nil
}

func (h *Handler) readChallenge(d *caddyfile.Dispenser) error {
	c := new(challenges.Config)
	if args := d.RemainingArgs(); len(args) == 1 {
		c.Kind = args[0]
	}
	if !slices.Contains(challenges.Kinds(), c.Kind) {
		return d.Errf("challenge takes one of: %s", strings.Join(challenges.Kinds(), ", "))
	}
	h.Challenge = c
	return grammar.Block(d, "challenge", []grammar.Word{
		grammar.Text("path", &c.Path),
		grammar.Whole("complexity", &c.Complexity),
		grammar.Duration("expires", &c.Expires),
		grammar.Text("secret", &c.Secret),
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
		grammar.Text("fail", &c.Fail),
	})
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

// parseGlobalOption parses the telecrm global option. Snippets and imports may repeat it, and each
// adds accounts.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if previous, ok := existing.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(previous.Value, app); err != nil {
			return nil, fmt.Errorf("reading the earlier telecrm option: %w", err)
		}
	}
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "telecrm", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens. Syntax:
//
//	telecrm {
//	    account [<name>] {
//	        token          <secret>
//	        async_token    <secret>
//	        enterprise_id  <id>
//	        base_url       <url>
//	        async_base_url <url>
//	        identifier     <api_name>
//	        country        <ISO 3166 code>
//	        time_zone      <IANA name>
//	        crm_rate       <n>/<s|m|h> [<burst>]
//	        timeout        <duration>
//	    }
//	    outbox    sqlite [<file>] | off
//	    retry_for <duration>
//	    keep      delivered|parked <duration>
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if d.NextArg() {
		return d.Errf("the telecrm option takes only a block, got %q", d.Val())
	}
	return grammar.Block(d, "the telecrm option", []grammar.Word{
		{Name: "account", Many: true, Read: a.readAccount},
		{Name: "outbox", Read: a.readOutbox},
		grammar.Duration("retry_for", &a.RetryFor),
		{Name: "keep", Many: true, Read: a.readKeep},
	})
}

func (a *App) readOutbox(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("outbox takes one of: sqlite [<file>], off")
	}
	name := d.Val()
	if name == "bolt" {
		return d.Errf("outbox bolt does not exist any more; write: outbox sqlite [<file>]")
	}
	module, err := caddyfile.UnmarshalModule(d, "telecrm.outbox."+name)
	if err != nil {
		return err
	}
	if _, ok := module.(dispatch.Guest); !ok {
		return d.Errf("%s is not an outbox module", name)
	}
	a.OutboxRaw = caddyconfig.JSONModuleObject(module, "store", name, nil)
	return nil
}

func (a *App) readKeep(d *caddyfile.Dispenser) error {
	var state, arg string
	if !d.AllArgs(&state, &arg) {
		return d.Errf("keep takes: delivered|parked <duration>")
	}
	into := map[string]*caddy.Duration{"delivered": &a.Keep.Delivered, "parked": &a.Keep.Parked}[state]
	if into == nil {
		return d.Errf("unknown word %q after keep; known words are: delivered, parked", state)
	}
	if *into != 0 {
		return d.Errf("keep %s is repeated", state)
	}
	return grammar.ParseDuration(d, "keep "+state, arg, into)
}

func (a *App) readAccount(d *caddyfile.Dispenser) error {
	name := account.Default
	switch args := d.RemainingArgs(); len(args) {
	case 0:
	case 1:
		name = args[0]
	default:
		return d.Errf("account takes at most one name")
	}
	if _, exists := a.Accounts[name]; exists {
		return d.Errf("account %s is repeated", name)
	}
	settings := new(account.Settings)
	if err := grammar.Block(d, "account", accountWords(settings)); err != nil {
		return err
	}
	if settings.Token == "" && settings.AsyncToken == "" || settings.EnterpriseID == "" {
		return d.Errf("account %s needs token (or async_token) and enterprise_id", name)
	}
	if a.Accounts == nil {
		a.Accounts = make(map[string]*account.Settings)
	}
	a.Accounts[name] = settings
	return nil
}

// accountWords returns the words for account settings in the global option and in a form's block.
func accountWords(a *account.Settings) []grammar.Word {
	return []grammar.Word{
		grammar.Text("token", &a.Token),
		grammar.Text("async_token", &a.AsyncToken),
		grammar.Text("enterprise_id", &a.EnterpriseID),
		grammar.Text("base_url", &a.BaseURL),
		grammar.Text("async_base_url", &a.AsyncBaseURL),
		grammar.Text("identifier", &a.Identifier),
		grammar.Text("country", &a.Country),
		grammar.Text("time_zone", &a.TimeZone),
		grammar.Joined("crm_rate", &a.CRMRate),
		grammar.Duration("timeout", &a.Timeout),
	}
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
)
