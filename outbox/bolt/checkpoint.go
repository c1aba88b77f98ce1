package bolt

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// The writer keeps one transaction open over many batches. Each batch is made
// durable by a frame in the journal; a checkpoint commits the transaction to
// the file, which then contains what the journal holds, and the journal begins
// anew.
const (
	// checkpointBytes of journal are committed in about twenty milliseconds,
	// during which nothing else is written. More would take longer; less
	// would take more of the time in all, for a commit's two syncs.
	checkpointBytes = 2 << 20
	// checkpointAfter is for how long the file may lack what the journal holds.
	checkpointAfter = 3 * time.Second
)

// begun returns the transaction that is open, and begins it if there is none:
// with all that the journal holds.
func (s *Store) begun() (*changes, error) {
	h := s.handle
	if h.changes != nil {
		_, err := h.meta()
		return h.changes, err
	}
	tx, err := h.begin(true)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCommit, err)
	}
	h.changes = &changes{tx: tx}
	if err := s.fill(h); err != nil {
		h.rollback()
		return nil, err
	}
	return h.changes, nil
}

// fill opens the tables of a transaction that has just begun, and does once
// more what the journal holds.
func (s *Store) fill(h *handle) error {
	c, err := openChanges(h.changes.tx)
	if err != nil {
		return err
	}
	h.changes = c
	if err := s.replay(h); err != nil {
		return err
	}
	c.record()
	return c.readAccounts()
}

// replay does once more what the journal holds.
func (s *Store) replay(h *handle) error {
	if s.journal.end == 0 {
		return nil
	}
	content, err := s.journal.read()
	if err != nil {
		return fmt.Errorf("reading its journal: %w", err)
	}
	frames, behind := current(journalFrames(content), s.journal.of)
	if len(behind) > 0 || uint64(len(frames)) != s.journal.sequence {
		return damaged("its journal is, behind %d of %d batches", len(frames), s.journal.sequence)
	}
	s.steps = 0
	for _, f := range frames {
		err := steps(f.body, func(one step) error {
			s.steps++
			return h.redo(one)
		})
		if err != nil {
			return err
		}
	}
	h.changes.pending = true
	return nil
}

// redo does a step of the journal.
func (h *handle) redo(s step) error {
	all := h.changes.all()
	if int(s.table) >= len(all) {
		return damaged("its journal names a table that is not there")
	}
	bucket := all[s.table].bucket
	if s.deletes {
		return bucket.Delete(s.key)
	}
	if bucket == h.changes.entries.bucket && len(s.key) == entryKeySize {
		h.raise(uuid.UUID(s.key[entryShardSize:]))
	}
	return bucket.Put(s.key, s.value)
}

// join finds the frames in the journal that count for the file that is open.
func (s *Store) join(h *handle) error {
	j := &s.journal
	j.restart(h.lineage.next())
	content, err := j.read()
	if err != nil {
		return fmt.Errorf("opening its journal: %w", err)
	}
	frames := journalFrames(content)
	before, behind := current(frames, j.of)
	switch {
	case len(behind) > 0:
		return damaged("its journal is, behind %d batches", len(before))
	case len(before) > 0:
		j.place(before)
		return nil
	}
	own := slices.DeleteFunc(slices.Clone(frames), func(f journalFrame) bool { return f.outbox != j.of.outbox })
	switch {
	case latest(own, 0) > j.of.generation:
		return damaged("it is older than its journal")
	case len(own) == 0 && (len(frames) > 0 || strange(content)):
		return s.disown()
	}
	return nil // the file contains what the journal holds, if anything
}

// disown sets a journal aside that is not of this outbox.
func (s *Store) disown() error {
	aside, err := s.journal.setAside(suffixReplaced, s.now())
	if err != nil {
		return fmt.Errorf("setting another outbox's journal aside: %w", err)
	}
	s.log.Error("outbox journal is not of this outbox and has been set aside; put it back with the outbox file that it belongs to, if there is one",
		zap.String("file", s.path), zap.String("set_aside", aside))
	return nil
}

// flush makes durable what a batch has changed: in the journal, or if that
// cannot take it, in the file.
func (s *Store) flush(c *changes) error {
	if !s.distrusted {
		err := s.journal.append(c.redo.frame)
		if err == nil {
			c.pending = true
			s.steps += c.redo.steps
			s.journalFailing = false
			return nil
		}
		if !errors.Is(err, errNoRoom) && !s.journalFailing {
			s.journalFailing = true
			s.log.Warn("outbox journal could not be written; entries go into the outbox file at once, which takes longer",
				zap.String("file", s.path), zap.Error(err))
		}
	}
	return s.commitOpen(c)
}

// commitOpen commits the open transaction.
func (s *Store) commitOpen(c *changes) error {
	h := s.handle
	if _, err := h.meta(); err != nil {
		return err
	}
	l := lineage{h.lineage.outbox, s.journal.of.generation}
	err := h.describe(c.meta.bucket, l)
	if err == nil {
		err = h.commit(c.tx)
	}
	if err != nil {
		s.distrusted = s.distrusted || errors.Is(err, errUndo)
		return err
	}
	h.changes = nil
	h.lineage = l
	s.distrusted = false
	s.journal.restart(l.next())
	s.checkpointAt, s.steps = s.room.checkpointAt(), 0
	if s.behind {
		s.behind = false
		s.log.Info("outbox file can be written again", zap.String("file", s.path))
	}
	return nil
}

// checkpoint commits to the file what the journal holds. If it cannot, nothing
// is lost: the journal holds it still.
func (s *Store) checkpoint() error {
	h := s.handle
	if h.changes == nil && s.journal.end == 0 {
		return nil
	}
	err := s.tryCheckpoint()
	for isFull(err) && s.makeRoom() {
		s.rewind()
		if s.handle == nil {
			return err
		}
		err = s.tryCheckpoint()
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, errDamaged) {
		return s.salvage(err)
	}
	s.checkpointAt = maxJournal
	if !s.behind {
		s.behind = true
		s.log.Error("outbox file could not be written; its journal keeps entries as long as there is room in it, see to its disk",
			zap.String("file", s.path), zap.Error(err))
	}
	s.rewind()
	return err
}

func (s *Store) tryCheckpoint() error {
	err := shielded(func() error {
		c, err := s.begun()
		if err != nil || !c.pending {
			return err
		}
		return s.commitOpen(c)
	})
	if err != nil {
		s.handle.rollback()
	}
	return err
}

// relieve makes a checkpoint when the journal is long enough.
func (s *Store) relieve() {
	if s.handle != nil && (s.journal.end >= s.checkpointAt || !s.behind && s.steps >= s.room.checkpointSteps(s.handle.pageSize)) {
		_ = s.checkpoint() // which has logged what there is to say
	}
}

// catchUp makes a checkpoint some time after the last.
func (s *Store) catchUp() {
	if err := s.ready(); err == nil {
		_ = s.checkpoint() // which has logged what there is to say
	}
}

// rejoin sees to it that the journal is the one that its path leads to.
func (s *Store) rejoin() error {
	if s.journal.there() {
		return nil
	}
	if err := s.checkpoint(); err != nil {
		return err
	}
	if s.journal.there() {
		return nil // a salvage has begun another
	}
	aside := ""
	if info, err := os.Stat(s.journal.path); err != nil || !os.SameFile(info, s.journal.info) {
		if aside, err = s.journal.setAside(suffixReplaced, s.now()); err != nil {
			return err
		}
	}
	s.journal.forget()
	s.log.Error("outbox journal was removed, replaced or cut while in use; what it held has been written to the outbox file",
		zap.String("file", s.journal.path), zap.String("replacement_set_aside", aside))
	return nil
}
