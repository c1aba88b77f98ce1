package attributionhandler

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/attribution"
	"github.com/leadwire/caddy-telecrm/internal/grammar"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("telecrm_attribution", parseAttribution)
	// Its placeholders are for all other directives. It sees the visitor's own URL, and redirects too.
	httpcaddyfile.RegisterDirectiveOrder("telecrm_attribution", httpcaddyfile.Before, "map")
}

func parseAttribution(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(Handler)
	return a, a.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	telecrm_attribution [<matcher>] {
//	    cookie  <name> [<domain>]
//	    days    <n>
//	    params  <name>...
//	    consent cookie <name> [<value>]
//	    touch   first|last|both
//	    ignore_referrers <domain>...
//	    url     off
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("telecrm_attribution takes one matcher and a block, got %q too; a path begins with /, a named matcher with @", d.Val())
	}
	return grammar.Block(d, "telecrm_attribution", []grammar.Word{
		{Name: "cookie", Read: h.readCookie},
		grammar.Whole("days", &h.Days),
		{Name: "params", Read: h.readParams},
		{Name: "consent", Read: h.readConsent},
		grammar.Text("touch", &h.Touch, grammar.OneOf(attribution.WhichNames()...)),
		{Name: "ignore_referrers", Many: true, Read: h.readIgnored},
		{Name: "url", Read: h.readURL},
	})
}

func (h *Handler) readCookie(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return d.Errf("cookie takes: <name> [<domain>]")
	}
	h.Cookie = args[0]
	if err := grammar.Apply(d, "cookie", h.Cookie, attribution.CheckCookie); err != nil {
		return err
	}
	if len(args) == 1 {
		return nil
	}
	h.Domain = args[1]
	return grammar.Apply(d, "cookie", h.Domain, attribution.CheckDomain)
}

func (h *Handler) readParams(d *caddyfile.Dispenser) error {
	h.Params = d.RemainingArgs()
	if len(h.Params) == 0 {
		return d.Errf("params takes the names of one or more parameters, such as utm_* gclid")
	}
	for _, name := range h.Params {
		if err := grammar.Apply(d, "params", name, attribution.CheckParam); err != nil {
			return err
		}
	}
	return nil
}

func (h *Handler) readConsent(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 2 || len(args) > 3 || args[0] != "cookie" {
		return d.Errf("consent takes: cookie <name> [<value>]")
	}
	h.Consent = &Consent{Cookie: args[1]}
	if len(args) == 3 {
		h.Consent.Value = args[2]
	}
	return grammar.Apply(d, "consent", h.Consent.Cookie, func(name string) error {
		return (&attribution.Consent{Cookie: name}).Check()
	})
}

func (h *Handler) readIgnored(d *caddyfile.Dispenser) error {
	domains := d.RemainingArgs()
	if len(domains) == 0 {
		return d.Errf("ignore_referrers takes one or more domains, such as pay.example.com")
	}
	for _, domain := range domains {
		if err := grammar.Apply(d, "ignore_referrers", domain, attribution.CheckDomain); err != nil {
			return err
		}
	}
	h.IgnoreReferrers = append(h.IgnoreReferrers, domains...)
	return nil
}

func (h *Handler) readURL(d *caddyfile.Dispenser) error {
	var arg string
	if !d.AllArgs(&arg) || arg != "off" {
		return d.Errf("url takes: off")
	}
	h.IgnoreURL = true
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
