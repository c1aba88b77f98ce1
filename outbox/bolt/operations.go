package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// maxPassedOver bounds how many busy entries one Take looks at, so that many
// posts of one visitor cannot hold up the others' commits.
const maxPassedOver = 1000

// add adds a record that its caller has encoded. No id in the file is greater
// than highest, which is kept up to date.
func (c *changes) add(r *record, frame []byte, highest *uuid.UUID) error {
	if bytes.Compare(r.id[:], highest[:]) > 0 {
		*highest = r.id // most ids are greater than all before them
	} else if known, _, err := c.find(r.id); err != nil {
		return err
	} else if known != nil {
		return outbox.ErrExists
	}
	return c.insert(r, frame)
}

// highestID returns the greatest id of all entries. It reads the last entry of
// each shard.
func (t *tables) highestID() (highest uuid.UUID, err error) {
	for _, s := range t.shards(allStates()...) {
		cursor := t.entries.Cursor()
		step := cursor.Prev
		if k, _ := cursor.Seek(shard{s.account, s.state + 1}.prefix()); k == nil {
			step = cursor.Last
		}
		k, v := step()
		if len(k) != entryKeySize || !bytes.HasPrefix(k, s.prefix()) {
			continue
		}
		r, err := t.decode(v, s, uuid.UUID(k[entryShardSize:]))
		if err != nil {
			return uuid.Nil, err
		}
		if bytes.Compare(r.id[:], highest[:]) > 0 {
			highest = r.id
		}
	}
	return highest, nil
}

// take takes entries of the account that are due.
func (c *changes) take(name string, due, now time.Time, limit int, busy func(string) bool) ([]outbox.Entry, error) {
	number, ok := c.account(name)
	if !ok {
		return nil, nil
	}
	at := shard{account: number, state: numberWaiting}
	chosen, passed, err := c.choose(at, due, limit, busy)
	if err != nil {
		return nil, err
	}
	for _, r := range passed {
		later := r.clone()
		later.entry.DueAt = utc(now.Add(time.Second))
		if err := c.replace(at, r, later); err != nil {
			return nil, err
		}
	}
	entries := make([]outbox.Entry, 0, len(chosen))
	for _, r := range chosen {
		begun := r.clone()
		begun.taken = true
		begun.entry.Attempts++
		begun.entry.BegunAt = utc(now)
		if err := c.replace(at, r, begun); err != nil {
			return nil, err
		}
		entries = append(entries, begun.entry)
	}
	return entries, nil
}

// choose reads what is due, and tells which of it is to be taken and which is
// busy.
func (c *changes) choose(at shard, due time.Time, limit int, busy func(string) bool) (chosen, passed []*record, err error) {
	prefix := number32(at.account)
	cursor := c.due.Cursor()
	for k, _ := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = cursor.Next() {
		if len(chosen) >= limit || len(passed) >= maxPassedOver {
			break
		}
		_, when, id, ok := dueOfKey(k)
		if !ok {
			return nil, nil, damaged("a key of what is due is none")
		}
		if when > keyTime(due) {
			break
		}
		r, err := c.read(at, id)
		if err != nil {
			return nil, nil, err
		}
		if r.taken || keyTime(r.entry.DueAt) != when {
			return nil, nil, damaged("an entry is not due when its index says")
		}
		if busy != nil && r.entry.Identifier != "" && busy(r.entry.Identifier) {
			passed = append(passed, r)
		} else {
			chosen = append(chosen, r)
		}
	}
	if k, _ := cursor.Seek(prefix); !bytes.HasPrefix(k, prefix) {
		err = c.noneDue(at.account, c.counts[at])
	}
	return chosen, passed, err
}

// findTaken returns the record of a taken entry.
func (c *changes) findTaken(id uuid.UUID) (*record, shard, error) {
	r, at, err := c.find(id)
	switch {
	case err != nil:
		return nil, shard{}, err
	case r == nil:
		return nil, shard{}, outbox.ErrNotFound
	case !r.taken:
		return nil, shard{}, fmt.Errorf("it is %s and not taken: %w", r.entry.State, outbox.ErrState)
	}
	return r, at, nil
}

// advance records that the next step of an attempt begins.
func (c *changes) advance(id uuid.UUID, p outbox.Progress) error {
	r, at, err := c.findTaken(id)
	if err != nil {
		return err
	}
	next := r.clone()
	e := &next.entry
	e.Step, e.LeadID, e.Reason = p.Step, p.LeadID, p.Reason
	e.BegunAt, e.AmbiguousSince = utc(p.At), time.Time{}
	return c.replace(at, r, next)
}

// settle records what became of a taken entry.
func (c *changes) settle(id uuid.UUID, s outbox.Settlement) error {
	r, at, err := c.findTaken(id)
	if err != nil {
		return err
	}
	next := r.clone()
	next.taken = false
	e := &next.entry
	e.State = s.State
	e.DueAt, e.SettledAt = time.Time{}, time.Time{}
	if s.State == outbox.Waiting {
		e.DueAt = utc(s.DueAt)
	} else {
		e.SettledAt = utc(s.At)
	}
	e.Step, e.Reason, e.LeadID = s.Step, s.Reason, s.LeadID
	e.AmbiguousSince, e.FailingSince = utc(s.AmbiguousSince), utc(s.FailingSince)
	if s.Uncounted {
		e.Attempts = max(e.Attempts-1, 0)
	}
	return errors.Join(c.replace(at, r, next), c.remember(next))
}

// retry makes a waiting or parked entry due.
func (c *changes) retry(id uuid.UUID, when time.Time) error {
	r, at, err := c.find(id)
	if err != nil {
		return err
	}
	if r == nil {
		return outbox.ErrNotFound
	}
	if r.taken || r.entry.State == outbox.Delivered {
		return fmt.Errorf("%s: %w", stateOf(r), outbox.ErrState)
	}
	next := r.clone()
	e := &next.entry
	e.State, e.DueAt, e.SettledAt = outbox.Waiting, utc(when), time.Time{}
	e.Attempts, e.FailingSince = 0, time.Time{}
	return c.replace(at, r, next)
}

// erase removes an entry.
func (c *changes) erase(id uuid.UUID) error {
	r, at, err := c.find(id)
	if err != nil {
		return err
	}
	if r == nil {
		return outbox.ErrNotFound
	}
	if r.taken {
		return fmt.Errorf("%s: %w", stateOf(r), outbox.ErrState)
	}
	return c.remove(at, r)
}

func stateOf(r *record) string {
	if r.taken {
		return "an attempt is under way"
	}
	return "it is " + string(r.entry.State)
}

// expire removes entries that reached the state before that time.
func (c *changes) expire(state byte, before time.Time, limit int) (int, error) {
	var old []shardedID
	cursor := c.settled.Cursor()
	prefix := []byte{state}
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix) && len(old) < limit; k, v = cursor.Next() {
		if len(k) != settledKeySize || len(v) != 4 {
			return 0, damaged("a key of what is settled is none")
		}
		if bytes.Compare(k, settledKey(state, before, uuid.Nil)) >= 0 {
			break
		}
		old = append(old, shardedID{shardOf(v, state), uuid.UUID(k[9:])})
	}
	for _, o := range old {
		r, err := c.read(o.shard, o.id)
		if err != nil {
			return 0, err
		}
		if err := c.remove(o.shard, r); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

type shardedID struct {
	shard shard
	id    uuid.UUID
}

// release makes the entries due whose attempts were begun by a process that
// is no more. What became of those attempts is not known.
func (c *changes) release(now time.Time) error {
	var left []shardedID
	cursor := c.taken.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		if len(k) != len(uuid.UUID{}) || len(v) != 4 {
			return damaged("a key of what is taken is none")
		}
		left = append(left, shardedID{shardOf(v, numberWaiting), uuid.UUID(k)})
	}
	for _, l := range left {
		r, err := c.read(l.shard, l.id)
		if err != nil {
			return err
		}
		if !r.taken {
			return damaged("an entry is not taken though its index says so")
		}
		next := r.clone()
		next.abandon(now)
		if err := c.replace(l.shard, r, next); err != nil {
			return err
		}
	}
	return nil
}

// abandon makes a taken record one that is due, with the attempt's outcome
// unknown.
func (r *record) abandon(now time.Time) {
	r.taken = false
	r.entry.DueAt = utc(now)
	if r.entry.AmbiguousSince.IsZero() {
		r.entry.AmbiguousSince = r.entry.BegunAt
	}
}

// utc returns t as it is stored: in UTC, and without a monotonic reading.
func utc(t time.Time) time.Time { return t.Round(0).UTC() }
