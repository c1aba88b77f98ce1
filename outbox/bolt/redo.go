package bolt

import (
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// table is a bucket whose changes are noted for the journal. Whatever changes
// a bucket goes through one, so that a replay of the journal does the same.
type table struct {
	bucket *bbolt.Bucket
	number byte
	redo   *redo // nil: the changes need no journal
}

// Get returns the key's value; nil if there is none.
func (t *table) Get(key []byte) []byte { return t.bucket.Get(key) }

// Cursor returns a cursor, which is to read only.
func (t *table) Cursor() *bbolt.Cursor { return t.bucket.Cursor() }

// Put sets a key. The value must not be changed by the caller until the
// transaction has ended.
func (t *table) Put(key, value []byte) error {
	if err := t.bucket.Put(key, value); err != nil {
		return err
	}
	if t.redo != nil {
		t.redo.put(t.number, key, value)
	}
	return nil
}

// Delete removes a key.
func (t *table) Delete(key []byte) error {
	if err := t.bucket.Delete(key); err != nil {
		return err
	}
	if t.redo != nil {
		t.redo.delete(t.number, key)
	}
	return nil
}

// redo is what a batch has changed, as the journal's frame of it: the room for
// its header, and a body of one step after the other, each
//
//	table's number (1) | length of the key (uvarint) | key | length of the value (uvarint) | value
//
// A step that deletes its key has the number's highest bit set and no value.
// Values are whole, so that steps done twice do no harm.
type redo struct {
	frame []byte
	steps int // in frame
}

const (
	stepDeletes = 0x80
	// keepRedo is how much memory is kept for the next batch.
	keepRedo = 1 << 20
)

func (r *redo) reset() {
	if cap(r.frame) < journalHeaderSize || cap(r.frame) > keepRedo {
		r.frame = make([]byte, journalHeaderSize, 1<<13)
	}
	r.frame, r.steps = r.frame[:journalHeaderSize], 0
}

func (r *redo) put(number byte, key, value []byte) {
	r.steps++
	r.frame = appendSized(append(r.frame, number), key)
	r.frame = appendSized(r.frame, value)
}

func (r *redo) delete(number byte, key []byte) {
	r.steps++
	r.frame = appendSized(append(r.frame, number|stepDeletes), key)
}

func appendSized(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// step is one change to one key.
type step struct {
	table      byte
	deletes    bool
	key, value []byte
}

// steps visits the steps of a frame's body; it returns errFrame if the body is
// none.
func steps(body []byte, visit func(step) error) error {
	for len(body) > 0 {
		s := step{table: body[0] &^ stepDeletes, deletes: body[0]&stepDeletes != 0}
		var ok bool
		if s.key, body, ok = cutSized(body[1:]); !ok {
			return errFrame
		}
		if !s.deletes {
			if s.value, body, ok = cutSized(body); !ok {
				return errFrame
			}
		}
		if err := visit(s); err != nil {
			return err
		}
	}
	return nil
}

func cutSized(b []byte) (value, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) { //nolint:gosec // no less than n was read
		return nil, nil, false
	}
	end := n + int(size) //nolint:gosec // it was just bounded
	return b[n:end:end], b[end:], true
}
