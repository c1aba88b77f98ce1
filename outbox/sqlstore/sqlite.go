package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/leadwire/caddy-telecrm/outbox/reserve"
)

const (
	pageSize = 4096
	// applicationID is at offset 68 in the header of each file.
	applicationID = 0x7463726d // "tcrm"
	sqliteMagic   = "SQLite format 3\x00"
)

// process configures SQLite for the whole process. Open file description locks remain when other
// code in this process reads the file and closes it. The setting has no effect if SQLite is already
// in use.
var process = sync.OnceFunc(func() {
	_, _ = sqlite.OFDLocking(true)
	_, _ = sqlite.Fdatasync(true)
})

// Parameters of SQLite for a file that is written, for one that is only read together with its log,
// and for one that nobody writes. Closing the second leaves the log as it is. Reading the third
// creates no files beside it, but leaves out what is in its log.
const (
	writable  = "mode=rw"
	readOnly  = "mode=ro"
	immutable = "mode=ro&immutable=1"
)

// openPool returns a pool of connections to the file at path. Each connection first sets the
// pragmas.
func openPool(path, parameters string, connections int, pragmas ...string) (*sql.DB, error) {
	process()
	location := filepath.ToSlash(path)
	if !strings.HasPrefix(location, "/") {
		location = "/" + location // a path with a drive letter
	}
	dsn := (&url.URL{Scheme: "file", OmitHost: true, Path: location}).String() + "?" + parameters + "&_dqs=0&_error_rc=1&" +
		url.Values{"_pragma": pragmas}.Encode()
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool, nil
}

// writerPragmas configure the connection that writes. The first two affect only an empty file.
// secure_delete overwrites deleted values.
var writerPragmas = []string{
	"page_size=4096", "auto_vacuum=INCREMENTAL", "busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL",
	"wal_autocheckpoint=0", "journal_size_limit=12582912", "secure_delete=ON", "temp_store=MEMORY", "cache_size=-16384",
	"cell_size_check=ON", "trusted_schema=OFF",
}

var readerPragmas = []string{
	"busy_timeout=5000", "query_only=ON", "temp_store=MEMORY", "cache_size=-4096", "cell_size_check=ON", "trusted_schema=OFF",
}

// code returns SQLite's primary and extended result codes, or zeros if the error has none.
func code(err error) (primary, extended int) {
	if coded, ok := errors.AsType[*sqlite.Error](err); ok {
		return coded.Code() & 0xff, coded.Code()
	}
	return 0, 0
}

// errDamaged means that the file or its log is corrupt.
var errDamaged = errors.New("the outbox file is damaged")

// isDamage reports whether the error means that the file is damaged.
func isDamage(err error) bool {
	primary, extended := code(err)
	return primary == sqlite3.SQLITE_CORRUPT || primary == sqlite3.SQLITE_NOTADB ||
		extended == sqlite3.SQLITE_IOERR_SHORT_READ || errors.Is(err, errDamaged)
}

// explainScan marks an error of reading values as damage if a value has a type that this package
// never writes.
func explainScan(err error) error {
	primary, _ := code(err)
	if err == nil || primary != 0 || isDistrust(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errors.Join(errDamaged, err)
}

// isDistrust reports whether cached pages of the file can no longer be trusted. A failed write is
// rolled back and does not affect other pages. After a failed sync, the content of the disk is
// unknown.
func isDistrust(err error) bool {
	primary, extended := code(err)
	switch extended {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE:
		return false
	}
	return primary == sqlite3.SQLITE_IOERR || primary == sqlite3.SQLITE_CANTOPEN || primary == sqlite3.SQLITE_MISUSE ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)
}

// isFull reports whether the file could not be written because the disk is full. SQLite does not
// distinguish a quota from other errors, but the reserve does.
func isFull(err error, room *reserve.Reserve) bool {
	primary, _ := code(err)
	return primary == sqlite3.SQLITE_FULL || reserve.IsDiskFull(err) ||
		primary == sqlite3.SQLITE_IOERR && reserve.IsDiskFull(room.Probe())
}

// logged describes the log at a checkpoint.
type logged struct {
	frames int // in the log until it restarts
	left   int // not in the file yet
}

// checkpoint writes the pages of the write-ahead log to the file. With the mode NOOP it only counts
// them.
func checkpoint(ctx context.Context, conn *sql.Conn, mode string) (l logged, err error) {
	var busy, done int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &l.frames, &done)
	if l.left = l.frames - done; err == nil && busy != 0 {
		l.left = max(l.left, 1)
	}
	return l, err
}
