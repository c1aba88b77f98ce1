package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

const storeIDSize = 16

// ledger is the database's record of its identity and history. It counts commits, appended entries,
// removed entries, and entries that were found missing.
type ledger struct {
	store, secret                       []byte
	commits, appended, removed, missing int64
	clockSeen, clockSteady              int64 // when the database was opened
}

// held returns the number of entries that the database should contain.
func (l ledger) held() int64 { return l.appended - l.removed - l.missing }

// shard is a set of entries that are listed and counted together.
type shard struct {
	account string
	state   int64
}

// handle is an open database.
type handle struct {
	path    string
	db, wal os.FileInfo
	pool    *sql.DB // has one connection
	conn    *sql.Conn
	readers *sql.DB
	writes  map[query]*sql.Stmt
	reads   map[query]*sql.Stmt
	ledger  ledger // only the writer reads it
	secret  []byte // the ledger's, for all
	// maxPages is the current limit of the file's size in pages; zero if no limit is set.
	maxPages int64

	mu     sync.RWMutex // guards counts, which only the writer changes
	counts map[shard]int64
}

// maxReaders is the number of connections for reading.
const maxReaders = 4

var (
	writerQueries = []query{
		qInsert, qUpdate, qSetAside, qPostpone, qRetryFailed, qDelete, qDue, qSettled, qRemember, qForget, qForgetOld, qLedger, qSetClock,
		qInState, qByID, qBySeq, qNextDue, qInsertKnown, qRememberLater,
	}
	readerQueries = []query{qByID, qNextDue, qHidden, qAhead, qRecall, qInState, qSearch, qClock, qCountIDs, qCountSettled}
)

// openHandle opens the database at path, and creates it if the file is empty. [isDamage] reports
// true for the error if the database is damaged.
func openHandle(ctx context.Context, path string) (*handle, error) {
	if err := inspect(ctx, path); err != nil {
		return nil, explainOpening(path, err)
	}
	opened := &handle{path: path, writes: make(map[query]*sql.Stmt), reads: make(map[query]*sql.Stmt)}
	if err := opened.open(ctx); err != nil {
		return nil, explainOpening(path, errors.Join(err, opened.close()))
	}
	return opened, nil
}

// explainOpening marks errors that can only mean damage. SQLITE_ERROR does, because each statement
// is valid in an intact outbox. SQLITE_READONLY does if the header contains an invalid format.
func explainOpening(path string, err error) error {
	primary, _ := code(err)
	if primary == sqlite3.SQLITE_ERROR || primary == sqlite3.SQLITE_READONLY && formatOf(path) > walFormat {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return err
}

// walFormat is the write version in the header of a database with a write-ahead log.
const walFormat = 2

// formatOf returns the write version of a database, or zero if it cannot be read.
func formatOf(path string) byte {
	header := make([]byte, 20)
	if file, err := os.Open(path); err == nil {
		_, _ = file.ReadAt(header, 0)
		_ = file.Close()
	}
	return header[18]
}

// inspect returns an error if another program or a later version of this one wrote the database, or
// if its schema is damaged. It changes nothing.
func inspect(ctx context.Context, path string) error {
	if fileSize(path) == 0 {
		return nil
	}
	pool, err := openPool(path, writable, 1, readerPragmas...)
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
		err = fmt.Errorf("%w: its schema has version %d, this program supports up to version %d; install the newer version, or name another file",
			outbox.ErrNewer, version, len(migrations))
	}
	if err == nil {
		err = checkDefinitions(ctx, conn, version)
	}
	return err
}

func (h *handle) open(ctx context.Context) (err error) {
	if h.pool, err = openPool(h.path, writable, 1, writerPragmas...); err != nil {
		return err
	}
	if h.conn, err = h.pool.Conn(ctx); err != nil {
		return err
	}
	if err = h.migrate(ctx); err != nil {
		return err
	}
	if h.readers, err = openPool(h.path, writable, maxReaders, readerPragmas...); err != nil {
		return err
	}
	if err = openAll(ctx, h.readers, maxReaders); err != nil {
		return err
	}
	for _, q := range append(writerQueries, qCommit, qBegin) {
		if h.writes[q], err = h.conn.PrepareContext(ctx, string(q)); err != nil { //nolint:sqlclosecheck // closed with its connection
			return err
		}
	}
	for _, q := range readerQueries {
		if h.reads[q], err = h.readers.PrepareContext(ctx, string(q)); err != nil { //nolint:sqlclosecheck // closed with its pool
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

// openAll opens all connections of a pool, which keeps them. Otherwise one that is opened later could
// meet another file at the path, and SQLite would clear the shared memory beside it, which is that of
// the open file.
func openAll(ctx context.Context, pool *sql.DB, connections int) error {
	for range connections {
		conn, err := pool.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close() // all together, so that each is another one
	}
	return nil
}

// close closes all connections. SQLite then writes the log to the file and removes the log, unless
// another process has the file open.
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

// migrate brings the schema up to date in one transaction.
func (h *handle) migrate(ctx context.Context) error {
	exec := func(statement string) error {
		_, err := h.conn.ExecContext(ctx, statement)
		return err
	}
	if err := exec(string(qBegin)); err != nil {
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
			if err := exec(statement); err != nil {
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

// checkDefinitions returns an error if the definition of a table or an index is damaged. SQLite would
// misread the rows, or not find them.
func checkDefinitions(ctx context.Context, conn *sql.Conn, version int) error {
	for _, statement := range slices.Concat(migrations[:version]...) {
		var found int
		err := conn.QueryRowContext(ctx, string(qDefinitions), statement).Scan(&found)
		if err != nil || found != 1 {
			return errors.Join(fmt.Errorf("%w: its tables are not defined as they were", errDamaged), err)
		}
	}
	return nil
}

// version returns the version of the schema, or zero for an empty database. The version is stored
// twice, so that damage to one copy does not look like a newer schema.
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
		return 0, fmt.Errorf("%w: its tables are missing", errDamaged)
	}
	if err := conn.QueryRowContext(ctx, "SELECT version FROM ledger").Scan(&inLedger); err != nil {
		return 0, errors.Join(errDamaged, err)
	}
	if version := min(inHeader, inLedger); version > 0 {
		return version, nil
	}
	return max(inHeader, inLedger, 1), nil
}

// found writes the ledger of a new database, with a random id and secret.
func (h *handle) found(ctx context.Context) error {
	store, secret := make([]byte, storeIDSize), make([]byte, record.SecretSize)
	_, _ = rand.Read(store) // it never fails
	_, _ = rand.Read(secret)
	_, err := h.conn.ExecContext(ctx, string(qNewLedger), store, secret)
	return err
}

// readLedger reads the ledger and counts the entries.
func (h *handle) readLedger(ctx context.Context) error {
	l := &h.ledger
	err := h.conn.QueryRowContext(ctx, string(qGetLedger)).
		Scan(&l.store, &l.secret, &l.commits, &l.appended, &l.removed, &l.missing)
	err = explainScan(err)
	if err == nil && (len(l.store) != storeIDSize || len(l.secret) != record.SecretSize) {
		err = fmt.Errorf("%w: its ledger is corrupt", errDamaged)
	}
	var last int64
	if err == nil {
		err = h.conn.QueryRowContext(ctx, string(qLastPlace)).Scan(&last)
	}
	if err != nil {
		return err
	}
	l.appended, h.secret = max(l.appended, last), l.secret
	h.counts, err = h.count(ctx)
	return err
}

// count counts the entries by account and state.
func (h *handle) count(ctx context.Context) (map[shard]int64, error) {
	rows, err := h.conn.QueryContext(ctx, string(qCounts))
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

// errForeign means that the file is not an outbox.
var errForeign = errors.New("the file is not an outbox; name another one, or move it away")

// shards returns the shards of an account and a state that contain entries. An empty argument
// selects all.
func (h *handle) shards(account string, state outbox.State) []shard {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var of []shard
	for s := range h.counts {
		if (account == "" || s.account == account) && (state == "" || record.PublicState(s.state) == state) {
			of = append(of, s)
		}
	}
	return of
}
