package account

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Default is the name of the account of forms that do not name one.
const Default = "default"

// Registry holds the accounts of one config: those named in the global option, and those written
// inline, in a form's own block.
type Registry struct {
	observe Observe
	logger  *zap.Logger

	named   map[string]*Account
	written map[string]settingsKey // of the named accounts
	inline  map[settingsKey]*Account
	numbers func() // numbers inline accounts that share a name, once
	updates map[string]bool
	agreed  outbox.Settings
	// The tokens live in a function because fmt prints unexported fields.
	tokens func() []string
}

// NewRegistry returns a Registry without accounts.
func NewRegistry(observe Observe, logger *zap.Logger) *Registry {
	r := &Registry{
		observe: observe,
		logger:  logger,
		named:   make(map[string]*Account),
		written: make(map[string]settingsKey),
		inline:  make(map[settingsKey]*Account),
		updates: make(map[string]bool),
		agreed:  make(outbox.Settings),
		tokens:  func() []string { return nil },
	}
	r.numbers = sync.OnceFunc(r.numberAccounts)
	return r
}

// Add opens an account and adds it under a name.
func (r *Registry) Add(name string, s Settings) error {
	resolved, err := s.resolve(caddy.NewReplacer(), r.logger.With(zap.String("account", name)))
	if err != nil {
		return err
	}
	acct, err := r.open(resolved, name)
	if err != nil {
		return err
	}
	r.named[name], r.written[name] = acct, resolved.settingsKey()
	return nil
}

func (r *Registry) open(resolved Settings, name string) (*Account, error) {
	acct, err := resolved.open(name, r.observe)
	if err != nil {
		return nil, err
	}
	acct.updates = r.updates
	r.agree(acct, resolved)
	tokens := r.tokens()
	for _, token := range []string{resolved.Token, resolved.AsyncToken} {
		if token != "" {
			tokens = append(tokens, token)
		}
	}
	r.tokens = func() []string { return tokens }
	return acct, nil
}

// Named returns the account with that name.
func (r *Registry) Named(name string) (*Account, error) {
	if acct, ok := r.named[name]; ok {
		return acct, nil
	}
	return nil, Unknown(name, slices.Sorted(maps.Keys(r.named)))
}

// Unknown returns the error for a form that names an account that is not among the known ones.
func Unknown(name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("unknown account%s; configure it in the telecrm global option, or write token and enterprise_id in this block", suggest.Shown(name))
	}
	return suggest.Unknown("account", name, known...)
}

// Inline returns the account for settings in a form's own block. Forms with the same settings share
// one account and its pace. A named account with these settings is shared too.
func (r *Registry) Inline(s Settings, form string) (*Account, error) {
	resolved, err := s.resolve(caddy.NewReplacer(), r.logger)
	if err != nil {
		return nil, err
	}
	acct, err := r.shared(resolved)
	if err != nil {
		return nil, err
	}
	acct.called.forms = append(acct.called.forms, form)
	own := *acct
	own.Country, own.Location, own.DateOrder = "", time.UTC, ""
	return own.In(resolved.Country, resolved.TimeZone, resolved.DateOrder)
}

// Find returns the account with these settings, as written, or else the one with that name. It
// returns nil if there is none.
func (r *Registry) Find(name string, s Settings) *Account {
	resolved, err := s.resolve(caddy.NewReplacer(), zap.NewNop())
	if err != nil {
		return r.named[name]
	}
	return cmp.Or(r.opened(resolved.settingsKey()), r.named[name])
}

// All returns all accounts.
func (r *Registry) All() []*Account {
	return slices.AppendSeq(slices.Collect(maps.Values(r.named)), maps.Values(r.inline))
}

// Names returns the names of all accounts.
func (r *Registry) Names() []string {
	all := r.All()
	names := make([]string, 0, len(all))
	for _, acct := range all {
		names = append(names, acct.Name())
	}
	return names
}

// Redactor removes the tokens of all accounts from texts.
func (r *Registry) Redactor() *telecrm.Redactor { return telecrm.NewRedactor(r.tokens()...) }

// CloseIdleConnections closes the connections that no request is using.
func (r *Registry) CloseIdleConnections() {
	for _, acct := range r.All() {
		acct.closeIdleConnections()
	}
}

// shared returns the account with these resolved settings. It opens one if none exists.
func (r *Registry) shared(resolved Settings) (*Account, error) {
	key := resolved.settingsKey()
	if acct := r.opened(key); acct != nil {
		return acct, nil
	}
	acct, err := r.open(resolved, resolved.inlineName())
	if err != nil {
		return nil, err
	}
	acct.called.settle = r.numbers
	r.inline[key] = acct
	return acct, nil
}

// opened returns the open account with these settings, or nil.
func (r *Registry) opened(key settingsKey) *Account {
	for _, name := range slices.Sorted(maps.Keys(r.written)) {
		if r.written[name] == key {
			return r.named[name]
		}
	}
	return r.inline[key]
}

// numberAccounts numbers inline accounts with the same name. Their settings differ only in a token,
// or a named account has that name. The numbers follow the order of their forms, so they stay the
// same when a token is replaced.
func (r *Registry) numberAccounts() {
	byBase := make(map[string][]settingsKey)
	for key, acct := range r.inline {
		byBase[acct.called.base] = append(byBase[acct.called.base], key)
	}
	for base, keys := range byBase {
		slices.SortFunc(keys, func(x, y settingsKey) int {
			return cmp.Or(
				strings.Compare(slices.Min(r.inline[x].called.forms), slices.Min(r.inline[y].called.forms)),
				slices.Compare(x[:], y[:]))
		})
		next := 1
		for _, key := range keys {
			called := r.inline[key].called
			for r.named[numbered(base, next)] != nil {
				next++
			}
			called.number = next
			next++
			if len(keys) > 1 {
				r.logger.Warn("accounts of one workspace differ only in a token; to name them, configure them in the telecrm global option",
					zap.String("account", numbered(base, called.number)), zap.Strings("forms", called.forms))
			}
		}
	}
}

// HeirOf returns the account that takes over the entries of an inline account that is no longer in
// the config. It picks the account with the most similar settings among those that reach the same
// workspace. It returns nil if there are none, and the entries wait.
func (r *Registry) HeirOf(name string) *Account {
	gone := workspaceOf(name)
	var heirs []*Account
	for _, acct := range r.All() {
		if acct.workspace.reaches(gone) {
			heirs = append(heirs, acct)
		}
	}
	if len(heirs) == 0 {
		return nil
	}
	return slices.MaxFunc(heirs, func(x, y *Account) int {
		return cmp.Or(
			cmp.Compare(x.likeness(name, gone), y.likeness(name, gone)),
			-strings.Compare(x.Name(), y.Name()))
	})
}

// likeness scores how similar the account's settings are to those of the account with that name.
func (acct *Account) likeness(name string, w workspace) int {
	alike := 0
	if acct.Identifier == identifierOf(name) {
		alike += 2
	}
	if acct.workspace == w {
		alike++
	}
	return alike
}
