package account

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// accountName is the name of an account in the outbox, the status, the metrics and the log. The
// config names the accounts of the global option. Inline accounts are named after their settings,
// except the tokens: the outbox keeps entries under this name, and they must find their account
// again after a token is replaced.
type accountName struct {
	base string
	// forms lists the forms with these settings in their own block.
	forms []string
	// number distinguishes inline accounts with the same base; names show it from 2 on. settle sets
	// it.
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

// workspace is where an account's leads arrive: the enterprise and the base URL of the Sync API, of
// the Async API, or of both.
type workspace struct {
	sync, async string
}

const (
	asyncWord = " async"
	bothWord  = " and" + asyncWord
)

// workspace returns where the leads of resolved settings arrive.
func (s Settings) workspace() workspace {
	var w workspace
	if s.Token != "" {
		w.sync = s.EnterpriseID + at(s.BaseURL, telecrm.DefaultBaseURL)
	}
	if s.AsyncToken != "" {
		w.async = s.EnterpriseID + asyncWord + at(s.AsyncBaseURL, telecrm.DefaultAsyncBaseURL)
	}
	return w
}

// at returns the part of a name for the base URL. It is empty for the default.
func at(baseURL, standard string) string {
	if baseURL = canonicalURL(baseURL); baseURL == "" || baseURL == standard {
		return ""
	}
	return " at " + strings.TrimPrefix(baseURL, "https://")
}

// canonicalURL returns the same text for equivalent base URLs.
func canonicalURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw // the client refuses it
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

// reaches reports whether leads for other end up in the same workspace when they are delivered to
// w.
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
		return DefaultIdentifier
	}
	return details[:max(0, strings.IndexAny(details, ",)"))]
}

// inlineName returns the name of an inline account with these resolved settings. It contains all
// settings that distinguish accounts, except the tokens.
func (s Settings) inlineName() string {
	var details []string
	add := func(name, value, standard string) {
		if value != standard {
			details = append(details, name+" "+value)
		}
	}
	add(identifierWord, s.Identifier, DefaultIdentifier)
	add("crm_rate", s.CRMRate, defaultCRMRate)
	add("timeout", time.Duration(s.Timeout).String(), telecrm.DefaultTimeout.String())
	name := s.workspace().String()
	if len(details) > 0 {
		name += " (" + strings.Join(details, ", ") + ")"
	}
	return name
}

// settingsKey is a hash of the settings that make an account. Equivalent settings have the same
// key.
type settingsKey [sha256.Size]byte

func (s Settings) settingsKey() settingsKey {
	return sha256.Sum256(fmt.Appendf(nil, "%q", []string{s.Token, s.AsyncToken, s.inlineName()}))
}

// canonical returns equal settings for equivalent resolved ones.
func (s Settings) canonical() (Settings, error) {
	pace, err := parseRate(s.CRMRate)
	if err != nil {
		return s, fmt.Errorf("crm_rate: %w", err)
	}
	if standard, _ := parseRate(defaultCRMRate); pace.Limit() == standard.Limit() && pace.Burst() == standard.Burst() {
		s.CRMRate = defaultCRMRate
	} else {
		rate, _, _ := strings.Cut(strings.TrimSpace(s.CRMRate), " ")
		s.CRMRate = fmt.Sprintf("%s %d", rate, pace.Burst())
	}
	if s.Timeout <= 0 {
		s.Timeout = caddy.Duration(telecrm.DefaultTimeout)
	}
	return s, nil
}
