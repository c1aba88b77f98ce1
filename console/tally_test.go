package console

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

func TestTallyCountsByTheHour(t *testing.T) {
	start := time.Date(2026, 11, 24, 23, 15, 0, 0, time.UTC)
	now := start
	tally := NewTally(func() time.Time { return now })
	tally.Accepted("")
	tally.Accepted("")
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
	tally.Accepted("")
	if got := tally.Counted().Hours[hours-1].Counts; got != (Counts{Accepted: 1}) {
		t.Errorf("counts %+v", got)
	}
}

// The hours before a tally began are asked for once, and added to what was counted since.
func TestTallyRecalls(t *testing.T) {
	start := time.Date(2026, 11, 24, 23, 15, 0, 0, time.UTC)
	now := start
	tally := NewTally(func() time.Time { return now })
	now = start.Add(3 * time.Hour)
	tally.Accepted("")
	now = start.Add(time.Minute)
	tally.Accepted("")
	now = start.Add(4 * time.Hour)

	broken := errors.New("the disk does not answer")
	if err := tally.Recall(func(time.Time, time.Time) (Counts, error) { return Counts{Accepted: 9}, broken }); !errors.Is(err, broken) || tally.Counted().Recalled {
		t.Errorf("a recall that fails: error %v, counted %+v", err, tally.Counted())
	}
	var until time.Time
	calls := 0
	for range 2 {
		err := tally.Recall(func(from, to time.Time) (Counts, error) {
			if calls++; calls > 1 && !from.Equal(until) || to.Sub(from) > time.Hour {
				t.Errorf("asked for %v to %v after %v", from, to, until)
			}
			until = to
			return Counts{Accepted: 1, Delivered: 2, Parked: 3}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if calls != 20 || !until.Equal(start) {
		t.Errorf("%d hours until %v; want 20 until %v", calls, until, start)
	}
	c := tally.Counted()
	if !c.Recalled {
		t.Error("not recalled")
	}
	for i, h := range c.Hours {
		want := Counts{Accepted: 1, Delivered: 2, Parked: 3}
		switch ago := hours - 1 - i; {
		case ago == 4:
			want.Accepted++ // in the hour in which counting began
		case ago == 1:
			want = Counts{Accepted: 1}
		case ago < 4:
			want = Counts{}
		}
		if h.Counts != want {
			t.Errorf("the hour from %v has %+v, want %+v", h.Start, h.Counts, want)
		}
	}
}

// A post that arrived while the outbox was opened is counted once.
func TestTallyBeginsWithTheFirstPost(t *testing.T) {
	id := uuid.Must(uuid.NewV7())
	arrived := time.Unix(id.Time().UnixTime())
	tally := NewTally(func() time.Time { return arrived.Add(time.Second) })
	tally.Accepted(id.String())
	var until time.Time
	if err := tally.Recall(func(_, to time.Time) (Counts, error) { until = to; return Counts{}, nil }); err != nil {
		t.Fatal(err)
	}
	if until.After(arrived) || until.Before(arrived.Add(-time.Millisecond)) {
		t.Errorf("recalled until %v; the post arrived at %v", until, arrived)
	}
}

// A tally that began long ago does not ask for anything.
func TestTallyRecallsNothing(t *testing.T) {
	now := time.Date(2026, 11, 24, 23, 15, 0, 0, time.UTC)
	tally := NewTally(func() time.Time { return now })
	now = now.Add(25 * time.Hour)
	if err := tally.Recall(func(time.Time, time.Time) (Counts, error) { return Counts{}, errors.New("asked") }); err != nil {
		t.Error(err)
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
				tally.Accepted("")
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
