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

// room is what a store may still write.
type room struct {
	reserve *reserve.Reserve
	// short: the disk is full. No entry is added.
	short bool
	// within: entries are added to the room within the file, which must not grow.
	within bool
	// ample: the disk was found to have room for a commit that has the file grow further than the
	// reserve covers.
	ample  bool
	seenAt time.Time // when it was last looked for
}

// growth returns by how much the log may have the file grow while entries are added.
func (r *room) growth() int64 { return r.reserve.Full() / 2 }

// transaction returns about how long a transaction may be in the log while the disk is full.
func (r *room) transaction() int64 { return r.reserve.Full() / 8 }

// budget returns about how long the next transaction may be.
func (r *room) budget() int64 {
	if r.short {
		return r.transaction()
	}
	return math.MaxInt64
}

// allowed returns by how much the file may grow, beside a log that is as long.
func (r *room) allowed(log int64) int64 {
	switch {
	case r.short:
		return max(r.reserve.Size()-r.reserve.Part()-max(r.transaction()-log, 0), 0)
	case r.ample:
		return 1 << 40
	case r.within:
		return 0
	}
	return r.growth()
}

// rowCost is about how many bytes of the log it takes to write a row and what leads to it, without
// its payload: a page of each index, and of the table.
const rowCost = 8 * (frameHeaderSize + pageSize)

// spend counts a row that is written. What is longer than a page is written to other pages than it
// was on, and those are overwritten.
func (c *change) spend(payload int) { c.spent += rowCost + 2*int64(payload) }

// exhausted reports whether the rest must wait for another transaction.
func (c *change) exhausted() bool { return c.spent >= c.budget }

// keepRoom sees to it that the next transaction leaves the room that it takes to write the log to
// the file.
func (w *writer) keepRoom() error {
	if w.room.short {
		if err := w.emptyLog(); err != nil {
			return err
		}
	}
	h := w.handle
	pages := (fileSize(w.path) + w.room.allowed(fileSize(w.path+suffixWAL))) / pageSize
	if pages == h.maxPages {
		return nil
	}
	_, err := h.conn.ExecContext(w.ctx, fmt.Sprintf("PRAGMA max_page_count = %d", max(pages, 1)))
	if err == nil {
		h.maxPages = pages
	}
	return err
}

// emptyLog writes all of the log to the file, so that the next transaction is written over it.
func (w *writer) emptyLog() error {
	for _, mode := range []string{"PASSIVE", "FULL"} { // the other waits for readers
		if log, err := checkpoint(w.ctx, w.handle.conn, mode); err != nil || log.left == 0 {
			return err
		}
	}
	if w.grown() == 0 {
		return nil
	}
	return fmt.Errorf("%w: the log is being read, and cannot be written to the file yet", outbox.ErrFull)
}

// grown returns by how much the file will grow when the log is written to it.
func (w *writer) grown() int64 {
	return max(w.pragma("page_count")*pageSize-fileSize(w.path), 0)
}

// makeRoom has a write that failed on a full disk tried again: first without adding entries, then
// with ever more of the reserve. It reports false if there is nothing left.
func (w *writer) makeRoom() bool {
	if !w.room.short {
		w.room.short, w.room.seenAt = true, time.Now()
		w.health.worsen(outbox.ErrFull)
		return true
	}
	return w.room.reserve.Yield()
}

// makeRoomWithin has a transaction that failed tried again if the disk is not full, but the file
// may not grow as far as it would: first with the log written to the file, then for a long one with
// no bound. It reports false if the disk is full.
func (w *writer) makeRoomWithin() bool {
	switch {
	case w.room.short:
		return false
	case w.shrinkLog():
		return true
	case w.room.within || w.room.ample || reserve.IsDiskFull(w.room.reserve.Fill()):
		return false
	}
	w.room.ample = true
	return true
}

// shrinkLog writes the log to the file if that grows by it. It may grow by as much again then.
func (w *writer) shrinkLog() bool {
	if w.awaitCheckpoint(); w.handle == nil || w.grown() == 0 {
		return false
	}
	_, err := checkpoint(w.ctx, w.handle.conn, "PASSIVE")
	return err == nil && w.grown() == 0
}

// lookForRoom looks now and then whether a disk that was full has room again.
func (w *writer) lookForRoom() {
	if (w.room.short || w.room.within) && time.Since(w.room.seenAt) >= roomEvery {
		w.seeRoom()
	}
}

// seeRoom fills the reserve, and has entries added if it is whole, or if there is as much and half
// as much again within the file and what there is of the reserve, of which half must be there.
func (w *writer) seeRoom() {
	r := &w.room
	r.short, r.within = reserve.IsDiskFull(r.reserve.Fill()), false
	if full := r.reserve.Full(); r.short && r.reserve.Size() >= full/2 && r.reserve.Size()+w.freeBytes() >= full+full/2 {
		r.short, r.within = false, true
	}
	r.seenAt = time.Now()
	switch {
	case r.short:
		w.health.worsen(outbox.ErrFull)
	case errors.Is(w.health.get(), outbox.ErrFull):
		w.health.mend()
	}
}

// freeBytes returns how much can be written to the file without its growing.
func (w *writer) freeBytes() int64 { return w.pragma("freelist_count") * pageSize }

// pragma returns a number that the database says of itself; zero if it cannot.
func (w *writer) pragma(name string) (n int64) {
	if w.handle == nil {
		return 0
	}
	if err := w.handle.conn.QueryRowContext(w.ctx, "PRAGMA "+name).Scan(&n); err != nil {
		return 0
	}
	return n
}
