package pgstore

import (
	"math"
	"sync"
	"time"
)

// While somebody keeps a transaction open, PostgreSQL cannot remove the dead versions of entries that
// were due. They are the first in the index of what is due, so that looking for the next entry passes
// over all of them. Therefore a node remembers before which time no entry of an account is due. It
// knows of its own changes, and looks for those of the other nodes from time to time.

// floorAge is how long a floor holds.
const floorAge = reserved

type floors struct {
	mu sync.Mutex
	of map[string]*floor // by account
}

// floor says that no entry of an account is due before at.
type floor struct {
	at    int64
	until time.Time
	// seeking is true while the node looks for the first entry, and lowest is the time of the first one
	// that it has made due meanwhile.
	seeking bool
	lowest  int64
}

// get returns the time before which no entry is due.
func (f *floors) get(account string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.of[account]; known != nil && time.Now().Before(known.until) {
		return known.at
	}
	return math.MinInt64
}

// seek begins to look for the first entry. The caller passes the time that it finds to found, which
// is nil if another goroutine looks for it.
func (f *floors) seek(account string) (found func(at int64)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil {
		f.of = make(map[string]*floor)
	}
	known := f.of[account]
	if known == nil {
		known = &floor{at: math.MinInt64}
		f.of[account] = known
	}
	if known.seeking {
		return nil
	}
	known.seeking, known.lowest = true, math.MaxInt64
	full := !time.Now().Before(known.until)
	return func(at int64) {
		f.mu.Lock()
		defer f.mu.Unlock()
		known.seeking = false
		known.at = min(at, known.lowest)
		if full {
			known.until = time.Now().Add(floorAge)
		}
	}
}

// lower records that an entry has become due.
func (f *floors) lower(account string, at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.of[account]; known != nil {
		known.at, known.lowest = min(known.at, at), min(known.lowest, at)
	}
}

// forget records that entries of any account may have become due.
func (f *floors) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, known := range f.of {
		known.at, known.lowest = math.MinInt64, math.MinInt64
	}
}
