package protect

import (
	"hash/maphash"
	"sync"

	"github.com/leadwire/caddy-telecrm/page"
)

// mostPages bounds how many pages are remembered.
const mostPages = 256

// rebuiltPages remembers which forms of which pages a script rebuilds, because most pages are the
// same for each visitor. It is safe for concurrent use.
type rebuiltPages struct {
	seed maphash.Seed

	mu    sync.Mutex
	known map[pageKey]*page.Rebuilt
}

// pageKey identifies a page, or its beginning.
type pageKey struct {
	hash    uint64
	size    int
	isWhole bool
}

func newRebuiltPages() *rebuiltPages {
	return &rebuiltPages{seed: maphash.MakeSeed(), known: make(map[pageKey]*page.Rebuilt)}
}

// read is [page.ReadRebuilt].
func (r *rebuiltPages) read(source []byte, isWhole bool) *page.Rebuilt {
	key := pageKey{maphash.Bytes(r.seed, source), len(source), isWhole}
	r.mu.Lock()
	found := r.known[key]
	r.mu.Unlock()
	if found != nil {
		return found
	}
	found = page.ReadRebuilt(source, isWhole)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= mostPages {
		clear(r.known)
	}
	r.known[key] = found
	return found
}
