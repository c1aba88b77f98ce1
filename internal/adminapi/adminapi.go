// Package adminapi is what the plugin's part of Caddy's admin API says, and a
// client of it.
package adminapi

import (
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Prefix is the path that everything of the API is below.
const Prefix = "/telecrm"

// MaxPage is the most entries that one list holds; PageSize is how many it
// holds unless told otherwise.
const (
	MaxPage  = 1000
	PageSize = 100
)

// Status is how deliveries fare.
type Status struct {
	// Outboxes are those that are open: one, but while another takes over.
	Outboxes []Outbox `json:"outboxes"`
	// Note says why there is no outbox, if there is none.
	Note string `json:"note,omitempty"`
}

// Outbox is how an outbox fares.
type Outbox struct {
	// Resource is what is open, such as the path of a file.
	Resource string `json:"resource"`
	// Trouble says what is wrong with the outbox itself; empty if nothing is.
	Trouble  string    `json:"trouble,omitempty"`
	Accounts []Account `json:"accounts"`
}

// Account is how an account fares.
type Account struct {
	Name string `json:"name"`
	// Configured tells that the running config has the account. Leads of one
	// that is not in it wait until it is again.
	Configured bool `json:"configured"`
	// Held tells that nothing is sent but a probe now and then, since when,
	// and why.
	Held       bool      `json:"held"`
	HeldReason string    `json:"held_reason,omitempty"`
	HeldSince  time.Time `json:"held_since,omitzero"`
	// PausedUntil is when TeleCRM may be asked again.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	// UnderWay is how many attempts are being made. Their leads are among
	// those waiting.
	UnderWay  int `json:"under_way"`
	Waiting   int `json:"waiting"`
	Delivered int `json:"delivered"`
	Parked    int `json:"parked"`
	// OldestWaiting is the lead that has waited the longest.
	OldestWaiting *Waiting `json:"oldest_waiting,omitempty"`
}

// Waiting is a lead that waits.
type Waiting struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// Lead is what can be told of a lead without saying whose it is.
type Lead struct {
	ID      string       `json:"id"`
	State   outbox.State `json:"state"`
	Account string       `json:"account"`
	Form    string       `json:"form"`
	// CreatedAt is when the visitor sent it.
	CreatedAt time.Time `json:"created_at"`
	// DueAt is when it is tried next, while it waits.
	DueAt time.Time `json:"due_at,omitzero"`
	// BegunAt is when the last attempt began.
	BegunAt time.Time `json:"begun_at,omitzero"`
	// FailingSince is when TeleCRM first could not take it.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// SettledAt is when it was delivered or parked.
	SettledAt time.Time `json:"settled_at,omitzero"`
	Attempts  int       `json:"attempts"`
	// Step is how far an attempt has come that takes several requests.
	Step   string `json:"step,omitempty"`
	Reason string `json:"reason,omitempty"`
	// LeadID is TeleCRM's id of the lead, if it is known.
	LeadID string `json:"lead_id,omitempty"`
	// Content is only there where it was asked for.
	Content *Content `json:"content,omitempty"`
}

// Content is what the visitor sent. It is personal.
type Content struct {
	// Identifier is the lead identifier's value, as the outbox compares it.
	Identifier string `json:"identifier,omitempty"`
	// Fields are the lead's values by API name.
	Fields  map[string]any `json:"fields,omitempty"`
	Actions []Action       `json:"actions,omitempty"`
	// OnDuplicate is what the form says about a person whom TeleCRM knows.
	OnDuplicate string `json:"on_duplicate,omitempty"`
	// Unreadable tells that the outbox has the lead but cannot read it.
	Unreadable bool `json:"unreadable,omitempty"`
}

// Action is an entry of the lead's timeline.
type Action struct {
	Type   string         `json:"type"`
	Fields map[string]any `json:"fields,omitempty"`
}

// Filter chooses leads for a list. Empty fields choose all.
type Filter struct {
	State   outbox.State
	Account string
	// After is the id of the last lead of the page before.
	After string
	// Limit is the length of a page: 1 to MaxPage, or 0 for PageSize.
	Limit int
	// Full asks for the leads' content, too.
	Full bool
}

// Page is a part of a list, the oldest first.
type Page struct {
	Leads []Lead `json:"leads"`
	// Next is what to list after for the next page; empty if this is the
	// last.
	Next string `json:"next,omitempty"`
}

// Retried is what became of leads that were to be retried. As many are looked
// at in one call as takes it a second or two.
type Retried struct {
	Retried int `json:"retried"`
	// Skipped are those that were under way, delivered or gone meanwhile.
	Skipped int `json:"skipped"`
	// SuspectedSpam counts the leads that stay parked as suspected spam.
	SuspectedSpam int `json:"set_aside"`
	// Next is what to go on after; empty if there are no more.
	Next string `json:"next,omitempty"`
}

// Erasure asks that a person be removed from the outbox.
type Erasure struct {
	// Identifier is the value of the lead identifier; of phone numbers, with
	// the country code.
	Identifier string `json:"identifier"`
	// After is the Next of the answer before.
	After string `json:"after,omitempty"`
}

// Erased is what became of an erasure. As many leads are looked at in one
// call as takes it a second or two.
type Erased struct {
	// Erased is how many leads of the person were removed.
	Erased int `json:"erased"`
	// UnderWay are the ids of those that could not be, as an attempt is under
	// way: erase again once it has ended.
	UnderWay []string `json:"under_way,omitempty"`
	// Examined is how many leads were looked at.
	Examined int `json:"examined"`
	// Forgotten is in how many accounts TeleCRM's id of the person's lead
	// was remembered. They are forgotten with the last call.
	Forgotten int `json:"forgotten"`
	// Next is what to go on after; empty if everything was looked at.
	Next string `json:"next,omitempty"`
}

// Resumed is what became of an account that was to be resumed.
type Resumed struct {
	// Resumed is false if the account was neither held nor paused.
	Resumed bool `json:"resumed"`
	// Waiting tells that the account has leads, one of which is tried at
	// once. If it does not, the next one is tried as soon as it comes.
	Waiting bool `json:"waiting"`
}
