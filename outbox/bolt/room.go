package bolt

import (
	"errors"
	"strings"
	"syscall"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/reserve"
)

// roomEvery is how often a store whose disk is full looks whether it still is.
const roomEvery = time.Second

// room is what a store may still write.
type room struct {
	reserve *reserve.Reserve
	// short: only the reserve is left, or a part of it. No entry is added.
	short  bool
	seenAt time.Time // when it was last looked for
}

// checkpointAt is the length of the journal at which it is committed. Such a commit has room in the
// reserve.
func (r *room) checkpointAt() int64 { return min(checkpointBytes, r.reserve.Full()/4) }

// checkpointSteps is the number of steps in the journal at which they are committed. However short it
// is, each step may change a page of the file, which is then written anew. Half of the reserve has
// room for all of these pages.
func (r *room) checkpointSteps(pageSize int64) int { return int(r.reserve.Full() / 2 / pageSize) }

// isFull reports whether something could not be written because the disk is
// full. bbolt does not wrap all that it is told.
func isFull(err error) bool {
	return err != nil && (reserve.IsDiskFull(err) || strings.Contains(err.Error(), syscall.ENOSPC.Error()))
}

// makeRoom has what failed on a full disk tried again: first without adding
// entries, then with ever more of the reserve. It reports false if there is
// nothing left.
func (s *Store) makeRoom() bool {
	if !s.room.short {
		s.room.short, s.room.seenAt = true, time.Now()
		s.health.worsen(outbox.ErrFull)
		return true
	}
	return s.room.reserve.Yield()
}

// lookForRoom looks now and then whether a disk that was full has room again.
func (s *Store) lookForRoom() {
	if s.room.short && time.Since(s.room.seenAt) >= roomEvery {
		s.seeRoom()
	}
}

// seeRoom fills the reserve, and has entries added if it is whole, or if the
// file has as much room within itself.
func (s *Store) seeRoom() {
	err := s.room.reserve.Fill()
	s.room.short = isFull(err) && s.freeBytes() < s.room.reserve.Full()
	s.room.seenAt = time.Now()
	switch {
	case s.room.short:
		s.health.worsen(outbox.ErrFull)
	case errors.Is(s.health.get(), outbox.ErrFull):
		s.health.mend()
	}
}

// freeBytes returns how much can be written to the file without its growing.
func (s *Store) freeBytes() int64 {
	if s.handle == nil {
		return 0
	}
	return int64(s.handle.db.Stats().FreePageN) * s.handle.pageSize
}
