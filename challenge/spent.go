package challenge

import (
	"container/heap"
	"sync"
	"time"
)

// SpentRoom is the capacity of a [Spent]. A full one takes about 4 MiB.
const SpentRoom = 1 << 16

// Spent remembers answered challenges until they expire, so that each answer counts once.
//
// When it is full, it forgets the answers that expire first, and with them rejects all challenges
// that expire no later, answered or not. So no answer counts twice, but a flood of answers leaves
// people less time for theirs.
//
// A Spent is safe for concurrent use.
type Spent struct {
	mu     sync.Mutex
	room   int
	known  map[altchaID]struct{}
	queue  spentQueue // the same ids by expiry
	lapsed int64      // the latest expiry that was forgotten early, in seconds since 1970
}

// NewSpent returns an empty Spent.
func NewSpent() *Spent { return newSpent(SpentRoom) }

func newSpent(room int) *Spent {
	return &Spent{room: room, known: make(map[altchaID]struct{})}
}

// errUsed is the error for an answer that counts no more.
var errUsed = failure("answer was used before")

// spend remembers id until it expires. It returns an error wrapping [ErrFailed] if id is known, or
// expires too early to be remembered.
func (s *Spent) spend(id altchaID, expires, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 && s.queue[0].expires <= now.Unix() {
		s.forgetFirst()
	}
	if _, known := s.known[id]; known {
		return errUsed
	}
	if expires.Unix() <= s.lapsed {
		return failure("answer came too late, because of too many answers")
	}
	s.known[id] = struct{}{}
	heap.Push(&s.queue, spentAnswer{id, expires.Unix()})
	if len(s.queue) > s.room {
		s.lapsed = s.forgetFirst()
	}
	return nil
}

// forgetFirst forgets the answer that expires first and returns its expiry.
func (s *Spent) forgetFirst() int64 {
	first := heap.Pop(&s.queue).(spentAnswer)
	delete(s.known, first.id)
	return first.expires
}

type spentAnswer struct {
	id      altchaID
	expires int64 // in seconds since 1970
}

// spentQueue is a heap with the earliest expiry on top.
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
