package delivery

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// sharedMemory is an outbox that another process uses too.
type sharedMemory struct {
	*memory
	*sharedAccounts

	mu    sync.Mutex
	busy  bool // the other process has every identifier in flight
	until time.Time
	skew  time.Duration
}

var _ outbox.Shared = (*sharedMemory)(nil)

func (*sharedMemory) IsShared() bool { return true }

func (s *sharedMemory) Skew() time.Duration { return s.skew }

func (s *sharedMemory) LeasedUntil(string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until, true
}

func (*sharedMemory) Fleet(context.Context) (outbox.Fleet, error) { return outbox.Fleet{}, nil }

// The engine leaves marks to its callers and to Append.
func (*sharedMemory) Mark(context.Context, outbox.Mark, string) (bool, error) { return true, nil }
func (*sharedMemory) Unmark(context.Context, outbox.Mark, string) error       { return nil }

func (s *sharedMemory) lease(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = until
}

func (s *sharedMemory) Append(ctx context.Context, e outbox.Entry) error {
	s.mu.Lock()
	busy := s.busy
	s.mu.Unlock()
	if busy && !e.BegunAt.IsZero() {
		return outbox.ErrBusy
	}
	return s.memory.Append(ctx, e)
}

// inSharedBubble is like inBubble, with an outbox that another process uses too.
func inSharedBubble(t *testing.T, crm *fakeCRM, test func(*rig, *sharedMemory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, crm)
		r.stop()
		s := &sharedMemory{memory: r.store, sharedAccounts: newSharedAccounts(1), until: time.Now().Add(time.Hour)}
		r.engine = New(s)
		r.engine.Configure(r.config)
		test(r, s)
		r.stop()
	})
}

// A lead whose identifier another process has in flight is kept, and sent a little later.
func TestBusyElsewhere(t *testing.T) {
	inSharedBubble(t, &fakeCRM{create: created}, func(r *rig, s *sharedMemory) {
		s.busy = true
		start := time.Now()
		id, outcome := r.submit(phoneA, 3*time.Second)
		if outcome.State != outbox.Waiting && outcome.State != outbox.Delivered {
			r.t.Errorf("outcome %+v", outcome)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if e := r.entry(id); e.State != outbox.Delivered || e.Attempts != 1 {
			r.t.Errorf("entry %+v", e)
		}
		if calls := r.crm.calls(); len(calls) != 1 || calls[0].at.Sub(start) < busyDelay {
			r.t.Errorf("requests %v", calls)
		}
		if status := r.engine.Status(); status[0].InFlight != 0 {
			r.t.Errorf("%d attempts are in flight", status[0].InFlight)
		}
	})
}

// What another process leaves in the outbox is found without a signal.
func TestDueElsewhere(t *testing.T) {
	inSharedBubble(t, &fakeCRM{create: created}, func(r *rig, s *sharedMemory) {
		id, _ := r.submit(phoneA, 0)
		time.Sleep(time.Minute)
		e := r.entry(id)
		e.ID, e.State, e.Attempts, e.DueAt = "0192f3a4-0000-7000-8000-000000000001", outbox.Waiting, 0, time.Now()
		e.BegunAt, e.SettledAt, e.LeadID = time.Time{}, time.Time{}, ""
		if err := s.memory.Append(r.t.Context(), e); err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(maxSharedWait)
		synctest.Wait()
		if got := r.entry(e.ID); got.State != outbox.Delivered {
			r.t.Errorf("entry %+v", got)
		}
	})
}

// A request ends before its lease does, and goes on while the lease is renewed.
func TestRequestWithinLease(t *testing.T) {
	var ended atomic.Pointer[time.Time]
	hanging := &fakeCRM{create: func(ctx context.Context, _ int, _ telecrm.Lead) telecrm.Answer {
		select {
		case <-ctx.Done():
		case <-time.After(time.Hour):
		}
		now := time.Now()
		ended.CompareAndSwap(nil, &now)
		return down
	}}
	inSharedBubble(t, hanging, func(r *rig, s *sharedMemory) {
		first, second := time.Now().Add(20*time.Second), time.Now().Add(40*time.Second)
		s.lease(first)
		r.submit(phoneA, 0)
		time.Sleep(10 * time.Second)
		s.lease(second)
		time.Sleep(time.Minute)
		synctest.Wait()
		if at := ended.Load(); at == nil || !at.Equal(second) {
			r.t.Errorf("the request ended at %v, want %v", at, second)
		}
	})
}
