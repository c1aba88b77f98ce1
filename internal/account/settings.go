package account

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
)

// Settings say how to reach one TeleCRM workspace, and how to read typed values.
type Settings struct {
	// The Sync token (in TeleCRM: Settings, Website and API). Write `{env.NAME}` or `{file./path}`:
	// the placeholder is resolved when the config is loaded and the secret stays out of the config.
	// A token written out is accepted with a warning. Required, unless there is an `async_token`.
	Token string `json:"token,omitempty"`

	// The Async token, written in the same way. With it a form can say `on_duplicate upsert`.
	// Without a `token`, every lead goes through the Async API, which never says what became of it.
	AsyncToken string `json:"async_token,omitempty"`

	// The workspace's id. Placeholders as in token. Required.
	EnterpriseID string `json:"enterprise_id,omitempty"`

	// The root of the Sync API. It must be https, except on loopback addresses. Default:
	// `https://next.telecrm.in/autoupdate/v2`
	BaseURL string `json:"base_url,omitempty"`

	// The root of the Async API, under the same rule. Default: `https://next-api.telecrm.in`
	AsyncBaseURL string `json:"async_base_url,omitempty"`

	// The API name of the workspace's lead identifier, which every lead must have. Default: `phone`
	Identifier string `json:"identifier,omitempty"`

	// The ISO 3166 code of the country for phone numbers typed without a country code, such as
	// `IN`. It also decides how typed numbers are read, such as `1.500`. Required if any field is a
	// phone.
	Country string `json:"country,omitempty"`

	// The IANA name of the time zone for typed dates, such as `Asia/Kolkata`. Default: `UTC`
	TimeZone string `json:"time_zone,omitempty"`

	// Whether a typed date such as `05/12/2026` means the fifth of December (`dmy`) or the twelfth of
	// May (`mdy`). With `ymd`, the year comes first, and such dates are asked about, as they are by
	// default.
	DateOrder string `json:"date_order,omitempty"`

	// The rate of all requests for this account, as `<n>/<s|m|h> [<burst>]`. Default: `3600/h 5`
	CRMRate string `json:"crm_rate,omitempty"`

	// How long one request to TeleCRM may take. Default: `10s`
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// defaultCRMRate stays within the 3,600 requests an hour that TeleCRM's Sync API reportedly allows.
const defaultCRMRate = "3600/h 5"

// DefaultIdentifier is the API name of the lead identifier of most workspaces.
const DefaultIdentifier = "phone"

// Connect reports whether s says how to reach TeleCRM, not only how to read typed values.
func Connect(s Settings) bool {
	s.Country, s.TimeZone, s.DateOrder = "", "", ""
	return s != Settings{}
}

// resolve expands the placeholders of s, fills in its defaults and makes equivalent settings equal.
// It warns about a token that is written out.
func (s Settings) resolve(repl *caddy.Replacer, logger *zap.Logger) (Settings, error) {
	if s.Token == "" && s.AsyncToken == "" || s.EnterpriseID == "" {
		return s, errors.New("token (or async_token) and enterprise_id are required")
	}
	for _, token := range []string{s.Token, s.AsyncToken} {
		if token != "" && !strings.Contains(token, "{") {
			logger.Warn("the token is written out in the config, which the admin API shows and Caddy saves to disk; use {env.NAME} or {file./path} (with {$NAME} it is written out too)")
		}
	}
	err := placeholder.Expand(repl,
		placeholder.Setting{Name: "token", Value: &s.Token},
		placeholder.Setting{Name: "async_token", Value: &s.AsyncToken},
		placeholder.Setting{Name: "enterprise_id", Value: &s.EnterpriseID},
		placeholder.Setting{Name: "base_url", Value: &s.BaseURL},
		placeholder.Setting{Name: "async_base_url", Value: &s.AsyncBaseURL},
		placeholder.Setting{Name: "identifier", Value: &s.Identifier},
		placeholder.Setting{Name: "country", Value: &s.Country},
		placeholder.Setting{Name: "time_zone", Value: &s.TimeZone},
		placeholder.Setting{Name: "crm_rate", Value: &s.CRMRate},
	)
	if err != nil {
		return s, err
	}
	if s.Country != "" {
		if err := fieldtype.CheckCountry(s.Country); err != nil {
			return s, fmt.Errorf("country: %w", err)
		}
	}
	if s.Identifier == "" {
		s.Identifier = DefaultIdentifier
	}
	if s.CRMRate == "" {
		s.CRMRate = defaultCRMRate
	}
	return s.canonical()
}

// key hashes the settings that reach TeleCRM.
func (s Settings) key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{s.Token, s.AsyncToken, s.EnterpriseID, s.BaseURL, s.AsyncBaseURL}, "\n")))
	return hex.EncodeToString(sum[:])
}

// CheckRate returns an error if text is not a valid `crm_rate`.
func CheckRate(text string) error {
	_, err := parseRate(text)
	return err
}

// Pace returns the pace for a `crm_rate`, or for the default one if text is empty.
func Pace(text string) (*rate.Limiter, error) { return parseRate(cmp.Or(text, defaultCRMRate)) }

// parseRate reads `<n>/<s|m|h> [<burst>]`; the burst is 5 if not given.
func parseRate(text string) (*rate.Limiter, error) {
	words := strings.Fields(text)
	burst := 5
	if len(words) == 2 {
		given, err := strconv.ParseUint(words[1], 10, 32)
		if err != nil || given == 0 {
			return nil, fmt.Errorf("burst must be a whole number above 0, got %q", words[1])
		}
		burst, words = int(given), words[:1] //nolint:gosec // it has 32 bits
	}
	count, unit, _ := strings.Cut(strings.Join(words, " "), "/")
	n, err := strconv.ParseUint(count, 10, 32)
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || n == 0 || !known {
		return nil, fmt.Errorf("must be <n>/<s|m|h> [<burst>], such as 3600/h 5, got %q", text)
	}
	return rate.NewLimiter(rate.Limit(float64(n)/per.Seconds()), burst), nil
}
