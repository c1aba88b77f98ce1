package guard

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A recent never exceeds its size, forgets nothing within the window while there is room, and
// everything after two windows.
func TestRecent(t *testing.T) {
	const window, most = 10 * time.Second, 8
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
		r := newRecent[int, int](window, most)
		type kept struct {
			value int
			at    time.Time
		}
		model := make(map[int]kept)
		keys := rapid.SampledFrom([]int{5, 100}).Draw(rt, "keys")
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				key, value := rapid.IntRange(1, keys).Draw(rt, "key"), rapid.Int().Draw(rt, "value")
				r.put(key, value, now)
				model[key] = kept{value, now}
			},
			"forget": func(rt *rapid.T) {
				key := rapid.IntRange(1, keys).Draw(rt, "key")
				r.forget(key)
				delete(model, key)
			},
			"tick": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 8).Draw(rt, "seconds")) * time.Second)
			},
			"": func(rt *rapid.T) {
				if n := len(r.younger) + len(r.older); n > 2*most {
					rt.Fatalf("%d keys are kept", n)
				}
				for key, want := range model {
					got, ok := r.get(key, now)
					age := now.Sub(want.at)
					switch {
					case ok && (got != want.value || age >= 2*window):
						rt.Fatalf("%d is %d after %s, want %d", key, got, age, want.value)
					case !ok && age < window && keys <= most:
						rt.Fatalf("%d is forgotten after %s", key, age)
					}
				}
			},
		})
	})
}
