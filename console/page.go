package console

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// Policy is the Content-Security-Policy that all the pages keep to: they
// fetch nothing and run nothing.
var Policy = "default-src 'none'; style-src 'sha256-" + styleHash() + "'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ReferrerPolicy is the Referrer-Policy of the pages. Caddy's admin endpoint
// tells by the Referer that a link or a refresh comes from a page of its own.
const ReferrerPolicy = "same-origin"

// Page is what operators see.
type Page struct {
	Now time.Time
	// Note says why there is no outbox, if there is none.
	Note     string
	Outboxes []Outbox
	// Parked is a page of the parked leads, the oldest first, and After what
	// it was listed after.
	Parked adminapi.Page
	After  string
	// Done is what was done just now: a key of doneWords, or empty.
	Done string
	// Still has the page not refresh itself.
	Still bool
}

// Outbox is an outbox, and what was counted of it.
type Outbox struct {
	adminapi.Outbox

	Counted Counted
}

// refreshSeconds is after how long the page is loaded again.
const refreshSeconds = 30

// doneWords say what was done.
var doneWords = map[string]string{
	"retried":   "The lead is being tried again.",
	"discarded": "The lead is discarded.",
	"resumed":   "The account is being tried.",

	"resumed-empty": "None of the account's leads waits; the next one is tried as soon as it comes.",
	"not-resumed":   "The account is neither held nor paused.",
}

// RefreshSeconds is after how long the page is loaded again.
func (Page) RefreshSeconds() int { return refreshSeconds }

// DoneWords say what was done just now.
func (p Page) DoneWords() string { return doneWords[p.Done] }

// Here is the page's address, without what was done, so that to refresh it
// says that no more.
func (p Page) Here() string { return p.address(p.After, p.Still) }

// Toggled is the address of the same page that refreshes itself, if this one
// does not, and the other way round.
func (p Page) Toggled() string { return p.address(p.After, !p.Still) }

// NextParked is the address with the parked leads that follow, and
// FirstParked that with the oldest.
func (p Page) NextParked() string { return p.address(p.Parked.Next, p.Still) }

// FirstParked is the address with the oldest parked leads.
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

// Ago is how long ago something was, in words.
func (p Page) Ago(at time.Time) string {
	if age := p.Age(at); age != "now" {
		return age + " ago"
	}
	return "just now"
}

// Age is how long ago something was, or in how long it will be.
func (p Page) Age(at time.Time) string {
	return strings.TrimSpace(humanize.RelTime(at, p.Now, "", ""))
}

// TotalParked is how many leads are parked.
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

// RenderDiscard writes the page that asks whether the lead is to be
// discarded.
func RenderDiscard(w io.Writer, lead adminapi.Lead) error { return render(w, "discard", lead) }

// RenderProblem writes the page that says what could not be done.
func RenderProblem(w io.Writer, message string) error { return render(w, "problem", message) }

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"style":   func() template.CSS { return template.CSS(pageStyle) },
	"moment":  func(at time.Time) string { return at.Local().Format("2 Jan 2006 15:04:05 MST") },
	"clock":   func(at time.Time) string { return at.Local().Format("15:04") },
	"iso":     func(at time.Time) string { return at.UTC().Format(time.RFC3339) },
	"number":  func(n int) string { return humanize.Comma(int64(n)) },
	"chart":   newChart,
	"segment": url.PathEscape,
	"prefix":  func() string { return adminapi.Prefix },
}).Parse(pageText))

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func render(w io.Writer, name string, data any) error {
	return pages.ExecuteTemplate(w, name, data)
}
