package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// What one batch carries at most.
const (
	maxBatchOps   = 1000
	maxBatchBytes = 4 << 20
)

// operation is something for the writer to do.
type operation struct {
	// run changes tables. It may be called again, after a rollback. If it
	// returns an error it has changed nothing.
	run func(*handle, *changes) error
	// reads: run only reads.
	reads bool
	// grows: it adds an entry, and is refused while the disk is full.
	grows bool
	// alone is called outside of any transaction, in the place of run.
	alone func() error
	// size is about how much it writes, in bytes.
	size int
	// steadfast: its caller waits for it even if the context ends.
	steadfast bool
	ctx       context.Context // of its caller
	err       error
	done      chan error // has room for what became of it
}

// write is the writer: it carries out operations until the store closes.
func (s *Store) write() {
	defer close(s.done)
	overdue := time.NewTimer(s.checkpointAfter)
	overdue.Stop()
	waiting := false
	for {
		select {
		case op := <-s.operations:
			s.serve(op)
			if !waiting && s.journal.end > 0 {
				waiting = true
				overdue.Reset(s.checkpointAfter)
			}
		case <-overdue.C:
			s.catchUp()
			if waiting = s.journal.end > 0; waiting { // it could not
				overdue.Reset(s.checkpointAfter)
			}
		case <-s.closing:
			s.shut()
			return
		}
	}
}

// serve carries out an operation, and with it all that wait already. Those
// that only read come first, since they need not wait for the disk.
func (s *Store) serve(first *operation) {
	alone := s.gather(first)
	s.lookForRoom()
	for _, batch := range [][]*operation{s.reads, s.writes} {
		if len(batch) == 0 {
			continue
		}
		err := s.commit(batch)
		for _, op := range batch {
			op.done <- cmp.Or(err, op.err)
		}
		clear(batch)
	}
	s.relieve()
	if alone != nil {
		alone.done <- alone.alone()
	}
}

// gather fills the batches with what is to be done at once, and returns what
// is to be done after it.
func (s *Store) gather(first *operation) (alone *operation) {
	s.reads, s.writes = s.reads[:0], s.writes[:0]
	size, yielded := 0, false
	for op := first; ; {
		switch {
		case op.alone != nil:
			return op
		case op.reads:
			s.reads = append(s.reads, op)
		default:
			s.writes = append(s.writes, op)
		}
		size += op.size
		if len(s.reads)+len(s.writes) == maxBatchOps || size >= maxBatchBytes {
			return nil
		}
		if len(s.operations) == 0 && !yielded && len(s.writes) > 0 {
			// Whoever is about to ask for something shares the sync.
			yielded = true
			runtime.Gosched()
		}
		select {
		case op = <-s.operations:
		default:
			return nil
		}
	}
}

// commit carries out a batch, and makes it durable. If it returns an error
// nothing of the batch has happened; else each operation has its own.
func (s *Store) commit(batch []*operation) error {
	err := s.try(batch)
	for isFull(err) && s.makeRoom() {
		err = s.try(batch)
	}
	if err != nil {
		if errors.Is(err, errCommit) && !errors.Is(err, errDamaged) {
			s.health.worsen(err)
		}
		for _, op := range batch {
			op.err = nil
		}
	}
	return err
}

func (s *Store) try(batch []*operation) error {
	err := s.ready()
	if err == nil {
		err = s.transact(batch)
	}
	if errors.Is(err, errDamaged) {
		if err = s.salvage(err); err == nil {
			err = s.transact(batch)
		}
	}
	return err
}

func (s *Store) transact(batch []*operation) error {
	h := s.handle
	var c *changes
	err := shielded(func() (err error) {
		if c, err = s.begun(); err != nil {
			return err
		}
		c.reset()
		if err := s.run(batch, h, c); err != nil || !c.changed {
			return err
		}
		if err := c.writeCounts(); err != nil {
			return err
		}
		return s.flush(c)
	})
	if err != nil {
		h.rollback()
		if errors.Is(err, errCommit) && !errors.Is(err, errDamaged) {
			s.rewind()
		}
		return err
	}
	s.released = s.released || !onlyReads(batch)
	if c.changed && !s.room.short {
		s.health.mend()
	}
	for id, began := range c.attempts {
		if began {
			s.attempts[id] = struct{}{}
		} else {
			delete(s.attempts, id)
		}
	}
	return nil
}

// run runs a batch's operations, and before the first that writes releases
// what an earlier process had taken.
func (s *Store) run(batch []*operation, h *handle, c *changes) error {
	if !s.released && !onlyReads(batch) {
		if err := c.release(s.now()); err != nil {
			return err
		}
	}
	for _, op := range batch {
		if op.err = op.ctx.Err(); op.err != nil {
			continue // nobody waits for it
		}
		if op.grows && s.room.short {
			op.err = outbox.ErrFull
			continue
		}
		if op.err = op.run(h, c); errors.Is(op.err, errDamaged) {
			return op.err
		}
	}
	return nil
}

// onlyReads reports whether that is a batch of operations that only read.
func onlyReads(batch []*operation) bool { return len(batch) > 0 && batch[0].reads }

// errCommit: the changes could not be written. errUndo: what was written of
// them could not be taken back.
var (
	errCommit = errors.New("writing the outbox file failed")
	errUndo   = errors.New("taking back what was written of it failed")
)

func (h *handle) commit(tx *bbolt.Tx) error {
	if err := h.checkHeaders(); err != nil {
		return err
	}
	id := tx.ID()
	err := tx.Commit()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%w: %w", errCommit, err)
	if undoing := h.undo(uint64(id)); undoing != nil { //nolint:gosec // never negative
		err = errors.Join(err, fmt.Errorf("%w: %w", errUndo, undoing))
	}
	return err
}

// undo takes back a commit of which not all could be written. If it got as
// far as its meta page, the others would see it though its caller is told that
// it failed. The meta page before it is put in that one's place; all that
// belongs to it is still there.
func (h *handle) undo(id uint64) error {
	if m, err := h.meta(); err != nil || m.txid != id {
		return err
	}
	slot := int64(id & 1) //nolint:gosec // 0 or 1
	page := make([]byte, h.pageSize)
	if _, err := h.file.ReadAt(page, (1-slot)*h.pageSize); err != nil {
		return err
	}
	native.PutUint64(page, id&1) // pages begin with their number
	if _, err := h.file.WriteAt(page, slot*h.pageSize); err != nil {
		return err
	}
	return h.file.Sync()
}

// rewind opens the file anew after a commit has failed, so that nothing of it
// is left in memory.
func (s *Store) rewind() {
	s.drop()
	if err := s.reopen(); err != nil {
		s.log.Error("outbox could not be opened again; it is tried with each entry",
			zap.String("file", s.path), zap.Error(err))
	}
}

// ready sees to it that the file is open, and is the one that its path leads to.
func (s *Store) ready() error {
	if s.handle == nil {
		return s.reopen()
	}
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, s.handle.info) {
		if err := s.putBack(); err != nil {
			return err
		}
	}
	// If another error kept it from being found, it is open nevertheless.
	return s.rejoin()
}

// reopen opens the file, from what can be read of it if it is damaged.
func (s *Store) reopen() error {
	err := s.missed()
	if err == nil {
		var h *handle
		h, err = openHandle(s.path, openOptions{lockTimeout: s.lockTimeout})
		if err == nil {
			err = s.use(h)
		}
	}
	if errors.Is(err, errDamaged) {
		return s.salvage(err)
	}
	return err
}

// missed returns an error wrapping errDamaged if there is no file, or an empty
// one, though there is a journal.
func (s *Store) missed() error {
	info, err := os.Stat(s.path)
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	content, err := s.journal.read()
	if err != nil {
		return fmt.Errorf("reading its journal: %w", err)
	}
	if len(journalFrames(content)) > 0 {
		return damaged("it is gone, and its journal is not")
	}
	return nil
}

// use puts a handle in the place of the one before.
func (s *Store) use(h *handle) error {
	err := h.view(func(tx *bbolt.Tx) error {
		t, err := openTables(tx)
		if err != nil {
			return err
		}
		if err := t.readAccounts(); err != nil {
			return err
		}
		h.highest, err = t.highestID()
		return err
	})
	if err == nil {
		err = s.join(h)
	}
	if err != nil {
		h.close()
		return err
	}
	s.drop()
	s.handle = h
	return nil
}

// drop closes the file.
func (s *Store) drop() {
	if s.handle != nil {
		s.handle.close()
		s.handle = nil
	}
}

// shut ends the store. The file then contains all that it holds, if it can be
// written; else the journal stays with it.
func (s *Store) shut() {
	if s.handle != nil {
		// If the file was removed, what it held is put back.
		err := s.ready()
		if err == nil {
			err = s.checkpoint()
		}
		if err != nil {
			s.log.Error("outbox file could not be brought up to date; keep its journal with it",
				zap.String("file", s.path), zap.Error(err))
		}
	}
	s.drop()
	if err := s.journal.close(); err != nil {
		s.log.Warn("outbox journal could not be removed", zap.String("file", s.path), zap.Error(err))
	}
	s.lock.release()
}
