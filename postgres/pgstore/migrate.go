package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// migrate creates the schema or brings it up to date, and reads the secret. Several nodes may do so
// at once.
func (s *Store) migrate(ctx context.Context) error {
	if current, err := s.isCurrent(ctx); err != nil || current {
		return err
	}
	if err := s.migrateNow(ctx); err != nil {
		return err
	}
	_, err := s.isCurrent(ctx)
	return err
}

func (s *Store) migrateNow(ctx context.Context) error {
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return s.within(ctx, conn, func() error { return s.migrateWithin(ctx, conn) })
}

// isCurrent reports whether this version of the program need not change the schema, and then reads
// the secret.
func (s *Store) isCurrent(ctx context.Context) (bool, error) {
	var tables int
	if err := s.pool.QueryRowContext(ctx, s.text(qHasLedger), s.opts.Schema).Scan(&tables); err != nil || tables == 0 {
		return false, err
	}
	version, err := s.version(ctx, s.pool)
	if err != nil || version < len(s.migrations) {
		return false, err
	}
	err = s.pool.QueryRowContext(ctx, s.text(qSecret)).Scan(&s.secret)
	if err == nil && len(s.secret) != record.SecretSize {
		err = errors.New("the outbox's ledger is corrupt; restore it from a backup")
	}
	return true, err
}

// version returns the version of the schema. The error wraps [outbox.ErrNewer] if this program does
// not know enough of it.
func (s *Store) version(ctx context.Context, in executor) (int, error) {
	var version, oldest int
	if err := in.QueryRowContext(ctx, s.text(qVersion)).Scan(&version, &oldest); err != nil {
		return 0, err
	}
	if oldest > len(s.migrations) {
		return 0, fmt.Errorf("%w: its schema has version %d, which programs that support version %d can use, and this program supports up to version %d; install the newer version, or name another schema",
			outbox.ErrNewer, version, oldest, len(s.migrations))
	}
	return version, nil
}

func (s *Store) migrateWithin(ctx context.Context, tx executor) error {
	exec := func(q query, args ...any) error {
		_, err := tx.ExecContext(ctx, s.text(q), args...)
		return err
	}
	if err := exec(qMigrationLock, s.opts.Schema); err != nil {
		return err
	}
	var schemas, tables int
	if err := tx.QueryRowContext(ctx, string(qHasSchema), s.opts.Schema).Scan(&schemas); err != nil {
		return err
	}
	// Creating it takes a right on the database, even if it is there.
	if schemas == 0 {
		if err := exec(qCreateSchema); err != nil {
			return err
		}
	}
	if err := tx.QueryRowContext(ctx, string(qHasLedger), s.opts.Schema).Scan(&tables); err != nil {
		return err
	}
	var version int
	if tables > 0 {
		known, err := s.version(ctx, tx)
		if err != nil || known >= len(s.migrations) {
			return err // another node was faster
		}
		version = known
	}
	for ; version < len(s.migrations); version++ {
		for _, statement := range s.migrations[version].statements {
			if err := exec(statement); err != nil {
				return fmt.Errorf("migrating to version %d: %w", version+1, err)
			}
		}
		if version == 0 {
			secret := make([]byte, record.SecretSize)
			_, _ = rand.Read(secret) // it never fails
			if err := exec(qFound, secret); err != nil {
				return err
			}
		}
	}
	return exec(qMigrated, version, s.migrations[version-1].oldest)
}
