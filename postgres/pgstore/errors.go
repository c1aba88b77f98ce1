package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Codes of PostgreSQL's errors.
const (
	codeUnique     = "23505"
	codeReadOnly   = "25006"
	codeDiskFull   = "53100"
	codeNoRight    = "42501"
	codePassword   = "28P01"
	codeLogin      = "28000"
	codeNoDatabase = "3D000"
	codeTooMany    = "53300"
	codeWarning    = "01000"
)

// code returns the code of an error that the server reported, or an empty string.
func code(err error) string {
	if reported, ok := errors.AsType[*pgconn.PgError](err); ok {
		return reported.Code
	}
	return ""
}

// errUnknown means that the server may or may not have committed a change.
var errUnknown = errors.New("the answer to the commit was lost")

// classify returns the error of a statement that may have committed. The error wraps errUnknown if
// only reading can tell whether it has.
func classify(err error) error {
	if err == nil || errors.Is(err, driver.ErrBadConn) || isAnswer(err) {
		return err // no statement was sent, or it had no effect
	}
	reported, ok := errors.AsType[*pgconn.PgError](err)
	if ok && reported.SeverityUnlocalized == "ERROR" {
		return err // it was rolled back
	}
	return fmt.Errorf("%w: %w", errUnknown, silent(err))
}

// retryable reports whether the server has rolled back a transaction only because of another one.
func retryable(err error) bool {
	c := code(err)
	return c == "40001" || c == "40P01" || errors.Is(err, driver.ErrBadConn)
}

// explain adds what to do to an error, and the error of package outbox that it means.
func explain(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{errStandby, errLosing} {
		if errors.Is(err, known) {
			return fmt.Errorf("%w: %w", outbox.ErrAway, withoutDSN(err))
		}
	}
	reported, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return withoutDSN(err)
	}
	remedy := ""
	switch reported.Code {
	case codeDiskFull:
		return fmt.Errorf("%w: make room on the disk of the PostgreSQL server", outbox.ErrFull)
	case codePassword, codeLogin:
		remedy = "check the user and the password in the DSN, and pg_hba.conf"
	case codeNoDatabase:
		remedy = "create the database, or correct the DSN"
	case codeNoRight:
		remedy = "grant the role the rights on the schema and its tables, or let it own them"
	case codeTooMany:
		remedy = "raise max_connections or lower pool_size"
	case codeReadOnly:
		return fmt.Errorf("%w: %w", outbox.ErrAway, errStandby)
	}
	// Messages and details may contain values of a row.
	message := "PostgreSQL error " + reported.Code
	if c := reported.Code[:min(2, len(reported.Code))]; c != "22" && c != "23" {
		message += ": " + reported.Message
	}
	if remedy != "" {
		message += "; " + remedy
	}
	return errors.New(message)
}

// withoutDSN returns the error of connecting without the user and the database, which it would name.
func withoutDSN(err error) error {
	if failed, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("connecting to PostgreSQL: %w", failed.Unwrap())
	}
	return err
}

// doubtKey marks a connection whose last commit did not wait for the standby.
const doubtKey = "caddy-telecrm: in doubt"

// errDoubt means that the primary has committed a change and the standby may not have it. If the
// standby is promoted, the change may be lost.
var errDoubt = errors.New("the standby may not have the change, because waiting for it was canceled")

// noteDoubt notes the warning that a commit did not wait for the standby.
func noteDoubt(conn *pgconn.PgConn, notice *pgconn.Notice) {
	// Messages are in the server's language, but names of functions are not.
	if notice.Code == codeWarning && notice.Routine == "SyncRepWaitForLSN" {
		conn.CustomData()[doubtKey] = true
	}
}

// doubt returns errDoubt if the last commit of a connection did not wait for the standby.
func doubt(conn *sql.Conn) (err error) {
	_ = conn.Raw(func(raw any) error {
		data := raw.(*stdlib.Conn).Conn().PgConn().CustomData()
		if data[doubtKey] == true {
			delete(data, doubtKey)
			err = errDoubt
		}
		return nil
	})
	return err
}

// discard closes the connection if the server has become read-only, so that the next one is to
// another server.
func discard(conn *sql.Conn, err error) {
	if code(err) == codeReadOnly {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
}

// errSilent means that the server does not answer within the store's own limits.
var errSilent = errors.New("PostgreSQL does not answer in time")

// contextError returns the error of the caller's context if that has ended. Otherwise it returns err,
// which is not an error of a context then.
func contextError(ctx context.Context, err error) error {
	if cause := ctx.Err(); err != nil && cause != nil {
		return cause
	}
	return silent(err)
}

// silent returns an error without the error of the store's own context.
func silent(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errSilent
	}
	return err
}
