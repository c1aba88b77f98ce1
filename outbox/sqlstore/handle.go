package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/leadwire/caddy-telecrm/outbox"
)

const (
	storeIDSize = 16
	secretSize  = 32
)

// ledger says what the database is and what was done to it: the number of commits, the last place
// in the sequence of entries, how many of them were removed and how many were found to be gone.
type ledger struct {
	store, secret                       []byte
	commits, appended, removed, missing int64
	clockSeen, clockSteady              int64 // as of when it was opened
}

// held returns how many entries there should be.
func (l ledger) held() int64 { return l.appended - l.removed - l.missing }

// shard is a set of entries that are listed and counted together.
type shard struct {
	account string
	state   int64
}

// handle is an open database.
type handle struct {
	dialect dialect
	path    string
	db, wal os.FileInfo
	pool    *sql.DB // of one connection
	conn    *sql.Conn
	readers *sql.DB
	writes  map[query]*sql.Stmt
	reads   map[query]*sql.Stmt
	ledger  ledger
	// maxPages is how many pages the writer may have the file consist of; zero: as many as it
	// likes.
	maxPages int64

	mu     sync.RWMutex // of the counts, which only the writer changes
	counts map[shard]int64
}

// maxReaders is how many connections read at once.
const maxReaders = 4

var (
	writerQueries = []query{
		qInsert, qUpdate, qSetAside, qPostpone, qRetryFailed, qDelete, qDue, qSettled, qRemember, qForget, qForgetOld, qLedger, qSetClock,
		qInState, qByID, qInsertKnown,
	}
	readerQueries = []query{qByID, qNextDue, qRecall, qList, qListIDs, qSearch, qClock}
)

// openHandle opens the database at path, and makes it if the file is empty. The error wraps
// [errDamaged], or is one of SQLite's that says so, if it cannot be used as it is.
func openHandle(ctx context.Context, path string) (*handle, error) {
	if err := inspect(ctx, path); err != nil {
		return nil, explainOpening(path, err)
	}
	opened := &handle{dialect: sqliteDialect, path: path, writes: make(map[query]*sql.Stmt), reads: make(map[query]*sql.Stmt)}
	if err := opened.open(ctx); err != nil {
		return nil, explainOpening(path, errors.Join(err, opened.close()))
	}
	return opened, nil
}

// explainOpening says of an error that the database is damaged if it can mean nothing else: what
// every database of this package understands, or a header that says of the file that it may not be
// written.
func explainOpening(path string, err error) error {
	primary, _ := code(err)
	if primary == sqlite3.SQLITE_ERROR || primary == sqlite3.SQLITE_READONLY && formatOf(path) > walFormat {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return err
}

// walFormat is the version of the format for writing of a database with a log.
const walFormat = 2

// formatOf returns that version of a database; zero if it cannot be read.
func formatOf(path string) byte {
	header := make([]byte, 20)
	if file, err := os.Open(path); err == nil {
		_, _ = file.ReadAt(header, 0)
		_ = file.Close()
	}
	return header[18]
}

// inspect returns an error if another program, or a later version of this one, wrote the database.
// It changes nothing.
func inspect(ctx context.Context, path string) error {
	if fileSize(path) == 0 {
		return nil
	}
	pool, err := openPool(path, 1, readerPragmas...)
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	version, err := version(ctx, conn)
	if err == nil && version > len(migrations) {
		err = fmt.Errorf("%w: its schema is version %d, this program knows %d; install the newer version, or name another file",
			outbox.ErrNewer, version, len(migrations))
	}
	return err
}

func (h *handle) open(ctx context.Context) (err error) {
	if h.pool, err = openPool(h.path, 1, writerPragmas...); err != nil {
		return err
	}
	if h.conn, err = h.pool.Conn(ctx); err != nil {
		return err
	}
	if err = h.migrate(ctx); err != nil {
		return err
	}
	if h.readers, err = openPool(h.path, maxReaders, readerPragmas...); err != nil {
		return err
	}
	for _, q := range append(writerQueries, qCommit, h.dialect.begin) {
		if h.writes[q], err = h.conn.PrepareContext(ctx, h.dialect.bind(q)); err != nil { //nolint:sqlclosecheck // closed with its connection
			return err
		}
	}
	for _, q := range readerQueries {
		if h.reads[q], err = h.readers.PrepareContext(ctx, h.dialect.bind(q)); err != nil { //nolint:sqlclosecheck // closed with its pool
			return err
		}
	}
	if err = h.readLedger(ctx); err != nil {
		return err
	}
	if h.db, err = os.Stat(h.path); err != nil {
		return err
	}
	h.wal, err = os.Stat(h.path + suffixWAL)
	return err
}

// close closes all connections. SQLite then writes the log to the file, and removes it, if nobody
// else has the file open.
func (h *handle) close() error {
	var errs []error
	for _, stmts := range []map[query]*sql.Stmt{h.writes, h.reads} {
		for _, stmt := range stmts {
			if stmt != nil {
				errs = append(errs, stmt.Close())
			}
		}
	}
	if h.readers != nil {
		errs = append(errs, h.readers.Close())
	}
	if h.conn != nil {
		errs = append(errs, h.conn.Close())
	}
	if h.pool != nil {
		errs = append(errs, h.pool.Close())
	}
	return errors.Join(errs...)
}

// migrate brings the schema up to date, in one transaction.
func (h *handle) migrate(ctx context.Context) error {
	exec := func(statement string) error {
		_, err := h.conn.ExecContext(ctx, statement)
		return err
	}
	if err := exec(string(h.dialect.begin)); err != nil {
		return err
	}
	err := h.migrateWithin(ctx, exec)
	if err == nil {
		return exec("COMMIT")
	}
	return errors.Join(err, exec("ROLLBACK"))
}

func (h *handle) migrateWithin(ctx context.Context, exec func(string) error) error {
	version, err := version(ctx, h.conn)
	if err != nil || version == len(migrations) {
		return err
	}
	for ; version < len(migrations); version++ {
		for _, statement := range migrations[version] {
			if err := exec(h.dialect.words.Replace(statement)); err != nil {
				return fmt.Errorf("migrating to version %d: %w", version+1, err)
			}
		}
		if version == 0 {
			if err := h.found(ctx); err != nil {
				return err
			}
		}
	}
	for _, statement := range []string{"UPDATE ledger SET version = %d", "PRAGMA user_version = %d"} {
		if err := exec(fmt.Sprintf(statement, version)); err != nil {
			return err
		}
	}
	return exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID))
}

// version returns the version of the schema; zero for an empty database. It is written down twice,
// so that damage to one is not taken for a newer schema.
func version(ctx context.Context, conn *sql.Conn) (int, error) {
	var id, inHeader, inLedger, tables, ours int
	for statement, value := range map[string]*int{
		"PRAGMA application_id":              &id,
		"PRAGMA user_version":                &inHeader,
		"SELECT count(*) FROM sqlite_schema": &tables,
		"SELECT count(*) FROM sqlite_schema WHERE name IN ('ledger', 'entries')": &ours,
	} {
		if err := conn.QueryRowContext(ctx, statement).Scan(value); err != nil {
			return 0, err
		}
	}
	switch {
	case tables == 0 && inHeader == 0 && id == 0:
		return 0, nil
	case ours < 2 && id != applicationID:
		return 0, errForeign
	case ours < 2:
		return 0, fmt.Errorf("%w: its tables are not there", errDamaged)
	}
	if err := conn.QueryRowContext(ctx, "SELECT version FROM ledger").Scan(&inLedger); err != nil {
		return 0, errors.Join(errDamaged, err)
	}
	if version := min(inHeader, inLedger); version > 0 {
		return version, nil
	}
	return max(inHeader, inLedger, 1), nil
}

// found writes what a new database is known by.
func (h *handle) found(ctx context.Context) error {
	store, secret := make([]byte, storeIDSize), make([]byte, secretSize)
	_, _ = rand.Read(store) // they never fail
	_, _ = rand.Read(secret)
	_, err := h.conn.ExecContext(ctx, h.dialect.bind(qNewLedger), store, secret)
	return err
}

// readLedger reads the ledger, counts the entries, and notes how many of them are gone.
func (h *handle) readLedger(ctx context.Context) error {
	l := &h.ledger
	err := h.conn.QueryRowContext(ctx, h.dialect.bind(qGetLedger)).
		Scan(&l.store, &l.secret, &l.commits, &l.appended, &l.removed, &l.missing)
	err = explainScan(err)
	if err == nil && (len(l.store) != storeIDSize || len(l.secret) != secretSize) {
		err = fmt.Errorf("%w: its ledger is not what was written", errDamaged)
	}
	var last int64
	if err == nil {
		err = h.conn.QueryRowContext(ctx, h.dialect.bind(qLastPlace)).Scan(&last)
	}
	if err != nil {
		return err
	}
	l.appended = max(l.appended, last)
	h.counts, err = h.count(ctx)
	return err
}

// count counts the entries by account and state.
func (h *handle) count(ctx context.Context) (map[shard]int64, error) {
	rows, err := h.conn.QueryContext(ctx, h.dialect.bind(qCounts))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := make(map[shard]int64)
	for rows.Next() {
		var s shard
		var n int64
		if err := rows.Scan(&s.account, &s.state, &n); err != nil {
			return nil, errors.Join(errDamaged, err)
		}
		counts[s] = n
	}
	return counts, rows.Err()
}

// errForeign: the file is not an outbox.
var errForeign = errors.New("the file is not an outbox; name another one, or move it away")

// shards returns the shards of an account and a state that are not empty; an empty word stands for
// all.
func (h *handle) shards(account string, state outbox.State) []shard {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var of []shard
	for s := range h.counts {
		if (account == "" || s.account == account) && (state == "" || publicState(s.state) == state) {
			of = append(of, s)
		}
	}
	return of
}
