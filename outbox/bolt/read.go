package bolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// maxPage is the length of a list's page.
const maxPage = 1000

var errAway = errors.New("the outbox file cannot be opened")

// NextDue implements [outbox.Store].
func (s *Store) NextDue(ctx context.Context, account string) (due time.Time, found bool, err error) {
	err = s.read(ctx, func(t *tables) error {
		number, ok := t.account(account)
		if !ok {
			return nil
		}
		prefix := number32(number)
		k, _ := t.due.Cursor().Seek(prefix)
		if !bytes.HasPrefix(k, prefix) {
			return t.noneDue(number, 0)
		}
		_, at, _, ok := dueOfKey(k)
		if !ok {
			return damaged("a key of what is due is none")
		}
		due, found = timeOfKey(at), true
		return nil
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("looking for what is due: %w", err)
	}
	return due, found, nil
}

// Get implements [outbox.Store].
func (s *Store) Get(ctx context.Context, id string) (entry outbox.Entry, err error) {
	parsed, err := parseID(id)
	if err != nil {
		return outbox.Entry{}, fmt.Errorf("getting entry: %w: %w", err, outbox.ErrNotFound)
	}
	err = s.read(ctx, func(t *tables) error {
		if err := t.readAccounts(); err != nil {
			return err
		}
		r, _, err := t.find(parsed)
		if err == nil && r == nil {
			err = outbox.ErrNotFound
		}
		if err == nil {
			entry = r.entry
		}
		return err
	})
	if err != nil {
		return outbox.Entry{}, fmt.Errorf("getting entry %s: %w", parsed, err)
	}
	return entry, nil
}

// Counts implements [outbox.Store].
func (s *Store) Counts(ctx context.Context) (counts []outbox.Count, err error) {
	err = s.read(ctx, func(t *tables) error {
		counts = nil
		if err := t.readAccounts(); err != nil {
			return err
		}
		for _, of := range t.shards(allStates()...) {
			n, err := t.count(of)
			if err != nil {
				return err
			}
			if n > 0 {
				counts = append(counts, outbox.Count{
					Account: t.accounts[of.account],
					State:   stateNames[of.state-1],
					Entries: int(n), //nolint:gosec // count has bounded it
				})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting entries: %w", err)
	}
	slices.SortStableFunc(counts, func(a, b outbox.Count) int { return cmp.Compare(a.Account, b.Account) })
	return counts, nil
}

// List implements [outbox.Store].
func (s *Store) List(ctx context.Context, f outbox.Filter) (page []outbox.Entry, err error) {
	var after uuid.UUID
	if f.After != "" {
		if after, err = parseID(f.After); err != nil {
			return nil, fmt.Errorf("listing entries after one: %w", err)
		}
	}
	states := allStates()
	if f.State != "" {
		number := stateNumber(f.State)
		if number == 0 {
			return nil, fmt.Errorf("listing %q entries: %w", f.State, outbox.ErrState)
		}
		states = []byte{number}
	}
	limit := f.Limit
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	err = s.read(ctx, func(t *tables) (err error) {
		if err := t.readAccounts(); err != nil {
			return err
		}
		shards := t.shards(states...)
		if f.Account != "" {
			shards = slices.DeleteFunc(shards, func(of shard) bool { return t.accounts[of.account] != f.Account })
		}
		page, err = t.list(shards, after, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing entries: %w", err)
	}
	return page, nil
}

// list merges the shards' entries by id.
func (t *tables) list(shards []shard, after uuid.UUID, limit int) ([]outbox.Entry, error) {
	heads := make([]*listHead, 0, len(shards))
	for _, of := range shards {
		h := &listHead{shard: of, cursor: t.entries.Cursor()}
		h.set(h.cursor.Seek(of.entryKey(after)))
		if h.value != nil && h.id == after {
			h.set(h.cursor.Next())
		}
		heads = append(heads, h)
	}
	var page []outbox.Entry
	for len(page) < limit {
		heads = slices.DeleteFunc(heads, func(h *listHead) bool { return h.value == nil })
		if len(heads) == 0 {
			break
		}
		first := slices.MinFunc(heads, func(a, b *listHead) int { return bytes.Compare(a.id[:], b.id[:]) })
		r, err := t.decode(first.value, first.shard, first.id)
		if err != nil {
			return nil, err
		}
		page = append(page, r.entry)
		first.set(first.cursor.Next())
	}
	return page, nil
}

// listHead is the next entry of a shard that is being listed.
type listHead struct {
	shard  shard
	cursor *bbolt.Cursor
	id     uuid.UUID
	value  []byte // nil when there is none
}

func (h *listHead) set(k, v []byte) {
	h.value = nil
	if len(k) == entryKeySize && binary.BigEndian.Uint32(k) == h.shard.account && k[4] == h.shard.state {
		h.id, h.value = uuid.UUID(k[entryShardSize:]), v
	}
}

// read runs f in a transaction that reads. What f finds damaged the writer
// mends, and f is run once more.
func (s *Store) read(ctx context.Context, f func(*tables) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	seen, err := s.readOnce(f)
	if !errors.Is(err, errDamaged) && !errors.Is(err, errAway) {
		return err
	}
	cause := err
	mend := &operation{done: make(chan error, 1), alone: func() error { return s.mend(seen, cause) }}
	if err := s.await(ctx, mend); err != nil {
		return err
	}
	_, err = s.readOnce(f)
	return err
}

func (s *Store) readOnce(f func(*tables) error) (*handle, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, outbox.ErrClosed
	}
	if s.handle == nil {
		return nil, errAway
	}
	return s.handle, s.handle.view(func(tx *bbolt.Tx) error {
		t, err := openTables(tx)
		if err != nil {
			return err
		}
		return f(t)
	})
}

// mend salvages the file that a reader found damaged, unless that was done
// meanwhile.
func (s *Store) mend(found *handle, cause error) error {
	if found == nil || s.handle != found {
		return s.ready()
	}
	return s.salvage(cause)
}
