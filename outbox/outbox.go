// Package outbox keeps leads safe on their way to the CRM.
//
// A [Store] is a journal of entries. An entry is appended, durably, before the
// visitor is thanked; it is taken when it is due, which records that an
// attempt has begun; and it is settled with what became of the attempt. An
// entry whose attempt was never settled, because the process died, is due
// again when the store is next opened, and says so.
package outbox

import (
	"context"
	"errors"
	"time"
)

// Errors that stores wrap.
var (
	// ErrNotFound: no entry has that id.
	ErrNotFound = errors.New("no such entry")
	// ErrExists: an entry with that id was appended before.
	ErrExists = errors.New("the entry exists already")
	// ErrInUse: another process has the store open.
	ErrInUse = errors.New("the outbox is in use by another process")
	// ErrNewer: the store was written by a later version of this program.
	ErrNewer = errors.New("the outbox was written by a newer version")
	// ErrClosed: the store is closed.
	ErrClosed = errors.New("the outbox is closed")
	// ErrState: the entry is not in a state in which that can be done.
	ErrState = errors.New("the entry's state does not allow it")
	// ErrFull: the store's disk is full. No entry is accepted until there is
	// room; those that are in the store can be delivered nevertheless.
	ErrFull = errors.New("the outbox's disk is full")
)

// State is where an entry is on its way.
type State string

// The states. A taken entry, whose attempt has begun and is not settled, is
// still Waiting.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	Parked    State = "parked"
)

// States returns all states.
func States() []State { return []State{Waiting, Delivered, Parked} }

// Entry is one lead on its way to the CRM.
type Entry struct {
	// ID names the entry. It is a UUID; those of version 7 keep a store
	// small and fast, and its lists in the order of time, because they sort
	// by it.
	ID string `json:"id"`
	// Account is the name of the account that delivers it.
	Account string `json:"account"`
	// Form is the name of the form that it came from.
	Form string `json:"form"`
	// Identifier is what no two attempts may be under way for at once; it
	// may be empty. It says who the lead is: keep it out of logs.
	Identifier string `json:"identifier,omitempty"`
	// Payload is what to send, in whatever form the caller chose.
	Payload []byte `json:"payload"`
	// CreatedAt is when the visitor sent it.
	CreatedAt time.Time `json:"created_at"`

	State State `json:"state"`
	// DueAt is when to try next, while waiting; of a taken entry, when it was
	// due.
	DueAt time.Time `json:"due_at,omitzero"`
	// Attempts counts the attempts that were begun.
	Attempts int `json:"attempts,omitempty"`
	// Step is which request of several an attempt has come to, in the words
	// of whoever makes them; empty is the first.
	Step string `json:"step,omitempty"`
	// BegunAt is when the last attempt began, or the last step of it.
	BegunAt time.Time `json:"begun_at,omitzero"`
	// AmbiguousSince is when the first attempt at the step began of which it
	// is not known whether the CRM carried it out; zero if there is none.
	AmbiguousSince time.Time `json:"ambiguous_since,omitzero"`
	// FailingSince is when the CRM first could not take it; zero if it never
	// failed.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// Reason is why it waits still or is parked. It holds no values.
	Reason string `json:"reason,omitempty"`
	// LeadID is the CRM's id of the lead that it was delivered to, or that a
	// step is about, if it is known.
	LeadID string `json:"lead_id,omitempty"`
	// SettledAt is when it was delivered or parked.
	SettledAt time.Time `json:"settled_at,omitzero"`
}

// Settlement is what became of an attempt, or of an entry without one.
type Settlement struct {
	// State is the entry's new state. Waiting means that it is to be tried
	// again at DueAt.
	State State
	DueAt time.Time
	// At is when it was settled.
	At time.Time
	// Step, Reason, LeadID, AmbiguousSince and FailingSince take the place of
	// the entry's own.
	Step           string
	Reason         string
	LeadID         string
	AmbiguousSince time.Time
	FailingSince   time.Time
	// Uncounted takes the attempt back off the count: it said nothing about
	// this entry.
	Uncounted bool
}

// Progress is how far an attempt has come that takes several requests.
type Progress struct {
	// Step is the one that begins, at the time At.
	Step string
	At   time.Time
	// LeadID and Reason take the place of the entry's own.
	LeadID string
	Reason string
}

// Filter chooses entries for a list. Empty fields choose all.
type Filter struct {
	State   State
	Account string
	// After is the id of the last entry of the page before.
	After string
	// Limit is the length of a page; at most 1,000, which is also the default.
	Limit int
}

// Count is how many entries of an account are in a state.
type Count struct {
	Account string
	State   State
	Entries int
}

// Clock is what is known of the time of day by which entries were settled, for
// those who expire them. A machine may start with a clock that is wrong.
type Clock struct {
	// SeenAt is a time at which the clock was taken to be right; zero: never.
	SeenAt time.Time
	// SteadySince is since when every entry was settled by a clock that was
	// right; zero: some were not, or nobody knows.
	SteadySince time.Time
}

// Store is a durable journal of entries. It is safe for concurrent use. What
// a method has done is on disk when it returns, unless it says otherwise.
//
// A store must not fill its disk with entries that nobody can deliver any
// more, because that takes writing too. It keeps a reserve for everything but
// Append, which returns an error wrapping ErrFull once only the reserve is
// left, and accepts entries again when the reserve is whole.
type Store interface {
	// Append adds an entry, whose Attempts it sets itself. One that is Parked
	// is kept from SettledAt on with its Reason, and was never tried. Any
	// other is Waiting: if its BegunAt is set it is added as taken already, by
	// the caller, with one attempt begun; else it is due at DueAt. It returns
	// an error wrapping ErrExists if the id is known, and one wrapping
	// ErrState for a parked one that is taken and for one that is Delivered.
	Append(ctx context.Context, entry Entry) error

	// Take takes up to limit entries of the account that are due at the time
	// due, the longest due first, and records for each that an attempt has
	// begun at now. Those for which busy reports true are passed over and
	// become due again a second after now. The two times are the same but
	// when the machine's clock was set back meanwhile.
	Take(ctx context.Context, account string, due, now time.Time, limit int, busy func(identifier string) bool) ([]Entry, error)

	// NextDue returns when the account's next entry is due, looking at no
	// entry that is not; false if none waits but those taken.
	NextDue(ctx context.Context, account string) (time.Time, bool, error)

	// Advance records that a taken entry's next step begins. What came before
	// it is not ambiguous any more. Advancing one that is not taken is an
	// error wrapping ErrState.
	Advance(ctx context.Context, id string, p Progress) error

	// Settle records what became of a taken entry. Settling one that is
	// not taken is an error wrapping ErrState. If it was delivered to a lead
	// whose id is known, Recall returns that from then on.
	Settle(ctx context.Context, id string, s Settlement) error

	// Recall returns the CRM's id of the lead to which an entry of the account
	// with that identifier was last delivered; false if none is remembered.
	// Ids are remembered beyond their entries, under a keyed hash from which
	// the identifier cannot be read.
	Recall(ctx context.Context, account, identifier string) (leadID string, known bool, err error)

	// Forget forgets the id that is remembered for the identifier, if any.
	Forget(ctx context.Context, account, identifier string) error

	// ForgetBefore forgets ids that were last remembered before the given
	// time, at most limit of them, the oldest first, and returns how many.
	ForgetBefore(ctx context.Context, before time.Time, limit int) (int, error)

	// Retry makes a waiting or parked entry due at the given time, with its
	// attempts and FailingSince forgotten. For a taken or delivered one it
	// returns an error wrapping ErrState.
	Retry(ctx context.Context, id string, at time.Time) error

	// Get returns one entry.
	Get(ctx context.Context, id string) (Entry, error)

	// List returns a page of entries in the order of their ids, which is the
	// oldest first. It reads no more than the page, whatever the size of the
	// store.
	List(ctx context.Context, f Filter) ([]Entry, error)

	// Counts returns how many entries there are, by account and state,
	// without reading them. Where there are none there is no count.
	Counts(ctx context.Context) ([]Count, error)

	// Erase removes one entry, whatever its state. One that is taken is an
	// error wrapping ErrState.
	Erase(ctx context.Context, id string) error

	// Expire removes the entries that reached the state before the given
	// time, at most limit of them, the longest settled first, and returns how
	// many. Waiting entries do not expire: for that state it returns an error
	// wrapping ErrState.
	Expire(ctx context.Context, state State, before time.Time, limit int) (int, error)

	// Clock returns what was last given to SetClock; at first the zero value.
	Clock(ctx context.Context) (Clock, error)

	// SetClock remembers what is known of the time of day.
	SetClock(ctx context.Context, c Clock) error

	// Health returns why entries cannot be accepted or written at present, as
	// far as the store has noticed; nil if all is well. It wraps ErrFull if the
	// disk is full. It never waits, not even for the disk.
	Health() error

	// Compact gives space that is no longer used back to the file system,
	// if there is enough of it to be worth the while.
	Compact(ctx context.Context) error

	// Close waits for what is under way and closes the store.
	Close() error
}
