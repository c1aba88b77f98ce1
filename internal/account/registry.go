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

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Default is the name of the account of forms that do not name one.
const Default = "default"

// Registry holds the accounts of one config: those that the global option names, and those whose
// settings are written in a form's own block.
type Registry struct {
	observe Observe
	logger  *zap.Logger

	named   map[string]*Account
	written map[string]settingsKey // of the named accounts
	inline  map[settingsKey]*Account
	numbers func() // numbers the inline accounts of one name, once
	updates map[string]bool
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
		tokens:  func() []string { return nil },
	}
	r.numbers = sync.OnceFunc(r.numberAccounts)
	return r
}

// Add adds an account under a name.
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
	if len(r.named) == 0 {
		return nil, fmt.Errorf("there is no account %q: configure it in the telecrm global option, or write token and enterprise_id in this block", name)
	}
	known := slices.Sorted(maps.Keys(r.named))
	return nil, fmt.Errorf("there is no account %q; known accounts are: %s", name, strings.Join(known, ", "))
}

// Inline returns the account of settings that are written in a form's own block. Forms with the
// same settings share an account and its pace, also with a named account of these settings.
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
	own.Country, own.Location = "", time.UTC
	return own.In(resolved.Country, resolved.TimeZone)
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

// shared returns the account that resolved settings make.
func (r *Registry) shared(resolved Settings) (*Account, error) {
	key := resolved.settingsKey()
	for _, name := range slices.Sorted(maps.Keys(r.written)) {
		if r.written[name] == key {
			return r.named[name], nil
		}
	}
	if acct, ok := r.inline[key]; ok {
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

// numberAccounts tells inline accounts apart whose names are the same because they differ in a
// token alone, or because an account in the config has that name. The order is that of their forms,
// so that it stays when a token is replaced.
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
				r.logger.Warn("accounts of one workspace differ in a token alone; to name them, write them in the telecrm global option",
					zap.String("account", numbered(base, called.number)), zap.Strings("forms", called.forms))
			}
		}
	}
}

// HeirOf returns the account that delivers the entries of an inline account that is not in the
// config any more: one that reaches the same workspace, of several the one whose settings are the
// most like its own. It is nil if there is none, which leaves the entries to wait.
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

// likeness returns how much the account is like the one of that name.
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
