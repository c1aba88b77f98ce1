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

// maxTries is how often a change is tried that was rolled back only because of another one.
const maxTries = 4

// tx runs the statements of one change.
type tx struct {
	ctx  context.Context
	in   executor
	text func(query) string
}

type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (t tx) exec(q query, args ...any) (affected int64, err error) {
	result, err := t.in.ExecContext(t.ctx, t.text(q), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// entries returns the entries that a query selects.
func (t tx) entries(q query, args ...any) (found []record.Record, err error) {
	rows, err := t.in.QueryContext(t.ctx, t.text(q), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, rows.Err()
}

// change carries out a change that commits with its only statement.
func (s *Store) change(ctx context.Context, f func(tx) error) error {
	return s.onConnection(ctx, func(ctx context.Context, conn *sql.Conn) error {
		return f(tx{ctx, conn, s.text})
	})
}

// transact carries out a change of several statements.
func (s *Store) transact(ctx context.Context, f func(tx) error) error {
	return s.onConnection(ctx, func(ctx context.Context, conn *sql.Conn) error {
		t, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := f(tx{ctx, t, s.text}); err != nil {
			return errors.Join(err, t.Rollback())
		}
		return t.Commit()
	})
}

// onConnection calls f with a connection. The context of f does not end with the caller's, because a
// commit is not canceled. The error wraps errUnknown or errDoubt if the change may be committed.
func (s *Store) onConnection(ctx context.Context, f func(context.Context, *sql.Conn) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	for try := 1; ; try++ {
		err = s.tryOnConnection(ctx, f)
		if try == maxTries || !retryable(err) || errors.Is(err, errUnknown) {
			break
		}
	}
	if !isAnswer(err) {
		s.health.note(explain(err))
	}
	return err
}

func (s *Store) tryOnConnection(ctx context.Context, f func(context.Context, *sql.Conn) error) error {
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return contextError(ctx, err)
	}
	defer conn.Close()
	committing, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.CommitTimeout)
	defer cancel()
	if err := f(committing, conn); err != nil {
		discard(conn, err)
		return classify(err)
	}
	return doubt(conn)
}

// wrap explains the error of an operation.
func wrap(doing string, id uuid.UUID, err error) error {
	return record.Wrap(doing, id, explain(err))
}

// ask reads what is stored of entries after the answer to a change was lost.
func (s *Store) ask(ctx context.Context, ids ...uuid.UUID) (found []record.Record, err error) {
	err = s.read(context.WithoutCancel(ctx), func(ctx context.Context) error {
		found, err = tx{ctx, s.pool, s.text}.entries(qByID, keys(ids))
		return err
	})
	return found, err
}

// settleDoubt decides the result of a change of one entry. If its answer was lost, it reads the
// entry, and done reports whether the change was made.
func (s *Store) settleDoubt(ctx context.Context, id uuid.UUID, err error, done func(record.Record) bool) error {
	switch {
	case errors.Is(err, errDoubt):
		return fmt.Errorf("%w: %w", outbox.ErrUnsure, err)
	case !errors.Is(err, errUnknown):
		return err
	}
	found, asking := s.ask(ctx, id)
	switch {
	case asking != nil:
		return fmt.Errorf("%w: %w", outbox.ErrUnsure, err)
	case len(found) > 0 && done(found[0]):
		return nil
	}
	return fmt.Errorf("%w: %w", outbox.ErrUnsure, err)
}
