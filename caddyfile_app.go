package caddytelecrm

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/internal/grammar"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// parseGlobalOption parses the telecrm global option. Snippets and imports may repeat it, and each
// adds accounts.
func parseGlobalOption(d *caddyfile.Dispenser, existing any) (any, error) {
	app, err := appOf(existing)
	if err != nil {
		return nil, err
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
//	        date_order     dmy|mdy|ymd
//	        crm_rate       <n>/<s|m|h> [<burst>]
//	        timeout        <duration>
//	    }
//	    outbox    sqlite [<file>] | postgres <dsn> { … } | off
//	    retry_for <duration>
//	    keep      delivered|parked <duration>
//	    check     daily|off
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
		grammar.Text("check", &a.Check, grammar.OneOf(checkDaily, off)),
	})
}

func (a *App) readOutbox(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("outbox takes one of: sqlite [<file>], postgres <dsn>, off")
	}
	name := d.Val()
	if name == "bolt" {
		return d.Errf("outbox bolt does not exist any more; write: outbox sqlite [<file>]")
	}
	if _, err := caddy.GetModule("telecrm.outbox." + name); err != nil {
		return d.WrapErr(dispatch.UnknownOutbox(name, "outbox "))
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
	const takes = "keep takes: delivered|parked <duration>"
	var state, arg string
	switch n := d.CountRemainingArgs(); {
	case n < 2:
		return grammar.TooFew(d, takes)
	case n > 2:
		return d.Errf(takes)
	}
	d.Args(&state, &arg)
	if err := grammar.Apply(d, "keep", state, grammar.OneOf("delivered", "parked")); err != nil {
		return err
	}
	into := map[string]*caddy.Duration{"delivered": &a.Keep.Delivered, "parked": &a.Keep.Parked}[state]
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
	if err := checkAccountName(name); err != nil {
		return d.WrapErr(err)
	}
	if _, exists := a.Accounts[name]; exists {
		return d.Errf("account %s is repeated", name)
	}
	settings := new(account.Settings)
	if err := grammar.Block(d, "account", accountWords(settings)); err != nil {
		return err
	}
	if settings.Token == "" && settings.AsyncToken == "" || settings.EnterpriseID == "" {
		return d.Errf("account%s needs token (or async_token) and enterprise_id", suggest.Shown(name))
	}
	if a.Accounts == nil {
		a.Accounts = make(map[string]*account.Settings)
	}
	a.Accounts[name] = settings
	return nil
}

// checkAccountName returns an error for a name that operators could not use.
func checkAccountName(name string) error {
	if name == "" {
		return errors.New("account: the name is empty; leave it out, or write another one")
	}
	if err := mapping.CheckWritten(name); err != nil {
		return fmt.Errorf("account %s: %w", name, err)
	}
	return nil
}

// accountWords returns the words for account settings in the global option and in a form's block.
func accountWords(a *account.Settings) []grammar.Word {
	return []grammar.Word{
		grammar.Secret("token", &a.Token),
		grammar.Secret("async_token", &a.AsyncToken),
		grammar.Text("enterprise_id", &a.EnterpriseID, telecrm.CheckEnterpriseID),
		grammar.Text("base_url", &a.BaseURL, telecrm.CheckBaseURL),
		grammar.Text("async_base_url", &a.AsyncBaseURL, telecrm.CheckBaseURL),
		grammar.Text("identifier", &a.Identifier),
		grammar.Text("country", &a.Country, fieldtype.CheckCountry),
		grammar.Text("time_zone", &a.TimeZone, account.CheckTimeZone),
		grammar.Text("date_order", &a.DateOrder, fieldtype.CheckDateOrder),
		grammar.Joined("crm_rate", &a.CRMRate, account.CheckRate),
		grammar.Duration("timeout", &a.Timeout),
	}
}

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
