package guard

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// Fingerprint is a hash that identifies a lead or a value.
type Fingerprint [sha256.Size]byte

// FingerprintOf returns the fingerprint of the texts in order.
func FingerprintOf(texts ...string) Fingerprint {
	var scratch [1024]byte
	all := scratch[:0]
	for _, text := range texts {
		all = binary.BigEndian.AppendUint64(all, uint64(len(text)))
		all = append(all, text...)
	}
	return sha256.Sum256(all)
}

// mostRepeats bounds how many posts are remembered, to about 10 MB.
const mostRepeats = 1 << 15

// Repeats detects repeated posts: a double click, or a page sent again. Its memory is bounded. It
// is safe for concurrent use.
type Repeats struct {
	window time.Duration
	now    func() time.Time

	mu       sync.Mutex
	results  *recent[Fingerprint, Result]
	inFlight map[Fingerprint]chan struct{} // posts in flight; the channel is closed when they end
}

// Result is the outcome of a post.
type Result struct {
	ID string // submission id
	// Asked means that the visitor was asked to send the post again. Otherwise it was accepted.
	Asked bool
	// Kept means that the lead is in the outbox.
	Kept bool
	// At is the time of the outcome. End sets it if it is zero.
	At time.Time
}

// NewRepeats returns a Repeats that remembers posts for the window, with the clock now.
func NewRepeats(window time.Duration, now func() time.Time) *Repeats {
	return &Repeats{
		window: window, now: now,
		results:  newRecent[Fingerprint, Result](window, mostRepeats),
		inFlight: make(map[Fingerprint]chan struct{}),
	}
}

// Claim is a post in flight.
type Claim struct {
	of    *Repeats
	key   Fingerprint
	ended chan struct{}
}

// Claim reserves key for a post. The caller must call End on the returned claim. If an equal post
// was accepted earlier, Claim returns a nil claim and that post's result. If the visitor was asked
// to send that post again, it returns both a claim and the result. While an equal post is in
// flight, Claim waits for its end, or returns the error of ctx.
func (r *Repeats) Claim(ctx context.Context, key Fingerprint) (*Claim, Result, error) {
	for {
		r.mu.Lock()
		earlier, ended := r.lookup(key)
		if ended == nil && (earlier.ID == "" || earlier.Asked) {
			c := &Claim{of: r, key: key, ended: make(chan struct{})}
			r.inFlight[key] = c.ended
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

func (r *Repeats) lookup(key Fingerprint) (Result, chan struct{}) {
	if ended, open := r.inFlight[key]; open {
		return Result{}, ended
	}
	now := r.now()
	earlier, known := r.results.get(key, now)
	if age := now.Sub(earlier.At); !known || age >= r.window || age < 0 {
		return Result{}, nil
	}
	return earlier, nil
}

// Forget forgets an earlier result of the key, unless another result has replaced it.
func (r *Repeats) Forget(key Fingerprint, earlier Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.results.get(key, r.now()); ok && known.ID == earlier.ID {
		r.results.forget(key)
	}
}

// End records the outcome of the post. Without an id it forgets the post, so that the visitor can
// send it again.
//
// Ending a claim twice, or a nil claim, does nothing.
func (c *Claim) End(result Result) {
	if c == nil {
		return
	}
	r := c.of
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inFlight[c.key] != c.ended {
		return
	}
	delete(r.inFlight, c.key)
	close(c.ended)
	if result.ID == "" {
		r.results.forget(c.key)
		return
	}
	now := r.now()
	if result.At.IsZero() {
		result.At = now
	}
	r.results.put(c.key, result, now)
}
