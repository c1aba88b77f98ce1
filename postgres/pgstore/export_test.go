package pgstore

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
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

// BeforeSettings is the last version of the schema whose nodes do not publish settings.
var BeforeSettings = indexOf(&inNodes)

func indexOf(m *migration) int {
	for i := range migrations {
		if &migrations[i].statements[0] == &m.statements[0] {
			return i
		}
	}
	return -1
}

// MigrateTo brings a schema to a version, as a program that knows no later one does.
func MigrateTo(ctx context.Context, address Address, schema string, version int) error {
	s := &Store{
		opts: Options{Schema: schema}, pool: address.open(1), migrations: migrations[:version],
		words: strings.NewReplacer("{schema}", pgx.Identifier{schema}.Sanitize()),
	}
	defer s.pool.Close()
	return s.migrate(ctx)
}
