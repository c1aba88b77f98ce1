package sqlstore

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/reserve"
)

// roomEvery is how often a store whose disk is full looks for room.
const roomEvery = time.Second

// room limits how much the store may still write.
type room struct {
	reserve *reserve.Reserve
	// short means that the disk is full. No entry is added.
	short bool
	// ample means that the disk has room for one transaction that makes the file grow by more than
	// the reserve covers.
	ample  bool
	seenAt time.Time // when the store last looked for room
}

// growth returns how much the log may make the file grow while entries are added.
func (r *room) growth() int64 { return r.reserve.Full() / 2 }

// transaction returns roughly how long a transaction may be in the log while the disk is full.
func (r *room) transaction() int64 { return r.reserve.Full() / 8 }

// budget returns roughly how long the next transaction may be.
func (r *room) budget() int64 {
	if r.short {
		return r.transaction()
	}
	return math.MaxInt64
}

// allowed returns how much the file may grow beside a log of the given length.
func (r *room) allowed(log int64) int64 {
	switch {
	case r.short:
		return max(r.reserve.Size()-r.reserve.Part()-max(r.transaction()-log, 0), 0)
	case r.ample:
		return 1 << 40
	}
	return r.growth()
}

// rowCost estimates how many bytes of the log it takes to write a row without its payload: a page
// of each index and of the table, and the pages that lead to them.
const rowCost = 8 * (frameHeaderSize + pageSize)

// spend adds the cost of writing a row. A long payload counts twice, because it is written to new
// pages and the old ones are overwritten.
func (c *change) spend(payload int) { c.spent += rowCost + 2*int64(payload) }

// exhausted reports whether the budget is spent. The rest must wait for another transaction.
func (c *change) exhausted() bool { return c.spent >= c.budget }

// keepRoom limits the size of the file, so that the next transaction leaves enough room to write
// the log to the file.
func (w *writer) keepRoom() error {
	h := w.handle
	size, log := h.db.Size(), int64(0)
	if w.room.short {
		if err := w.emptyLog(); err != nil {
			return err
		}
		size, log = fileSize(w.path), fileSize(w.path+suffixWAL)
	}
	pages := (size + w.room.allowed(log)) / pageSize
	if pages == h.maxPages {
		return nil
	}
	_, err := h.conn.ExecContext(w.ctx, fmt.Sprintf("PRAGMA max_page_count = %d", max(pages, 1)))
	if err == nil {
		h.maxPages = pages
	}
	return err
}

// emptyLog writes the whole log to the file, so that the next transaction overwrites the log.
func (w *writer) emptyLog() error {
	for _, mode := range []string{"PASSIVE", "FULL"} { // FULL waits for readers
		if log, err := checkpoint(w.ctx, w.handle.conn, mode); err != nil || log.left == 0 {
			return err
		}
	}
	if w.grown() == 0 {
		return nil
	}
	return fmt.Errorf("%w: a reader keeps the log from being written to the file", outbox.ErrFull)
}

// grown returns how much the file will grow when the log is written to it.
func (w *writer) grown() int64 {
	return max(w.pragma("page_count")*pageSize-fileSize(w.path), 0)
}

// raiseLimit prepares the retry of a transaction that failed because the file reached its limit
// although the disk is not full. It tries to write the log to the file, and lifts the limit for
// this transaction, which may be long. It reports false if that is not possible.
func (w *writer) raiseLimit() bool {
	if w.room.short || w.room.ample || reserve.IsDiskFull(w.room.reserve.Fill()) {
		return false
	}
	if w.awaitCheckpoint(); w.handle == nil {
		return false
	}
	w.room.ample = !isFull(w.emptyLog(), w.room.reserve)
	return w.room.ample
}

// makeRoom prepares the retry of a write that failed on a full disk. It first stops adding entries,
// and then uses more and more of the reserve. It reports false if nothing is left.
func (w *writer) makeRoom() bool {
	if w.room.short {
		return w.room.reserve.Yield()
	}
	w.room.short, w.room.seenAt = true, time.Now()
	w.health.worsen(outbox.ErrFull)
	return true
}

// lookForRoom checks at intervals whether a disk that was full has room again.
func (w *writer) lookForRoom() {
	if w.room.short && time.Since(w.room.seenAt) >= roomEvery {
		w.seeRoom()
	}
}

// seeRoom fills the reserve, also with free pages of the file. Entries can be added if it is whole.
func (w *writer) seeRoom() {
	r := &w.room
	full := reserve.IsDiskFull(r.reserve.Fill())
	for full && w.handle != nil && w.freeBytes() > r.reserve.Full()-r.reserve.Size()+2*r.reserve.Part() {
		r.short = true
		err := w.vacuum()
		// Moving pages takes room in the log first. It gives back more than a part of the reserve.
		if isFull(err, r.reserve) && r.reserve.Yield() {
			err = w.vacuum()
		}
		if err != nil {
			break // a commit reports the same error
		}
		full = reserve.IsDiskFull(r.reserve.Fill())
	}
	r.short, r.seenAt = full, time.Now()
	switch {
	case r.short:
		w.health.worsen(outbox.ErrFull)
	case errors.Is(w.health.get(), outbox.ErrFull):
		w.health.mend()
	}
}

// freeBytes returns how much can be written to the file before it grows.
func (w *writer) freeBytes() int64 { return w.pragma("freelist_count") * pageSize }

// pragma returns the value of a numeric pragma, or zero if it cannot be read.
func (w *writer) pragma(name string) (n int64) {
	if w.handle == nil {
		return 0
	}
	if err := w.handle.conn.QueryRowContext(w.ctx, "PRAGMA "+name).Scan(&n); err != nil {
		return 0
	}
	return n
}
