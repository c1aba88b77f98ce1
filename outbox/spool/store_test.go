package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
)

// deliver takes what is due and delivers it. It returns the ids.
func deliver(t *testing.T, store outbox.Store, limit int) (ids []string) {
	t.Helper()
	now := time.Now()
	taken, err := store.Take(t.Context(), "default", now, now, limit, nil)
	must(t, err)
	for _, e := range taken {
		must(t, store.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: now, LeadID: "lead-" + e.ID}))
		ids = append(ids, e.ID)
	}
	return ids
}

func wantCount(t *testing.T, store outbox.Store, state outbox.State, want int) {
	t.Helper()
	counts, err := store.Counts(t.Context())
	must(t, err)
	got := 0
	for _, c := range counts {
		if c.State == state {
			got += c.Entries
		}
	}
	if got != want {
		t.Errorf("%d entries are %s, want %d", got, state, want)
	}
}

// A primary that can be opened at once needs no spool.
func TestNoSpoolWithoutNeed(t *testing.T) {
	t.Parallel()
	place := &site{dir: t.TempDir()}
	store := place.open(t)
	must(t, store.Append(t.Context(), newEntry()))
	if found := spools(t, place.file()+".spool-*"); len(found) > 0 {
		t.Errorf("there are spools: %v", found)
	}
	if status := store.Status(); status.Trouble != nil || len(status.Spools) > 0 {
		t.Errorf("status %+v", status)
	}
}

// While the primary is away, the log says so once, and says when it is back. Entries move with all
// that is known of them, an attempt in flight first ends, and the spool is removed.
func TestReturn(t *testing.T) {
	t.Parallel()
	place := &site{dir: t.TempDir()}
	place.away.Store(true)
	store := place.open(t)
	changes := new(atomic.Int32)
	store.OnChange(func() { changes.Add(1) })
	delivered, waiting, inFlight := newEntry(), newEntry(), newEntry()
	delivered.DueAt = delivered.DueAt.Add(-time.Hour)
	must(t, store.Append(t.Context(), delivered))
	if got := deliver(t, store, 1); len(got) != 1 || got[0] != delivered.ID {
		t.Fatalf("delivered %v", got)
	}
	waiting.DueAt = waiting.DueAt.Add(time.Hour)
	inFlight.BegunAt = inFlight.CreatedAt
	must(t, errors.Join(store.Append(t.Context(), waiting), store.Append(t.Context(), inFlight)))
	status := store.Status()
	if !errors.Is(status.Trouble, errAway) || status.Since.IsZero() || len(status.Spools) != 1 {
		t.Errorf("status %+v", status)
	}
	if n, err := store.Spooled(t.Context()); err != nil || n != 3 {
		t.Errorf("%d entries are spooled, error %v; want 3", n, err)
	}
	_, err := store.Get(t.Context(), newEntry().ID)
	if !errors.Is(err, outbox.ErrNotFound) || !errors.Is(err, outbox.ErrAway) {
		t.Errorf("getting an entry that may be in the outbox: %v", err)
	}
	if lines := place.log.FilterMessageSnippet("cannot be used"); lines.Len() != 1 {
		t.Errorf("%d lines of log say that the outbox cannot be used, want 1", lines.Len())
	}

	place.away.Store(false)
	await(t, "return", func() bool { return store.Status().Trouble == nil })
	await(t, "move", func() bool { n, err := store.Spooled(t.Context()); return err == nil && n == 1 })
	if changes.Load() == 0 {
		t.Error("nobody was told that entries may be due")
	}
	must(t, store.Settle(t.Context(), inFlight.ID, outbox.Settlement{State: outbox.Parked, At: time.Now(), Reason: "refused"}))
	await(t, "removal of the spool", func() bool { return len(store.Status().Spools) == 0 && len(spools(t, place.file()+".spool-*")) == 0 })
	wantCount(t, store, outbox.Delivered, 1)
	wantCount(t, store, outbox.Waiting, 1)
	wantCount(t, store, outbox.Parked, 1)
	if id, _, err := store.Recall(t.Context(), "default", delivered.Identifier); err != nil || id != "lead-"+delivered.ID {
		t.Errorf("the remembered id is %q, error %v", id, err)
	}
	if got, err := store.Get(t.Context(), waiting.ID); err != nil || got.DueAt.UnixMilli() != waiting.DueAt.UnixMilli() {
		t.Errorf("the waiting entry is %+v, error %v", got, err)
	}
}

// The next process takes over the spool of a dead one, even if the primary is still away. Attempts
// in flight are ambiguous then.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	place := &site{dir: t.TempDir()}
	place.away.Store(true)
	first := place.open(t)
	entry := newEntry()
	entry.BegunAt = entry.CreatedAt
	must(t, errors.Join(first.Append(t.Context(), entry), first.Close()))
	second := place.open(t)
	got, err := second.Get(t.Context(), entry.ID)
	must(t, err)
	if got.AmbiguousSince.IsZero() {
		t.Error("an attempt of the dead process is not ambiguous")
	}
	if found := second.Status().Spools; len(found) != 1 {
		t.Errorf("%d spools, want the one of the dead process: %v", len(found), found)
	}
	must(t, second.Close())
	place.away.Store(false)
	third := place.open(t)
	await(t, "move", func() bool { return len(third.Status().Spools) == 0 })
	wantCount(t, third, outbox.Waiting, 1)
}

// What a crash leaves of a spool that was about to be removed is removed. A spool that was set aside
// as damaged stays.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	place := &site{dir: t.TempDir()}
	aside := place.file() + ".spool-01920000-0000-7000-8000-000000000009.damaged-20260301-120000"
	must(t, os.WriteFile(aside, []byte("?"), 0o600))
	for n, suffix := range []string{".reserve", ".lock", "", "-wal"} {
		must(t, os.WriteFile(fmt.Sprintf("%s.spool-01920000-0000-7000-8000-%012x%s", place.file(), n, suffix), nil, 0o600))
	}
	store := place.open(t)
	await(t, "removal", func() bool { return len(spools(t, place.file()+".spool-*")) == 1 && len(store.Status().Spools) == 0 })
	_, err := os.Stat(aside)
	must(t, err)
}

// Two processes share a file. One has a spool while the other has the file, and adopts it when the
// other ends. One of them takes over the spool of a third one that has died.
func TestOverlap(t *testing.T) {
	t.Parallel()
	place := &site{dir: t.TempDir()}
	first := place.open(t)
	must(t, first.Append(t.Context(), newEntry()))
	second := place.open(t)
	if !errors.Is(second.Status().Trouble, outbox.ErrInUse) {
		t.Fatalf("the second process has the trouble %v", second.Status().Trouble)
	}
	must(t, second.Append(t.Context(), newEntry()))
	third := place.open(t)
	must(t, third.Append(t.Context(), newEntry()))
	if n := len(spools(t, place.file()+".spool-*.lock")); n != 2 {
		t.Errorf("%d spools, want 2", n)
	}
	must(t, third.Close()) // the first or the second takes its lead over
	await(t, "adoption", func() bool { return len(spools(t, place.file()+".spool-*.lock")) == 1 })
	must(t, first.Close())
	await(t, "adoption", func() bool { return second.Status().Trouble == nil && len(second.Status().Spools) == 0 })
	wantCount(t, second, outbox.Waiting, 3)
}

// A spool goes to the next place if the first is not writable. With neither, the store says so, and
// goes on when one of them works.
func TestPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	blocked := filepath.Join(dir, "blocked")
	must(t, os.WriteFile(blocked, nil, 0o600)) // not a folder
	place := &site{dir: dir, places: []string{filepath.Join(blocked, "outbox.db.spool-"), filepath.Join(dir, "other", "outbox.db.spool-")}}
	place.away.Store(true)
	store := place.open(t)
	must(t, store.Append(t.Context(), newEntry()))
	if found := store.Status().Spools; len(found) != 1 || !strings.HasPrefix(found[0], filepath.Join(dir, "other")) {
		t.Errorf("spools %v", found)
	}
	must(t, store.Health())
	must(t, store.Close())

	place.places = place.places[:1]
	store = place.open(t)
	if err := store.Append(t.Context(), newEntry()); !errors.Is(err, outbox.ErrAway) || !errors.Is(err, errAway) {
		t.Errorf("appending without a place: %v", err)
	}
	if err := store.Health(); !errors.Is(err, outbox.ErrAway) {
		t.Errorf("health without a place: %v", err)
	}
	if place.log.FilterMessageSnippet("neither the outbox nor a spool").Len() != 1 {
		t.Error("the log does not say that a spool cannot be used either")
	}
	must(t, os.Remove(blocked))
	await(t, "spool", func() bool { return store.Append(t.Context(), newEntry()) == nil })
}

// failing is a primary that accepts no entries while it is full, and loses the answer of appends
// while it is vague.
type failing struct {
	outbox.Store
	full, vague atomic.Bool
}

func (f *failing) Append(ctx context.Context, e outbox.Entry) error {
	if f.full.Load() {
		return outbox.ErrFull
	}
	err := f.Store.Append(ctx, e)
	if f.vague.Load() {
		return errors.Join(err, errVague)
	}
	return err
}

var errVague = errors.New("input/output error")

func (f *failing) Adopt(ctx context.Context, entries []outbox.Adoption) error {
	if f.full.Load() {
		return outbox.ErrFull
	}
	if f.vague.Load() {
		return errVague
	}
	return f.Store.Adopt(ctx, entries)
}

func (f *failing) Get(ctx context.Context, id string) (outbox.Entry, error) {
	if f.vague.Load() {
		return outbox.Entry{}, errVague
	}
	return f.Store.Get(ctx, id)
}

func (f *failing) Health() error {
	if f.full.Load() {
		return outbox.ErrFull
	}
	if f.vague.Load() {
		return errVague
	}
	return f.Store.Health()
}

func openFailing(t *testing.T) (*failing, *site, *spool.Store) {
	t.Helper()
	f := new(failing)
	place := &site{dir: t.TempDir(), wrap: func(store outbox.Store) outbox.Store { f.Store = store; return f }}
	return f, place, place.open(t)
}

// While the primary accepts no entries, they go to a spool. The others are still delivered.
func TestRefused(t *testing.T) {
	t.Parallel()
	primary, place, store := openFailing(t)
	var ids []string
	add := func() {
		e := newEntry()
		e.DueAt = e.DueAt.Add(-time.Minute)
		ids = append(ids, e.ID)
		must(t, store.Append(t.Context(), e))
	}
	add()
	primary.full.Store(true)
	add()
	add()
	if status := store.Status(); !errors.Is(status.Trouble, outbox.ErrFull) || len(status.Spools) != 1 {
		t.Errorf("status %+v", status)
	}
	if err := store.Health(); !errors.Is(err, outbox.ErrFull) {
		t.Errorf("health %v", err)
	}
	if got := deliver(t, store, 2); fmt.Sprint(got) != fmt.Sprint(ids[:2]) {
		t.Errorf("delivered %v, want the two that are longest due of %v", got, ids)
	}
	page, err := store.List(t.Context(), outbox.Filter{})
	must(t, err)
	if len(page) != 3 || page[0].ID != ids[0] || page[2].ID != ids[2] {
		t.Errorf("the list has %d entries", len(page))
	}
	wantCount(t, store, outbox.Delivered, 2)
	if err := store.Append(t.Context(), page[2]); !errors.Is(err, outbox.ErrExists) {
		t.Errorf("appending an entry of the spool again: %v", err)
	}
	must(t, store.Erase(t.Context(), ids[2]))
	primary.full.Store(false)
	await(t, "move", func() bool { return len(store.Status().Spools) == 0 && store.Status().Trouble == nil })
	add()
	wantCount(t, store, outbox.Delivered, 2)
	wantCount(t, store, outbox.Waiting, 1)
	if place.log.FilterMessageSnippet("accepts leads again").Len() != 1 {
		t.Error("the log does not say that the outbox accepts leads again")
	}
}

// An append whose result is unknown goes to the spool, and is delivered only from there, although
// the primary has stored it too.
func TestUnknownResult(t *testing.T) {
	t.Parallel()
	for name, begun := range map[string]bool{"waiting": false, "in flight": true} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, crash %v", name, crash), func(t *testing.T) {
				t.Parallel()
				primary, place, store := openFailing(t)
				primary.vague.Store(true)
				entry := newEntry()
				if begun {
					entry.BegunAt = entry.CreatedAt
				}
				must(t, store.Append(t.Context(), entry))
				if begun {
					must(t, store.Settle(t.Context(), entry.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now()}))
				} else if got := deliver(t, store, 10); len(got) != 1 {
					t.Errorf("%d attempts while the result is unknown, want 1", len(got))
				}
				if crash {
					must(t, store.Close())
					primary.vague.Store(false)
					store = place.open(t)
				}
				primary.vague.Store(false)
				await(t, "move", func() bool { return len(store.Status().Spools) == 0 })
				if got := deliver(t, store, 10); len(got) > 0 {
					t.Errorf("it was delivered again: %v", got)
				}
				wantCount(t, store, outbox.Delivered, 1)
				wantCount(t, store, outbox.Waiting, 0)
			})
		}
	}
}

// While the primary comes and goes, and processes end at any moment, each entry is delivered once.
func TestOnceWhileFlapping(t *testing.T) {
	t.Parallel()
	primary, place, store := openFailing(t)
	delivered := make(map[string]int)
	var mu sync.Mutex
	total := 0
	for round := range 12 {
		place.away.Store(round%3 == 1)
		if round > 0 {
			store = place.open(t)
		}
		var work sync.WaitGroup
		for range 4 {
			work.Go(func() {
				for n := range 25 {
					if n%8 == 0 {
						primary.full.Store(!primary.full.Load())
					}
					if n == 12 {
						place.away.Store(false)
					}
					must(t, store.Append(t.Context(), newEntry()))
					for _, id := range deliver(t, store, 2) {
						mu.Lock()
						delivered[id]++
						mu.Unlock()
					}
				}
			})
		}
		work.Wait()
		total += 100
		must(t, store.Close())
	}
	primary.full.Store(false)
	store = place.open(t)
	await(t, "move", func() bool { return len(store.Status().Spools) == 0 && store.Status().Trouble == nil })
	for got := []string{""}; len(got) > 0; {
		got = deliver(t, store, 100)
		for _, id := range got {
			delivered[id]++
		}
	}
	for id, n := range delivered {
		if n > 1 {
			t.Errorf("%s was delivered %d times", id, n)
		}
	}
	if len(delivered) != total {
		t.Errorf("%d of %d entries were delivered", len(delivered), total)
	}
	wantCount(t, store, outbox.Delivered, total)
}

// A primary that takes long to open does not keep the site from starting.
func TestSlowPrimary(t *testing.T) {
	t.Parallel()
	place := &site{dir: t.TempDir(), now: time.Now}
	opts := place.options()
	open, opening := opts.Open, make(chan struct{})
	opts.Open = func(ctx context.Context) (outbox.Store, error) {
		select {
		case <-opening:
			return open(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	opts.OpenSpool = func(ctx context.Context, file string) (spool.Spool, error) { return openFile(ctx, file, time.Now) }
	opts.Patience = time.Second
	store := spool.Open(t.Context(), opts)
	t.Cleanup(func() { _ = store.Close() })
	must(t, store.Append(t.Context(), newEntry()))
	close(opening)
	await(t, "move", func() bool { return len(store.Status().Spools) == 0 && store.Status().Trouble == nil })
	wantCount(t, store, outbox.Waiting, 1)
}

// No entry moves while members are read, and operations go on.
func TestMembers(t *testing.T) {
	t.Parallel()
	place := &site{dir: t.TempDir()}
	place.away.Store(true)
	store := place.open(t)
	must(t, store.Append(t.Context(), newEntry()))
	must(t, store.Members(t.Context(), func(members []spool.Member) error {
		place.away.Store(false)
		await(t, "primary", func() bool { return store.Status().Trouble == nil })
		must(t, store.Append(t.Context(), newEntry()))
		if n, err := store.Spooled(t.Context()); err != nil || n != 1 {
			t.Errorf("%d entries are in the spool, error %v; want 1", n, err)
		}
		if len(members) != 1 || members[0].File == "" {
			t.Errorf("members %+v", members)
		}
		return nil
	}))
	await(t, "move", func() bool { return len(store.Status().Spools) == 0 })
	wantCount(t, store, outbox.Waiting, 2)
}
