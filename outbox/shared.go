package outbox

import (
	"context"
	"time"
)

// Shared is a store that several processes may use at once. Each leases the entries that it takes.
type Shared interface {
	Store

	// IsShared reports whether other processes may make entries due.
	IsShared() bool

	// LeasedUntil returns when the lease of an entry that this process has taken ends, unless it is
	// renewed before. The attempt must have ended by then. It returns false if there is no lease.
	LeasedUntil(id string) (until time.Time, leased bool)

	// Skew returns how far the store's clock is ahead of this process's. It is zero if they are in step.
	// Processes whose clocks differ must use the store's.
	Skew() time.Duration

	// Fleet returns the state of the store. It is empty while the store cannot be reached.
	Fleet(ctx context.Context) (Fleet, error)

	// Lend lends tokens of an account's pace, one for each request. All processes together are lent
	// no more than the pace allows.
	Lend(ctx context.Context, want LoanRequest) (Loan, error)

	// Publish replaces the state of an account for all processes, unless another process has changed
	// it since the version in state. It reports whether it did.
	Publish(ctx context.Context, account string, state AccountState) (published bool, err error)

	// Mark reserves the mark's key for the owner. It returns false if another owner has it and that
	// has not ended. Reserving it again for the same owner returns true. The owner is kept like the
	// key. If ctx ends, the key may be reserved nevertheless.
	Mark(ctx context.Context, m Mark, owner string) (isOwner bool, err error)

	// Unmark releases the mark's key if it was reserved by appending the entry with the id.
	Unmark(ctx context.Context, m Mark, id string) error
}

// Node is a process that uses a shared store.
type Node struct {
	Name     string
	Self     bool // it is this process
	JoinedAt time.Time
	InFlight int // the entries that it has taken
	// Spooled is the number of entries in its spools, a few seconds ago. They are not in the store.
	Spooled int
	// Settings are those that it has published. They are nil if its program is older.
	Settings Settings
}

// Fleet is the state of a shared store.
type Fleet struct {
	// Nodes lists the processes that use it, by name.
	Nodes []Node
	// DeadRows is roughly the number of row versions that the database has not cleaned up yet.
	DeadRows int
	// OpenFor is for how long the oldest transaction has been open, which keeps the database from
	// cleaning up. It is zero if there is none, or if the role may not see it.
	OpenFor time.Duration
}

// LoanRequest asks for tokens of an account's pace.
type LoanRequest struct {
	Account string
	// Key identifies the settings with which this process reaches the CRM. A state that was published
	// with another key does not limit the loan.
	Key string
	// Rate is the pace in requests a second. Burst is the number of requests that may go at once after
	// a pause.
	Rate  float64
	Burst int
	// Want is the number of tokens. Without any, Lend only returns the state.
	Want int
	// Paid is the number of requests that were sent without a loan, because the store was away.
	Paid int
	// Fresh asks for a probe with an entry that has not failed yet.
	Fresh bool
	// Continues asks for tokens for an attempt that has begun. Only the pace limits these.
	Continues bool
}

// Loan is the answer to a LoanRequest.
type Loan struct {
	// Tokens is the number of requests that may be sent. While the account is on hold, it is one at
	// most, for the probe. After that, the next probe is lent a while later.
	Tokens int
	// Usable is how long the tokens may be used.
	Usable time.Duration
	// Wait is how long to wait for a token, as far as the pace is concerned.
	Wait time.Duration
	// Nodes is the number of processes that use the store.
	Nodes int
	// State is the account's state before the loan.
	State AccountState
}

// AccountState is the state of an account for all processes that use a store. Its times are
// durations up to now or from now on, because the clocks of machines may differ.
type AccountState struct {
	// Version counts the changes.
	Version int64
	// Key identifies the settings with which the CRM was reached.
	Key string
	// PausedFor is how long nothing is sent; zero if the account is not paused. The pause began
	// PausedAgo.
	PausedFor, PausedAgo time.Duration
	// Trial means that the CRM did not answer lately. Then one token is lent every few seconds.
	Trial bool
	// Held means that the account has been on hold for HeldAgo. The next probe is due after ProbeIn,
	// or after FreshIn with an entry that has not failed yet.
	Held             bool
	HeldAgo          time.Duration
	ProbeIn, FreshIn time.Duration
	// Note is for the caller. The store does not interpret it.
	Note string
}
