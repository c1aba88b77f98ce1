// Package account opens the TeleCRM accounts that a config describes, names them, and finds them
// for forms and for leads in the outbox.
package account

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // time zones for hosts without a database

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/internal/signing"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Observe returns the observer of an account's requests. The name is known later.
type Observe func(name func() string) telecrm.Observer

// Account is a TeleCRM account opened from resolved [Settings].
type Account struct {
	// Identifier is the API name of the lead identifier.
	Identifier string
	// Country and Location apply to phone numbers and dates typed without them. DateOrder tells day
	// and month apart.
	Country   string
	Location  *time.Location
	DateOrder fieldtype.DateOrder
	// Client is nil without a Sync token, and Async without an Async token.
	Client *telecrm.Client
	Async  *telecrm.AsyncClient
	// Pace limits all requests of the account.
	Pace *rate.Limiter
	// Key is a hash of the settings that reach TeleCRM.
	Key string
	// Refusals distinguishes a lead that TeleCRM refuses from an account that it refuses.
	Refusals *delivery.RefusalFilter
	// Fields caches the workspace's fields.
	Fields *delivery.WorkspaceFields

	called    *accountName
	workspace workspace
	identity  *identity       // shared by forms that have another country or time zone
	updates   map[string]bool // keys of the config's accounts with a form that updates leads
	agreed    outbox.Settings // of all accounts of the config
	agreedAs  string          // the account in agreed

	// The token lives in a function because fmt prints unexported fields without calling their
	// methods.
	deriveKey func(purpose string) ([]byte, error)
}

// open makes an account named base from resolved settings. It does not connect to TeleCRM.
func (s Settings) open(base string, observe Observe) (*Account, error) {
	pace, err := parseRate(s.CRMRate)
	if err != nil {
		return nil, fmt.Errorf("crm_rate: %w", err)
	}
	location, err := loadTimeZone(s.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time_zone: %w", err)
	}
	var order fieldtype.DateOrder
	if s.DateOrder != "" {
		if order, err = fieldtype.ParseDateOrder(s.DateOrder); err != nil {
			return nil, err
		}
	}
	secret := []byte(cmp.Or(s.Token, s.AsyncToken))
	acct := &Account{
		Identifier: s.Identifier,
		Country:    s.Country,
		Location:   location,
		DateOrder:  order,
		Pace:       pace,
		Key:        s.key(),
		Refusals:   new(delivery.RefusalFilter),
		Fields:     delivery.NewWorkspaceFields(),
		called:     &accountName{base: base},
		workspace:  s.workspace(),
		identity:   newIdentity(s.Identifier),
		deriveKey:  func(purpose string) ([]byte, error) { return signing.Derive(secret, purpose) },
	}
	config := func(token, baseURL string) telecrm.Config {
		return telecrm.Config{
			Token:        telecrm.Token(token),
			EnterpriseID: s.EnterpriseID,
			BaseURL:      baseURL,
			Timeout:      time.Duration(s.Timeout),
			Observe:      observe(acct.Name),
		}
	}
	if s.Token != "" {
		if acct.Client, err = telecrm.New(config(s.Token, s.BaseURL)); err != nil {
			return nil, err
		}
	}
	if s.AsyncToken != "" {
		if acct.Async, err = telecrm.NewAsync(config(s.AsyncToken, s.AsyncBaseURL)); err != nil {
			return nil, fmt.Errorf("async_token: %w", err)
		}
	}
	return acct, nil
}

// Name returns the account's name in the outbox, the status, the metrics and the log. The name is
// final once all forms of a config have been provisioned.
func (acct *Account) Name() string { return acct.called.String() }

// Base returns the name without the number that distinguishes accounts of one workspace.
func (acct *Account) Base() string { return acct.called.base }

// DeriveKey derives a 32-byte key for one purpose from the token. The key is the same on every
// machine and after a restart.
func (acct *Account) DeriveKey(purpose string) ([]byte, error) { return acct.deriveKey(purpose) }

// ExpectUpdates notes that a form of the account updates leads.
func (acct *Account) ExpectUpdates() { acct.updates[acct.Key] = true }

// Delivery describes the account to the engine that delivers its leads.
func (acct *Account) Delivery() delivery.Account {
	described := delivery.Account{
		Name:           acct.Name(),
		Key:            acct.Key,
		Identifier:     acct.Identifier,
		IdentifierKind: acct.identity.kind,
		Rate:           float64(acct.Pace.Limit()),
		Burst:          acct.Pace.Burst(),
		Updates:        acct.updates[acct.Key],
		Fields:         acct.Fields,
	}
	if acct.Client != nil {
		described.Client = acct.Client
	}
	if acct.Async != nil {
		described.Async = acct.Async
	}
	return described
}

// closeIdleConnections closes the connections that no request is using.
func (acct *Account) closeIdleConnections() {
	if acct.Client != nil {
		acct.Client.CloseIdleConnections()
	}
	if acct.Async != nil {
		acct.Async.CloseIdleConnections()
	}
}

// identity is the type of an account's lead identifier.
type identity struct {
	kind   telecrm.IdentifierKind
	stated bool // by a form
}

// newIdentity derives the type from the identifier's name.
func newIdentity(identifier string) *identity {
	return &identity{kind: identifierKindOf(fieldtype.Of(identifier))}
}

func identifierKindOf(t fieldtype.Type) telecrm.IdentifierKind {
	switch t { //nolint:exhaustive // identifiers are phones, emails or texts
	case fieldtype.Phone:
		return telecrm.PhoneIdentifier
	case fieldtype.Email:
		return telecrm.EmailIdentifier
	}
	return telecrm.TextIdentifier
}

// Learn records the type that a form gives the identifier, and reports whether the forms agree so
// far. TeleCRM's field has one type: a phone wins over an email, and an email over text.
func (acct *Account) Learn(t fieldtype.Type) (agree bool) {
	i := acct.identity
	kind := identifierKindOf(t)
	agree = !i.stated || i.kind == kind
	i.stated = true
	ranks := []telecrm.IdentifierKind{telecrm.TextIdentifier, telecrm.EmailIdentifier, telecrm.PhoneIdentifier}
	if slices.Index(ranks, kind) > slices.Index(ranks, i.kind) {
		i.kind = kind
	}
	return agree
}

// In returns a copy of the account with a form's country, time zone and date order. Empty values
// keep the account's.
func (acct Account) In(country, timeZone, dateOrder string) (*Account, error) {
	if country != "" {
		if err := fieldtype.CheckCountry(country); err != nil {
			return nil, fmt.Errorf("country: %w", err)
		}
		acct.Country = country
	}
	if timeZone != "" {
		location, err := loadTimeZone(timeZone)
		if err != nil {
			return nil, fmt.Errorf("time_zone: %w", err)
		}
		acct.Location = location
	}
	if dateOrder != "" {
		order, err := fieldtype.ParseDateOrder(dateOrder)
		if err != nil {
			return nil, err
		}
		acct.DateOrder = order
	}
	return &acct, nil
}
