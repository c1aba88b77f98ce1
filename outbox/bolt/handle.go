package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// handle is a database that is open.
type handle struct {
	db   *bbolt.DB
	file *os.File    // the one that db uses
	info os.FileInfo // to tell whether the path still leads to it
	// pageSize is asked of no one but the file: bbolt would look at memory
	// behind which the file may have ended.
	pageSize int64
	// stuck: bbolt panicked while it held its locks, so that closing it would
	// wait for ever.
	stuck atomic.Bool
	// highest is at least the greatest id of all entries.
	highest uuid.UUID
	// lineage is of the frames that the file contains.
	lineage lineage
	// changes are those of the transaction that is open; nil if none is.
	changes *changes
}

type openOptions struct {
	lockTimeout time.Duration
	noSync      bool
}

// openHandle opens the database at path, or makes one. It returns an error
// wrapping errDamaged if what is there cannot be used.
func openHandle(path string, o openOptions) (*handle, error) {
	if err := inspect(path); err != nil {
		return nil, err
	}
	h := new(handle)
	options := &bbolt.Options{
		Timeout:      o.lockTimeout,
		NoSync:       o.noSync,
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			file, err := os.OpenFile(name, flag, perm)
			h.file = file
			return file, err
		},
	}
	err := shielded(func() (err error) {
		h.db, err = bbolt.Open(path, 0o600, options)
		return err
	})
	if err != nil {
		if h.db == nil && h.file != nil {
			_ = h.file.Close() // bbolt does not, if it panicked
		}
		return nil, openError(err)
	}
	if err := h.prepare(); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func openError(err error) error {
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return outbox.ErrInUse
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum):
		return damaged("%v", err)
	}
	return err
}

// inspect reports what bbolt would not survive, or not tell apart.
func inspect(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	m, both, ok := readMetas(file, info.Size())
	switch {
	case !ok:
		return damaged("both its meta pages are")
	case m.version > metaVersion:
		return fmt.Errorf("its file format is version %d: %w", m.version, outbox.ErrNewer)
	case !both:
		// bbolt would go on from the other, as if the last commit had not been.
		return damaged("one of its meta pages is")
	case m.bytes() > info.Size():
		return damaged("it ends at byte %d of %d", info.Size(), m.bytes())
	}
	pages := &pageFile{src: file, size: m.bytes(), pageSize: m.pageSize}
	if m.bytes() <= walkedBytes && !pages.whole(m.root) {
		return damaged("%d of its pages or keys are", pages.damage)
	}
	return nil
}

// prepare makes the tables of a new database, and checks those of another.
func (h *handle) prepare() error {
	info, err := h.file.Stat()
	if err != nil {
		return err
	}
	h.info = info
	m, ok := readMeta(h.file, info.Size())
	if !ok {
		return damaged("both its meta pages are")
	}
	h.pageSize = m.pageSize
	found, err := h.check()
	if err != nil || found == schemaVersion {
		return err
	}
	if h.lineage.outbox, err = uuid.NewRandom(); err != nil {
		return err
	}
	return shielded(func() error { return h.db.Update(h.createTables) })
}

// createTables makes the tables that are not there yet.
func (h *handle) createTables(tx *bbolt.Tx) error {
	for _, name := range allBuckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	meta := tx.Bucket(bucketMeta)
	return errors.Join(createSecret(meta), h.describe(meta, h.lineage))
}

// describe writes of which schema the file is, and of which lineage.
func (h *handle) describe(meta *bbolt.Bucket, l lineage) error {
	return errors.Join(
		meta.Put(keyVersion, versionValue(schemaVersion)),
		meta.Put(keyLineage, lineageValue(l)))
}

// check returns the version of the database's schema; 0 if it has no tables
// yet.
func (h *handle) check() (version uint32, err error) {
	err = h.view(func(tx *bbolt.Tx) error {
		if k, _ := tx.Cursor().First(); k == nil {
			return nil
		}
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			return h.foreign(tx)
		}
		var ok bool
		if version, ok = versionOf(meta.Get(keyVersion)); !ok {
			return damaged("it has no schema version")
		}
		if version > schemaVersion {
			return fmt.Errorf("its schema is version %d, this program knows up to %d: %w", version, schemaVersion, outbox.ErrNewer)
		}
		for _, name := range bucketsOf(version) {
			if tx.Bucket(name) == nil {
				return damaged("a table is missing")
			}
		}
		if version < schemaVersion {
			return nil
		}
		return h.readLineage(meta)
	})
	return version, err
}

// readLineage reads to which journal the file belongs.
func (h *handle) readLineage(meta *bbolt.Bucket) error {
	var ok bool
	if h.lineage, ok = lineageOf(meta.Get(keyLineage)); !ok {
		return damaged("it does not say which journal is its")
	}
	return nil
}

// adopt makes the file one of that lineage.
func (h *handle) adopt(l lineage) error {
	if l.outbox == uuid.Nil {
		return nil
	}
	return shielded(func() error {
		return h.db.Update(func(tx *bbolt.Tx) error { return h.describe(tx.Bucket(bucketMeta), l) })
	})
}

// raise sees to it that highest is no less than that id.
func (h *handle) raise(id uuid.UUID) {
	if bytes.Compare(id[:], h.highest[:]) > 0 {
		h.highest = id
	}
}

// foreign tells a database that never was an outbox, which is left alone, from
// one that is damaged.
func (h *handle) foreign(tx *bbolt.Tx) error {
	if tx.Bucket(bucketEntries) == nil && len(survey(h.file, h.info.Size()).records) == 0 {
		return errors.New("it is another program's database; name another file for the outbox")
	}
	return damaged("a table is missing")
}

// view runs f in a transaction that reads.
func (h *handle) view(f func(*bbolt.Tx) error) error {
	return shielded(func() error {
		tx, err := h.begin(false)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		return f(tx)
	})
}

// begin begins a transaction. bbolt reads the meta pages while it holds its
// locks, and would keep these if it could not read them.
func (h *handle) begin(writable bool) (*bbolt.Tx, error) {
	if h.stuck.Load() {
		return nil, damaged("it could not be read before")
	}
	if _, err := h.meta(); err != nil {
		return nil, err
	}
	stuck := true
	defer func() {
		if stuck {
			h.stuck.Store(true)
		}
	}()
	tx, err := h.db.Begin(writable)
	stuck = false
	return tx, err
}

// meta returns the meta page that counts, of a file as long as it says.
func (h *handle) meta() (meta, error) {
	info, err := h.file.Stat()
	if err != nil {
		return meta{}, err
	}
	m, ok := readMeta(h.file, info.Size())
	if !ok {
		return meta{}, damaged("both its meta pages are")
	}
	if info.Size() < m.bytes() {
		return meta{}, damaged("it ends at byte %d of %d", info.Size(), m.bytes())
	}
	return m, nil
}

// rollback takes back what the open transaction has changed.
func (h *handle) rollback() {
	c := h.changes
	h.changes = nil
	if c == nil || h.stuck.Load() {
		return
	}
	if err := shielded(c.tx.Rollback); errors.Is(err, errDamaged) {
		h.stuck.Store(true) // it holds its locks still
	}
}

// close closes the database, and waits for its transactions.
func (h *handle) close() {
	h.rollback()
	if h.stuck.Load() {
		_ = h.file.Close()
		return
	}
	_ = shielded(h.db.Close)
}

// shielded runs f, and makes an error wrapping errDamaged of what bbolt does
// when a file is not as it left it: it panics, or reads memory behind which
// there is no file any more.
func shielded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged("%v", p)
		}
	}()
	return f()
}

// update runs f in a transaction that writes and commits it.
func update(db *bbolt.DB, f func(*changes) error) error {
	return db.Update(func(tx *bbolt.Tx) error {
		c, err := openChanges(tx)
		if err != nil {
			return err
		}
		if err := c.readAccounts(); err != nil {
			return err
		}
		if err := f(c); err != nil {
			return err
		}
		return c.writeCounts()
	})
}
