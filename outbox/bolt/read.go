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

// NextDue implements [outbox.Store].
func (s *Store) NextDue(ctx context.Context, account string) (due time.Time, found bool, err error) {
	due, err = read(ctx, s, func(t *tables) (time.Time, error) { return t.nextDue(account) })
	if errors.Is(err, errNoneDue) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, fmt.Errorf("looking for what is due: %w", err)
	}
	return due, true, nil
}

var errNoneDue = errors.New("nothing is due")

func (t *tables) nextDue(account string) (time.Time, error) {
	number, ok := t.account(account)
	if !ok {
		return time.Time{}, errNoneDue
	}
	prefix := number32(number)
	k, _ := t.due.Cursor().Seek(prefix)
	if !bytes.HasPrefix(k, prefix) {
		return time.Time{}, cmp.Or(t.noneDue(number, 0), errNoneDue)
	}
	_, at, _, ok := dueOfKey(k)
	if !ok {
		return time.Time{}, damaged("a key of what is due is none")
	}
	return timeOfKey(at), nil
}

// Get implements [outbox.Store].
func (s *Store) Get(ctx context.Context, id string) (outbox.Entry, error) {
	parsed, err := parseID(id)
	if err != nil {
		return outbox.Entry{}, fmt.Errorf("getting entry: %w: %w", err, outbox.ErrNotFound)
	}
	entry, err := read(ctx, s, func(t *tables) (outbox.Entry, error) {
		r, _, err := t.find(parsed)
		if err != nil {
			return outbox.Entry{}, err
		}
		if r == nil {
			return outbox.Entry{}, outbox.ErrNotFound
		}
		return r.entry, nil
	})
	if err != nil {
		return outbox.Entry{}, fmt.Errorf("getting entry %s: %w", parsed, err)
	}
	return entry, nil
}

// Counts implements [outbox.Store].
func (s *Store) Counts(ctx context.Context) ([]outbox.Count, error) {
	counts, err := read(ctx, s, (*tables).allCounts)
	if err != nil {
		return nil, fmt.Errorf("counting entries: %w", err)
	}
	slices.SortStableFunc(counts, func(a, b outbox.Count) int { return cmp.Compare(a.Account, b.Account) })
	return counts, nil
}

func (t *tables) allCounts() (counts []outbox.Count, err error) {
	for _, of := range t.shards(allStates()...) {
		n, err := t.count(of)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			counts = append(counts, outbox.Count{
				Account: t.accounts[of.account],
				State:   stateNames[of.state-1],
				Entries: int(n), //nolint:gosec // count has bounded it
			})
		}
	}
	return counts, nil
}

// List implements [outbox.Store].
func (s *Store) List(ctx context.Context, f outbox.Filter) ([]outbox.Entry, error) {
	var after uuid.UUID
	if f.After != "" {
		var err error
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
	page, err := read(ctx, s, func(t *tables) ([]outbox.Entry, error) {
		shards := t.shards(states...)
		if f.Account != "" {
			shards = slices.DeleteFunc(shards, func(of shard) bool { return t.accounts[of.account] != f.Account })
		}
		return t.list(shards, after, limit)
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

// read has the writer run f on what has been done so far, and returns what it
// found.
func read[T any](ctx context.Context, s *Store, f func(*tables) (T, error)) (T, error) {
	var found T
	err := s.await(ctx, &operation{
		reads: true,
		run: func(_ *handle, c *changes) (err error) {
			found, err = f(c.tables)
			return err
		},
	})
	if err != nil {
		var none T // f may be running still
		return none, err
	}
	return found, nil
}
