package caddytelecrm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(App{})
}

// defaultAccount is the name of the account that a form uses when it names
// none.
const defaultAccount = "default"

// App holds the TeleCRM accounts that the `telecrm` handlers deliver leads
// to.
type App struct {
	// The accounts by name. A form that names none uses the one called
	// `default`.
	Accounts map[string]*Account `json:"accounts,omitempty"`

	logger *zap.Logger

	opened map[string]*account
	inline map[Account]*account
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "telecrm",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision resolves the accounts' settings. It does not talk to TeleCRM, so
// a CRM that is down never keeps a site from starting.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	a.opened = make(map[string]*account, len(a.Accounts))
	a.inline = make(map[Account]*account)
	repl := caddy.NewReplacer()
	for _, name := range slices.Sorted(maps.Keys(a.Accounts)) {
		settings := a.Accounts[name]
		if settings == nil {
			return fmt.Errorf("account %s: token and enterprise_id are required", name)
		}
		resolved, err := settings.resolve(repl, a.logger.With(zap.String("account", name)))
		if err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
		acct, err := resolved.open(name)
		if err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
		a.opened[name] = acct
	}
	return nil
}

// Start does nothing: the accounts are ready once provisioned.
func (a *App) Start() error { return nil }

// Stop does nothing: requests that are still being answered keep their
// connections.
func (a *App) Stop() error { return nil }

// Cleanup closes the accounts' idle connections.
func (a *App) Cleanup() error {
	for _, acct := range a.opened {
		acct.client.CloseIdleConnections()
	}
	for _, acct := range a.inline {
		acct.client.CloseIdleConnections()
	}
	return nil
}

// account returns the configured account of that name, or an error that lists
// the known ones.
func (a *App) account(name string) (*account, error) {
	if acct, ok := a.opened[name]; ok {
		return acct, nil
	}
	if len(a.opened) == 0 {
		return nil, fmt.Errorf("there is no account %q: configure it in the telecrm global option, or write token and enterprise_id in this block", name)
	}
	known := slices.Sorted(maps.Keys(a.opened))
	return nil, fmt.Errorf("there is no account %q; known accounts are: %s", name, strings.Join(known, ", "))
}

// inlineAccount returns the account of settings written in a form's own
// block. Forms with the same settings share it, and so its pace.
func (a *App) inlineAccount(settings Account) (*account, error) {
	resolved, err := settings.resolve(caddy.NewReplacer(), a.logger)
	if err != nil {
		return nil, err
	}
	if acct, ok := a.inline[resolved]; ok {
		return acct, nil
	}
	acct, err := resolved.open(resolved.EnterpriseID)
	if err != nil {
		return nil, err
	}
	a.inline[resolved] = acct
	return acct, nil
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
