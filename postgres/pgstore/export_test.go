package pgstore

import (
	"context"
	"time"
)

// Die closes the store as if its process had died: its leases remain until they end.
func (s *Store) Die() error {
	s.gate.Lock()
	s.closed = true
	s.gate.Unlock()
	s.stop()
	s.keeping.Wait()
	return s.pool.Close()
}

// Keep renews the lease and looks for dead nodes now.
func (s *Store) Keep(ctx context.Context) error { return s.keepNow(ctx) }

// Version is the version of the schema that this program knows.
var Version = len(migrations)

// OnMachine returns the options for a machine with the clock.
func (o Options) OnMachine(clock func() time.Time) Options {
	o.clock = clock
	return o
}
