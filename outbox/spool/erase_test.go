package spool_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
)

// erasing is a remote primary that remembers what was erased, and counts the entries in spools.
type erasing struct {
	*remote

	mu      sync.Mutex
	erased  []string
	people  []string
	spooled []int
}

func (e *erasing) EraseEverywhere(ctx context.Context, id string) error {
	e.mu.Lock()
	e.erased = append(e.erased, id)
	e.mu.Unlock()
	return e.Store.Erase(ctx, id)
}

func (e *erasing) ErasePerson(_ context.Context, identifier string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.people = append(e.people, identifier)
	return nil
}

func (e *erasing) PublishSpooled(entries int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.spooled) == 0 || e.spooled[len(e.spooled)-1] != entries {
		e.spooled = append(e.spooled, entries)
	}
}

func openErasing(t *testing.T) (*spool.Store, *erasing) {
	t.Helper()
	primary := new(erasing)
	s, remote := openOver(t, func(r *remote) outbox.Store {
		primary.remote = r
		return primary
	})
	if primary.remote != remote {
		t.Fatal("the primary is not open")
	}
	return s, primary
}

func appended(t *testing.T, s *spool.Store) (id string) {
	t.Helper()
	e := newLead(false)
	must(t, s.Append(t.Context(), e))
	return e.ID
}

// A lead is erased from the spool, and remembered by the primary also if it does not have it.
func TestEraseEverywhere(t *testing.T) {
	t.Parallel()
	s, primary := openErasing(t)
	ctx := t.Context()
	must(t, s.EraseEverywhere(ctx, appended(t, s)))
	if err := s.EraseEverywhere(ctx, newLead(false).ID); !errors.Is(err, outbox.ErrNotFound) || errors.Is(err, outbox.ErrAway) {
		t.Errorf("erasing an unknown lead: error %v", err)
	}
	must(t, s.ErasePerson(ctx, "918123456789"))
	if len(primary.erased) != 2 || len(primary.people) != 1 {
		t.Errorf("erased %v, %v", primary.erased, primary.people)
	}

	primary.away.Store(true)
	must(t, s.EraseEverywhere(ctx, appended(t, s)))
	if err := s.ErasePerson(ctx, "918123456789"); !errors.Is(err, outbox.ErrAway) || strings.Count(err.Error(), outbox.ErrAway.Error()) != 1 {
		t.Errorf("erasing a person while the primary is away: error %v, want one that says so once", err)
	}
	if err := s.EraseEverywhere(ctx, newLead(false).ID); !errors.Is(err, outbox.ErrAway) || !errors.Is(err, outbox.ErrNotFound) {
		t.Errorf("erasing a lead that may be in the primary: error %v", err)
	}
}

// A lead of a spool that may be in the primary too is not said to be erased.
func TestEraseDoubtful(t *testing.T) {
	t.Parallel()
	s, primary := openErasing(t)
	primary.lost.Store(true)
	e := newLead(true)
	if err := s.Append(t.Context(), e); !errors.Is(err, outbox.ErrBusy) {
		t.Fatalf("appending: error %v", err)
	}
	primary.away.Store(true)
	e.BegunAt = time.Time{}
	must(t, s.Append(t.Context(), e))
	if err := s.EraseEverywhere(t.Context(), e.ID); !errors.Is(err, outbox.ErrAway) || errors.Is(err, outbox.ErrNotFound) {
		t.Errorf("erasing: error %v", err)
	}
}

// The other processes learn how many leads are in the spools of this one.
func TestPublishSpooled(t *testing.T) {
	t.Parallel()
	s, primary := openErasing(t)
	primary.away.Store(true)
	appended(t, s)
	appended(t, s)
	counted := func(n int) func() bool {
		return func() bool {
			primary.mu.Lock()
			defer primary.mu.Unlock()
			return len(primary.spooled) > 0 && primary.spooled[len(primary.spooled)-1] == n
		}
	}
	await(t, "two leads", counted(2))
	primary.away.Store(false)
	await(t, "empty spool", counted(0))
}
