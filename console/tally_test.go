package console

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/outbox"
)

func TestTallyCountsByTheHour(t *testing.T) {
	start := time.Date(2026, 11, 24, 23, 15, 0, 0, time.UTC)
	now := start
	tally := NewTally(func() time.Time { return now })
	tally.Accepted()
	tally.Accepted()
	tally.Settled(outbox.Delivered)
	tally.Settled(outbox.Waiting)
	now = start.Add(time.Hour)
	tally.Settled(outbox.Parked)
	for _, test := range []struct {
		after time.Duration
		want  map[int]Counts // by hours ago
	}{
		{time.Hour, map[int]Counts{1: {Accepted: 2, Delivered: 1}, 0: {Parked: 1}}},
		{23 * time.Hour, map[int]Counts{23: {Accepted: 2, Delivered: 1}, 22: {Parked: 1}}},
		{24 * time.Hour, map[int]Counts{23: {Parked: 1}}},
		{100 * time.Hour, nil},
	} {
		now = start.Add(test.after)
		c := tally.Counted()
		if len(c.Hours) != hours || !c.Since.Equal(start) {
			t.Fatalf("%d hours since %v", len(c.Hours), c.Since)
		}
		for i, h := range c.Hours {
			ago := hours - 1 - i
			if begins := now.Truncate(time.Hour).Add(-time.Duration(ago) * time.Hour); !h.Start.Equal(begins) {
				t.Errorf("%d hours ago begins at %v, want %v", ago, h.Start, begins)
			}
			if h.Counts != test.want[ago] {
				t.Errorf("after %v, %d hours ago: %+v, want %+v", test.after, ago, h.Counts, test.want[ago])
			}
		}
	}
	// An hour replaces the same hour of the day before.
	now = start.Add(24 * time.Hour)
	tally.Accepted()
	if got := tally.Counted().Hours[hours-1].Counts; got != (Counts{Accepted: 1}) {
		t.Errorf("counts %+v", got)
	}
}

func TestTallyOfRemarks(t *testing.T) {
	tally := NewTally(time.Now)
	tally.Remarked("enquiry", "city")
	tally.Remarked("callback", "city")
	tally.Remarked("enquiry", "city")
	want := []Remark{{"enquiry", "city", 2}, {"callback", "city", 1}}
	if diff := cmp.Diff(want, tally.Counted().Remarks); diff != "" {
		t.Errorf("remarks (-want +got):\n%s", diff)
	}
	for i := range mostRemarked + 50 {
		tally.Remarked("enquiry", fmt.Sprint(i))
	}
	tally.Remarked("enquiry", "city")
	c := tally.Counted()
	if len(c.Remarks) != mostRemarked || c.OtherRemarks != 52 || c.Remarks[0].Times != 3 {
		t.Errorf("%d fields, %d others, %d times the first", len(c.Remarks), c.OtherRemarks, c.Remarks[0].Times)
	}
}

func TestTallyFromManySides(t *testing.T) {
	tally := NewTally(time.Now)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 100 {
				tally.Accepted()
				tally.Settled(outbox.Delivered)
				tally.Remarked("a", "b")
				tally.Counted()
			}
		})
	}
	all.Wait()
	var sum Counts
	for _, h := range tally.Counted().Hours {
		sum.Accepted += h.Accepted
		sum.Delivered += h.Delivered
	}
	if sum != (Counts{Accepted: 2000, Delivered: 2000}) {
		t.Errorf("counted %+v", sum)
	}
}

func TestNiceTop(t *testing.T) {
	for n := range 5000 {
		top := niceTop(n)
		if top < n || top > max(2, 2*n) || top%2 != 0 {
			t.Errorf("the top of %d is %d", n, top)
		}
	}
}
