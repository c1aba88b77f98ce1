package guard

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

// Fingerprint stands for a lead.
type Fingerprint [sha256.Size]byte

// FingerprintOf returns the fingerprint of the texts in their order.
func FingerprintOf(texts ...string) Fingerprint {
	hash := sha256.New()
	for _, text := range texts {
		_ = binary.Write(hash, binary.BigEndian, uint64(len(text))) // a hash takes all
		_, _ = hash.Write([]byte(text))
	}
	return Fingerprint(hash.Sum(nil))
}

// mostRepeats bounds how many posts are kept in mind, to some 10 MB.
const mostRepeats = 1 << 15

// Repeats tells posts that repeat another: a double click, or a page that was
// sent again. Its memory is bounded. It is safe for concurrent use.
type Repeats struct {
	window time.Duration
	now    func() time.Time

	mu    sync.Mutex
	taken *recent[Fingerprint, Result]
	open  map[Fingerprint]chan struct{} // those being answered; closed when they are
}

// Result is what became of a post.
type Result struct {
	ID string // the submission's
	// Asked tells that the visitor was asked to send it again; else it was
	// taken.
	Asked bool
	// Kept tells that the outbox has it.
	Kept bool
	// Network is the visitor's, if they were asked.
	Network netip.Prefix
	// At is when that was; End fills it in.
	At time.Time
}

// NewRepeats returns a Repeats that keeps posts in mind for the window; now
// tells the time.
func NewRepeats(window time.Duration, now func() time.Time) *Repeats {
	return &Repeats{
		window: window, now: now,
		taken: newRecent[Fingerprint, Result](window, mostRepeats),
		open:  make(map[Fingerprint]chan struct{}),
	}
}

// Claim is a post that is being answered.
type Claim struct {
	of    *Repeats
	key   Fingerprint
	ended chan struct{}
}

// Claim has the post be the one that counts, which must be ended. If another
// one was taken before, it returns nil, and what became of that; if the
// visitor was asked to send it again, both. While another one is being
// answered, it waits for the end of that, or returns the error of ctx.
func (r *Repeats) Claim(ctx context.Context, key Fingerprint) (*Claim, Result, error) {
	for {
		r.mu.Lock()
		earlier, ended := r.look(key)
		if ended == nil && (earlier.ID == "" || earlier.Asked) {
			c := &Claim{of: r, key: key, ended: make(chan struct{})}
			r.open[key] = c.ended
			r.mu.Unlock()
			return c, earlier, nil
		}
		r.mu.Unlock()
		if ended == nil {
			return nil, earlier, nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, Result{}, ctx.Err()
		}
	}
}

func (r *Repeats) look(key Fingerprint) (Result, chan struct{}) {
	if ended, open := r.open[key]; open {
		return Result{}, ended
	}
	now := r.now()
	earlier, known := r.taken.get(key, now)
	if age := now.Sub(earlier.At); !known || age >= r.window || age < 0 {
		return Result{}, nil
	}
	return earlier, nil
}

// Forget forgets an earlier result of the key, unless another one has taken
// its place.
func (r *Repeats) Forget(key Fingerprint, earlier Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.taken.get(key, r.now()); ok && known.ID == earlier.ID {
		r.taken.forget(key)
	}
}

// End keeps what became of the post in mind; one without an id is forgotten,
// so that the visitor can send the same again.
//
// Ending it again, and ending none, does nothing.
func (c *Claim) End(became Result) {
	if c == nil {
		return
	}
	r := c.of
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[c.key] != c.ended {
		return
	}
	delete(r.open, c.key)
	close(c.ended)
	if became.ID == "" {
		r.taken.forget(c.key)
		return
	}
	now := r.now()
	if became.At.IsZero() {
		became.At = now
	}
	r.taken.put(c.key, became, now)
}
