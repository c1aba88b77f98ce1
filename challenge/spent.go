package challenge

import (
	"container/heap"
	"sync"
	"time"
)

// SpentRoom is how many answers a [Spent] has room for; full, it takes about
// 4 MiB.
const SpentRoom = 1 << 16

// Spent remembers the challenges that were answered until they expire, so that
// each answer counts once.
//
// When its room is full, the answers that expire first make way, and with them
// lapse all challenges that expire no later, answered or not. So no answer
// ever counts twice; what a flood of answers does is to leave people less time
// for theirs.
//
// It is safe for concurrent use.
type Spent struct {
	mu     sync.Mutex
	room   int
	known  map[altchaID]struct{}
	queue  spentQueue // the same, by when they expire
	lapsed int64      // the latest expiry that has made way, in seconds since 1970
}

// NewSpent returns a memory in which there is nothing.
func NewSpent() *Spent { return newSpent(SpentRoom) }

func newSpent(room int) *Spent {
	return &Spent{room: room, known: make(map[altchaID]struct{})}
}

// spend remembers id until it expires. It returns an error wrapping
// [ErrFailed] if id is known already, or has lapsed.
func (s *Spent) spend(id altchaID, expires, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && s.queue[0].expires <= now.Unix() {
		s.forgetFirst()
	}
	if _, known := s.known[id]; known {
		return failure("its answer was used before")
	}
	if expires.Unix() <= s.lapsed {
		return failure("its answer came too late, while there were too many to remember")
	}
	s.known[id] = struct{}{}
	heap.Push(&s.queue, spentAnswer{id, expires.Unix()})
	if len(s.queue) > s.room {
		s.lapsed = s.forgetFirst()
	}
	return nil
}

// forgetFirst returns when the answer that it forgets expires.
func (s *Spent) forgetFirst() int64 {
	first := heap.Pop(&s.queue).(spentAnswer)
	delete(s.known, first.id)
	return first.expires
}

type spentAnswer struct {
	id      altchaID
	expires int64 // in seconds since 1970
}

// spentQueue is a heap with the answer that expires first on top.
type spentQueue []spentAnswer

func (q spentQueue) Len() int           { return len(q) }
func (q spentQueue) Less(i, j int) bool { return q[i].expires < q[j].expires }
func (q spentQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *spentQueue) Push(x any)        { *q = append(*q, x.(spentAnswer)) }

func (q *spentQueue) Pop() any {
	last := len(*q) - 1
	popped := (*q)[last]
	*q = (*q)[:last]
	return popped
}
