package caddytelecrm

import (
	"encoding/json"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/leadwire/caddy-telecrm/internal/grammar"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("telecrm", parseGlobalOption)
}

// parseGlobalOption reads the telecrm global option. Written more than once,
// as snippets and imports may do, its accounts add up.
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
//	    outbox    bolt [<file>] | off
//	    retry_for <duration>
//	    keep      delivered|parked <duration>
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if d.NextArg() {
		return d.Errf("the telecrm option takes a block; %q is too much", d.Val())
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
		return d.Errf("outbox takes one of: bolt [<file>], off")
	}
	name := d.Val()
	module, err := caddyfile.UnmarshalModule(d, "telecrm.outbox."+name)
	if err != nil {
		return err
	}
	if _, ok := module.(Outbox); !ok {
		return d.Errf("%s is no outbox", name)
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
		return d.Errf("keep %s is written twice", state)
	}
	return grammar.ParseDuration(d, "keep "+state, arg, into)
}

func (a *App) readAccount(d *caddyfile.Dispenser) error {
	name := defaultAccount
	switch args := d.RemainingArgs(); len(args) {
	case 0:
	case 1:
		name = args[0]
	default:
		return d.Errf("account takes at most one name")
	}
	if _, exists := a.Accounts[name]; exists {
		return d.Errf("account %s is written twice", name)
	}
	settings := new(Account)
	if err := grammar.Block(d, "account", accountWords(settings)); err != nil {
		return err
	}
	if settings.Token == "" && settings.AsyncToken == "" || settings.EnterpriseID == "" {
		return d.Errf("account %s needs token (or async_token) and enterprise_id", name)
	}
	if a.Accounts == nil {
		a.Accounts = make(map[string]*Account)
	}
	a.Accounts[name] = settings
	return nil
}

// accountWords are the words that say how to reach TeleCRM, in the global
// option and in a form's own block.
func accountWords(a *Account) []grammar.Word {
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

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
