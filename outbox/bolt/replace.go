package bolt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
)

const compactAbove = 8 << 20

// salvage puts a fresh file in the place of a damaged one, with what can
// still be read of it and of its journal, and sets the damaged one aside.
func (s *Store) salvage(cause error) error {
	if s.handle != nil {
		s.handle.rollback()
	}
	left, info, err := s.survey()
	if err != nil {
		return fmt.Errorf("%w; reading what is left of it: %w", cause, err)
	}
	defer left.close()
	temp := s.path + suffixRestore
	if err := s.restoreTo(temp, left); err != nil {
		return fmt.Errorf("%w; carrying over what is left of it: %w", cause, errors.Join(err, remove(temp)))
	}
	aside, err := s.install(temp, info)
	if err != nil {
		return fmt.Errorf("%w; setting it aside: %w", cause, err)
	}
	// The fresh file contains what the journal held.
	journalAside := ""
	if left.journalDamaged {
		if journalAside, err = s.journal.setAside(suffixCorrupt, s.now()); err != nil {
			return fmt.Errorf("%w; setting its journal aside: %w", cause, err)
		}
	}
	s.log.Error("outbox file was damaged and has been set aside; what could be read was carried over",
		zap.String("file", s.path),
		zap.String("set_aside", aside),
		zap.String("journal_set_aside", journalAside),
		zap.Int("carried_over", left.carried),
		zap.Int("found_by_scanning", left.scanned),
		zap.Int("lost", left.lost()),
		zap.Bool("lost_known", left.counted >= 0),
		zap.Error(cause))
	return s.openInstalled()
}

// survey finds what can still be read of the file, which the handle has open
// if there is one, and of its journal. There may be no file.
func (s *Store) survey() (left *remains, info os.FileInfo, err error) {
	var file *os.File
	if s.handle != nil {
		file = s.handle.file
	} else if file, err = os.Open(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	content, err := s.journal.read()
	if err != nil {
		return nil, nil, err
	}
	size := int64(0)
	if file != nil {
		if info, err = file.Stat(); err != nil {
			return nil, nil, err
		}
		size = info.Size()
	}
	left = survey(file, size)
	batches := int64(-1)
	if s.handle != nil {
		left.lineage = s.handle.lineage
		content = content[:min(int64(len(content)), s.journal.end)]
		batches = int64(s.journal.sequence) //nolint:gosec // there are not that many
	} else if file != nil {
		left.closer = file
	}
	left.surveyJournal(content, batches)
	return left, info, nil
}

// restoreTo writes what is left to a new database.
func (s *Store) restoreTo(temp string, left *remains) error {
	if err := errors.Join(makeFolder(filepath.Dir(temp)), remove(temp)); err != nil {
		return err
	}
	fresh, err := openHandle(temp, openOptions{lockTimeout: s.lockTimeout, noSync: true})
	if err != nil {
		return err
	}
	defer fresh.close()
	if err := left.carryOver(fresh.db, s.attempts, s.now()); err != nil {
		return err
	}
	if err := fresh.adopt(left.lineage); err != nil {
		return err
	}
	return fresh.db.Sync()
}

// install gives the database at temp the store's name. What has that name is
// set aside first: as corrupt if it is the file that was replaced.
func (s *Store) install(temp string, replaced os.FileInfo) (aside string, err error) {
	info, err := os.Stat(s.path)
	if err == nil {
		suffix := suffixReplaced
		if replaced != nil && os.SameFile(info, replaced) {
			suffix = suffixCorrupt
		}
		if aside, err = setAside(s.path, suffix, s.now()); err != nil {
			return "", err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return aside, s.rename(temp)
}

// rename gives the database at temp the store's name.
func (s *Store) rename(temp string) error {
	if runtime.GOOS == "windows" {
		s.drop() // it renames over no file that is open
	}
	if err := os.Rename(temp, s.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(s.path))
}

func (s *Store) openInstalled() error {
	h, err := openHandle(s.path, openOptions{lockTimeout: s.lockTimeout})
	if err == nil {
		err = s.use(h)
	}
	if err != nil {
		s.drop()
	}
	return err
}

// putBack writes the store's entries to its path after somebody has removed
// or replaced the file there.
func (s *Store) putBack() error {
	if err := makeFolder(filepath.Dir(s.path)); err != nil {
		return err
	}
	if err := s.lock.confirm(); err != nil {
		return fmt.Errorf("the file %s is gone: %w", s.path, err)
	}
	if err := s.checkpoint(); err != nil {
		return err
	}
	temp := s.path + suffixRestore
	if err := s.handle.copyTo(temp); err != nil {
		return errors.Join(err, remove(temp))
	}
	aside, err := s.install(temp, s.handle.info)
	if err != nil {
		return err
	}
	s.log.Error("outbox file was removed or replaced while in use; its entries have been written to a new one",
		zap.String("file", s.path), zap.String("replacement_set_aside", aside))
	return s.openInstalled()
}

// copyTo writes the database to a new file.
func (h *handle) copyTo(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = h.view(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(file)
		if errors.Is(err, io.EOF) {
			return damaged("it is shorter than it was")
		}
		return err
	})
	return errors.Join(err, file.Sync(), file.Close())
}

// compact writes what the file holds to another without what is free, and
// puts that in its place.
func (s *Store) compact() error {
	if err := s.ready(); err != nil {
		return err
	}
	if err := s.checkpoint(); err != nil {
		return err
	}
	h := s.handle
	sparse, err := h.sparse()
	if errors.Is(err, errDamaged) {
		return s.salvage(err)
	}
	if err != nil || !sparse {
		return err
	}
	temp := s.path + suffixCompact
	err = h.compactTo(temp)
	if err == nil {
		if err = s.rename(temp); err == nil {
			return s.openInstalled()
		}
	}
	err = errors.Join(err, remove(temp))
	if errors.Is(err, errDamaged) {
		return s.salvage(err)
	}
	return err
}

// sparse reports whether compaction is worth the while.
func (h *handle) sparse() (bool, error) {
	m, err := h.meta()
	stats := h.db.Stats()
	free := int64(stats.FreePageN+stats.PendingPageN) * h.pageSize
	return free > compactAbove && free > m.bytes()/2, err
}

// compactTo writes what the database holds to a new one.
func (h *handle) compactTo(path string) error {
	if err := remove(path); err != nil {
		return err
	}
	to, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = shielded(func() error { return bbolt.Compact(to, h.db, maxBatchBytes) })
	if errors.Is(err, errDamaged) {
		h.stuck.Store(true) // it may have been about to begin
	}
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}
