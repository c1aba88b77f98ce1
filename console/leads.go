package console

import (
	"io"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// LeadsPath is the address of the page that finds leads.
const LeadsPath = adminapi.Prefix + "/page/leads"

// Leads is the content of the page that finds leads. A search is posted, because it may name a
// person and addresses are logged. The page does not refresh itself, which would clear the boxes.
type Leads struct {
	Now time.Time
	// Search is the search as typed. Its After is the id that the found leads follow.
	Search adminapi.Filter
	// Found is one page of the leads that Search selects, oldest first.
	Found adminapi.Page
	// Problem says why Search is not valid, or why there is nothing to search.
	Problem string
	// Forms and Accounts are suggestions.
	Forms, Accounts []string
	// Done is the action that was just done: a key of doneWords, or empty.
	Done string
	// Fresh reports that the page was opened, not searched: Search selects the last 24 hours, and the
	// boxes are empty.
	Fresh bool
}

// DoneWords describes the action that was just done.
func (l Leads) DoneWords() string { return doneWords[l.Done] }

// States lists the states to choose from.
func (Leads) States() []outbox.State { return outbox.States() }

// Ago returns how long ago at was, in words.
func (l Leads) Ago(at time.Time) string { return ago(at, l.Now) }

// Due returns when a waiting lead is due, in words.
func (l Leads) Due(at time.Time) string {
	if !at.After(l.Now) {
		return "due now"
	}
	return "due in " + age(at, l.Now)
}

// CanRetry reports whether the lead's state allows a retry.
func (Leads) CanRetry(lead adminapi.Lead) bool { return lead.State != outbox.Delivered }

// RenderLeads writes the page that finds leads.
func RenderLeads(w io.Writer, l Leads) error { return render(w, "leads", l) }
