// Package sqlstore keeps an outbox in an SQLite database file.
//
// A change is durable once it is in <file>-wal, SQLite's write-ahead log. One sync covers all
// changes that are waiting. When the store is idle, or the log is long, the log is written to the
// file. The two files belong together: a copy of the file must include the log if the store is
// open, or if its process died. [Store.Backup] makes a copy that needs no log. Programs that use
// SQLite may read the file at any time.
//
// There are more files beside it. <file>-shm is the log's index. <file>.lock lets only one process
// at a time open the outbox, and records the number of its commits. <file>.reserve keeps room for
// changes that must be written when the disk is full. <file>.damaged-<time> and
// <file>.replaced-<time> are for a person to inspect.
//
// # A full disk
//
// When the disk is full, the store adds no entries. Every entry in it can still be taken, settled
// and removed, even if other programs filled the disk, and even if this process is killed at any
// moment and another one continues. The following always holds on the disk, where R is the size of
// the reserve: [DefaultReserve], but never more than a quarter of the disk.
//
//   - While entries are added, the reserve is whole, and the file grows by at
//     most R/2 when the log is written to it.
//   - While the disk is full, a transaction is about R/8 long. The log is
//     written to the file before the next transaction, which overwrites the
//     log. The file grows at most by the rest of the reserve, less what the log
//     may still need.
//
// So there is always room to write a transaction to the log, and the log to the file. A delivery
// makes the file grow a little, because the lead's id is remembered. The store refuses a delivery
// with [outbox.ErrFull] if the file would grow too far. It accepts deliveries again after Expire
// has removed entries, for which the room of the log is enough. Free pages of the file then make the
// reserve whole again.
//
// On a full disk, Open uses the reserve to write the log to the file, empties the log, and fills
// the reserve again. It then releases the entries whose attempts were in flight. Only then does the
// store add entries.
//
// There is no such promise for an entry whose payload is longer than R/32, or if other programs
// take the room that the reserve gave back. A long read, such as a backup, can also keep the log
// from being written to the file until the read ends.
//
// # Damage
//
// SQLite's pages have no checksums, so each row has a checksum of its entry. An entry whose
// checksum does not match is parked and never sent. A file that SQLite cannot use is set aside, and
// each intact row is carried over to a new file, even from parts of the log after the damage. An
// entry is marked as ambiguous if a newer version of its row may be lost. The ledger records how
// many entries the file should contain. The mark in the lock file records how many commits it
// should contain.
//
// The store cannot detect some damage:
//
//   - a changed due time, until [Store.Check]
//   - a damaged page that SQLite has cached, until it is read again at the next
//     start or check
//   - a file, its log and its lock that are replaced together by older ones
//   - the loss of the log's last commits in a power failure that also undoes
//     the mark
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
	"github.com/leadwire/caddy-telecrm/outbox/record"
	"github.com/leadwire/caddy-telecrm/outbox/reserve"
)

const (
	// DefaultLockTimeout is how long [Open] waits for another process to release the file.
	DefaultLockTimeout = time.Second
	// DefaultReserve is enough to deliver all entries of a store whose disk is full. On a small
	// disk, the reserve is a quarter of the disk.
	DefaultReserve = 8 << 20
)

// Options are the settings of a store. The zero value is ready to use.
type Options struct {
	// Logger logs events that operators must know about, such as a damaged or missing file.
	// Messages contain no values of entries. Nil disables logging.
	Logger *zap.Logger
	// Now returns the current time. Nil means time.Now.
	Now func() time.Time
	// LockTimeout is how long to wait for another process to release the file. Zero means
	// DefaultLockTimeout.
	LockTimeout time.Duration
	// Reserve is how many bytes of the disk to keep for changes while it is full. Zero means
	// DefaultReserve.
	Reserve int64
}

// Store is an outbox in a database. One goroutine writes, and commits all waiting operations at
// once. Other goroutines read at the same time.
type Store struct {
	path   string
	log    *zap.Logger
	now    func() time.Time
	health health

	operations chan *operation
	closing    chan struct{}
	close      sync.Once
	removing   atomic.Bool   // the store removes its files when it is closed
	done       chan struct{} // closed when the writer has ended
	// deferred is the number of settlements that are not committed yet.
	deferred atomic.Int64
	// swap guards handle. Readers hold it while they read. The writer holds it to replace the
	// handle.
	swap   sync.RWMutex
	handle *handle // nil while the database cannot be opened

	writer writer

	inspector      sync.WaitGroup
	stopInspecting context.CancelFunc
}

var _ outbox.Store = (*Store)(nil)

// Open opens the outbox in the file at path, and creates it if there is none: the file with mode
// 0600, its folder with 0700. Entries whose attempt was never settled are due at once.
//
// Open sets a damaged file aside as <path>.damaged-<time>, logs an error, and carries over what can
// be read to a new file. The error wraps [outbox.ErrInUse] if another process has the file open,
// and [outbox.ErrNewer] if a later version wrote it. Open does not change the file of a later
// version, nor a file that is not an outbox.
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
		return fmt.Errorf(`%w; stop that process, or give each Caddy its own file with "outbox sqlite <file>"`, err)
	}
	if err != nil {
		return fmt.Errorf("locking it: %w", adviseLock(s.path, err))
	}
	if err := checkAccess(s.path); err != nil {
		lock.release()
		return err
	}
	s.writer = newWriter(s, lock, reserve.Open(s.path+suffixReserve, opts.Reserve))
	// Do not cancel the start. Cleaning up half-finished work could take longer than completing it.
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
		return record.Wrap("appending", r.id, err)
	}
	return s.do(ctx, "appending", r.id, &operation{
		size:  len(entry.Payload),
		grows: true,
		run:   func(c *change) error { return c.add(&r) },
	})
}

// Take implements [outbox.Store]. It calls busy in another goroutine while its own waits, and skips
// at most a thousand busy entries. busy must not call the store.
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
	return s.change(ctx, "advancing", id, record.CheckTexts(p.Step, p.Reason, p.LeadID), &operation{},
		func(c *change, id uuid.UUID) error { return c.advance(id, p) })
}

// Settle implements [outbox.Store].
func (s *Store) Settle(ctx context.Context, id string, settlement outbox.Settlement) error {
	err := record.CheckSettlement(settlement)
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
		n, err := c.exec(qRetryFailed, record.Millis(at), account, record.Millis(at), limit)
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

// change makes the writer change one entry, unless the call is invalid.
func (s *Store) change(ctx context.Context, doing, text string, invalid error, op *operation, f func(*change, uuid.UUID) error) error {
	id, err := record.ParseID(text)
	if err != nil {
		return fmt.Errorf("%s entry: %w: %w", doing, err, outbox.ErrNotFound)
	}
	if invalid != nil {
		return record.Wrap(doing, id, invalid)
	}
	op.id, op.run = id, func(c *change) error { return f(c, id) }
	return s.do(ctx, doing, id, op)
}

// Expire implements [outbox.Store].
func (s *Store) Expire(ctx context.Context, state outbox.State, before time.Time, limit int) (removed int, err error) {
	if err := record.CheckExpire(state); err != nil {
		return 0, err
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
	return s.do(ctx, "storing the clock", uuid.Nil, &operation{run: func(c *change) error {
		_, err := c.exec(qSetClock, record.Millis(clock.SeenAt), record.Millis(clock.SteadySince))
		return err
	}})
}

// do makes the writer carry out an operation and waits for it. The id is zero if the operation is
// not about one entry.
func (s *Store) do(ctx context.Context, doing string, id uuid.UUID, op *operation) error {
	return record.Wrap(doing, id, s.await(ctx, op))
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
		return <-op.done // it has started and is not canceled
	case <-s.done:
	}
	select {
	case err := <-op.done:
		return err
	default:
		return outbox.ErrClosed // it had not started when the writer ended
	}
}
