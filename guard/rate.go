package guard

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limit is how many posts one visitor may send within a window.
type Limit struct {
	Posts  int
	Window time.Duration
}

// mostPosts bounds how many posts a [Rate] remembers, and its memory to less than 64 MB.
const mostPosts = 1 << 20

// Rate limits posts by visitor: an IPv4 address, or the /64 of an IPv6 address. Its memory is
// bounded. With too many visitors it forgets those that posted longest ago. It is safe for
// concurrent use.
type Rate struct {
	limit Limit
	now   func() time.Time

	mu    sync.Mutex
	pasts *recent[netip.Prefix, *past]
}

// past is a visitor's history within the window.
type past struct {
	posts    []time.Time // oldest first
	mistakes []time.Time // those of posts that were refused for a mistake
	refused  int         // since the last accepted post
}

// drop removes the posts that are no longer within the window.
func (p *past) drop(now time.Time, window time.Duration) {
	isOver := func(at time.Time) bool { return now.Sub(at) >= window || at.After(now) }
	p.posts = slices.DeleteFunc(p.posts, isOver)
	p.mistakes = slices.DeleteFunc(p.mistakes, isOver)
}

// NewRate returns a Rate with the clock now.
func NewRate(limit Limit, now func() time.Time) *Rate {
	visitors := mostPosts / (2 * max(limit.Posts, 16))
	return &Rate{limit: limit, now: now, pasts: newRecent[netip.Prefix, *past](limit.Window, max(visitors, 1))}
}

// Pass is the result of [Rate.Take].
type Pass struct {
	// At is when the post was counted; zero if it was not.
	At time.Time
	// Wait is how long the visitor must wait before posting again; 0 if the post is accepted.
	Wait time.Duration
	// Flood means that the visitor goes on posting: the number of refused posts exceeds the limit
	// too.
	Flood bool
}

// Take counts a post from the address and returns whether it is within the limit. It accepts every
// post from an invalid address, such as that of a Unix socket, because many visitors may share it.
func (r *Rate) Take(addr netip.Addr) Pass {
	visitor := visitorOf(addr)
	if !visitor.IsValid() {
		return Pass{}
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	p, known := r.pasts.get(visitor, now)
	if !known {
		p = new(past)
	}
	r.pasts.put(visitor, p, now)
	p.drop(now, r.limit.Window)
	if len(p.posts) >= r.limit.Posts {
		p.refused++
		return Pass{Wait: r.limit.Window - now.Sub(p.posts[0]), Flood: p.refused > r.limit.Posts}
	}
	p.posts, p.refused = append(p.posts, now), 0
	return Pass{At: now}
}

// Mistaken records that a post from the address, which pass let through, was refused for a mistake
// that its visitor can correct.
func (r *Rate) Mistaken(addr netip.Addr, pass Pass) {
	r.change(addr, func(p *past, _ time.Time) {
		if slices.Contains(p.posts, pass.At) {
			p.mistakes = append(p.mistakes, pass.At)
		}
	})
}

// Corrected gives an address its mistakes back, because a post from it was accepted: correcting a
// form is not sending it several times. The accepted post itself still counts.
func (r *Rate) Corrected(addr netip.Addr) {
	r.change(addr, func(p *past, now time.Time) {
		p.drop(now, r.limit.Window)
		for _, at := range p.mistakes {
			if i := slices.Index(p.posts, at); i >= 0 {
				p.posts = slices.Delete(p.posts, i, i+1)
			}
		}
		p.mistakes = nil
	})
}

// change changes the history of a known visitor.
func (r *Rate) change(addr netip.Addr, apply func(*past, time.Time)) {
	visitor := visitorOf(addr)
	if !visitor.IsValid() {
		return
	}
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, known := r.pasts.get(visitor, now); known {
		apply(p, now)
	}
}
