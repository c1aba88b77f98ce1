// Package adminapi defines the plugin's part of Caddy's admin API, and a client for it.
package adminapi

import (
	"fmt"
	"slices"
	"time"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Prefix is the path of the API.
const Prefix = "/telecrm"

// MaxPage is the largest page of a list. PageSize is the default.
const (
	MaxPage  = 1000
	PageSize = 100
)

// Status is the state of all deliveries.
type Status struct {
	// Outboxes lists the open outboxes: one, or two while a reload replaces it.
	Outboxes []Outbox `json:"outboxes"`
	// Left lists the outboxes that were closed with waiting leads, because the config names another
	// one or none.
	Left []Left `json:"left,omitempty"`
	// Direct lists the accounts whose leads are sent without an outbox, because it is off. Their
	// numbers of leads are 0.
	Direct []Account `json:"direct,omitempty"`
	// Note says why Outboxes is empty.
	Note string `json:"note,omitempty"`
	// Check counts what the last check of the forms found. It is nil if there is none.
	Check *Check `json:"check,omitempty"`
}

// Accounts returns all accounts, with an outbox and without.
func (s Status) Accounts() []Account {
	list := slices.Clone(s.Direct)
	for _, o := range s.Outboxes {
		list = append(list, o.Accounts...)
	}
	return list
}

// Outbox is the state of an outbox.
type Outbox struct {
	// Resource names the open resource, such as the path of a file.
	Resource string `json:"resource"`
	// Trouble says what is wrong with the outbox itself. It is empty if it works.
	Trouble string `json:"trouble,omitempty"`
	// Spool says where leads are kept meanwhile. It is nil if there is no spool.
	Spool *Spool `json:"spool,omitempty"`
	// Fleet is the state of an outbox that several machines share. It is nil for others, and while the
	// outbox cannot be reached.
	Fleet    *Fleet    `json:"fleet,omitempty"`
	Accounts []Account `json:"accounts"`
}

// Spool is where leads are kept while the outbox cannot be used.
type Spool struct {
	// Since is when the outbox stopped being usable. It is zero if the outbox can be used again and
	// leads still move to it.
	Since time.Time `json:"since,omitzero"`
	// Files are the files of the spools.
	Files []string `json:"files"`
	// Leads is the number of leads in them.
	Leads int `json:"leads"`
}

// Account is the state of an account.
type Account struct {
	Name string `json:"name"`
	// Configured reports whether the running config has the account. If not, its leads wait until
	// it has.
	Configured bool `json:"configured"`
	// State is the condition of the account's deliveries, or [NotConfigured], since StateSince.
	// StateReason says why it is not sending.
	State       delivery.Condition `json:"state"`
	StateSince  time.Time          `json:"state_since,omitzero"`
	StateReason string             `json:"state_reason,omitempty"`
	// LastError is the last error that was not the fault of a lead, since Caddy started.
	LastError *LastError `json:"last_error,omitempty"`
	// Held reports whether the account is on hold: only probes are sent.
	Held       bool      `json:"held"`
	HeldReason string    `json:"held_reason,omitempty"`
	HeldSince  time.Time `json:"held_since,omitzero"`
	// PausedUntil is the time until which nothing is sent to TeleCRM, because of PauseReason.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	PauseReason string    `json:"pause_reason,omitempty"`
	// NextAttempt is when the next lead is due, if the account is failing.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	// InFlight counts the attempts in flight. Their leads also count as waiting.
	InFlight  int `json:"under_way"`
	Waiting   int `json:"waiting"`
	Delivered int `json:"delivered"`
	Parked    int `json:"parked"`
	// OldestWaiting is the lead that has been waiting longest.
	OldestWaiting *Waiting `json:"oldest_waiting,omitempty"`
}

// NotConfigured is the state of an account that is not in the running config.
const NotConfigured delivery.Condition = "not configured"

// IsTroubled reports whether operators should look at the account.
func (a Account) IsTroubled() bool {
	return a.State != delivery.Sending && (a.Configured || a.Waiting > 0)
}

// LastError is an error of an account.
type LastError struct {
	// Cause is one of a fixed set, such as "connect" or "server".
	Cause telecrm.Cause `json:"cause"`
	// Problem describes the error in one line. It contains neither values of a lead nor secrets.
	Problem string    `json:"problem"`
	At      time.Time `json:"at"`
}

// Waiting is a waiting lead.
type Waiting struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// Lead describes a lead. Only its Content is personal.
type Lead struct {
	ID      string       `json:"id"`
	State   outbox.State `json:"state"`
	Account string       `json:"account"`
	Form    string       `json:"form"`
	// CreatedAt is the time at which the visitor sent it.
	CreatedAt time.Time `json:"created_at"`
	// DueAt is the time of the next attempt, if the lead is waiting.
	DueAt time.Time `json:"due_at,omitzero"`
	// BegunAt is the time at which the last attempt began.
	BegunAt time.Time `json:"begun_at,omitzero"`
	// FailingSince is the time of the first failed attempt.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// SettledAt is the time at which it was delivered or parked.
	SettledAt time.Time `json:"settled_at,omitzero"`
	Attempts  int       `json:"attempts"`
	// Step is the last completed step of an attempt that takes several requests.
	Step   string `json:"step,omitempty"`
	Reason string `json:"reason,omitempty"`
	// LeadID is TeleCRM's id of the lead, if known.
	LeadID string `json:"lead_id,omitempty"`
	// Node is the machine that has the lead in flight, if several share the outbox.
	Node string `json:"node,omitempty"`
	// Content is only set on request.
	Content *Content `json:"content,omitempty"`
}

// Content holds the visitor's input. It is personal data.
type Content struct {
	// Identifier is the lead identifier's value, as the outbox compares it.
	Identifier string `json:"identifier,omitempty"`
	// Fields maps API names to values.
	Fields  map[string]any `json:"fields,omitempty"`
	Actions []Action       `json:"actions,omitempty"`
	// OnDuplicate is the form's policy for a person whom TeleCRM already knows.
	OnDuplicate string `json:"on_duplicate,omitempty"`
	// Unreadable reports that the stored lead is corrupt.
	Unreadable bool `json:"unreadable,omitempty"`
}

// Action is an entry in the lead's timeline.
type Action struct {
	Type   string         `json:"type"`
	Fields map[string]any `json:"fields,omitempty"`
}

// Filter selects leads for a list. Empty fields select all.
type Filter struct {
	State   outbox.State `json:"state,omitempty"`
	Account string       `json:"account,omitempty"`
	Form    string       `json:"form,omitempty"`
	// Identifier is the value of the lead identifier, as in [Erasure]. It is personal data.
	Identifier string `json:"identifier,omitempty"`
	// Since and Until limit when the visitor sent the lead: see [ParseSince] and [ParseUntil].
	Since string `json:"since,omitempty"`
	Until string `json:"until,omitempty"`
	// After is the id of the last lead of the previous page.
	After string `json:"after,omitempty"`
	// Limit is the size of a page: 1 to MaxPage, or 0 for PageSize.
	Limit int `json:"limit,omitempty"`
	// Full asks for the leads' content too.
	Full bool `json:"full,omitempty"`
}

// Page is a part of a list, oldest first.
type Page struct {
	Leads []Lead `json:"leads"`
	// Next is the After of the next page. It is empty on the last page.
	Next string `json:"next,omitempty"`
	// Note says why there may be no leads, such as a form that the running config does not have.
	Note string `json:"note,omitempty"`
}

// Retried is the result of a bulk retry. One call handles as many leads as it can in a second or
// two.
type Retried struct {
	Retried int `json:"retried"`
	// Skipped counts leads that were in flight, or were delivered or removed in the meantime.
	Skipped int `json:"skipped"`
	// SuspectedSpam counts leads that stay parked as suspected spam.
	SuspectedSpam int `json:"set_aside"`
	// Next is the After of the next call. It is empty after the last.
	Next string `json:"next,omitempty"`
}

// Erasure asks to remove a person from the outbox.
type Erasure struct {
	// Identifier is the value of the lead identifier. Phone numbers may be written as they are typed
	// into a form.
	Identifier string `json:"identifier"`
	// After is the Next of the previous answer.
	After string `json:"after,omitempty"`
}

// Erased is the result of an erasure. One call searches as many leads as it can in a second or two.
type Erased struct {
	// Erased counts the removed leads of the person.
	Erased int `json:"erased"`
	// InFlight lists the ids of leads that were not removed because they were in flight. Erase them
	// again later.
	InFlight []string `json:"under_way,omitempty"`
	// Examined counts the searched leads.
	Examined int `json:"examined"`
	// Forgotten counts the accounts that remembered TeleCRM's id of the person's lead. The last
	// call removes these ids.
	Forgotten int `json:"forgotten"`
	// Next is the After of the next call. It is empty after the last.
	Next string `json:"next,omitempty"`
	// Note says after the last call where the person may have leads that were not searched.
	Note string `json:"note,omitempty"`
}

// Resumed is the result of resuming an account.
type Resumed struct {
	// Resumed is false if the account was sending and no lead waited for its retry.
	Resumed bool `json:"resumed"`
	// Waiting reports whether the account has a waiting lead, which is sent at once. If not, its
	// next lead is sent as soon as it arrives.
	Waiting bool `json:"waiting"`
	// Due counts the leads that are due now, without those in flight. If the account was on hold or
	// failing, one of them is sent at once, and the others follow when TeleCRM takes it.
	Due int `json:"due"`
}

// String says in words what was done. It begins after the name of the account.
func (r Resumed) String() string {
	due := "1 lead is due now"
	if r.Due != 1 {
		due = fmt.Sprintf("%d leads are due now", r.Due)
	}
	switch {
	case r.Resumed && r.Due > 1:
		return due + "; one is tried first, and the others follow when TeleCRM takes it"
	case r.Due > 0:
		return due
	case r.Waiting:
		return "its last leads are being sent"
	case r.Resumed:
		return "no lead is waiting; the next one is sent as soon as it arrives"
	}
	return "nothing to do: it is sending, and no lead is waiting"
}

// Checked is the result of a check for damage.
type Checked struct {
	Outboxes []CheckedOutbox `json:"outboxes"`
}

// CheckedOutbox is the result for one outbox.
type CheckedOutbox struct {
	// Resource names the outbox, or the file of one of its spools.
	Resource string `json:"resource"`
	// Unchecked says why the outbox could not be checked. It is empty if it was checked.
	Unchecked string `json:"unchecked,omitempty"`
	// Entries counts the leads that were checked.
	Entries int `json:"entries"`
	// Damaged lists the ids of leads whose checksum does not match.
	Damaged []string `json:"damaged,omitempty"`
	// Missing counts leads that are gone although nobody removed them.
	Missing int `json:"missing,omitempty"`
	// Problems lists faults of the file's structure.
	Problems []string `json:"problems,omitempty"`
}

// BackedUp is the result of a backup.
type BackedUp struct {
	// Files are the new files: the outbox, and each of its spools.
	Files []string `json:"files"`
}

// Backup says where to write a backup of the outbox.
type Backup struct {
	// File is an absolute path on the machine that Caddy runs on. There must not be such a file.
	File string `json:"file"`
}
