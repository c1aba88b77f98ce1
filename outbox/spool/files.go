package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// idSize is the length of the unique part of a spool's name.
const idSize = 36

// find lists the files of spools with the given prefix.
func find(prefix string) (files []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		id, isSpool := strings.CutPrefix(e.Name(), filepath.Base(prefix))
		if !isSpool {
			continue
		}
		// A crash while a spool is removed may leave any of its files. A file that was set aside is for a
		// person.
		if len(id) < idSize || strings.HasPrefix(id[idSize:], ".damaged-") || strings.HasPrefix(id[idSize:], ".replaced-") {
			continue
		}
		if runtime.GOOS == "windows" && id[idSize:] == ".lock" {
			continue // Windows does not remove an open file, so this one stays
		}
		id = id[:idSize]
		if _, err := uuid.Parse(id); err != nil {
			continue
		}
		files = append(files, prefix+id)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// Files lists the files of spools with one of the prefixes.
func Files(prefixes []string) (all []string, err error) {
	for _, prefix := range prefixes {
		files, err := find(prefix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all = append(all, files...)
	}
	return all, nil
}

// Unused returns an error if there is a spool with one of the prefixes.
func Unused(prefixes []string) error {
	files, err := Files(prefixes)
	if err == nil && len(files) > 0 {
		err = fmt.Errorf("there are leads in the spool %s; start Caddy with its outbox, so that they move there, and stop it", files[0])
	}
	return err
}

// claim takes over the spools that no process has open.
func (s *Store) claim(ctx context.Context) {
	if s.claimAll(ctx) {
		s.hasChanged()
		s.signal()
	}
}

func (s *Store) claimAll(ctx context.Context) (claimed bool) {
	if s.opening.Acquire(ctx, 1) != nil {
		return false
	}
	defer s.opening.Release(1)
	for _, prefix := range s.prefixes() {
		files, _ := within(s.opts.Patience, func() ([]string, error) { return find(prefix) }, nil) // without a folder there are none
		for _, file := range files {
			if s.isOpen(file) {
				continue
			}
			spool, err := s.openSpool(ctx, prefix, file, true)
			if ctx.Err() != nil && err == nil {
				_ = spool.Close()
			}
			if errors.Is(err, outbox.ErrInUse) || ctx.Err() != nil {
				continue
			}
			if s.note(file, err); err != nil {
				continue
			}
			s.opts.Logger.Info("a spool of an earlier process is taken over", zap.String("outbox", s.opts.Name), zap.String("spool", file))
			if s.add(prefix, file, spool, true) == nil {
				_ = spool.Close()
			}
			claimed = true
		}
	}
	return claimed
}

// note records the result of opening a spool, and logs an error once.
func (s *Store) note(file string, err error) {
	s.mu.Lock()
	was := s.failed[file]
	if err == nil {
		delete(s.failed, file)
	} else {
		s.failed[file], s.failedAt[file] = err, s.opts.Now()
	}
	s.mu.Unlock()
	if err != nil && (was == nil || was.Error() != err.Error()) {
		s.opts.Logger.Error("spool cannot be opened; leads in it wait until it can", zap.String("spool", file), zap.Error(err))
	}
}

func (s *Store) isOpen(file string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.spools, func(m *member) bool { return m.file == file })
}

// add adds an open spool. One that an earlier process has used may contain entries that are in the
// primary too. It returns nil if the store is closed.
func (s *Store) add(place, file string, spool Spool, used bool) *member {
	m := newMember(file, spool)
	m.place, m.spool = place, spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.spools = append(s.spools, m)
	if used && s.primary != nil {
		m.unknown.Store(true)
		s.hidden = true
	}
	return m
}

// errNoPlace means that no place for a spool is left to try at present.
var errNoPlace = errors.New("there is no other place for a spool")

// newSpool creates a spool in the first place that works and accepts reports true for. It returns
// one that another caller has created meanwhile, unless it is among tried.
func (s *Store) newSpool(ctx context.Context, tried []*member) (*member, error) {
	if err := s.opening.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer s.opening.Release(1)
	failure := errNoPlace
	for _, prefix := range s.prefixes() {
		m, wait := s.inPlace(prefix)
		if m != nil && !slices.Contains(tried, m) {
			return m, nil
		}
		if m != nil || wait || !s.accepts(prefix) {
			continue
		}
		file := prefix + uuid.Must(uuid.NewV7()).String()
		spool, err := s.openSpool(ctx, prefix, file, false)
		s.mu.Lock()
		s.failed[prefix], s.failedAt[prefix] = err, s.opts.Now()
		s.mu.Unlock()
		if err == nil {
			if m := s.add(prefix, file, spool, false); m != nil {
				return m, nil
			}
			_ = spool.Close()
			return nil, outbox.ErrClosed
		}
		if !errors.Is(err, errHangs) {
			removeRest(file)
		}
		failure = fmt.Errorf("creating spool %s: %w", file, err)
	}
	return nil, failure
}

// removeRest removes what is left of a spool that could not be created. It never contained an entry.
func removeRest(file string) {
	rest, _ := filepath.Glob(file + "*") // its name has a valid pattern
	for _, name := range rest {
		_ = os.Remove(name)
	}
}

// inPlace returns the spool in a place. If there is none, it reports whether creating one failed a
// moment ago.
func (s *Store) inPlace(prefix string) (m *member, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.spools {
		if m.place == prefix {
			return m, false
		}
	}
	return nil, s.failed[prefix] != nil && s.opts.Now().Sub(s.failedAt[prefix]).Abs() < s.opts.MaxRetry
}

// accepts reports whether entries may go to spools in the place: while the primary is open, only if
// that is on another disk.
func (s *Store) accepts(prefix string) bool {
	s.mu.Lock()
	isOpen := s.primary != nil
	s.mu.Unlock()
	return !isOpen || s.opts.Folder == "" || !sameDisk(s.opts.Folder, filepath.Dir(prefix))
}

// spoolError returns why there is no spool.
func (s *Store) spoolError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, 0, len(s.places))
	for _, prefix := range s.places {
		errs = append(errs, s.failed[prefix])
	}
	return errors.Join(errs...)
}

// openSpool opens a spool within the store's patience. A spool that opens later is added then.
func (s *Store) openSpool(ctx context.Context, place, file string, used bool) (Spool, error) {
	return within(s.opts.Patience,
		func() (Spool, error) { return s.opts.OpenSpool(ctx, file) },
		func(late Spool) {
			if s.add(place, file, late, used) == nil {
				_ = late.Close()
				return
			}
			s.hasChanged()
			s.signal()
		})
}

// prefixes returns the places for spools, or none while their disk hangs.
func (s *Store) prefixes() []string {
	s.mu.Lock()
	places := s.places
	s.mu.Unlock()
	if places != nil {
		return places
	}
	places, _ = within(s.opts.Patience, func() ([]string, error) { return s.opts.Prefixes(), nil }, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places = places
	return places
}

var errHangs = errors.New("the disk does not answer; check the disk")

// within returns the result of f, or an error if that takes longer than patience. It then passes a
// later result to late, if that is not nil.
func within[T any](patience time.Duration, f func() (T, error), late func(T)) (result T, err error) {
	done := make(chan struct{})
	var value T
	var failure error
	go func() {
		defer close(done)
		value, failure = f()
	}()
	if closesWithin(done, patience) {
		return value, failure
	}
	go func() {
		<-done
		if failure == nil && late != nil {
			late(value)
		}
	}()
	return result, errHangs
}

// nearest returns the folder, or the nearest one above it that exists.
func nearest(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
