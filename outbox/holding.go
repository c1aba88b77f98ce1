package outbox

import "context"

// Holding is a shared store that knows which node has an entry in flight.
type Holding interface {
	// Holders returns the names of the nodes that have taken entries, by the ids of those that are
	// taken. It returns nothing while the store cannot be reached.
	Holders(ctx context.Context, ids []string) (map[string]string, error)
}
