package caddytelecrm

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones for hosts that have no database of their own

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Account says how to reach one TeleCRM workspace, and how values that are
// typed without a country or a time zone are meant.
type Account struct {
	// The Sync token (in TeleCRM: Settings, Website and API). Write
	// `{env.NAME}` or `{file./path}`: the placeholder is resolved when the
	// config is loaded and the secret stays out of the config. A token
	// written out is accepted with a warning. Required, unless there is an
	// `async_token`.
	Token string `json:"token,omitempty"`

	// The Async token, written in the same way. With it a form can say
	// `on_duplicate upsert`. Without a `token` beside it every lead goes
	// through the Async API, which never says what became of one.
	AsyncToken string `json:"async_token,omitempty"`

	// The workspace's id. Placeholders as in token. Required.
	EnterpriseID string `json:"enterprise_id,omitempty"`

	// The root of the Sync API. It must be https, except on loopback
	// addresses. Default: `https://next.telecrm.in/autoupdate/v2`
	BaseURL string `json:"base_url,omitempty"`

	// The root of the Async API, under the same rule. Default:
	// `https://next-api.telecrm.in`
	AsyncBaseURL string `json:"async_base_url,omitempty"`

	// The API name of the workspace's lead identifier, which every lead must
	// hold. Default: `phone`
	Identifier string `json:"identifier,omitempty"`

	// The ISO 3166 code of the country that phone numbers typed without a
	// country code belong to, such as `IN`. Required if any field is a phone.
	Country string `json:"country,omitempty"`

	// The IANA name of the time zone that dates are meant in, such as
	// `Asia/Kolkata`. Default: `UTC`
	TimeZone string `json:"time_zone,omitempty"`

	// The pace of everything this account sends, as
	// `<n>/<s|m|h> [<burst>]`. Default: `3600/h 5`
	CRMRate string `json:"crm_rate,omitempty"`

	// How long one request to TeleCRM may take. Default: `10s`
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// defaultCRMRate stays within the 3,600 requests an hour that TeleCRM's Sync
// API is said to allow.
const defaultCRMRate = "3600/h 5"

const defaultIdentifier = "phone"

// connects reports whether a says anything about how to reach TeleCRM, as
// against how typed values are meant.
func (a Account) connects() bool {
	a.Country, a.TimeZone = "", ""
	return a != Account{}
}

// account is an [Account] in use.
type account struct {
	called     *accountName
	workspace  workspace
	identifier string
	identity   *identity // shared by the forms that give it another country or time zone
	country    string
	location   *time.Location
	client     *telecrm.Client      // nil without a Sync token
	async      *telecrm.AsyncClient // nil without an Async token
	pace       *rate.Limiter
	key        string // tells the settings that reach TeleCRM from others
	blames     *delivery.Blames

	// deriveKey makes a key of 32 bytes for one purpose out of the token: the
	// same on every machine, and after a restart. The token lives in a
	// function because fmt prints unexported fields without asking their
	// methods.
	deriveKey func(purpose string) ([]byte, error)
}

// resolve expands the placeholders of a and fills in its defaults. It warns
// about a token that is written out.
func (a Account) resolve(repl *caddy.Replacer, logger *zap.Logger) (Account, error) {
	if a.Token == "" && a.AsyncToken == "" || a.EnterpriseID == "" {
		return a, errors.New("token (or async_token) and enterprise_id are required")
	}
	for _, token := range []string{a.Token, a.AsyncToken} {
		if token != "" && !strings.Contains(token, "{") {
			logger.Warn("the token is written out in the config, which the admin API shows and Caddy saves to disk; use {env.NAME} or {file./path} (with {$NAME} it is written out too)")
		}
	}
	for _, setting := range []struct {
		name  string
		value *string
	}{
		{"token", &a.Token},
		{"async_token", &a.AsyncToken},
		{"enterprise_id", &a.EnterpriseID},
		{"base_url", &a.BaseURL},
		{"async_base_url", &a.AsyncBaseURL},
		{"identifier", &a.Identifier},
		{"country", &a.Country},
		{"time_zone", &a.TimeZone},
		{"crm_rate", &a.CRMRate},
	} {
		if *setting.value == "" {
			continue
		}
		expanded, err := repl.ReplaceOrErr(*setting.value, true, true)
		if err != nil {
			return a, fmt.Errorf("%s: %w; set it before Caddy starts", setting.name, err)
		}
		*setting.value = strings.TrimSpace(expanded)
	}
	if a.Identifier == "" {
		a.Identifier = defaultIdentifier
	}
	if a.CRMRate == "" {
		a.CRMRate = defaultCRMRate
	}
	return a, nil
}

// open makes an account of resolved settings, to be called base. It opens no
// connection.
func (a Account) open(base string) (*account, error) {
	pace, err := parseRate(a.CRMRate)
	if err != nil {
		return nil, fmt.Errorf("crm_rate: %w", err)
	}
	location, err := loadLocation(a.TimeZone)
	if err != nil {
		return nil, err
	}
	acct := &account{
		called:     &accountName{base: base},
		workspace:  a.workspace(),
		identifier: a.Identifier,
		identity:   newIdentity(a.Identifier),
		country:    a.Country,
		location:   location,
		pace:       pace,
		key:        a.key(),
		blames:     new(delivery.Blames),
		deriveKey:  a.keyDerivation(),
	}
	if a.Token != "" {
		if acct.client, err = telecrm.New(a.clientConfig(acct, a.Token, a.BaseURL)); err != nil {
			return nil, err
		}
	}
	if a.AsyncToken != "" {
		if acct.async, err = telecrm.NewAsync(a.clientConfig(acct, a.AsyncToken, a.AsyncBaseURL)); err != nil {
			return nil, fmt.Errorf("async_token: %w", err)
		}
	}
	return acct, nil
}

// name is what the account is called in the outbox and where operators look.
func (acct *account) name() string { return acct.called.String() }

func (a Account) clientConfig(acct *account, token, baseURL string) telecrm.Config {
	return telecrm.Config{
		Token:        telecrm.Token(token),
		EnterpriseID: a.EnterpriseID,
		BaseURL:      baseURL,
		Timeout:      time.Duration(a.Timeout),
		Observe:      meters.observer(acct.name),
	}
}

// closeIdleConnections closes the connections that no request is using.
func (acct *account) closeIdleConnections() {
	if acct.client != nil {
		acct.client.CloseIdleConnections()
	}
	if acct.async != nil {
		acct.async.CloseIdleConnections()
	}
}

// delivery returns what the account's leads are delivered by.
func (acct *account) delivery() delivery.Account {
	described := delivery.Account{
		Name:           acct.name(),
		Key:            acct.key,
		Identifier:     acct.identifier,
		IdentifierKind: acct.identity.kind,
		Rate:           float64(acct.pace.Limit()),
		Burst:          acct.pace.Burst(),
	}
	if acct.client != nil {
		described.Client = acct.client
	}
	if acct.async != nil {
		described.Async = acct.async
	}
	return described
}

// key tells what reaches TeleCRM from other settings, without showing it.
func (a Account) key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{a.Token, a.AsyncToken, a.EnterpriseID, a.BaseURL, a.AsyncBaseURL}, "\n")))
	return hex.EncodeToString(sum[:])
}

func (a Account) keyDerivation() func(purpose string) ([]byte, error) {
	secret := []byte(cmp.Or(a.Token, a.AsyncToken))
	return func(purpose string) ([]byte, error) { return deriveKey(secret, purpose) }
}

// identity is what is known of an account's lead identifier.
type identity struct {
	kind telecrm.IdentifierKind
	said bool // by a form
}

// newIdentity returns what the name of an identifier alone says.
func newIdentity(identifier string) *identity {
	return &identity{kind: identifierKindOf(fieldtype.Of(identifier))}
}

func identifierKindOf(t fieldtype.Type) telecrm.IdentifierKind {
	switch t { //nolint:exhaustive // an identifier is a phone, an email or a text
	case fieldtype.Phone:
		return telecrm.PhoneIdentifier
	case fieldtype.Email:
		return telecrm.EmailIdentifier
	}
	return telecrm.TextIdentifier
}

// learn takes note of the type that a form gives the identifier. TeleCRM's
// field has one type, so a form that leaves it open, which makes it a text, is
// outvoted by one that does not. It reports whether the forms agree so far.
func (i *identity) learn(t fieldtype.Type) (agree bool) {
	kind := identifierKindOf(t)
	agree = !i.said || i.kind == kind
	i.said = true
	ranks := []telecrm.IdentifierKind{telecrm.TextIdentifier, telecrm.EmailIdentifier, telecrm.PhoneIdentifier}
	if slices.Index(ranks, kind) > slices.Index(ranks, i.kind) {
		i.kind = kind
	}
	return agree
}

// meaning returns acct with the country and the time zone of a form in place
// of its own.
func (acct account) meaning(country, timeZone string) (*account, error) {
	if country != "" {
		acct.country = country
	}
	if timeZone != "" {
		location, err := loadLocation(timeZone)
		if err != nil {
			return nil, err
		}
		acct.location = location
	}
	return &acct, nil
}

func loadLocation(timeZone string) (*time.Location, error) {
	if strings.EqualFold(timeZone, "local") {
		return nil, errors.New("time_zone: write an IANA name such as Asia/Kolkata")
	}
	location, err := time.LoadLocation(timeZone)
	if err != nil {
		return nil, fmt.Errorf("time_zone: %w; write an IANA name such as Asia/Kolkata", err)
	}
	return location, nil
}

// parseRate reads `<n>/<s|m|h> [<burst>]`; the burst is 5 if not given.
func parseRate(text string) (*rate.Limiter, error) {
	const form = "write <n>/<s|m|h> [<burst>], such as 3600/h 5"
	var (
		n, burst uint32 = 0, 5
		unit     string
	)
	words := strings.Fields(text)
	switch len(words) {
	case 2:
		if _, err := fmt.Sscanf(words[1]+"\n", "%d\n", &burst); err != nil || burst == 0 {
			return nil, fmt.Errorf("the burst is not a whole number above 0; %s", form)
		}
	case 1:
	default:
		return nil, errors.New(form)
	}
	if _, err := fmt.Sscanf(words[0]+"\n", "%d/%s\n", &n, &unit); err != nil || n == 0 {
		return nil, errors.New(form)
	}
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if !known {
		return nil, errors.New(form)
	}
	return rate.NewLimiter(rate.Limit(float64(n)/per.Seconds()), int(burst)), nil
}
