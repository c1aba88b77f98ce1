// Package console renders the page for operators, and counts what it shows.
package console

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// hours is the number of hours that a Tally counts.
const hours = 24

// mostRemarked bounds the fields that a Tally counts separately.
const mostRemarked = 200

// Tally counts leads per hour, for the last 24 hours, and TeleCRM's remarks per form and field. It
// keeps the counts in memory, and gets those of the hours before it began from [Tally.Recall]. It is
// safe for concurrent use.
type Tally struct {
	now func() time.Time

	recall   sync.Mutex // held during a recall
	mu       sync.Mutex
	since    time.Time
	recalled bool
	ring     [hours]hourCount
	remarks  map[remarked]int
	others   int
}

// hourCount has the counts of one hour. Its number counts hours since 1970.
type hourCount struct {
	number int64
	Counts
}

// Counts has the numbers of leads accepted from visitors, delivered and parked.
type Counts struct {
	Accepted, Delivered, Parked int
}

type remarked struct{ form, field string }

// NewTally returns a tally that reads the time from now.
func NewTally(now func() time.Time) *Tally {
	return &Tally{now: now, since: now(), remarks: make(map[remarked]int)}
}

// hour returns the counts of the current hour.
func (t *Tally) hour() *Counts { return t.hourNumbered(hourOf(t.now())) }

func (t *Tally) hourNumbered(number int64) *Counts {
	at := &t.ring[number%hours]
	if at.number != number {
		*at = hourCount{number: number}
	}
	return &at.Counts
}

func hourOf(at time.Time) int64 { return at.Unix() / int64(time.Hour/time.Second) }

func startOf(number int64) time.Time { return time.Unix(number*int64(time.Hour/time.Second), 0) }

// Recall adds the counts of the last 24 hours before the tally began. It calls count for each hour,
// until one call after the other succeeds, and not again after that.
func (t *Tally) Recall(count func(from, to time.Time) (Counts, error)) error {
	t.recall.Lock()
	defer t.recall.Unlock()
	since, recalled := t.began()
	if recalled {
		return nil
	}
	var earlier []hourCount
	last := hourOf(since)
	for number := hourOf(t.now()) - hours + 1; number <= last; number++ {
		to := startOf(number + 1)
		if to.After(since) {
			to = since
		}
		counts, err := count(startOf(number), to)
		if err != nil {
			return err
		}
		earlier = append(earlier, hourCount{number, counts})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recalled = true
	for _, h := range earlier {
		if h.number <= hourOf(t.now())-hours {
			continue // its place in the ring may have been taken
		}
		sum := t.hourNumbered(h.number)
		sum.Accepted += h.Accepted
		sum.Delivered += h.Delivered
		sum.Parked += h.Parked
	}
	return nil
}

func (t *Tally) began() (since time.Time, recalled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.since, t.recalled
}

// Accepted counts the lead with that id, which was written to the outbox. The post may have arrived
// before the tally began, while the outbox was opened. Counting then begins with the post, or Recall
// would count it again.
func (t *Tally) Accepted(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hour().Accepted++
	if parsed, err := uuid.Parse(id); err == nil && parsed.Version() == 7 {
		if arrived := time.Unix(parsed.Time().UnixTime()); arrived.Before(t.since) {
			t.since = arrived
		}
	}
}

// Settled counts a lead that was delivered or parked. It ignores waiting leads.
func (t *Tally) Settled(state outbox.State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch state {
	case outbox.Delivered:
		t.hour().Delivered++
	case outbox.Parked:
		t.hour().Parked++
	case outbox.Waiting:
	}
}

// Remarked counts a field that TeleCRM did not store as it was sent.
func (t *Tally) Remarked(form, field string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := remarked{form, field}
	if _, known := t.remarks[key]; !known && len(t.remarks) >= mostRemarked {
		t.others++
		return
	}
	t.remarks[key]++
}

// Counted has the counts of a [Tally].
type Counted struct {
	// Since is the time at which counting began. Recalled reports whether Hours has the time before it
	// too, as far as it is known.
	Since    time.Time
	Recalled bool
	// Hours has the last 24 hours, oldest first, including the current one.
	Hours []Hour
	// Remarks has the most frequent remarks first.
	Remarks []Remark
	// OtherRemarks counts the remarks of fields beyond the first 200.
	OtherRemarks int
}

// Hour has the counts of the hour that began at Start.
type Hour struct {
	Start time.Time
	Counts
}

// Remark counts how often TeleCRM did not store a field of a form as sent.
type Remark struct {
	Form, Field string
	Times       int
}

// Counted returns the counts so far.
func (t *Tally) Counted() Counted {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Counted{Since: t.since, Recalled: t.recalled, OtherRemarks: t.others}
	last := hourOf(t.now())
	for number := last - hours + 1; number <= last; number++ {
		h := Hour{Start: startOf(number)}
		if at := t.ring[number%hours]; at.number == number {
			h.Counts = at.Counts
		}
		c.Hours = append(c.Hours, h)
	}
	for key, times := range t.remarks {
		c.Remarks = append(c.Remarks, Remark{key.form, key.field, times})
	}
	slices.SortFunc(c.Remarks, func(a, b Remark) int {
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Form, b.Form), cmp.Compare(a.Field, b.Field))
	})
	return c
}
