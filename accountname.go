package caddytelecrm

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// accountName is what an account is called in the outbox, the status, the
// metrics and the log. Named accounts are called as the config says. Inline
// ones are called after their settings, except the tokens: entries in the
// outbox are kept under this name, and must find their account again after a
// token was replaced.
type accountName struct {
	base string
	// forms write these settings in their own block.
	forms []string
	// number tells inline accounts apart whose names would be the same, from 2
	// on. It is there once settle has run.
	number int
	settle func() // nil for named accounts
}

func (n *accountName) String() string {
	if n.settle != nil {
		n.settle()
	}
	return numbered(n.base, n.number)
}

func numbered(base string, number int) string {
	if number > 1 {
		return base + " #" + strconv.Itoa(number)
	}
	return base
}

// workspace says where an account's leads arrive: the enterprise and the base
// URL of the Sync API, of the Async API, or of both.
type workspace struct {
	sync, async string
}

const (
	asyncWord = " async"
	bothWord  = " and" + asyncWord
)

// workspace returns where the leads of resolved settings arrive.
func (a Account) workspace() workspace {
	var w workspace
	if a.Token != "" {
		w.sync = a.EnterpriseID + at(a.BaseURL, telecrm.DefaultBaseURL)
	}
	if a.AsyncToken != "" {
		w.async = a.EnterpriseID + asyncWord + at(a.AsyncBaseURL, telecrm.DefaultAsyncBaseURL)
	}
	return w
}

// at says which base URL is in use, unless it is the default.
func at(baseURL, standard string) string {
	if baseURL = canonicalURL(baseURL); baseURL == "" || baseURL == standard {
		return ""
	}
	return " at " + strings.TrimPrefix(baseURL, "https://")
}

// canonicalURL writes equal base URLs alike.
func canonicalURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw // which the client refuses
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if port := ":" + map[string]string{"https": "443", "http": "80"}[u.Scheme]; port != ":" {
		u.Host = strings.TrimSuffix(u.Host, port)
	}
	return strings.TrimRight(u.String(), "/")
}

func (w workspace) String() string {
	if w.sync == "" || w.async == "" {
		return w.sync + w.async
	}
	_, async, _ := strings.Cut(w.async, asyncWord)
	return w.sync + bothWord + async
}

// workspaceOf reads the workspace back from the name of an inline account.
func workspaceOf(name string) workspace {
	name, _, _ = strings.Cut(name, " (")
	name, _, _ = strings.Cut(name, " #")
	enterprise, _, _ := strings.Cut(name, " ")
	if sync, async, both := strings.Cut(name, bothWord); both {
		return workspace{sync, enterprise + asyncWord + async}
	}
	if strings.HasPrefix(name, enterprise+asyncWord) {
		return workspace{async: name}
	}
	return workspace{sync: name}
}

// reaches reports whether the leads of other arrive in the same workspace if
// they are delivered to w.
func (w workspace) reaches(other workspace) bool {
	if w.sync != "" && other.sync != "" {
		return w.sync == other.sync
	}
	return w.async != "" && w.async == other.async
}

const identifierWord = "identifier"

// identifierOf reads the identifier back from the name of an inline account.
func identifierOf(name string) string {
	_, details, shown := strings.Cut(name, " ("+identifierWord+" ")
	if !shown {
		return defaultIdentifier
	}
	return details[:max(0, strings.IndexAny(details, ",)"))]
}

// inlineName is what an account of resolved settings is called that has no
// name in the config. It shows all that tells it from others but the tokens.
func (a Account) inlineName() string {
	var details []string
	add := func(name, value, standard string) {
		if value != standard {
			details = append(details, name+" "+value)
		}
	}
	add(identifierWord, a.Identifier, defaultIdentifier)
	add("crm_rate", a.CRMRate, defaultCRMRate)
	add("timeout", time.Duration(a.Timeout).String(), telecrm.DefaultTimeout.String())
	name := a.workspace().String()
	if len(details) > 0 {
		name += " (" + strings.Join(details, ", ") + ")"
	}
	return name
}

// settingsKey is a hash of the settings that make an account: the same for
// equal ones, however they are written, and without the token in them.
type settingsKey [sha256.Size]byte

func (a Account) settingsKey() settingsKey {
	return sha256.Sum256(fmt.Appendf(nil, "%q", []string{a.Token, a.AsyncToken, a.inlineName()}))
}

// canonical writes equal resolved settings alike.
func (a Account) canonical() (Account, error) {
	pace, err := parseRate(a.CRMRate)
	if err != nil {
		return a, fmt.Errorf("crm_rate: %w", err)
	}
	if standard, _ := parseRate(defaultCRMRate); pace.Limit() == standard.Limit() && pace.Burst() == standard.Burst() {
		a.CRMRate = defaultCRMRate
	} else {
		rate, _, _ := strings.Cut(strings.TrimSpace(a.CRMRate), " ")
		a.CRMRate = fmt.Sprintf("%s %d", rate, pace.Burst())
	}
	if a.Timeout <= 0 {
		a.Timeout = caddy.Duration(telecrm.DefaultTimeout)
	}
	return a, nil
}

// inlineAccount returns the account of settings written in a form's own
// block. Forms with the same settings share it, and so its pace; so does a
// named account of these settings.
func (a *App) inlineAccount(settings Account, form string) (*account, error) {
	resolved, err := settings.resolve(caddy.NewReplacer(), a.logger)
	if err != nil {
		return nil, err
	}
	if resolved, err = resolved.canonical(); err != nil {
		return nil, err
	}
	acct, err := a.sharedAccount(resolved)
	if err != nil {
		return nil, err
	}
	acct.called.forms = append(acct.called.forms, form)
	meant := *acct
	meant.country, meant.location = "", time.UTC
	return meant.meaning(resolved.Country, resolved.TimeZone)
}

// sharedAccount returns the account that resolved settings make.
func (a *App) sharedAccount(resolved Account) (*account, error) {
	key := resolved.settingsKey()
	for _, name := range slices.Sorted(maps.Keys(a.written)) {
		if a.written[name] == key {
			return a.accounts[name], nil
		}
	}
	if acct, ok := a.inline[key]; ok {
		return acct, nil
	}
	acct, err := resolved.open(resolved.inlineName())
	if err != nil {
		return nil, err
	}
	acct.called.settle = a.numbers
	a.inline[key] = acct
	a.hide(resolved)
	return acct, nil
}

// numberAccounts tells inline accounts apart whose names are the same because
// they differ in a token alone, or because an account in the config has that
// name. The order is that of their forms, so that it stays when a token is
// replaced.
func (a *App) numberAccounts() {
	byBase := make(map[string][]settingsKey)
	for key, acct := range a.inline {
		byBase[acct.called.base] = append(byBase[acct.called.base], key)
	}
	for base, keys := range byBase {
		slices.SortFunc(keys, func(x, y settingsKey) int {
			return cmp.Or(
				strings.Compare(slices.Min(a.inline[x].called.forms), slices.Min(a.inline[y].called.forms)),
				slices.Compare(x[:], y[:]))
		})
		next := 1
		for _, key := range keys {
			called := a.inline[key].called
			for a.accounts[numbered(base, next)] != nil {
				next++
			}
			called.number = next
			next++
			if len(keys) > 1 {
				a.logger.Warn("accounts of one workspace differ in a token alone; to name them, write them in the telecrm global option",
					zap.String("account", numbered(base, called.number)), zap.Strings("forms", called.forms))
			}
		}
	}
}

// heirOf returns the account that delivers the entries of an inline account
// that is not in the config any more: one that reaches the same workspace, of
// several the one whose settings are the most like its own. It is nil if there
// is none, which leaves the entries to wait.
func (a *App) heirOf(name string) *account {
	gone := workspaceOf(name)
	var heirs []*account
	for _, acct := range a.allAccounts() {
		if acct.workspace.reaches(gone) {
			heirs = append(heirs, acct)
		}
	}
	if len(heirs) == 0 {
		return nil
	}
	return slices.MaxFunc(heirs, func(x, y *account) int {
		return cmp.Or(
			cmp.Compare(x.likeness(name, gone), y.likeness(name, gone)),
			-strings.Compare(x.name(), y.name()))
	})
}

// likeness grows with how much the account is like the one of that name.
func (acct *account) likeness(name string, w workspace) int {
	alike := 0
	if acct.identifier == identifierOf(name) {
		alike += 2
	}
	if acct.workspace == w {
		alike++
	}
	return alike
}
