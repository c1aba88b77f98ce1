package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// Mark implements [outbox.Shared].
func (s *Store) Mark(ctx context.Context, m outbox.Mark, owner string) (isOwner bool, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	key, lasts := s.markOf(m)
	// Unlike the commit of a lead, this one is canceled with ctx.
	result, err := s.pool.ExecContext(ctx, s.text(qMark), key, record.Hash(s.secret, "owner", owner), lasts)
	if err != nil {
		return false, wrap("marking a key", uuid.Nil, contextError(ctx, err))
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// Unmark implements [outbox.Shared].
func (s *Store) Unmark(ctx context.Context, m outbox.Mark, id string) error {
	parsed, err := parseID("unmarking", id)
	if err != nil {
		return err
	}
	key, _ := s.markOf(m)
	_, err = s.changeSome(ctx, "releasing a mark", qUnmark, key, parsed[:])
	return err
}

// markOf returns the stored key of a mark, which is nil for no mark, and its length.
func (s *Store) markOf(m outbox.Mark) (key []byte, lasts int64) {
	if m.Key == "" {
		return nil, 0
	}
	return record.Hash(s.secret, "mark", m.Key), m.For.Milliseconds()
}

// marked returns the owner of a mark, and whether it is an entry that the store has. The owner is nil
// if the mark has ended.
func marked(t tx, key []byte) (owner []byte, isKept bool, err error) {
	err = t.in.QueryRowContext(t.ctx, t.text(qMarked), key).Scan(&owner, &isKept)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return owner, isKept, err
}

// repeat returns the error for an entry whose mark an earlier entry has.
func repeat(owner []byte) error {
	id, err := uuid.FromBytes(owner)
	if err != nil {
		return fmt.Errorf("reading a mark: %w", err)
	}
	return &outbox.RepeatError{ID: id.String()}
}

// Limits of the marks that are removed at once, and of how often that happens in a row. A node
// removes them four times a lease.
const (
	markBatch   = 1000
	markBatches = 20
)

// endMarks removes marks that have ended.
func (s *Store) endMarks(ctx context.Context) error {
	for range markBatches {
		result, err := s.pool.ExecContext(ctx, s.text(qEndMarks), markBatch)
		if err != nil {
			return err
		}
		if ended, err := result.RowsAffected(); err != nil || ended < markBatch {
			return err
		}
	}
	return nil
}
