package caddytelecrm

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	// Modules that come with the handler.
	_ "github.com/leadwire/caddy-telecrm/modules/command"
	_ "github.com/leadwire/caddy-telecrm/modules/sandboxhandler"
)

func init() {
	caddy.RegisterModule(App{})
}

// defaultAccount is the name of the account that a form uses when it names
// none.
const defaultAccount = "default"

// Defaults of an [App].
const (
	defaultRetryFor      = 72 * time.Hour
	defaultKeepDelivered = 7 * 24 * time.Hour
	defaultKeepParked    = 90 * 24 * time.Hour
)

// App holds the TeleCRM accounts that the `telecrm` handlers deliver leads
// to, and the outbox that keeps the leads until they are there.
type App struct {
	// The accounts by name. A form that names none uses the one called
	// `default`.
	Accounts map[string]*Account `json:"accounts,omitempty"`

	// Where leads are kept until TeleCRM has them: `bolt`, a file, or `off`.
	// Default: `bolt`
	OutboxRaw json.RawMessage `json:"outbox,omitempty" caddy:"namespace=telecrm.outbox inline_key=store"`

	// How long TeleCRM may fail to take a lead before it is parked, which
	// keeps it for a person to look at. Default: `72h`
	RetryFor caddy.Duration `json:"retry_for,omitempty"`

	// How long leads are kept after they were delivered or parked.
	Keep Keep `json:"keep,omitzero"`

	accounts map[string]*account
	written  map[string]settingsKey   // of the named accounts
	inline   map[settingsKey]*account // of settings in a form's own block
	numbers  func()                   // numbers the inline accounts of one name, once
	updates  map[string]bool          // keys of accounts with a form that updates leads
	forms    map[string]remarkLabels  // the config's forms by name
	outbox   Outbox
	resource string
	grace    func() time.Duration
	outlet   *eventOutlet
	secret   *secret         // of the guards of all forms
	tokens   func() []string // of all accounts, to keep out of the log what quotes them; see account.deriveKey
	logger   *zap.Logger

	secretName string // in the pool

	started chan struct{}
	pooled  *pooledOutbox // set once started is closed; nil if the outbox is off
}

// Keep is how long leads are kept once nothing more is done with them.
type Keep struct {
	// After they were delivered. Default: `7d`
	Delivered caddy.Duration `json:"delivered,omitempty"`
	// After they were parked. Default: `90d`
	Parked caddy.Duration `json:"parked,omitempty"`
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
	a.fillDefaults()
	a.grace = graceOf(ctx)
	if err := meters.register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	if err := a.provisionEvents(ctx); err != nil {
		return err
	}
	if err := a.provisionOutbox(ctx); err != nil {
		return err
	}
	var err error
	if a.secret, a.secretName, err = pooledSecret(ctx.Storage(), a.logger); err != nil {
		return err
	}
	a.accounts = make(map[string]*account, len(a.Accounts))
	a.written = make(map[string]settingsKey, len(a.Accounts))
	a.inline = make(map[settingsKey]*account)
	a.numbers = sync.OnceFunc(a.numberAccounts)
	a.tokens = func() []string { return nil }
	a.updates = make(map[string]bool)
	a.forms = make(map[string]remarkLabels)
	repl := caddy.NewReplacer()
	for _, name := range slices.Sorted(maps.Keys(a.Accounts)) {
		settings := a.Accounts[name]
		if settings == nil {
			return fmt.Errorf("account %s: token (or async_token) and enterprise_id are required", name)
		}
		resolved, err := settings.resolve(repl, a.logger.With(zap.String("account", name)))
		if err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
		if resolved, err = resolved.canonical(); err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
		acct, err := resolved.open(name)
		if err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
		a.accounts[name], a.written[name] = acct, resolved.settingsKey()
		a.hide(resolved)
	}
	return nil
}

// provisionOutbox loads the outbox module. It opens nothing, so that a config
// can be validated beside a running server.
func (a *App) provisionOutbox(ctx caddy.Context) error {
	a.started = make(chan struct{})
	a.outbox = new(BoltOutbox)
	if a.OutboxRaw != nil {
		guest, err := ctx.LoadModule(a, "OutboxRaw")
		if err != nil {
			return fmt.Errorf("loading outbox: %w", err)
		}
		var ok bool
		if a.outbox, ok = guest.(Outbox); !ok {
			return fmt.Errorf("loading outbox: %T is no outbox", guest)
		}
	} else if err := a.outbox.(*BoltOutbox).Provision(ctx); err != nil {
		return err
	}
	var err error
	a.resource, err = a.outbox.Resource()
	return err
}

// fillDefaults fills in what the config leaves out.
func (a *App) fillDefaults() {
	for _, setting := range []struct {
		value    *caddy.Duration
		fallback time.Duration
	}{
		{&a.RetryFor, defaultRetryFor},
		{&a.Keep.Delivered, defaultKeepDelivered},
		{&a.Keep.Parked, defaultKeepParked},
	} {
		if *setting.value == 0 {
			*setting.value = caddy.Duration(setting.fallback)
		}
	}
}

// Validate reports settings that cannot work.
func (a *App) Validate() error {
	if a.RetryFor < 0 || a.Keep.Delivered < 0 || a.Keep.Parked < 0 {
		return errors.New("retry_for and keep take durations above zero")
	}
	return nil
}

// keepsLeads reports whether there is an outbox.
func (a *App) keepsLeads() bool { return a.resource != "" }

// Start opens the outbox, unless a config before this one has it open, and
// delivers what is due in it.
func (a *App) Start() error {
	defer close(a.started)
	meters.expect(a.forms, a.allAccounts())
	if !a.keepsLeads() {
		return nil
	}
	pooled, err := openPooled(a.resource, a.outbox, a.logger)
	if err != nil {
		return err
	}
	a.pooled = pooled
	pooled.adopt(a, a.deliveryConfig())
	return nil
}

// Stop lets attempts under way end if the process is about to exit. When a
// config takes over, nothing needs to stop: the outbox goes on under it, and
// requests that are still being answered use it until Cleanup.
func (a *App) Stop() error {
	if a.pooled != nil && caddy.Exiting() {
		a.pooled.stop(a.grace())
	}
	return nil
}

// Cleanup lets go of the outbox, which the last config to do so closes, and
// closes the accounts' idle connections.
func (a *App) Cleanup() error {
	var err error
	if a.pooled != nil {
		a.pooled.release(a)
		_, err = pool.Delete(a.resource)
	}
	if a.secret != nil {
		_, lost := pool.Delete(a.secretName)
		err = errors.Join(err, lost)
	}
	for _, acct := range a.allAccounts() {
		acct.closeIdleConnections()
	}
	return err
}

// allAccounts are the named accounts and those written in forms.
func (a *App) allAccounts() []*account {
	return slices.AppendSeq(slices.Collect(maps.Values(a.accounts)), maps.Values(a.inline))
}

// graceOf is how long the HTTP servers let requests take to end when the
// process exits, and so how long attempts may.
func graceOf(ctx caddy.Context) func() time.Duration {
	return func() time.Duration {
		if app, err := ctx.AppIfConfigured("http"); err == nil {
			if grace := time.Duration(app.(*caddyhttp.App).GracePeriod); grace > 0 {
				return grace
			}
		}
		return lastAttempts
	}
}

// hide keeps the tokens of an account out of the log.
func (a *App) hide(resolved Account) {
	tokens := a.tokens()
	for _, token := range []string{resolved.Token, resolved.AsyncToken} {
		if token != "" {
			tokens = append(tokens, token)
		}
	}
	a.tokens = func() []string { return tokens }
}

// account returns the configured account of that name, or an error that lists
// the known ones.
func (a *App) account(name string) (*account, error) {
	if acct, ok := a.accounts[name]; ok {
		return acct, nil
	}
	if len(a.accounts) == 0 {
		return nil, fmt.Errorf("there is no account %q: configure it in the telecrm global option, or write token and enterprise_id in this block", name)
	}
	known := slices.Sorted(maps.Keys(a.accounts))
	return nil, fmt.Errorf("there is no account %q; known accounts are: %s", name, strings.Join(known, ", "))
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
