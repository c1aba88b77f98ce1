package guard

import "time"

// recent keeps values by their keys for a while: at least as long as its
// window, unless it is full, and at most twice as long. It holds two
// generations and drops the older one as a whole, so however many keys
// strangers make up, its size is bounded and no use of it takes long.
type recent[K comparable, V any] struct {
	window time.Duration
	most   int // keys in a generation

	since          time.Time // when the younger generation began
	younger, older map[K]V
}

func newRecent[K comparable, V any](window time.Duration, most int) *recent[K, V] {
	return &recent[K, V]{window: window, most: most, younger: make(map[K]V)}
}

// get returns the key's value; false if there is none any more.
func (r *recent[K, V]) get(key K, now time.Time) (V, bool) {
	r.turn(now, 0)
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
	r.turn(now, more)
	r.younger[key] = value
	delete(r.older, key)
}

func (r *recent[K, V]) forget(key K) {
	delete(r.younger, key)
	delete(r.older, key)
}

// turn begins a new generation if the younger one is old enough, or has no
// room for so many more.
func (r *recent[K, V]) turn(now time.Time, more int) {
	switch age := now.Sub(r.since); {
	case r.since.IsZero(), age < 0:
		r.since = now
	case age >= 2*r.window:
		r.younger, r.older, r.since = make(map[K]V), nil, now
	case age >= r.window:
		r.younger, r.older, r.since = make(map[K]V), r.younger, r.since.Add(r.window)
	}
	if len(r.younger)+more > r.most {
		r.younger, r.older, r.since = make(map[K]V), r.younger, now
	}
}
