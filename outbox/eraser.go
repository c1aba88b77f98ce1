package outbox

import "context"

// Eraser is a store that also erases what it cannot see, because it is in a spool of another process.
// It remembers for a while what was erased, and does not adopt it.
type Eraser interface {
	// EraseEverywhere erases an entry like [Store.Erase], and does not adopt an entry with the id any
	// more. That holds as well if the error wraps ErrNotFound and not ErrAway. If it wraps ErrAway, the
	// store could not be reached, and the entry may still be there.
	EraseEverywhere(ctx context.Context, id string) error

	// ErasePerson does not adopt entries with the identifier any more that were created until now. It
	// leaves the entries in the store alone. The error wraps ErrAway if the store could not be reached.
	ErasePerson(ctx context.Context, identifier string) error
}
