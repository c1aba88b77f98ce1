package spool_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
)

// listed is a spool that calls then after its entries were first listed.
type listed struct {
	spool.Spool

	once sync.Once
	then func()
}

func (l *listed) List(ctx context.Context, f outbox.Filter) ([]outbox.Entry, error) {
	entries, err := l.Spool.List(ctx, f)
	l.once.Do(l.then)
	return entries, err
}

// leaveCopies leaves an entry in a spool and in the primary, as a crash does.
func leaveCopies(t *testing.T, s *site) outbox.Entry {
	t.Helper()
	s.away.Store(true)
	first := s.open(t)
	e := newEntry()
	must(t, first.Append(t.Context(), e))
	must(t, first.Close())
	s.away.Store(false)
	primary, err := openFile(t.Context(), s.file(), time.Now)
	must(t, err)
	e.State = outbox.Waiting
	must(t, primary.Adopt(t.Context(), []outbox.Adoption{{Entry: e}}))
	must(t, primary.Close())
	return e
}

func takeAll(t *testing.T, store *spool.Store) []outbox.Entry {
	t.Helper()
	now := time.Now()
	taken, err := store.Take(context.WithoutCancel(t.Context()), "default", now, now, 10, func(string) bool { return false })
	if err != nil {
		t.Error(err)
	}
	return taken
}

func settle(t *testing.T, store *spool.Store, entries []outbox.Entry) {
	t.Helper()
	for _, e := range entries {
		delivered := outbox.Settlement{State: outbox.Delivered, At: time.Now(), LeadID: "lead-1"}
		if err := store.Settle(context.WithoutCancel(t.Context()), e.ID, delivered); err != nil {
			t.Error(err)
		}
	}
}

// checkDelivered waits until nothing is left to compare, and expects that nothing is sent again.
func checkDelivered(t *testing.T, store *spool.Store, id string) {
	t.Helper()
	await(t, "end of the comparison", func() bool {
		quiet, err := store.Quiet(t.Context())
		must(t, err)
		return quiet && len(store.Status().Spools) == 0
	})
	if taken := takeAll(t, store); len(taken) > 0 {
		t.Errorf("taken again: %+v", taken)
	}
	if got, err := store.Get(t.Context(), id); err != nil || got.State != outbox.Delivered {
		t.Errorf("entry %+v, error %v", got, err)
	}
}

// A lead that is delivered from a spool, while that is compared with a primary that has a copy of the
// lead, is not sent again from the copy.
func TestDeliveredWhileCompared(t *testing.T) {
	t.Parallel()
	s := &site{dir: t.TempDir()}
	e := leaveCopies(t, s)
	opened := make(chan *spool.Store, 1)
	delivered := make(chan struct{})
	deliver := func() {
		defer close(delivered)
		store := <-opened
		settle(t, store, takeAll(t, store))
	}
	s.wrapSpool = func(inner spool.Spool) spool.Spool {
		return &listed{Spool: inner, then: func() {
			go deliver()
			select { // unless the lead can only be taken after the comparison
			case <-delivered:
			case <-time.After(300 * time.Millisecond):
			}
		}}
	}
	store := s.open(t)
	opened <- store
	<-delivered
	checkDelivered(t, store, e.ID)
}

// A lead of a spool that is taken over late is not sent if it was delivered from the primary before.
func TestDeliveredBeforeTakenOver(t *testing.T) {
	t.Parallel()
	s := &site{dir: t.TempDir()}
	e := leaveCopies(t, s)
	inUse, err := openFile(t.Context(), spools(t, s.places[0]+"*.lock")[0][:len(s.places[0])+36], time.Now)
	must(t, err)
	store := s.open(t)
	var again []outbox.Entry
	settle(t, store, takeAll(t, store))
	store.OnChange(func() { again = append(again, takeAll(t, store)...) })
	must(t, inUse.Close())
	await(t, "end of the spool", func() bool { return len(spools(t, s.places[0]+"*")) == 0 })
	checkDelivered(t, store, e.ID)
	store.OnChange(func() {})
	if len(again) > 0 {
		t.Errorf("taken from the spool: %+v", again)
	}
}
