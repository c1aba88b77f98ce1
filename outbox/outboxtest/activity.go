package outboxtest

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// idAt returns a new id of version 7 that is made at the given time.
func idAt(at time.Time) string {
	id := uuid.Must(uuid.NewV7())
	var made [8]byte
	binary.BigEndian.PutUint64(made[:], uint64(at.UnixMilli())<<16) //nolint:gosec // after 1970
	copy(id[:6], made[:6])
	return id.String()
}

// testActivity counts entries by hours, and compares with a count of the list.
func testActivity(t *testing.T, f *fixture) {
	hour := f.clock.now().Truncate(time.Hour)
	var removed string
	for i := range 24 {
		f.clock.advance(10 * time.Minute)
		now := f.clock.now()
		if i%8 == 0 {
			now = now.Truncate(time.Hour) // the first moment of an hour
		}
		e := f.append(t, func(e *outbox.Entry) { e.ID, e.CreatedAt, e.BegunAt = idAt(now), now, now })
		if i%4 == 0 {
			continue // in flight
		}
		state := outbox.States()[i%3]
		settlement := outbox.Settlement{State: state, At: now.Add(30 * time.Minute), DueAt: now, Lazy: i%5 == 0}
		must(t, f.store.Settle(t.Context(), e.ID, settlement))
		removed = e.ID
	}
	must(t, f.store.Erase(t.Context(), removed))
	check := func() (sum outbox.Activity) {
		t.Helper()
		entries, err := f.store.List(t.Context(), outbox.Filter{})
		must(t, err)
		for from := hour; from.Before(hour.Add(6 * time.Hour)); from = from.Add(time.Hour) {
			to := from.Add(time.Hour)
			within := func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
			var want outbox.Activity
			for _, e := range entries {
				if within(e.CreatedAt) {
					want.Appended++
				}
				if within(e.SettledAt) && e.State == outbox.Delivered {
					want.Delivered++
				}
				if within(e.SettledAt) && e.State == outbox.Parked {
					want.Parked++
				}
			}
			got, err := f.store.Activity(t.Context(), from, to)
			must(t, err)
			if got != want {
				t.Errorf("Activity from %v = %+v, want %+v", from, got, want)
			}
			sum = outbox.Activity{Appended: sum.Appended + got.Appended, Delivered: sum.Delivered + got.Delivered, Parked: sum.Parked + got.Parked}
		}
		return sum
	}
	sum := check()
	if sum.Appended != 23 || sum.Delivered == 0 || sum.Parked == 0 {
		t.Errorf("Activity counts %+v in all hours", sum)
	}
	f.reopen(t)
	if again := check(); again != sum {
		t.Errorf("Activity counts %+v after the store was reopened, want %+v", again, sum)
	}
	if none, err := f.store.Activity(t.Context(), hour.Add(time.Hour), hour.Add(time.Hour)); err != nil || none != (outbox.Activity{}) {
		t.Errorf("Activity of no time = %+v, error %v", none, err)
	}
}
