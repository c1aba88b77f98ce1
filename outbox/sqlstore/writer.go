package sqlstore

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/reserve"
)

const (
	// Limits of one batch.
	maxBatchOps   = 1000
	maxBatchBytes = 4 << 20
	// entryBytes is roughly the size of an entry without its payload, in the table and the indices.
	entryBytes = 512
	// maxLazy is how long a lazy settlement may wait for another commit.
	maxLazy = 100 * time.Millisecond
	// retryAfter is the time until the retry of a failed write.
	retryAfter = time.Second
)

// operation is a request to the writer.
type operation struct {
	// run is part of a transaction. It may be called again after a rollback. If it returns an error
	// that is not from the database, its changes so far may still be committed.
	run func(*change) error
	// id is the entry that a lazy operation settles.
	id uuid.UUID
	// lazy means that the operation settles a taken entry and may wait for another commit.
	lazy bool
	// grows means that the operation adds an entry. It is refused while the disk is full.
	grows bool
	// frees means that the operation removes entries and makes room for others.
	frees bool
	// ended means that the operation was carried out before its turn.
	ended bool
	// deferred means that the operation was acknowledged but is not committed.
	deferred bool
	// alone is called instead of run, outside of any transaction.
	alone func() error
	// size is roughly how many bytes the operation writes.
	size    int
	claimed atomic.Bool
	err     error
	done    chan error // receives the result; buffered
}

// claim decides between the writer and the caller. The writer claims an operation to carry it out.
// A caller whose context has ended claims it to cancel it. Only the first claim succeeds.
func (op *operation) claim() bool { return op.claimed.CompareAndSwap(false, true) }

// writer is the state of the goroutine that writes. Other goroutines must not use it.
type writer struct {
	*Store
	ctx    context.Context // never ends, because commits are not canceled
	lock   *fileLock
	room   room
	change change
	// attempts contains the entries that this process has taken.
	attempts map[uuid.UUID]*attempt
	batch    []*operation
	queue    []*operation // the operations of one commit
	lazy     []*operation // settlements that are acknowledged but not committed
	// flush fires when lazy settlements must be committed. quiet fires when the store has been idle
	// for a while.
	flush, quiet *time.Timer
	wal          checkpointer
	// owed is what catchUp must handle before everything else; nil when that is done.
	owed *lastProcess
	// repaired means that the database was repaired, so that entries may be in it that are taken
	// although no attempt of this process has them: an index did not show them before, an older
	// version of a row was carried over, or a commit that failed was durable.
	repaired bool
}

func newWriter(s *Store, lock *fileLock, r *reserve.Reserve) writer {
	w := writer{
		Store: s, lock: lock, room: room{reserve: r}, attempts: make(map[uuid.UUID]*attempt),
		flush: time.NewTimer(math.MaxInt64), quiet: time.NewTimer(quietAfter),
		wal: checkpointer{done: make(chan error, 1)},
	}
	w.change = change{log: s.log, now: s.now, deltas: make(map[shard]int64), attempts: w.attempts, taken: make(map[uuid.UUID]*row)}
	return w
}

// write carries out operations until the store closes.
func (s *Store) write() {
	defer close(s.done)
	w := &s.writer
	for {
		select {
		case op := <-s.operations:
			w.serve(op)
			w.quiet.Reset(quietAfter)
		case <-w.flush.C:
			w.commitLazy()
		case <-w.quiet.C:
			w.tidy()
		case err := <-w.wal.done:
			w.checkpointed(err)
		case <-s.closing:
			w.shut()
			return
		}
	}
}

// serve carries out an operation together with all waiting operations.
func (w *writer) serve(first *operation) {
	alone := w.gather(first)
	if len(w.batch) > 0 {
		w.lookForRoom()
		_ = w.commit(w.batch) // each has its own error
		for _, op := range w.batch {
			op.done <- op.err
		}
		clear(w.batch)
		w.afterCommit()
	}
	if alone != nil && alone.claim() {
		alone.done <- alone.alone()
	}
}

// gather fills the batch with the waiting operations. It returns an operation that must run alone
// after the batch, or nil.
func (w *writer) gather(first *operation) (alone *operation) {
	w.batch = w.batch[:0]
	size, most, yielded := int64(0), min(maxBatchBytes, w.room.growth()/2), false
	for op := first; ; {
		switch {
		case op.alone != nil:
			return op
		case op.lazy && w.postpone(op):
		case op.claim():
			w.batch = append(w.batch, op)
			size += entryBytes + int64(op.size)
		}
		if len(w.batch) == maxBatchOps || size >= most {
			return nil
		}
		if len(w.operations) == 0 && !yielded {
			// Let callers that are about to send an operation share the sync.
			yielded = true
			runtime.Gosched()
		}
		select {
		case op = <-w.operations:
		default:
			return nil
		}
	}
}

// postpone acknowledges a settlement before it is committed, if the entry is taken. It reports
// whether it did.
func (w *writer) postpone(op *operation) bool {
	a := w.attempts[op.id]
	if a == nil || a.settled || !op.claim() {
		return false
	}
	a.settled = true
	if len(w.lazy) == 0 {
		w.flush.Reset(maxLazy)
	}
	op.deferred = true
	w.lazy = append(w.lazy, op)
	w.deferred.Add(1)
	op.done <- nil
	return true
}

// commitLazy commits lazy settlements. If that fails, it is retried. Otherwise the next process
// would have to find out the outcome of those attempts.
func (w *writer) commitLazy() {
	if err := w.commit(nil); err != nil {
		w.log.Error("outbox could not record the outcome of some attempts; it will try again",
			zap.String("file", w.path), zap.Int("attempts", len(w.lazy)), zap.Error(err))
	}
	w.afterCommit()
}

// commit carries out lazy settlements and then a batch, and makes them durable. Each operation of
// the batch has its own error. The error of commit says why some were not carried out.
func (w *writer) commit(batch []*operation) error {
	lazy := len(w.lazy)
	w.queue = append(append(w.queue[:0], w.lazy...), batch...)
	done, err := w.carryOutAll(w.queue)
	if isFull(err, w.room.reserve) && w.expireFirst(w.queue[done:]) {
		var more int
		more, err = w.carryOutAll(w.queue[done:])
		done += more
	}
	w.lazy = slices.Delete(w.lazy, 0, min(done, lazy))
	w.deferred.Store(int64(len(w.lazy)))
	for _, op := range w.queue[done:] {
		if !op.ended {
			op.err = err
		}
	}
	clear(w.queue)
	if err != nil {
		if !errors.Is(err, outbox.ErrInUse) {
			w.health.worsen(err)
		}
		if len(w.lazy) > 0 {
			w.flush.Reset(retryAfter)
		}
	}
	return err
}

// expireFirst carries out operations that remove entries before the others, which may need the
// room. It reports whether it carried out any.
func (w *writer) expireFirst(ops []*operation) bool {
	var frees []*operation
	for _, op := range ops {
		if op.frees {
			frees = append(frees, op)
		}
	}
	done, _ := w.carryOut(frees)
	for _, op := range frees[:done] {
		op.ended = true
	}
	return done > 0
}

// carryOutAll carries out operations, after catchUp if that is still owed. It then releases entries if
// that is due after a repair. If that fails, it is tried again after the next operations.
func (w *writer) carryOutAll(ops []*operation) (done int, err error) {
	if w.owed != nil {
		if err := w.catchUp(); err != nil {
			return 0, err
		}
	}
	if done, err = w.carryOut(ops); err == nil && w.repaired {
		w.releaseRepaired()
	}
	return done, err
}

// releaseRepaired releases the entries in a repaired database that no attempt has.
func (w *writer) releaseRepaired() {
	if w.inSteps((*change).release) == nil {
		w.repaired = false
	}
}

// inSteps carries out f in as many transactions as its budget requires.
func (w *writer) inSteps(f func(*change) error) error {
	for more := true; more; {
		op := &operation{run: func(c *change) error {
			err := f(c)
			more = c.exhausted()
			return err
		}}
		if _, err := w.carryOut([]*operation{op}); err != nil {
			return err
		}
		if op.err != nil {
			return op.err
		}
	}
	return nil
}

// carryOut carries out operations in as few transactions as the disk allows. It returns how many it
// carried out, and the error that stopped it.
func (w *writer) carryOut(ops []*operation) (done int, err error) {
	for done < len(ops) && err == nil {
		var n int
		n, err = w.try(ops[done:])
		for isFull(err, w.room.reserve) && (w.raiseLimit() || w.makeRoom()) {
			n, err = w.try(ops[done:])
		}
		w.room.ample = false
		done += n
	}
	return done, err
}

// try carries out operations. After an error that requires it, unless the disk is merely full, it
// repairs the database and tries once more.
func (w *writer) try(ops []*operation) (n int, err error) {
	if n, err = w.tryOnce(ops); !isDamage(err) && (!isDistrust(err) || isFull(err, w.room.reserve)) {
		return n, err
	}
	if repairing := w.repair(err); repairing != nil {
		return 0, repairing
	}
	return w.tryOnce(ops)
}

func (w *writer) tryOnce(ops []*operation) (n int, err error) {
	if w.room.short {
		w.awaitCheckpoint()
	}
	if err := w.ready(); err != nil {
		return 0, err
	}
	if err := w.keepRoom(); err != nil {
		return 0, err
	}
	return w.transact(ops)
}

// transact carries out operations in one transaction and returns how many. It carries out all of
// them unless the disk is full.
func (w *writer) transact(ops []*operation) (n int, err error) {
	c := &w.change
	c.reset(w.handle)
	c.budget = w.room.budget()
	if _, err := c.writes[qBegin].ExecContext(w.ctx); err != nil {
		return 0, err
	}
	n, err = w.run(ops)
	if err == nil && c.wrote {
		err = c.commit()
	}
	if err != nil || !c.wrote {
		_, rolling := c.conn.ExecContext(w.ctx, "ROLLBACK")
		if err != nil {
			return 0, err // SQLite may have rolled back by itself
		}
		return n, rolling
	}
	if err := w.lock.mark(c.ledger); err != nil {
		w.log.Debug("outbox could not write the mark to its lock file", zap.Error(err))
	}
	w.noteTaken(c.taken)
	w.wal.erased = w.wal.erased || c.erased
	if !w.room.short {
		w.health.mend()
	}
	return n, nil
}

// noteTaken updates the attempts after a commit.
func (w *writer) noteTaken(rows map[uuid.UUID]*row) {
	for id, r := range rows {
		if r == nil {
			delete(w.attempts, id)
		} else {
			w.attempts[id] = &attempt{row: r}
		}
	}
}

func (w *writer) run(ops []*operation) (n int, err error) {
	c := &w.change
	for _, op := range ops {
		if c.exhausted() {
			break
		}
		if err := op.do(c, w.room.short); isDatabaseError(err) {
			return 0, err
		} else if !op.ended {
			op.err = err
		}
		if op.deferred && op.err != nil {
			delete(w.attempts, op.id)
			w.log.Error("outbox could not record the outcome of an attempt", zap.String("id", op.id.String()), zap.Error(op.err))
		}
		n++
	}
	return n, nil
}

// do carries out an operation as part of a transaction.
func (op *operation) do(c *change, short bool) error {
	switch {
	case op.ended:
		return nil
	case op.grows && short:
		return outbox.ErrFull
	}
	return op.run(c)
}

// shut ends the store. It writes everything to the file if it can. Otherwise the log stays beside
// the file.
func (w *writer) shut() {
	if len(w.lazy) > 0 {
		w.commitLazy()
	}
	if w.wal.running {
		<-w.wal.done //nolint:errcheck // the next checkpoint meets the same error
	}
	if w.handle != nil {
		// ready restores the file if it was removed.
		if err := w.ready(); err != nil {
			w.log.Error("outbox file could not be restored", zap.String("file", w.path), zap.Error(err))
		}
	}
	w.drop()
	if w.removing.Load() {
		w.removeFiles()
	}
	w.lock.release()
}

// isDatabaseError reports whether an error is about the database, and not only about one entry.
func isDatabaseError(err error) bool {
	if err == nil {
		return false
	}
	return !slices.ContainsFunc([]error{outbox.ErrNotFound, outbox.ErrExists, outbox.ErrState, outbox.ErrFull},
		func(answer error) bool { return errors.Is(err, answer) })
}
