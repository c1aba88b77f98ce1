package caddytelecrm

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/grammar"
)

func init() {
	httpcaddyfile.RegisterDirective("telecrm", parseDirective)
	httpcaddyfile.RegisterDirectiveOrder("telecrm", httpcaddyfile.Before, "templates")
}

// parseDirective reads the telecrm directive. Its matcher goes into the
// handler rather than into the route, where it would see only what earlier
// directives such as try_files made of the URI.
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
		return d.Errf("telecrm takes one matcher and a block; %q is too much (a path begins with /, a named matcher with @)", d.Val())
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
	}, accountWords(&h.Account)...))
}

func (h *Handler) readOnDuplicate(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("on_duplicate takes one of: %s", policyNames())
	}
	h.OnDuplicate = d.Val()
	h.UpdateFields = d.RemainingArgs()
	isUpdate := h.OnDuplicate == string(delivery.UpdateFields)
	switch {
	case !slices.Contains(delivery.Policies(), delivery.Policy(h.OnDuplicate)):
		return d.Errf("on_duplicate %q is unknown; known ways are: %s", h.OnDuplicate, policyNames())
	case isUpdate && len(h.UpdateFields) == 0:
		return d.Errf("on_duplicate update takes the API names of the fields to set")
	case !isUpdate && len(h.UpdateFields) > 0:
		return d.Errf("on_duplicate %s takes nothing more", h.OnDuplicate)
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
	case len(args) == 2 && args[0] == errorsRedirect:
		h.ErrorsRedirect = args[1]
	case len(args) == 1 && args[0] == errorsRedirect:
		return d.Errf("errors redirect takes a path or URL")
	case len(args) == 1 && (args[0] == errorsPage || args[0] == errorsHandle):
	default:
		return d.Errf("errors takes one of: page, handle, redirect <path or URL>")
	}
	h.Errors = args[0]
	return nil
}

func (h *Handler) readAction(d *caddyfile.Dispenser) error {
	var action Action
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

func fieldWord(into *[]Field) grammar.Word {
	return grammar.Word{Name: "field", Many: true, Read: func(d *caddyfile.Dispenser) error {
		var f Field
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
			{Name: "required", Read: f.readRequired},
			grammar.Text("label", &f.Label),
			grammar.Text("country", &f.Country),
			{Name: "options", Read: f.readOptions},
			{Name: "pattern", Read: f.readPattern},
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

func (f *Field) readRequired(d *caddyfile.Dispenser) error {
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

func (f *Field) readOptions(d *caddyfile.Dispenser) error {
	f.Options = d.RemainingArgs()
	if len(f.Options) == 0 {
		return d.Errf("options takes one or more labels; put those with spaces in quotes")
	}
	return nil
}

func (f *Field) readPattern(d *caddyfile.Dispenser) error {
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

func setWord(into *[]Setting) grammar.Word {
	return grammar.Word{Name: "set", Many: true, Read: func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) < 2 || len(args) > 3 {
			return d.Errf("set takes: <api_name> <value> [<type>]; put a value with spaces in quotes")
		}
		s := Setting{Name: args[0], Value: args[1]}
		if len(args) == 3 {
			s.Type = args[2]
		}
		*into = append(*into, s)
		return nil
	}}
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
