package guard

import "time"

// recent keeps values by key for at least its window, unless it is full, and at most twice as long.
// It has two generations and drops the older one as a whole. So its size and the time of each call
// are bounded, however many keys clients invent.
type recent[K comparable, V any] struct {
	window   time.Duration
	capacity int // maximum number of keys in a generation

	since          time.Time // start of the younger generation
	younger, older map[K]V
}

func newRecent[K comparable, V any](window time.Duration, capacity int) *recent[K, V] {
	return &recent[K, V]{window: window, capacity: capacity, younger: make(map[K]V)}
}

// get returns the key's value, or false if it is not kept.
func (r *recent[K, V]) get(key K, now time.Time) (V, bool) {
	r.rotate(now, 0)
	value, ok := r.younger[key]
	if !ok {
		value, ok = r.older[key]
	}
	return value, ok
}

// put keeps the value as of now.
func (r *recent[K, V]) put(key K, value V, now time.Time) {
	more := 1
	if _, known := r.younger[key]; known {
		more = 0
	}
	r.rotate(now, more)
	r.younger[key] = value
	delete(r.older, key)
}

func (r *recent[K, V]) forget(key K) {
	delete(r.younger, key)
	delete(r.older, key)
}

// rotate begins a new generation if the younger one is old enough, or does not have room for more
// keys.
func (r *recent[K, V]) rotate(now time.Time, more int) {
	switch age := now.Sub(r.since); {
	case r.since.IsZero(), age < 0:
		r.since = now
	case age >= 2*r.window:
		r.younger, r.older, r.since = make(map[K]V), nil, now
	case age >= r.window:
		r.younger, r.older, r.since = make(map[K]V), r.younger, r.since.Add(r.window)
	}
	if len(r.younger)+more > r.capacity {
		r.younger, r.older, r.since = make(map[K]V), r.younger, now
	}
}
