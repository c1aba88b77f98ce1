// Package bolt keeps an outbox in one file, with go.etcd.io/bbolt.
//
// What is done is durable once it is in <file>.journal, which is written with
// one write and one sync for all that waits. Every few seconds or megabytes,
// and when the store closes, it is committed to the file, and the journal
// begins anew; a store that is closed has none. The two belong together: what
// copies or moves the file of a store that is open, or of a process that
// died, must take its journal too.
//
// Beside them there may be, for a moment, <file>.compact and <file>.restore,
// which take the file's place when they are whole; <file>.lock, by which one
// process at a time has the file; <file>.reserve, which is room for what must
// be written when the disk is full; and for a person to look at,
// <file>.corrupt-<time> and <file>.replaced-<time>, and the same of the
// journal.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/reserve"
)

// DefaultLockTimeout is how long [Open] waits for another process to let go
// of the file.
const DefaultLockTimeout = time.Second

// DefaultReserve is enough for the largest commit, which may change several
// pages for each kilobyte of the journal.
const DefaultReserve = 8 << 20

// Options are what a store can be told. The zero value is ready for use.
type Options struct {
	// Logger is told what operators must know: that a file was damaged, gone
	// or cannot be written. It is never told a value of an entry. Nil: none.
	Logger *zap.Logger
	// Now tells the time; nil: time.Now.
	Now func() time.Time
	// LockTimeout is how long to wait for another process to let go of the
	// file; zero: DefaultLockTimeout.
	LockTimeout time.Duration
	// Reserve is how many bytes of the disk to keep for what must be written
	// when it is full; zero: DefaultReserve.
	Reserve int64
}

// Store is an outbox in a file. One goroutine reads and writes, and makes
// durable at once all that waits for it.
//
// A method whose context ends while it waits returns the context's error. What
// it was to do may happen nevertheless if the writer had begun with it; an
// Append, Settle, Retry or Erase that was given up may be on disk. Take alone
// waits, once begun, until it is, so that nothing is taken that nobody knows
// of.
type Store struct {
	path        string
	log         *zap.Logger
	now         func() time.Time
	lockTimeout time.Duration

	operations chan *operation
	closing    chan struct{}
	close      sync.Once
	done       chan struct{} // closed when the writer has ended
	health     health

	// The writer's own.
	lock     *fileLock
	handle   *handle // nil while the file cannot be opened
	journal  journal
	attempts map[uuid.UUID]struct{} // entries taken in this process
	released bool                   // those taken in an earlier one are due again
	// checkpointAt is the length of the journal at which it is committed.
	checkpointAt int64
	// steps is the number of steps in the journal.
	steps int
	// checkpointAfter is how long after a change it is committed.
	checkpointAfter time.Duration
	// distrusted: it is not known which commit the file's next reader will
	// see, so the journal cannot say what follows it.
	distrusted     bool
	room           room
	behind         bool         // the last checkpoint failed
	journalFailing bool         // the last write of the journal failed
	reads, writes  []*operation // the batches under way
}

var _ outbox.Store = (*Store)(nil)

// Open opens the outbox in the file at path, and makes it if there is none:
// the file with mode 0600, its folder with 0700. Entries whose attempt was
// never settled are due at once.
//
// A file that is damaged is set aside as <path>.corrupt-<time>, with an error
// in the log, and what it still holds is carried over to a fresh one. The
// error wraps [outbox.ErrInUse] if another process has the file, and
// [outbox.ErrNewer] if a later version wrote it; the file is then untouched.
func Open(path string, opts Options) (*Store, error) {
	s := &Store{
		log:             opts.Logger,
		now:             opts.Now,
		lockTimeout:     opts.LockTimeout,
		operations:      make(chan *operation, maxBatchOps),
		closing:         make(chan struct{}),
		done:            make(chan struct{}),
		attempts:        make(map[uuid.UUID]struct{}),
		checkpointAfter: checkpointAfter,
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	s.health.log = s.log
	if opts.Reserve <= 0 {
		opts.Reserve = DefaultReserve
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.lockTimeout <= 0 {
		s.lockTimeout = DefaultLockTimeout
	}
	if err := s.openFile(path, opts.Reserve); err != nil {
		return nil, fmt.Errorf("opening outbox %s: %w", path, err)
	}
	go s.write()
	return s, nil
}

func (s *Store) openFile(path string, reserved int64) (err error) {
	if s.path, err = resolve(path); err != nil {
		return err
	}
	if s.lock, err = acquire(s.path+suffixLock, s.lockTimeout); err != nil {
		return explainInUse(err)
	}
	s.journal.path = s.path + suffixJournal
	s.health.file = s.path
	s.room.reserve = reserve.Open(s.path+suffixReserve, reserved)
	s.checkpointAt = s.room.checkpointAt()
	defer func() {
		if err != nil {
			s.drop()
			s.journal.forget()
			s.lock.release()
		}
	}()
	if err := s.clearLeftovers(); err != nil {
		return err
	}
	if err := s.reopen(); err != nil {
		return explainInUse(err)
	}
	s.restrict()
	if err := syncFolder(filepath.Dir(s.path)); err != nil {
		return err
	}
	// If the disk is full this will be done when it no longer is.
	err = s.commit(nil)
	if err == nil {
		err = s.checkpoint()
	}
	if err != nil && !errors.Is(err, errCommit) {
		return err
	}
	s.seeRoom()
	return nil
}

// explainInUse says what to do about a file that another process has.
func explainInUse(err error) error {
	if errors.Is(err, outbox.ErrInUse) {
		return fmt.Errorf(`%w; give each Caddy its own file with "outbox bolt <file>"`, err)
	}
	return err
}

// restrict takes the file from everybody but its owner.
func (s *Store) restrict() {
	if s.handle.info.Mode().Perm()&0o077 == 0 {
		return
	}
	if err := s.handle.file.Chmod(0o600); err != nil {
		s.log.Warn("outbox may be readable by others; restrict its mode to 0600",
			zap.String("file", s.path), zap.Error(err))
	}
}

// Close implements [outbox.Store]. Calling it again does nothing.
func (s *Store) Close() error {
	s.close.Do(func() { close(s.closing) })
	<-s.done
	return nil
}

// Health implements [outbox.Store].
func (s *Store) Health() error { return s.health.get() }

// Append implements [outbox.Store].
func (s *Store) Append(ctx context.Context, entry outbox.Entry) error {
	r, err := newRecord(entry)
	if err != nil {
		return fmt.Errorf("appending an entry: %w", err)
	}
	frame := r.encode()
	return s.do(ctx, "appending", r.id, &operation{
		size:  len(frame),
		grows: true,
		run: func(h *handle, c *changes) error {
			return c.add(r, frame, &h.highest)
		},
	})
}

// maxTextSize bounds each text of an entry, and maxPayloadSize its payload:
// far more than any form may send.
const (
	maxTextSize    = 1 << 12
	maxPayloadSize = 1 << 26
)

// newRecord returns the record of an entry that is to be appended.
func newRecord(entry outbox.Entry) (*record, error) {
	id, err := parseID(entry.ID)
	if err != nil {
		return nil, err
	}
	isParked := entry.State == outbox.Parked && entry.BegunAt.IsZero()
	if !isParked && entry.State != "" && entry.State != outbox.Waiting {
		return nil, fmt.Errorf("entry %s is %q, only waiting ones and untried parked ones can be appended: %w", id, entry.State, outbox.ErrState)
	}
	for _, text := range []string{entry.Account, entry.Form, entry.Identifier, entry.Step, entry.Reason, entry.LeadID} {
		if len(text) > maxTextSize {
			return nil, fmt.Errorf("entry %s has a text of %d bytes, at most %d can be kept", id, len(text), maxTextSize)
		}
	}
	if len(entry.Payload) > maxPayloadSize {
		return nil, fmt.Errorf("entry %s has a payload of %d bytes, at most %d can be kept", id, len(entry.Payload), maxPayloadSize)
	}
	entry.Attempts = 0
	if isParked {
		entry.DueAt = time.Time{}
	} else {
		entry.State, entry.SettledAt = outbox.Waiting, time.Time{}
	}
	r := &record{id: id, revision: 1, taken: !entry.BegunAt.IsZero()}
	if r.taken {
		entry.Attempts = 1
	}
	for _, t := range []*time.Time{&entry.CreatedAt, &entry.DueAt, &entry.BegunAt, &entry.AmbiguousSince, &entry.FailingSince, &entry.SettledAt} {
		*t = utc(*t)
	}
	r.entry = entry
	return r, nil
}

var errID = errors.New("an entry's id must be a UUID")

// parseID parses an id in the form that this package writes.
func parseID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id == uuid.Nil {
		return uuid.Nil, errID
	}
	return id, nil
}

// Take implements [outbox.Store]. It calls busy in another goroutine, while
// its own waits, and at most a thousand times in vain; busy must not call the
// store.
func (s *Store) Take(ctx context.Context, account string, due, now time.Time, limit int, busy func(identifier string) bool) (entries []outbox.Entry, err error) {
	err = s.do(ctx, "taking entries", uuid.Nil, &operation{
		steadfast: true,
		run: func(_ *handle, c *changes) (err error) {
			entries, err = c.take(account, due, now, limit, busy)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Advance implements [outbox.Store].
func (s *Store) Advance(ctx context.Context, id string, p outbox.Progress) error {
	if err := checkTexts("advancing", p.Step, p.Reason, p.LeadID); err != nil {
		return err
	}
	if p.At.IsZero() {
		p.At = s.now()
	}
	return s.change(ctx, "advancing", id, func(c *changes, id uuid.UUID) error { return c.advance(id, p) })
}

// checkTexts returns an error if one of the texts is too long to be kept.
func checkTexts(doing string, texts ...string) error {
	for _, text := range texts {
		if len(text) > maxTextSize {
			return fmt.Errorf("%s entry: a text of %d bytes is too long, at most %d can be kept", doing, len(text), maxTextSize)
		}
	}
	return nil
}

// Settle implements [outbox.Store].
func (s *Store) Settle(ctx context.Context, id string, settlement outbox.Settlement) error {
	if stateNumber(settlement.State) == 0 {
		return fmt.Errorf("settling entry: %q is no state: %w", settlement.State, outbox.ErrState)
	}
	if err := checkTexts("settling", settlement.Step, settlement.Reason, settlement.LeadID); err != nil {
		return err
	}
	if settlement.At.IsZero() {
		settlement.At = s.now()
	}
	return s.change(ctx, "settling", id, func(c *changes, id uuid.UUID) error { return c.settle(id, settlement) })
}

// Retry implements [outbox.Store].
func (s *Store) Retry(ctx context.Context, id string, at time.Time) error {
	return s.change(ctx, "retrying", id, func(c *changes, id uuid.UUID) error { return c.retry(id, at) })
}

// Erase implements [outbox.Store].
func (s *Store) Erase(ctx context.Context, id string) error {
	return s.change(ctx, "erasing", id, (*changes).erase)
}

// change has the writer change one entry.
func (s *Store) change(ctx context.Context, doing, text string, f func(*changes, uuid.UUID) error) error {
	id, err := parseID(text)
	if err != nil {
		return fmt.Errorf("%s entry: %w: %w", doing, err, outbox.ErrNotFound)
	}
	return s.do(ctx, doing, id, &operation{
		run: func(_ *handle, c *changes) error { return f(c, id) },
	})
}

// Expire implements [outbox.Store]. Waiting entries do not expire: asked to
// remove these it returns an error wrapping [outbox.ErrState].
func (s *Store) Expire(ctx context.Context, state outbox.State, before time.Time, limit int) (removed int, err error) {
	number := stateNumber(state)
	if number == 0 || number == numberWaiting {
		return 0, fmt.Errorf("expiring %q entries: %w", state, outbox.ErrState)
	}
	err = s.do(ctx, "expiring entries", uuid.Nil, &operation{
		steadfast: true,
		run: func(_ *handle, c *changes) (err error) {
			removed, err = c.expire(number, before, limit)
			return err
		},
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

// Compact implements [outbox.Store]. It is worth the while when more than half
// of the file and more than 8 MiB are free. Nothing else is read or written
// meanwhile, so it takes the longer for others the more is left.
func (s *Store) Compact(ctx context.Context) error {
	return s.do(ctx, "compacting", uuid.Nil, &operation{alone: s.compact})
}

// do has the writer carry out an operation on an entry, or on no single one,
// and waits for it.
func (s *Store) do(ctx context.Context, doing string, id uuid.UUID, op *operation) error {
	if err := s.await(ctx, op); err != nil {
		if id != uuid.Nil {
			doing += " entry " + id.String()
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func (s *Store) await(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op.ctx, op.done = ctx, make(chan error, 1)
	select {
	case <-s.closing:
		return outbox.ErrClosed
	default:
	}
	select {
	case s.operations <- op:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return outbox.ErrClosed
	}
	givenUp := ctx.Done()
	if op.steadfast {
		givenUp = nil
	}
	select {
	case err := <-op.done:
		return err
	case <-givenUp:
		return ctx.Err()
	case <-s.done:
	}
	select {
	case err := <-op.done:
		return err
	default:
		return outbox.ErrClosed // it was still waiting when the writer ended
	}
}
