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

// mostPosts bounds how many posts a [Rate] keeps in mind, and so its memory:
// to less than 64 MB.
const mostPosts = 1 << 20

// Rate counts posts by visitor: an IPv4 address, or the /64 that an IPv6
// address is in. Its memory is bounded; when there are too many visitors it
// forgets those of the longest ago, never the one who just posted. It is safe
// for concurrent use.
type Rate struct {
	limit Limit
	now   func() time.Time

	mu    sync.Mutex
	pasts *recent[netip.Prefix, *past]
}

// past is what a visitor did within the window.
type past struct {
	posts   []time.Time // the oldest first
	refused int         // since the last post that passed
}

// NewRate returns a Rate; now tells the time.
func NewRate(limit Limit, now func() time.Time) *Rate {
	visitors := mostPosts / (2 * max(limit.Posts, 16))
	return &Rate{limit: limit, now: now, pasts: newRecent[netip.Prefix, *past](limit.Window, max(visitors, 1))}
}

// Pass is what a [Rate] says to one post.
type Pass struct {
	// Wait is how long the visitor has to wait until they may post again; 0
	// if they may post.
	Wait time.Duration
	// Flood tells that they go on regardless: they were told to wait as often
	// as they may post.
	Flood bool
}

// Take counts a post from the address, unless it is one too many. An address
// that is none, such as that of a Unix socket, passes: it may be anybody's.
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
	p.posts = slices.DeleteFunc(p.posts, func(at time.Time) bool { return now.Sub(at) >= r.limit.Window || at.After(now) })
	if len(p.posts) >= r.limit.Posts {
		p.refused++
		return Pass{Wait: r.limit.Window - now.Sub(p.posts[0]), Flood: p.refused > r.limit.Posts}
	}
	p.posts, p.refused = append(p.posts, now), 0
	return Pass{}
}
