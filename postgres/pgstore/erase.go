package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// What was erased is remembered for keepErased: ids of entries, and keyed hashes of people's
// identifiers. A spool on a machine that was away for longer brings a lead back.
const keepErased = 30 * 24 * time.Hour

// forgetErasedEvery is how often a node looks for what it may forget.
const forgetErasedEvery = time.Hour

const (
	qCreateErased query = `CREATE TABLE {schema}.erased (
		key BYTEA PRIMARY KEY,
		at BIGINT NOT NULL
	)`
	// An erasure waits until adoptions have ended, and those that begin later see it.
	qLockErasing  query = `SELECT pg_advisory_xact_lock(hashtext('caddy-telecrm erasing ' || $1))`
	qLockAdopting query = `SELECT pg_advisory_xact_lock_shared(hashtext('caddy-telecrm erasing ' || $1))`
	qRemember     query = `INSERT INTO {schema}.erased (key, at) VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
		ON CONFLICT (key) DO UPDATE SET at = excluded.at`
	qForgetErased query = `DELETE FROM {schema}.erased WHERE at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $1`
	qErased       query = `SELECT key, at FROM {schema}.erased WHERE key = ANY($1)`
)

// EraseEverywhere implements [outbox.Eraser].
func (s *Store) EraseEverywhere(ctx context.Context, text string) error {
	id, err := parseID("erasing", text)
	if err != nil {
		return err
	}
	known := false
	err = s.transact(ctx, func(t tx) error {
		if err := t.rememberErased(s.opts.Schema, id[:]); err != nil {
			return err
		}
		rows, err := t.exec(qErase, id[:])
		if known = rows > 0; err != nil || known {
			return err
		}
		if err := s.missed(t, id); !errors.Is(err, outbox.ErrNotFound) {
			return err
		}
		return nil
	})
	if err == nil && !known {
		err = fmt.Errorf("it will not be adopted: %w", outbox.ErrNotFound)
	}
	return s.wrapReach("erasing", id, err)
}

// ErasePerson implements [outbox.Eraser].
func (s *Store) ErasePerson(ctx context.Context, identifier string) error {
	err := s.transact(ctx, func(t tx) error { return t.rememberErased(s.opts.Schema, s.personKey(identifier)) })
	return s.wrapReach("erasing a person", uuid.Nil, err)
}

// wrapReach explains an error, which wraps [outbox.ErrAway] if the database could not be reached.
func (s *Store) wrapReach(doing string, id uuid.UUID, err error) error {
	if err != nil && !isAnswer(err) && !errors.Is(err, outbox.ErrAway) {
		return fmt.Errorf("%w: %w", outbox.ErrAway, wrap(doing, id, err))
	}
	return wrap(doing, id, err)
}

func (t tx) rememberErased(schema string, key []byte) error {
	if _, err := t.exec(qLockErasing, schema); err != nil {
		return err
	}
	_, err := t.exec(qRemember, key)
	return err
}

// personKey identifies a person in the table of erased ones, in all accounts.
func (s *Store) personKey(identifier string) []byte { return record.Hash(s.secret, "", identifier) }

// withoutErased returns the entries that may be adopted. No erasure begins until the transaction
// ends.
func (s *Store) withoutErased(t tx, rows []adoption) ([]adoption, error) {
	keys := make([][]byte, 0, 2*len(rows))
	for _, r := range rows {
		keys = append(keys, r.ID[:])
		if r.Entry.Identifier != "" {
			keys = append(keys, s.personKey(r.Entry.Identifier))
		}
	}
	if _, err := t.exec(qLockAdopting, s.opts.Schema); err != nil {
		return nil, err
	}
	erased, err := t.erased(keys)
	if err != nil || len(erased) == 0 {
		return rows, err
	}
	kept := make([]adoption, 0, len(rows))
	for _, r := range rows {
		_, byID := erased[string(r.ID[:])]
		at, byPerson := erased[string(s.personKey(r.Entry.Identifier))]
		if !byID && (!byPerson || record.Millis(r.Entry.CreatedAt) > at) {
			kept = append(kept, r)
		}
	}
	if skipped := len(rows) - len(kept); skipped > 0 {
		s.opts.Logger.Info("leads of a spool were erased meanwhile, and do not move to the outbox",
			zap.String("outbox", s.name), zap.Int("leads", skipped))
	}
	return kept, nil
}

// forgetErased forgets what was erased long ago. It is called while the lease is renewed.
func (s *Store) forgetErased(ctx context.Context) error {
	if time.Since(s.forgotErased) < forgetErasedEvery {
		return nil
	}
	_, err := s.pool.ExecContext(ctx, s.text(qForgetErased), keepErased.Milliseconds())
	if err == nil {
		s.forgotErased = time.Now()
	}
	return err
}

// erased returns which of the keys were erased, and when.
func (t tx) erased(keys [][]byte) (map[string]int64, error) {
	found := make(map[string]int64)
	err := t.each(qErased, func(rows *sql.Rows) error {
		var key sql.RawBytes
		var at int64
		err := rows.Scan(&key, &at)
		found[string(key)] = at
		return err
	}, keys)
	return found, err
}
