package console

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// Policy is the Content-Security-Policy of all pages. They load and run nothing.
var Policy = "default-src 'none'; style-src 'sha256-" + styleHash() + "'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ReferrerPolicy is the Referrer-Policy of all pages. Caddy's admin endpoint uses the Referer to
// recognize links and refreshes from its own pages.
const ReferrerPolicy = "same-origin"

// Page is the content of the page for operators.
type Page struct {
	Now time.Time
	// Note says why Outboxes is empty.
	Note     string
	Outboxes []Outbox
	// Left lists the outboxes that were closed with waiting leads.
	Left []adminapi.Left
	// Direct lists the accounts whose leads are sent without an outbox.
	Direct []adminapi.Account
	// Check is the last check of the forms, with its findings; nil if there is none.
	Check *adminapi.Check
	// Parked is one page of the parked leads, oldest first. After is the id that it follows.
	Parked adminapi.Page
	After  string
	// Done is the action that was just done: a key of doneWords, or empty. Due counts the leads that
	// it made due.
	Done string
	Due  int
	// Still turns off the automatic refresh.
	Still bool
}

// Outbox is the state of an outbox, with its counts.
type Outbox struct {
	adminapi.Outbox

	Counted Counted
}

// refreshSeconds is the interval of the automatic refresh.
const refreshSeconds = 30

// doneWords describes each action that was done.
var doneWords = map[string]string{
	"retried":   "The lead is being retried.",
	"discarded": "The lead is discarded.",

	"resumed":       "The account's last leads are being sent.",
	"resumed-empty": "The account does not have a waiting lead; its next lead is sent as soon as it arrives.",
	"not-resumed":   "The account is sending, and does not have a waiting lead.",
}

// maxFindings is how many findings the page lists.
const maxFindings = 100

// Findings lists the first findings of the check.
func (p Page) Findings() []check.Finding {
	if p.Check == nil {
		return nil
	}
	return p.Check.Findings[:min(maxFindings, len(p.Check.Findings))]
}

// MoreFindings counts the findings that are not listed.
func (p Page) MoreFindings() int {
	if p.Check == nil {
		return 0
	}
	return max(len(p.Check.Findings)-maxFindings, 0)
}

// RefreshSeconds returns the interval of the automatic refresh.
func (Page) RefreshSeconds() int { return refreshSeconds }

// DoneWords describes the action that was just done.
func (p Page) DoneWords() string {
	if p.Done == "resumed" && p.Due > 0 {
		return capital(adminapi.Resumed{Resumed: true, Due: p.Due}.String()) + "."
	}
	return doneWords[p.Done]
}

// capital returns words with a capital first letter.
func capital(words string) string {
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:]
}

// Here returns the page's address without Done, so that a refresh does not repeat it.
func (p Page) Here() string { return p.address(p.After, p.Still) }

// Toggled returns the page's address with the automatic refresh switched over.
func (p Page) Toggled() string { return p.address(p.After, !p.Still) }

// NextParked returns the address of the next page of parked leads.
func (p Page) NextParked() string { return p.address(p.Parked.Next, p.Still) }

// FirstParked returns the address of the first page of parked leads.
func (p Page) FirstParked() string { return p.address("", p.Still) }

func (p Page) address(after string, still bool) string {
	query := make(url.Values)
	if after != "" {
		query.Set("after", after)
	}
	if still {
		query.Set("refresh", "off")
	}
	if len(query) == 0 {
		return adminapi.Prefix + "/"
	}
	return adminapi.Prefix + "/?" + query.Encode()
}

// Ago returns how long ago at was, in words.
func (p Page) Ago(at time.Time) string { return ago(at, p.Now) }

// Age returns the time between at and now, in words.
func (p Page) Age(at time.Time) string { return age(at, p.Now) }

func ago(at, now time.Time) string {
	if age := age(at, now); age != "now" {
		return age + " ago"
	}
	return "just now"
}

func age(at, now time.Time) string { return strings.TrimSpace(humanize.RelTime(at, now, "", "")) }

// TotalParked counts the parked leads of all accounts.
func (p Page) TotalParked() int {
	total := 0
	for _, o := range p.Outboxes {
		for _, a := range o.Accounts {
			total += a.Parked
		}
	}
	return total
}

// Render writes the page.
func Render(w io.Writer, p Page) error { return render(w, "page", p) }

// RenderDiscard writes the page that asks to confirm discarding lead.
func RenderDiscard(w io.Writer, lead adminapi.Lead) error { return render(w, "discard", lead) }

// RenderProblem writes the page that shows an error.
func RenderProblem(w io.Writer, message string) error { return render(w, "problem", message) }

//go:embed page.html
var pageText string

//go:embed leads.html
var leadsText string

//go:embed page.css
var pageStyle string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"style":   func() template.CSS { return template.CSS(pageStyle) },
	"moment":  func(at time.Time) string { return at.Local().Format("2 Jan 2006 15:04:05 MST") },
	"day":     func(at time.Time) string { return at.Local().Format(time.DateOnly) },
	"clock":   func(at time.Time) string { return at.Local().Format("15:04") },
	"iso":     func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
	"number":  func(n int) string { return humanize.Comma(int64(n)) },
	"chart":   newChart,
	"segment": url.PathEscape,
	"capital": func(word any) string { return capital(fmt.Sprint(word)) },
	"prefix":  func() string { return adminapi.Prefix },

	"leadsPath": func() string { return LeadsPath },
}).Parse(pageText + leadsText))

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func render(w io.Writer, name string, data any) error {
	return pages.ExecuteTemplate(w, name, data)
}
