package caddytelecrm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/dailycheck"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/internal/metrics"
	"github.com/leadwire/caddy-telecrm/internal/report"
	"github.com/leadwire/caddy-telecrm/internal/route"
	"github.com/leadwire/caddy-telecrm/internal/secret"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/mapping"
	_ "github.com/leadwire/caddy-telecrm/modules/admin"              // the admin API
	_ "github.com/leadwire/caddy-telecrm/modules/attributionhandler" // telecrm_attribution
	_ "github.com/leadwire/caddy-telecrm/modules/command"            // caddy telecrm
	"github.com/leadwire/caddy-telecrm/modules/outboxes"             // telecrm.outbox
	_ "github.com/leadwire/caddy-telecrm/modules/sandboxhandler"     // telecrm_sandbox
	"github.com/leadwire/caddy-telecrm/outbox"
)

func init() {
	caddy.RegisterModule(App{})
}

// Defaults of an [App].
const (
	defaultRetryFor      = 72 * time.Hour
	defaultKeepDelivered = 7 * 24 * time.Hour
	defaultKeepParked    = 90 * 24 * time.Hour
)

// App manages the TeleCRM accounts that the `telecrm` handlers deliver leads to, and the outbox
// that keeps the leads until they are delivered.
type App struct {
	// The accounts by name. Forms that do not name an account use `default`.
	Accounts map[string]*account.Settings `json:"accounts,omitempty"`

	// Where leads are kept until TeleCRM has them: `sqlite`, a file, or `off`. Default: `sqlite`
	OutboxRaw json.RawMessage `json:"outbox,omitempty" caddy:"namespace=telecrm.outbox inline_key=store"`

	// How long to retry a lead before it is parked, which keeps it for a person to look at.
	// Default: `72h`
	RetryFor caddy.Duration `json:"retry_for,omitempty"`

	// How long to keep leads after they are delivered or parked.
	Keep Keep `json:"keep,omitzero"`

	// Whether to compare the pages, the forms and the workspace after each start and reload, and then
	// once a day: `daily` or `off`. Nothing waits for it. Default: `daily`
	Check string `json:"check,omitempty"`

	accounts *account.Registry
	phones   []string       // countries of the forms' phone numbers
	secret   *secret.Secret // of the guards of all forms
	servers  func() map[string]*caddyhttp.Server
	grace    func() time.Duration
	reporter *report.Reporter
	monitors map[string]*delivery.Monitor // of the accounts, if the outbox is off; set once started is closed
	ctx      caddy.Context
	logger   *zap.Logger

	outbox   dispatch.Guest
	resource string
	started  chan struct{}
	missed   *route.Missed
	opened   *dispatch.Dispatcher // set once started is closed; nil if the outbox is off
	daily    *dailycheck.Daily    // nil until started
}

// Keep says how long to keep leads after they are settled.
type Keep struct {
	// How long to keep delivered leads. Default: `7d`
	Delivered caddy.Duration `json:"delivered,omitempty"`
	// How long to keep parked leads. Default: `90d`
	Parked caddy.Duration `json:"parked,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "telecrm",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision resolves the accounts' settings. It does not connect to TeleCRM, so an outage there
// never keeps a site from starting.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.logger = ctx, ctx.Logger()
	a.fillDefaults()
	a.servers = serversOf(ctx)
	a.grace = graceOf(ctx)
	a.missed = route.NewMissed()
	if err := metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	outlet, err := dispatch.NewOutlet(ctx, a.wakeEvents)
	if err != nil {
		return err
	}
	if err := a.provisionOutbox(ctx); err != nil {
		return err
	}
	if a.secret, err = secret.Open(ctx.Storage(), a.logger); err != nil {
		return err
	}
	a.accounts = account.NewRegistry(metrics.Observer, a.logger)
	a.reporter = &report.Reporter{Logger: a.logger, Outlet: outlet, Forms: make(map[string]metrics.FieldLabels), Tokens: a.accounts.Redactor}
	for _, name := range slices.Sorted(maps.Keys(a.Accounts)) {
		if err := checkAccountName(name); err != nil {
			return err
		}
		settings := a.Accounts[name]
		if settings == nil {
			settings = new(account.Settings)
		}
		if err := a.accounts.Add(name, *settings); err != nil {
			return fmt.Errorf("account %s: %w", name, err)
		}
	}
	return nil
}

// provisionOutbox loads the outbox module. It does not open the outbox, so that a config can be
// validated next to a running server.
func (a *App) provisionOutbox(ctx caddy.Context) error {
	a.started = make(chan struct{})
	a.outbox = new(outboxes.SQLite)
	if a.OutboxRaw != nil {
		guest, err := ctx.LoadModule(a, "OutboxRaw")
		if err != nil {
			return fmt.Errorf("loading outbox: %w", err)
		}
		var ok bool
		if a.outbox, ok = guest.(dispatch.Guest); !ok {
			return fmt.Errorf("loading outbox: %T is not an outbox module", guest)
		}
	} else if err := a.outbox.(*outboxes.SQLite).Provision(ctx); err != nil {
		return err
	}
	var err error
	a.resource, err = a.outbox.Resource()
	return err
}

// fillDefaults fills in the defaults.
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

// serversOf returns the HTTP servers, which are known once all apps are provisioned.
func serversOf(ctx caddy.Context) func() map[string]*caddyhttp.Server {
	return func() map[string]*caddyhttp.Server {
		app, err := ctx.AppIfConfigured("http")
		if err != nil {
			return nil
		}
		return app.(*caddyhttp.App).Servers
	}
}

// graceOf returns the HTTP servers' grace period. When the process exits, attempts in flight get as
// long.
func graceOf(ctx caddy.Context) func() time.Duration {
	return func() time.Duration {
		if app, err := ctx.AppIfConfigured("http"); err == nil {
			if grace := time.Duration(app.(*caddyhttp.App).GracePeriod); grace > 0 {
				return grace
			}
		}
		return dispatch.LastAttempts
	}
}

// Validate reports settings that cannot work.
func (a *App) Validate() error {
	if a.RetryFor < 0 || a.Keep.Delivered < 0 || a.Keep.Parked < 0 {
		return errors.New("retry_for and keep: must be durations above zero")
	}
	if a.Check != "" && a.Check != checkDaily && a.Check != off {
		return suggest.Unknown("check", a.Check, checkDaily, off)
	}
	return nil
}

// KeepsLeads reports whether the outbox is on.
func (a *App) KeepsLeads() bool { return a.resource != "" }

// Start opens the outbox, unless an earlier config has it open, and delivers the leads in it. It
// does not wait for the search for outboxes that no config uses any more, which ends with the config.
func (a *App) Start() error {
	defer close(a.started)
	metrics.Expect(a.reporter.Forms, a.accounts.Names())
	a.warnOfOverlaps()
	if err := a.openOutbox(); err != nil {
		return err
	}
	a.startCheck()
	go outboxes.FindLeft(a.ctx, a.resource, a.logger)
	return nil
}

// openOutbox opens the outbox. If it is off, the accounts are only monitored.
func (a *App) openOutbox() error {
	if !a.KeepsLeads() {
		a.watch()
		return nil
	}
	d, err := dispatch.Open(a.resource, a.outbox, a.logger)
	if err != nil {
		return err
	}
	a.opened, a.reporter.Dispatcher = d, d
	d.Adopt(a, dispatch.Config{Delivery: a.deliveryConfig(), Heir: a.heir, Outlet: a.reporter.Outlet, Settings: a.agreedSettings()})
	return nil
}

// checkDaily is the default of Check.
const checkDaily = "daily"

// startCheck checks the forms from now on.
func (a *App) startCheck() {
	if a.Check == off {
		a.daily = dailycheck.Off()
		return
	}
	running := dailycheck.Running{Servers: a.servers, Settings: a.Accounts, Accounts: a.accounts, Logger: a.logger}
	if a.opened != nil {
		running.Engine = a.opened.Engine
	}
	a.daily = dailycheck.Start(running.Config())
}

// warnOfOverlaps warns about forms that get every post of their site, and those that get none.
func (a *App) warnOfOverlaps() {
	servers := a.servers()
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		for _, o := range route.Overlaps(servers[name]) {
			if o.Before == "" {
				a.logger.Warn("the form does not have a matcher, so it takes every POST of its site; name the path that it posts to, such as telecrm /contact",
					zap.String("form", o.Form))
				continue
			}
			a.logger.Warn("the form never gets a post, because another one before it in the same site takes them all; give each form its own matcher, and put the narrower one first",
				zap.String("form", o.Form), zap.String("before", o.Before))
		}
	}
}

// watch monitors the accounts of a config without an outbox.
func (a *App) watch() {
	accounts := a.accounts.All()
	a.monitors = make(map[string]*delivery.Monitor, len(accounts))
	list := make([]*delivery.Monitor, 0, len(accounts))
	for _, acct := range accounts {
		m := delivery.NewMonitor(acct.Name(), a.reporter.Troubled, a.reporter.Recovered)
		a.monitors[acct.Name()] = m
		list = append(list, m)
	}
	dispatch.Watch(a, list)
}

// Stop ends the check of the forms, and waits for attempts in flight if the process is about to exit.
// On a reload the outbox stays open, and requests in flight use it until Cleanup.
func (a *App) Stop() error {
	if a.daily != nil {
		a.daily.Stop()
	}
	if a.opened != nil && caddy.Exiting() {
		a.opened.Stop(a.grace())
	}
	return nil
}

// Cleanup releases the outbox, which the last config closes, and closes the accounts' idle
// connections.
func (a *App) Cleanup() error {
	var err error
	dispatch.Unwatch(a)
	if a.opened != nil {
		a.opened.Release(a)
		err = a.opened.Close()
	}
	if a.secret != nil {
		err = errors.Join(err, a.secret.Release())
	}
	if a.accounts != nil {
		a.accounts.CloseIdleConnections()
	}
	return err
}

// Countries lists the countries of phone numbers typed without a country code, each once.
func (a *App) Countries() []string { return a.phones }

// Forms lists the names of the config's forms, sorted.
func (a *App) Forms() []string { return slices.Sorted(maps.Keys(a.reporter.Forms)) }

// know adds the fields of a form. Forms with the same name are counted together.
func (a *App) know(form string, m *mapping.Mapping) {
	labels := m.RemarkLabels()
	for _, country := range m.Countries() {
		if !slices.Contains(a.phones, country) {
			a.phones = append(a.phones, country)
		}
	}
	if a.reporter.Forms[form] == nil {
		a.reporter.Forms[form] = make(metrics.FieldLabels)
	}
	maps.Copy(a.reporter.Forms[form], labels)
}

// startPatience is how long a request waits for the app to start.
const startPatience = 5 * time.Second

// dispatcher returns the open outbox. Caddy starts apps in any order, so a request may arrive
// before the outbox is open.
func (a *App) dispatcher(ctx context.Context) (*dispatch.Dispatcher, error) {
	if err := a.awaitStart(ctx); err != nil {
		return nil, err
	}
	if a.opened == nil {
		return nil, errors.New("the outbox could not be opened")
	}
	return a.opened, nil
}

func (a *App) awaitStart(ctx context.Context) error {
	select {
	case <-a.started:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	select {
	case <-a.started:
		return nil
	case <-ctx.Done():
		return errors.New("waiting for the outbox: not open yet")
	}
}

// lookupPatience is how long a post that looks like a repeat waits for the outbox to say whether it
// still has the first one.
const lookupPatience = 2 * time.Second

// isRemoved reports whether a lead is no longer in the outbox because an operator erased or
// discarded it, or because it has expired.
func (a *App) isRemoved(ctx context.Context, id string) bool {
	if !a.KeepsLeads() {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	d, err := a.dispatcher(ctx)
	if err != nil {
		return false
	}
	_, err = d.Store.Get(ctx, id)
	return errors.Is(err, outbox.ErrNotFound) && !errors.Is(err, outbox.ErrAway)
}

// heir returns the account that takes over the entries of an account that is no longer in the
// config.
func (a *App) heir(name string) (delivery.Account, bool) {
	heir := a.accounts.HeirOf(name)
	if heir == nil {
		return delivery.Account{}, false
	}
	return heir.Delivery(), true
}

// deliveryConfig returns the engine's config.
func (a *App) deliveryConfig() delivery.Config {
	config := delivery.Config{
		RetryFor:      time.Duration(a.RetryFor),
		KeepDelivered: time.Duration(a.Keep.Delivered),
		KeepParked:    time.Duration(a.Keep.Parked),
		Logger:        a.logger,
		Hooks: delivery.Hooks{
			Attempt: func(ctx context.Context, entry outbox.Entry) (context.Context, func(outbox.Settlement)) {
				return a.opened.Attempts.Start(ctx, entry)
			},
			Settled:   a.reporter.Settled,
			Held:      a.reporter.Held,
			Resumed:   a.reporter.Resumed,
			Troubled:  a.reporter.Troubled,
			Recovered: a.reporter.Recovered,
			Orphaned:  a.reporter.Orphaned,
		},
	}
	for _, acct := range a.accounts.All() {
		config.Accounts = append(config.Accounts, acct.Delivery())
	}
	return config
}

// agreedSettings returns the settings that other machines with the same outbox should share.
func (a *App) agreedSettings() outbox.Settings {
	settings := a.accounts.Agreed()
	for setting, value := range map[string]caddy.Duration{
		"retry_for": a.RetryFor, "keep delivered": a.Keep.Delivered, "keep parked": a.Keep.Parked,
	} {
		settings.Add("", setting, time.Duration(value).String())
	}
	return settings
}

// wakeEvents emits the events that were waiting for the config to start.
func (a *App) wakeEvents() {
	if a.opened != nil {
		a.opened.WakeEvents()
	}
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
