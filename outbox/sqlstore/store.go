// Package sqlstore keeps an outbox in a database, with database/sql. The SQL is portable; the one
// dialect there is so far is that of SQLite, in a file.
//
// What is done is durable once it is in <file>-wal, SQLite's write-ahead log, which is written with
// one sync for all that waits. In quiet moments, and when it is large, the log is written to the
// file. The two belong together: what copies the file of a store that is open, or of a process that
// died, must take its log too, or use [Store.Backup]. Programs that speak SQLite may read the file
// at any time.
//
// Beside them there are <file>-shm, the log's index; <file>.lock, by which one process at a time
// has the outbox, and in which it notes how many commits it has made; <file>.reserve, room for what
// must be written when the disk is full; and for a person to look at, <file>.damaged-<time> and
// <file>.replaced-<time>.
//
// # A full disk
//
// When the disk is full, no entry is added, but those in the store can be taken, settled and
// removed, to the last of them, whoever filled the disk; and so they can by the next process, at
// whatever moment this one is killed. These hold all the time, on the disk, with R for the reserve,
// which is [DefaultReserve] but never more than a quarter of the disk:
//
//   - While entries are added, the reserve is whole, and what is in the log
//     makes the file grow by no more than R/2 when it is written there; or half
//     of the reserve is there and R more in it and the file, which then does
//     not grow.
//   - While the disk is full, a transaction is R/8 long, and the log is written
//     to the file before the next begins, so that it is written over and over.
//     The file grows no further than what is left of the reserve allows, less
//     what the log may still need.
//
// So there is always room to write the log to the file, and a transaction to the log. To deliver
// makes the file grow a bit, because ids of leads are remembered. One that would have it grow too
// far is refused with [outbox.ErrFull] until Expire has removed something, for which the room of
// the log is enough.
//
// A start on a full disk writes the log to the file and empties it, with room from the reserve,
// fills that again, releases the entries of attempts that had begun, and only then adds entries.
//
// This is not promised to an entry whose payload is longer than R/32; if others write to the room
// that the reserve gave back; or while a reader that does not end, such as a long backup, keeps the
// log from being written to the file: then it waits for that.
//
// # Damage
//
// SQLite's pages carry no checksum, so each row carries one of all that is delivered. An entry that
// fails it is parked and never sent. A file that SQLite cannot use is set aside, and each row that
// is whole is carried over, also from parts of the log beyond the damage. If there may have been a
// newer version of a row, the entry is carried over as one that may have been delivered. The ledger
// tells how many entries should be there, and the mark in the lock file how many commits.
//
// These cannot be noticed: that an entry is due at another time, until [Store.Check]; damage to a
// page that SQLite has in memory, until it is read again, at the next start or check; that the
// file, its log and its lock were replaced together by older ones; and after a power failure, which
// may undo the mark too, that the last commits of the log are gone.
package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/reserve"
)

const (
	// DefaultLockTimeout is how long [Open] waits for another process to let go of the file.
	DefaultLockTimeout = time.Second
	// DefaultReserve is enough to deliver all that is in a store whose disk is full. On a small
	// disk a quarter of that takes its place.
	DefaultReserve = 8 << 20
)

// Options are the settings of a store. The zero value is ready for use.
type Options struct {
	// Logger receives what operators must know: that the file was damaged, is gone or cannot be
	// written. It never receives a value of an entry. Nil: none.
	Logger *zap.Logger
	// Now tells the time; nil: time.Now.
	Now func() time.Time
	// LockTimeout is how long to wait for another process to let go of the file; zero:
	// DefaultLockTimeout.
	LockTimeout time.Duration
	// Reserve is how many bytes of the disk to keep for what must be written when it is full; zero:
	// DefaultReserve.
	Reserve int64
}

// Store is an outbox in a database. One goroutine writes, and makes durable at once all that waits
// for it; others read beside it.
type Store struct {
	path   string
	log    *zap.Logger
	now    func() time.Time
	health health

	operations chan *operation
	closing    chan struct{}
	close      sync.Once
	done       chan struct{} // closed when the writer has ended
	// deferred is how many settlements are not committed yet.
	deferred atomic.Int64
	// swap is held to read, and by the writer to put another handle in the place of the one before.
	swap   sync.RWMutex
	handle *handle // nil while the database cannot be opened

	writer writer

	inspector      sync.WaitGroup
	stopInspecting context.CancelFunc
}

var _ outbox.Store = (*Store)(nil)

// Open opens the outbox in the file at path, and makes it if there is none: the file with mode
// 0600, its folder with 0700. Entries whose attempt was never settled are due at once.
//
// A file that is damaged is set aside as <path>.damaged-<time>, with an error in the log, and what
// can be read of it is carried over to a fresh one. The error wraps [outbox.ErrInUse] if another
// process has the file, and [outbox.ErrNewer] if a later version wrote it; it and any other file
// that is not an outbox are left as they are.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	s := &Store{
		log:        opts.Logger,
		now:        opts.Now,
		operations: make(chan *operation, maxBatchOps),
		closing:    make(chan struct{}),
		done:       make(chan struct{}),
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if opts.Reserve <= 0 {
		opts.Reserve = DefaultReserve
	}
	if opts.LockTimeout <= 0 {
		opts.LockTimeout = DefaultLockTimeout
	}
	if err := s.open(ctx, path, opts); err != nil {
		return nil, fmt.Errorf("opening outbox %s: %w", path, err)
	}
	var inspecting context.Context
	inspecting, s.stopInspecting = context.WithCancel(context.WithoutCancel(ctx))
	s.inspector.Go(func() { s.inspect(inspecting) })
	go s.write()
	return s, nil
}

func (s *Store) open(ctx context.Context, path string, opts Options) (err error) {
	if s.path, err = resolve(path); err != nil {
		return err
	}
	s.health.log, s.health.file = s.log, s.path
	lock, err := acquire(ctx, s.path+suffixLock, opts.LockTimeout)
	if errors.Is(err, outbox.ErrInUse) {
		return fmt.Errorf(`%w; give each Caddy its own file with "outbox sqlite <file>"`, err)
	}
	if err != nil {
		return fmt.Errorf("locking it: %w; make its folder writable for Caddy, or name a file in one that is", err)
	}
	s.writer = newWriter(s, lock, reserve.Open(s.path+suffixReserve, opts.Reserve))
	// Nothing that was begun is cut short: what it would leave half done could take longer than to
	// finish it.
	if err := s.writer.start(context.WithoutCancel(ctx)); err != nil {
		s.writer.drop()
		lock.release()
		return err
	}
	return nil
}

// Close implements [outbox.Store]. Calling it again does nothing.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.stopInspecting()
		s.inspector.Wait()
		close(s.closing)
	})
	<-s.done
	return nil
}

// Health implements [outbox.Store].
func (s *Store) Health() error { return s.health.get() }

// Append implements [outbox.Store].
func (s *Store) Append(ctx context.Context, entry outbox.Entry) error {
	r, err := newRow(entry)
	if err != nil {
		return wrap("appending", r.id, err)
	}
	return s.do(ctx, "appending", r.id, &operation{
		size:  len(entry.Payload),
		grows: true,
		run:   func(c *change) error { return c.add(&r) },
	})
}

// Take implements [outbox.Store]. It calls busy in another goroutine while its own waits, and at
// most a thousand times in vain; busy must not call the store.
func (s *Store) Take(ctx context.Context, account string, due, now time.Time, limit int, busy func(identifier string) bool) (entries []outbox.Entry, err error) {
	err = s.do(ctx, "taking entries", uuid.Nil, &operation{run: func(c *change) (err error) {
		entries, err = c.take(account, due, now, limit, busy)
		return err
	}})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Advance implements [outbox.Store].
func (s *Store) Advance(ctx context.Context, id string, p outbox.Progress) error {
	if p.At.IsZero() {
		p.At = s.now()
	}
	return s.change(ctx, "advancing", id, checkTexts(p.Step, p.Reason, p.LeadID), &operation{},
		func(c *change, id uuid.UUID) error { return c.advance(id, p) })
}

// Settle implements [outbox.Store].
func (s *Store) Settle(ctx context.Context, id string, settlement outbox.Settlement) error {
	err := checkTexts(settlement.Step, settlement.Reason, settlement.LeadID)
	if rowState(settlement.State) == 0 {
		err = fmt.Errorf("state must be one of %v, got %q: %w", outbox.States(), settlement.State, outbox.ErrState)
	}
	if settlement.At.IsZero() {
		settlement.At = s.now()
	}
	return s.change(ctx, "settling", id, err, &operation{lazy: settlement.Lazy && settlement.State != outbox.Waiting},
		func(c *change, id uuid.UUID) error { return c.settle(id, settlement) })
}

// Retry implements [outbox.Store].
func (s *Store) Retry(ctx context.Context, id string, at time.Time) error {
	return s.change(ctx, "retrying", id, nil, &operation{},
		func(c *change, id uuid.UUID) error { return c.retry(id, at) })
}

// RetryFailed implements [outbox.Store].
func (s *Store) RetryFailed(ctx context.Context, account string, at time.Time, limit int) (changed int, err error) {
	err = s.do(ctx, "retrying failed entries", uuid.Nil, &operation{run: func(c *change) error {
		n, err := c.exec(qRetryFailed, millis(at), account, millis(at), limit)
		changed = int(n)
		return err
	}})
	if err != nil {
		return 0, err
	}
	return changed, nil
}

// Erase implements [outbox.Store]. The values are gone from the files within some seconds, or when
// the store is closed.
func (s *Store) Erase(ctx context.Context, id string) error {
	return s.change(ctx, "erasing", id, nil, &operation{}, (*change).erase)
}

// change has the writer change one entry, unless the call is invalid.
func (s *Store) change(ctx context.Context, doing, text string, invalid error, op *operation, f func(*change, uuid.UUID) error) error {
	id, err := parseID(text)
	if err != nil {
		return fmt.Errorf("%s entry: %w: %w", doing, err, outbox.ErrNotFound)
	}
	if invalid != nil {
		return wrap(doing, id, invalid)
	}
	op.id, op.run = id, func(c *change) error { return f(c, id) }
	return s.do(ctx, doing, id, op)
}

// Expire implements [outbox.Store].
func (s *Store) Expire(ctx context.Context, state outbox.State, before time.Time, limit int) (removed int, err error) {
	if rowState(state) == 0 || state == outbox.Waiting {
		return 0, fmt.Errorf("expiring entries: state must be delivered or parked, got %q: %w", state, outbox.ErrState)
	}
	for more := true; more; {
		n := 0
		err = s.do(ctx, "expiring entries", uuid.Nil, &operation{frees: true, run: func(c *change) (err error) {
			n, err = c.expire(state, before, limit-removed)
			more = c.exhausted() && n < limit-removed
			return err
		}})
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

// SetClock implements [outbox.Store].
func (s *Store) SetClock(ctx context.Context, clock outbox.Clock) error {
	return s.do(ctx, "noting the time of day", uuid.Nil, &operation{run: func(c *change) error {
		_, err := c.exec(qSetClock, millis(clock.SeenAt), millis(clock.SteadySince))
		return err
	}})
}

// do has the writer carry out an operation, on an entry or on no single one, and waits for it.
func (s *Store) do(ctx context.Context, doing string, id uuid.UUID, op *operation) error {
	return wrap(doing, id, s.await(ctx, op))
}

func (s *Store) await(ctx context.Context, op *operation) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op.done = make(chan error, 1)
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
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		if op.claim() {
			return ctx.Err()
		}
		return <-op.done // it was begun, and is not cut short
	case <-s.done:
	}
	select {
	case err := <-op.done:
		return err
	default:
		return outbox.ErrClosed // it was still waiting when the writer ended
	}
}
