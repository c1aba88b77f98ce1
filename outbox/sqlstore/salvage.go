package sqlstore

import (
	"errors"
	"os"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// ledgerColumns is the number of columns of the ledger.
const ledgerColumns = 10

// decodeLedger decodes a ledger. It returns false if the record is not a ledger.
func decodeLedger(v []any) (l ledger, ok bool) {
	if len(v) != ledgerColumns {
		return l, false
	}
	l.store, _ = v[2].([]byte)
	l.secret, _ = v[3].([]byte)
	ok = len(l.store) == storeIDSize && len(l.secret) == record.SecretSize
	for i, n := range []*int64{&l.commits, &l.appended, &l.removed, &l.missing, &l.clockSeen, &l.clockSteady} {
		value, isInteger := v[4+i].(int64)
		*n, ok = value, ok && isInteger
	}
	return l, ok
}

// errFound ends a search.
var errFound = errors.New("found")

// isOurs reports whether a file is an outbox, however damaged: its header is SQLite's, or the lock
// file has a mark, or at least one entry is intact.
func isOurs(path string, marked bool) bool {
	page := make([]byte, 100)
	if file, err := os.Open(path); err == nil {
		_, _ = file.ReadAt(page, 0)
		_ = file.Close()
	}
	if string(page[:len(sqliteMagic)]) == sqliteMagic {
		return true // inspect checks whose tables it has
	}
	if marked {
		return true
	}
	l, err := openLeftovers(path)
	if err != nil {
		return false
	}
	defer l.close()
	return errors.Is(l.records(func(values []any, _ bool) error {
		if decodeRow(values).whole {
			return errFound
		}
		return nil
	}), errFound)
}

// carriedAtOnce is the number of records that are carried over in one transaction.
const carriedAtOnce = 2000

// carryOver copies the intact records of a damaged database to another one and returns the number
// of entries. It marks an entry as ambiguous if a newer version of it may be lost.
func (w *writer) carryOver(damaged string, to *handle) (entries int, err error) {
	l, err := openLeftovers(damaged)
	if err != nil {
		return 0, err
	}
	defer l.close()
	// The copy need not be durable before it is complete.
	for _, pragma := range []string{"synchronous = OFF", "wal_autocheckpoint = 2000"} {
		if _, err := to.conn.ExecContext(w.ctx, "PRAGMA "+pragma); err != nil {
			return 0, err
		}
	}
	c := &w.change
	pending := 0
	begin := func() error {
		c.reset(to)
		pending = 0
		_, err := to.writes[qBegin].ExecContext(w.ctx)
		return err
	}
	if err := begin(); err != nil {
		return 0, err
	}
	err = l.records(func(values []any, newest bool) error {
		carried, err := w.adopt(c, values, newest)
		if carried {
			entries++
		}
		if err != nil {
			return err
		}
		if pending++; pending < carriedAtOnce {
			return nil
		}
		return errors.Join(c.commit(), begin())
	})
	return entries, errors.Join(err, c.commit())
}

// adopt adds a record of another database and reports whether the record is an entry.
func (w *writer) adopt(c *change, values []any, newest bool) (entry bool, err error) {
	switch len(values) {
	case columnCount:
		r := decodeRow(values)
		if !r.whole || r.id == uuid.Nil {
			w.log.Warn("a damaged entry was not carried over", zap.String("id", r.entry.ID))
			return false, nil
		}
		if !newest && r.state == record.Waiting {
			r.doubt()
			r.seal()
		}
		err := c.add(&r)
		if errors.Is(err, outbox.ErrExists) {
			return false, nil // a newer version was added
		}
		return err == nil, err
	case ledgerColumns:
		if l, ok := decodeLedger(values); ok && newest {
			_, err = c.conn.ExecContext(w.ctx, string(qCarryLedger), l.secret, l.clockSeen, l.clockSteady)
		}
	case knownColumns:
		hash, _ := values[0].([]byte)
		at, _ := values[1].(int64)
		leadID, _ := values[2].(string)
		if crc, ok := values[3].(int64); ok && crc == knownSum(hash, at, leadID) {
			_, err = c.exec(qInsertKnown, hash, at, leadID, crc)
		}
	}
	return false, err
}
