// Package outbox keeps leads safe on their way to the CRM.
//
// A [Store] is a durable journal of entries. An entry is appended before the visitor is thanked.
// When it is due it is taken, which records the start of an attempt. After the attempt it is
// settled with the outcome. If the process dies in between, the entry is due again when the store
// is next opened, and marked as ambiguous.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors that stores wrap.
var (
	// ErrNotFound means that the id is unknown.
	ErrNotFound = errors.New("entry not found")
	// ErrExists means that an entry with the id was appended before.
	ErrExists = errors.New("the entry already exists")
	// ErrInUse means that another process has the store open.
	ErrInUse = errors.New("the outbox is in use by another process")
	// ErrNewer means that a later version of this program wrote the store.
	ErrNewer = errors.New("the outbox was written by a newer version")
	// ErrClosed means that the store is closed.
	ErrClosed = errors.New("the outbox is closed")
	// ErrState means that the entry's state does not allow the operation.
	ErrState = errors.New("the entry's state does not allow it")
	// ErrFull means that the store's disk is full. The store accepts no entries until there is
	// room, but its entries can still be delivered.
	ErrFull = errors.New("the outbox's disk is full")
	// ErrBusy means that an attempt cannot begin at present, in a store that several processes share,
	// because another one has an attempt with the same identifier in flight.
	ErrBusy = errors.New("another attempt is in flight")
	// ErrRepeat means that an earlier entry has the mark of an entry to append. The error is a
	// [*RepeatError].
	ErrRepeat = errors.New("the entry repeats an earlier one")
	// ErrUnsure means that an entry may have been stored, but may not be durable.
	ErrUnsure = errors.New("the outbox may not have stored the entry safely")
	// ErrAway means that the store cannot be opened at present, so its entries cannot be reached.
	// Beside [ErrNotFound] it means that the entry may be there.
	ErrAway = errors.New("the outbox cannot be opened at present")
)

// Away returns an error that wraps [ErrAway] and trouble, which may be nil or wrap it already.
func Away(trouble error) error {
	switch {
	case trouble == nil:
		return ErrAway
	case errors.Is(trouble, ErrAway):
		return trouble
	}
	return fmt.Errorf("%w: %w", ErrAway, trouble)
}

// State is the state of an entry.
type State string

// The states. A taken entry, whose attempt is in flight, is still Waiting.
const (
	Waiting   State = "waiting"
	Delivered State = "delivered"
	Parked    State = "parked"
)

// States returns all states.
func States() []State { return []State{Waiting, Delivered, Parked} }

// Entry is one lead on its way to the CRM. Its texts are UTF-8 without NUL, or else a store may
// replace these characters.
type Entry struct {
	// ID identifies the entry. It is a UUID. Use version 7: those sort by time, which keeps a store
	// small and fast and its lists in the order of time.
	ID string `json:"id"`
	// Account is the name of the account that the lead goes to.
	Account string `json:"account"`
	// Form is the name of the form that the lead came from.
	Form string `json:"form"`
	// Identifier is the lead identifier; it may be empty. No two attempts with the same identifier
	// may be in flight at once. It is personal data: do not log it.
	Identifier string `json:"identifier,omitempty"`
	// Payload is the data to send, in any format of the caller.
	Payload []byte `json:"payload"`
	// CreatedAt is when the visitor sent the form.
	CreatedAt time.Time `json:"created_at"`

	State State `json:"state"`
	// DueAt is when a waiting entry is due. For a taken entry, it is when it was due.
	DueAt time.Time `json:"due_at,omitzero"`
	// Attempts is the number of attempts so far, including one in flight.
	Attempts int `json:"attempts,omitempty"`
	// Step names the current request of an attempt with several requests. The caller defines the
	// names; empty is the first.
	Step string `json:"step,omitempty"`
	// BegunAt is when the last attempt, or its last step, began.
	BegunAt time.Time `json:"begun_at,omitzero"`
	// AmbiguousSince is when the first attempt at the step began whose outcome is unknown; zero if
	// there is none.
	AmbiguousSince time.Time `json:"ambiguous_since,omitzero"`
	// FailingSince is when the CRM first failed to accept the lead; zero if it never did.
	FailingSince time.Time `json:"failing_since,omitzero"`
	// Reason is why the entry is still waiting or is parked. It contains no values of the lead.
	Reason string `json:"reason,omitempty"`
	// LeadID is the CRM's id of the delivered lead, or of the lead that a step changes; empty if
	// unknown.
	LeadID string `json:"lead_id,omitempty"`
	// SettledAt is when the entry was delivered or parked.
	SettledAt time.Time `json:"settled_at,omitzero"`

	// Mark makes an entry to append the only one with the mark in a store that several processes
	// share. Other stores ignore it, and it is not part of the stored entry.
	Mark Mark `json:"-"`
}

// Mark reserves a key for a time in a store that several processes share. The database's clock says
// when it ends.
type Mark struct {
	// Key is what is reserved; empty for nothing. It is kept as a keyed hash that does not reveal it.
	Key string
	For time.Duration
}

// RepeatError is the error of Append for an entry whose mark an earlier entry has.
type RepeatError struct {
	ID string // of the earlier entry, which the store still has
}

func (e *RepeatError) Error() string { return ErrRepeat.Error() + ": " + e.ID }

// Unwrap returns [ErrRepeat].
func (*RepeatError) Unwrap() error { return ErrRepeat }

// IsLater reports whether e is a later version of an entry than other: its last attempt began later,
// or it is the same attempt and only e is settled.
func (e Entry) IsLater(other Entry) bool {
	if order := e.BegunAt.Truncate(time.Millisecond).Compare(other.BegunAt.Truncate(time.Millisecond)); order != 0 {
		return order > 0
	}
	return e.State != Waiting && other.State == Waiting
}

// Settlement is the outcome of an attempt, or of an entry without one.
type Settlement struct {
	// State is the entry's new state. Waiting means a retry at DueAt.
	State State
	DueAt time.Time
	// At is the time of the outcome.
	At time.Time
	// Step, Reason, LeadID, AmbiguousSince and FailingSince replace the entry's own.
	Step           string
	Reason         string
	LeadID         string
	AmbiguousSince time.Time
	FailingSince   time.Time
	// Uncounted removes the attempt from the count, because it said nothing about this entry.
	Uncounted bool
	// Lazy lets Settle return before the record is durable, if State is Delivered or Parked. The
	// record may wait for another commit, but no longer than 100 ms. All methods see it at once. If
	// the process dies before the commit, the attempt was not settled.
	Lazy bool
}

// Progress is the next step of an attempt with several requests.
type Progress struct {
	// Step is the step that begins at the time At.
	Step string
	At   time.Time
	// LeadID and Reason replace the entry's own.
	LeadID string
	Reason string
}

// Adoption is an entry that moves from one store to another.
type Adoption struct {
	Entry
	// Recalled means that the first store recalls the entry's LeadID for its identifier.
	Recalled bool
}

// Filter selects entries of a list. Empty fields select all.
type Filter struct {
	State   State
	Account string
	// Form and Identifier choose entries with exactly these. Since and Until limit CreatedAt; Until
	// itself is excluded. A list that is chosen by these may read the whole store.
	Form, Identifier string
	Since, Until     time.Time
	// After is the id of the last entry of the previous page.
	After string
	// Limit is the length of a page; at most and by default 1,000.
	Limit int
}

// Searches reports whether the filter chooses by more than the state and the account.
func (f Filter) Searches() bool {
	return f.Form != "" || f.Identifier != "" || !f.Since.IsZero() || !f.Until.IsZero()
}

// Matches reports whether the filter chooses the entry, on any page.
func (f Filter) Matches(e Entry) bool {
	return (f.State == "" || e.State == f.State) && (f.Account == "" || e.Account == f.Account) &&
		(f.Form == "" || e.Form == f.Form) && (f.Identifier == "" || e.Identifier == f.Identifier) &&
		!e.CreatedAt.Before(f.Since) && (f.Until.IsZero() || e.CreatedAt.Before(f.Until))
}

// Count is the number of entries of an account in a state.
type Count struct {
	Account string
	State   State
	Entries int
}

// Activity has the numbers of entries that were appended, delivered and parked in a time.
type Activity struct {
	Appended, Delivered, Parked int
}

// Clock records when the machine's clock was right, which decides whether entries may expire. A
// machine may start with a wrong clock.
type Clock struct {
	// SeenAt is the last time at which the clock was considered right; zero if never.
	SeenAt time.Time
	// SteadySince is the time since which every entry was settled by a right clock; zero if unknown
	// or not all were.
	SteadySince time.Time
}

// Store is a durable journal of entries. It is safe for concurrent use. Changes are on disk when a
// method returns, unless it says otherwise.
//
// A method whose context ends before it began to write returns the context's error and changes
// nothing. Once begun, a commit is not canceled, and the method returns its result.
//
// Times are kept in UTC, to the millisecond or finer.
//
// A store must not fill its disk with entries that can no longer be delivered, because delivery has
// to write too. It keeps a reserve for all methods but Append. Append returns an error wrapping
// ErrFull when only the reserve is left, and accepts entries again when the reserve is whole.
type Store interface {
	// Append adds an entry and sets its Attempts. A Parked entry is kept from SettledAt on with its
	// Reason and was never tried. Any other is Waiting: with BegunAt it is taken by the caller,
	// with one attempt in flight, and without it is due at DueAt. Append returns an error wrapping
	// ErrExists if the id is known, and one wrapping ErrState for an entry that is Delivered, or
	// Parked and taken. A store that several processes share returns one wrapping ErrBusy for a taken
	// entry if another process has one of its identifier in flight. It also reserves the entry's Mark,
	// in the same commit. If an earlier entry has the mark, and was not removed, Append returns a
	// [*RepeatError]. After an error wrapping ErrUnsure the entry must be kept elsewhere too, under
	// the same id.
	Append(ctx context.Context, entry Entry) error

	// Adopt adds entries of another store as they are, all or none. None of them may be taken there. If
	// Recalled is true, Recall returns the entry's LeadID from then on, unless the store remembers a
	// later one. If an id is known already, the later version of the entry remains. So adopting
	// entries again does no harm. Of two equal versions the store's own remains, unless it is taken.
	Adopt(ctx context.Context, entries []Adoption) error

	// Take takes up to limit entries of the account that are due at the time due, the longest due
	// first, and records an attempt that begins at now. It skips entries whose identifier busy
	// reports true for and makes them due a second after now. A store that several processes share
	// does so too with entries whose identifier is in flight. The two times differ only if the
	// machine's clock was set back in between.
	Take(ctx context.Context, account string, due, now time.Time, limit int, busy func(identifier string) bool) ([]Entry, error)

	// NextDue returns when the account's next entry is due, or false if none is waiting except
	// those taken. It reads no other entries.
	NextDue(ctx context.Context, account string) (time.Time, bool, error)

	// Ahead reports whether at least n entries of the account precede the given one, by its DueAt and
	// ID, in the order in which Take takes them. It counts entries that are not taken, reads no other
	// data of them, and stops at n.
	Ahead(ctx context.Context, entry Entry, n int) (bool, error)

	// Advance records the start of a taken entry's next step. The steps before it are no longer
	// ambiguous. It returns an error wrapping ErrState if the entry is not taken.
	Advance(ctx context.Context, id string, p Progress) error

	// Settle records the outcome of a taken entry. It returns an error wrapping ErrState if the
	// entry is not taken. If the lead was delivered and its id is known, Recall returns that id
	// from then on.
	Settle(ctx context.Context, id string, s Settlement) error

	// Recall returns the CRM's id of the lead to which the account last delivered an entry with the
	// identifier, or false if none is remembered. Ids outlive their entries. They are stored under
	// a keyed hash that does not reveal the identifier.
	Recall(ctx context.Context, account, identifier string) (leadID string, known bool, err error)

	// Forget forgets the remembered id for the identifier, if any.
	Forget(ctx context.Context, account, identifier string) error

	// ForgetBefore forgets up to limit ids that were last remembered before the given time, oldest
	// first, and returns their number.
	ForgetBefore(ctx context.Context, before time.Time, limit int) (int, error)

	// Retry makes a waiting or parked entry due at the given time and resets its Attempts and
	// FailingSince. It returns an error wrapping ErrState if the entry is taken or delivered.
	Retry(ctx context.Context, id string, at time.Time) error

	// RetryFailed makes waiting entries of the account that have failed, and are due after at, due at
	// that time: at most limit of them, the first due first. It skips taken entries, and keeps
	// FailingSince. It returns the number of entries changed.
	RetryFailed(ctx context.Context, account string, at time.Time, limit int) (int, error)

	// Get returns one entry.
	Get(ctx context.Context, id string) (Entry, error)

	// List returns a page of entries in the order of their ids, oldest first. It reads only the
	// page, whatever the size of the store.
	List(ctx context.Context, f Filter) ([]Entry, error)

	// Counts returns the number of entries by account and state, without reading them. It omits
	// zeros.
	Counts(ctx context.Context) ([]Count, error)

	// Activity counts the entries in the store that were appended, delivered or parked from the time
	// from on and before the time to. The time of an id of version 7 is when its entry was appended.
	// It does not count entries that were removed since, and only the last settlement of an entry
	// that is delivered or parked now. It does not read the entries.
	Activity(ctx context.Context, from, to time.Time) (Activity, error)

	// Erase removes an entry in any state. It returns an error wrapping ErrState if the entry is
	// taken.
	Erase(ctx context.Context, id string) error

	// Expire removes up to limit entries that reached the state before the given time, the longest
	// settled first, and returns their number. Waiting entries do not expire: for that state it
	// returns an error wrapping ErrState.
	Expire(ctx context.Context, state State, before time.Time, limit int) (int, error)

	// Clock returns the value last given to SetClock, or the zero value.
	Clock(ctx context.Context) (Clock, error)

	// SetClock stores c.
	SetClock(ctx context.Context, c Clock) error

	// Health returns why entries cannot be accepted or written at present, as far as the store has
	// noticed, or nil. The error wraps ErrFull if the disk is full. Health never blocks, not even
	// on the disk.
	Health() error

	// Compact returns unused space to the file system if there is enough of it.
	Compact(ctx context.Context) error

	// Close waits for operations in flight and closes the store.
	Close() error
}
