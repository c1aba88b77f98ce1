package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// While the outbox's disk is full, delivered entries are removed to make room. Parked entries stay.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fakeCRM{create: answers(ok, rejected, ok)})
		defer r.stop()
		for _, phone := range []string{"918123456781", "918123456782"} {
			r.submit(phone, time.Minute)
		}
		synctest.Wait()
		wantStates(t, r, outbox.Delivered, outbox.Parked)

		r.store.setHealth(outbox.ErrFull)
		time.Sleep(time.Second)
		r.submit("918123456783", time.Minute)
		time.Sleep(time.Second)
		r.submit("918123456784", time.Minute)
		synctest.Wait()
		// The last delivered entry is not older than the removal.
		wantStates(t, r, outbox.Parked, outbox.Delivered)
	})
}

// Delivered entries are also removed if the disk is so full that nothing can be taken or settled
// before that.
func TestJammedDisk(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]telecrm.Answer{"taking": down, "settling": ok} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, &fakeCRM{create: answers(ok, later, ok)})
				defer r.stop()
				r.submit("918123456781", time.Minute)
				if name == "taking" {
					r.submit("918123456782", time.Minute)
				}
				time.Sleep(10 * time.Millisecond)
				r.store.jam()
				if name == "settling" {
					r.submit("918123456782", time.Minute)
				}
				time.Sleep(30 * time.Second) // less than until the first maintenance
				synctest.Wait()
				r.store.mu.Lock()
				defer r.store.mu.Unlock()
				for _, e := range r.store.entries {
					if e.State != outbox.Delivered {
						t.Errorf("an entry is %s", e.State)
					}
				}
			})
		})
	}
}

// wantStates checks the states of all entries, in any order.
func wantStates(t *testing.T, r *rig, want ...outbox.State) {
	t.Helper()
	counts := make(map[outbox.State]int)
	for _, state := range want {
		counts[state]++
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	for _, e := range r.store.entries {
		counts[e.State]--
	}
	for state, missing := range counts {
		if missing != 0 {
			t.Errorf("%d entries missing as %s", missing, state)
		}
	}
}
