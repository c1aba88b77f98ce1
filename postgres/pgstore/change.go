package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/stdlib"

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

// each calls f with each row that a query selects.
func (t tx) each(q query, f func(*sql.Rows) error, args ...any) error {
	rows, err := t.in.QueryContext(t.ctx, t.text(q), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// entries returns the entries that a query selects.
func (t tx) entries(q query, args ...any) (found []record.Record, err error) {
	err = t.each(q, func(rows *sql.Rows) error {
		r, err := scanRecord(rows)
		found = append(found, r)
		return err
	}, args...)
	return found, err
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
		return s.within(ctx, conn, func() error { return f(tx{ctx, conn, s.text}) })
	})
}

// within calls f in a transaction. If this machine stops or is cut off in the middle of it, the
// server ends it soon, so that it does not keep rows locked or old. The limit costs no round trip,
// and belongs to the transaction, because the session may be a pooler's.
func (s *Store) within(ctx context.Context, conn *sql.Conn, f func() error) error {
	begin := fmt.Sprintf("begin; set local idle_in_transaction_session_timeout = %d", (s.opts.Lease / 4).Milliseconds())
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return err
	}
	err := f()
	if err == nil {
		return commit(ctx, conn)
	}
	if _, failed := conn.ExecContext(ctx, "rollback"); failed != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // the server rolls back
	}
	return err
}

// commit ends a transaction. It does not use ExecContext, which reports a lost answer as
// [driver.ErrBadConn], as if nothing had been sent.
func commit(ctx context.Context, conn *sql.Conn) error {
	return conn.Raw(func(raw any) error {
		_, err := raw.(*stdlib.Conn).Conn().Exec(ctx, "commit")
		return err
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
	if found, asking := s.ask(ctx, id); asking == nil && len(found) > 0 && done(found[0]) {
		return nil
	}
	return fmt.Errorf("%w: %w", outbox.ErrUnsure, err)
}
