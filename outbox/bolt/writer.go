package bolt

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// What one commit carries at most.
const (
	maxBatchOps   = 1000
	maxBatchBytes = 4 << 20
)

// operation is something for the writer to do.
type operation struct {
	// run changes tables. It may be called again, after a rollback. If it
	// returns an error it has changed nothing.
	run func(*handle, *changes) error
	// alone is called outside of any transaction, in the place of run.
	alone func() error
	// size is about how much it writes, in bytes.
	size int
	// steadfast: its caller waits for it even if the context ends.
	steadfast bool
	err       error
	done      chan error
}

// write is the writer: it carries out operations until the store closes.
func (s *Store) write() {
	defer close(s.done)
	for {
		select {
		case op := <-s.operations:
			s.serve(op)
		case <-s.closing:
			s.shut()
			return
		}
	}
}

// serve carries out an operation, and with it all that wait already.
func (s *Store) serve(first *operation) {
	batch, alone := s.gather(first)
	if len(batch) > 0 {
		err := s.commit(batch)
		for _, op := range batch {
			op.done <- cmp.Or(err, op.err)
		}
	}
	if alone != nil {
		alone.done <- alone.alone()
	}
}

// gather returns what is to be committed at once, and what is to be done
// after it.
func (s *Store) gather(first *operation) (batch []*operation, alone *operation) {
	size := 0
	for op := first; ; {
		if op.alone != nil {
			return batch, op
		}
		batch = append(batch, op)
		size += op.size
		if len(batch) == maxBatchOps || size >= maxBatchBytes {
			return batch, nil
		}
		select {
		case op = <-s.operations:
		default:
			return batch, nil
		}
	}
}

// commit carries out a batch in one transaction. If it returns an error
// nothing of the batch has happened; else each operation has its own.
func (s *Store) commit(batch []*operation) error {
	err := s.ready()
	if err == nil {
		err = s.transact(batch)
	}
	if errors.Is(err, errDamaged) {
		if err = s.salvage(err); err == nil {
			err = s.transact(batch)
		}
	}
	if err != nil {
		for _, op := range batch {
			op.err = nil
		}
	}
	return err
}

func (s *Store) transact(batch []*operation) error {
	h := s.handle
	c, err := h.transact(func(c *changes) error {
		if !s.released {
			if err := c.release(s.now()); err != nil {
				return err
			}
		}
		for _, op := range batch {
			if op.err = op.run(h, c); errors.Is(op.err, errDamaged) {
				return op.err
			}
		}
		return nil
	})
	if err != nil {
		if errors.Is(err, errCommit) && !errors.Is(err, errDamaged) {
			s.rewind(err)
		}
		return err
	}
	s.released = true
	if s.failing {
		s.failing = false
		s.log.Info("outbox can be written again", zap.String("file", s.path))
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

// errCommit: the changes could not be written.
var errCommit = errors.New("writing the outbox file failed")

// transact runs f in a transaction and commits it if it changes anything.
func (h *handle) transact(f func(*changes) error) (c *changes, err error) {
	err = shielded(func() error {
		tx, err := h.begin(true)
		if err != nil {
			return fmt.Errorf("%w: %w", errCommit, err)
		}
		defer func() { _ = tx.Rollback() }() // of no effect after a commit
		if c, err = openChanges(tx); err != nil {
			return err
		}
		if err := f(c); err != nil || !c.changed {
			return err
		}
		if err := c.writeCounts(); err != nil {
			return err
		}
		return h.commit(tx)
	})
	return c, err
}

func (h *handle) commit(tx *bbolt.Tx) error {
	id := tx.ID()
	err := tx.Commit()
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("%w: %w", errCommit, err), h.undo(uint64(id))) //nolint:gosec // never negative
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
func (s *Store) rewind(cause error) {
	if !s.failing {
		s.failing = true
		s.log.Error("outbox could not be written; no entry is accepted until it can be, see to its disk",
			zap.String("file", s.path), zap.Error(cause))
	}
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
	if err == nil && os.SameFile(info, s.handle.info) {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil // the file is open; whether it can be found is not seen
	}
	return s.putBack()
}

// reopen opens the file, from what can be read of it if it is damaged.
func (s *Store) reopen() error {
	h, err := openHandle(s.path, openOptions{lockTimeout: s.lockTimeout})
	if err == nil {
		err = s.use(h)
	}
	if errors.Is(err, errDamaged) {
		return s.salvage(err)
	}
	return err
}

// use puts a handle in the place of the one before.
func (s *Store) use(h *handle) error {
	if err := h.view(func(tx *bbolt.Tx) error {
		t, err := openTables(tx)
		if err != nil {
			return err
		}
		if err := t.readAccounts(); err != nil {
			return err
		}
		h.highest, err = t.highestID()
		return err
	}); err != nil {
		h.close()
		return err
	}
	s.drop()
	s.mu.Lock()
	s.handle = h
	s.mu.Unlock()
	return nil
}

// drop closes the file, when nobody reads it any more.
func (s *Store) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handle != nil {
		s.handle.close()
		s.handle = nil
	}
}

// shut ends the store.
func (s *Store) shut() {
	if s.handle != nil {
		// If the file was removed, what it held is put back.
		if err := s.ready(); err != nil {
			s.log.Error("outbox could not be put back where it was", zap.String("file", s.path), zap.Error(err))
		}
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.drop()
	s.lock.release()
}
