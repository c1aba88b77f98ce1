package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// errDamaged: what the file holds contradicts itself, or cannot be read.
var errDamaged = errors.New("the outbox file is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// tables are the file's buckets as one transaction sees them.
type tables struct {
	entries, due, taken, settled, meta, known, aged table

	accounts []string // their names, by their number
}

// all returns the tables by their numbers.
func (t *tables) all() []*table {
	return []*table{&t.entries, &t.due, &t.taken, &t.settled, &t.meta, &t.known, &t.aged}
}

func openTables(tx *bbolt.Tx) (*tables, error) {
	t := new(tables)
	for number, one := range t.all() {
		one.number = byte(number) //nolint:gosec // a handful
		if one.bucket = tx.Bucket(allBuckets[number]); one.bucket == nil {
			return nil, damaged("a table is missing")
		}
	}
	return t, nil
}

// readAccounts reads which accounts there are; before it, shards and find
// know of none.
func (t *tables) readAccounts() error {
	cursor := t.meta.Cursor()
	prefix := []byte(prefixAccount)
	names := make(map[uint32]string)
	for k, v := cursor.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		if len(v) != 4 {
			return damaged("an account has no number")
		}
		names[binary.BigEndian.Uint32(v)] = string(k[len(prefix):])
	}
	t.accounts = make([]string, 0, len(names)+1)
	for number := range uint32(len(names)) { //nolint:gosec // one key each
		name, ok := names[number]
		if !ok {
			return damaged("the accounts' numbers have a gap")
		}
		t.accounts = append(t.accounts, name)
	}
	return nil
}

// account returns the number of the account; false if the file knows none of
// that name.
func (t *tables) account(name string) (uint32, bool) {
	v := t.meta.Get([]byte(prefixAccount + name))
	if len(v) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(v), true
}

// shards returns all accounts' shards of the states with these numbers.
func (t *tables) shards(states ...byte) []shard {
	all := make([]shard, 0, len(t.accounts)*len(states))
	for number := range t.accounts {
		for _, state := range states {
			all = append(all, shard{account: uint32(number), state: state}) //nolint:gosec // it was read as one
		}
	}
	return all
}

// allStates are the numbers of all states.
func allStates() []byte { return []byte{numberWaiting, numberDelivered, numberParked} }

// find returns the record of that id; nil if there is none.
func (t *tables) find(id uuid.UUID) (*record, shard, error) {
	if v := t.taken.Get(id[:]); v != nil {
		if len(v) != 4 {
			return nil, shard{}, damaged("a taken entry has no account")
		}
		at := shardOf(v, numberWaiting)
		r, err := t.read(at, id)
		return r, at, err
	}
	for _, at := range t.shards(allStates()...) {
		if v := t.entries.Get(at.entryKey(id)); v != nil {
			r, err := t.decode(v, at, id)
			return r, at, err
		}
	}
	return nil, shard{}, nil
}

// read returns a record that an index says is there.
func (t *tables) read(at shard, id uuid.UUID) (*record, error) {
	v := t.entries.Get(at.entryKey(id))
	if v == nil {
		return nil, damaged("an index names an entry that is not there")
	}
	return t.decode(v, at, id)
}

// decode decodes what lies in that shard under that id.
func (t *tables) decode(value []byte, at shard, id uuid.UUID) (*record, error) {
	r, err := decodeRecord(value)
	if err != nil {
		return nil, damaged("%v", err)
	}
	if r.id != id || stateNumber(r.entry.State) != at.state || r.entry.Account != t.name(at.account) {
		return nil, damaged("a record is not where it belongs")
	}
	return r, nil
}

// name returns the account's name; none if there is no such number.
func (t *tables) name(account uint32) string {
	if int64(account) >= int64(len(t.accounts)) {
		return ""
	}
	return t.accounts[account]
}

// count returns how many entries the shard holds.
func (t *tables) count(s shard) (uint64, error) {
	v := t.meta.Get(s.countKey())
	if v == nil {
		return 0, nil
	}
	if len(v) != 8 {
		return 0, damaged("a count is no number")
	}
	n := binary.BigEndian.Uint64(v)
	if n > math.MaxInt64 {
		return 0, damaged("a count is below zero")
	}
	return n, nil
}

// changes are the tables of a transaction that writes, and what the batch that
// is under way has changed so far.
type changes struct {
	*tables
	tx *bbolt.Tx
	// pending: the transaction holds changes that the file does not contain.
	pending bool
	redo    redo

	changed bool
	counts  map[shard]int64
	// attempts are the entries of which one began (true) or ended (false).
	attempts map[uuid.UUID]bool
}

func openChanges(tx *bbolt.Tx) (*changes, error) {
	t, err := openTables(tx)
	if err != nil {
		return nil, err
	}
	// Ids and times ascend, so pages fill from the left and stay as they are
	// when they split.
	for _, one := range []*table{&t.entries, &t.due, &t.settled} {
		one.bucket.FillPercent = 0.9
	}
	return &changes{tables: t, tx: tx, counts: make(map[shard]int64), attempts: make(map[uuid.UUID]bool)}, nil
}

// record has what is changed from now on noted for the journal.
func (c *changes) record() {
	c.redo.reset()
	for _, one := range c.all() {
		one.redo = &c.redo
	}
}

// reset forgets the batch before.
func (c *changes) reset() {
	c.changed = false
	c.redo.reset()
	clear(c.counts)
	clear(c.attempts)
}

// numberFor returns the account's number, a new one if it has none.
func (c *changes) numberFor(name string) (uint32, error) {
	if number, ok := c.account(name); ok {
		return number, nil
	}
	c.changed = true
	number := uint32(len(c.accounts)) //nolint:gosec // each takes a key of its own
	c.accounts = append(c.accounts, name)
	return number, c.meta.Put([]byte(prefixAccount+name), number32(number))
}

// insert adds a record, encoded already, that is not there yet.
func (c *changes) insert(r *record, frame []byte) error {
	number, err := c.numberFor(r.entry.Account)
	if err != nil {
		return err
	}
	at := shard{account: number, state: stateNumber(r.entry.State)}
	c.changed = true
	c.counts[at]++
	return errors.Join(c.entries.Put(at.entryKey(r.id), frame), c.index(r, number), c.remember(r))
}

// replace puts next in the place of old, which is at that shard.
func (c *changes) replace(at shard, old, next *record) error {
	next.revision++
	to := shard{account: at.account, state: stateNumber(next.entry.State)}
	err := c.unindex(old, at.account)
	if to != at {
		err = errors.Join(err, c.entries.Delete(at.entryKey(old.id)))
		c.counts[at]--
		c.counts[to]++
	}
	c.changed = true
	return errors.Join(err, c.entries.Put(to.entryKey(next.id), next.encode()), c.index(next, to.account))
}

// remove takes a record away.
func (c *changes) remove(at shard, r *record) error {
	c.changed = true
	c.counts[at]--
	return errors.Join(c.entries.Delete(at.entryKey(r.id)), c.unindex(r, at.account))
}

func (c *changes) index(r *record, account uint32) error {
	switch {
	case r.taken:
		c.attempts[r.id] = true
		return c.taken.Put(r.id[:], number32(account))
	case r.entry.State == outbox.Waiting:
		return c.due.Put(dueKey(account, r.entry.DueAt, r.id), []byte{})
	}
	return c.settled.Put(settledKey(stateNumber(r.entry.State), r.entry.SettledAt, r.id), number32(account))
}

func (c *changes) unindex(r *record, account uint32) error {
	switch {
	case r.taken:
		c.attempts[r.id] = false
		return c.taken.Delete(r.id[:])
	case r.entry.State == outbox.Waiting:
		return c.due.Delete(dueKey(account, r.entry.DueAt, r.id))
	}
	return c.settled.Delete(settledKey(stateNumber(r.entry.State), r.entry.SettledAt, r.id))
}

// writeCounts brings the counts up to date; the last thing before a commit.
func (c *changes) writeCounts() error {
	for s, change := range c.counts {
		if change == 0 {
			continue
		}
		n, err := c.count(s)
		if err != nil {
			return err
		}
		n += uint64(change) //nolint:gosec // wraps around to a difference
		if n > math.MaxInt64 {
			return damaged("there are fewer entries than were counted")
		}
		if n == 0 {
			err = c.meta.Delete(s.countKey())
		} else {
			err = c.meta.Put(s.countKey(), binary.BigEndian.AppendUint64(nil, n))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noneDue checks that an account of which nothing is due has nothing waiting
// either but what is taken: if its index had lost keys, these would wait for
// ever. The count is yet to change by pending.
func (t *tables) noneDue(account uint32, pending int64) error {
	waiting, err := t.count(shard{account, numberWaiting})
	if err != nil {
		return err
	}
	taken := uint64(0)
	cursor := t.taken.Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		if bytes.Equal(v, number32(account)) {
			taken++
		}
	}
	waiting += uint64(pending) //nolint:gosec // wraps around to a difference
	if taken != waiting {
		return damaged("%d entries of an account wait, and %d are taken, but none is due", waiting, taken)
	}
	return nil
}
