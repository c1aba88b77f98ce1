package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// A commit whose answer is lost is looked up by the entry's id.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	proxy := pgtest.NewProxy(t, f.server.Address())
	s := f.joinAt(t, "a", strings.Replace(f.server.DSN(), f.server.Address(), proxy.Address(), 1))
	e := lead(begun, func(e *outbox.Entry) { e.Identifier = "918123456789" })
	for i, step := range []struct {
		text string
		do   func() error
	}{
		{"INSERT INTO", func() error { return s.Append(t.Context(), e) }},
		{"SET step", func() error { return s.Advance(t.Context(), e.ID, outbox.Progress{Step: "append", At: time.Now()}) }},
		{"SET state", func() error {
			return s.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now(), LeadID: "lead-1"})
		}},
	} {
		proxy.LoseAnswer(step.text, false)
		must(t, step.do())
		if proxy.Lost() != i+1 {
			t.Fatalf("%d answers were lost", proxy.Lost())
		}
	}
	if got := get(t, s, e.ID); got.State != outbox.Delivered || got.Step != "" || got.Attempts != 1 {
		t.Errorf("the entry is %+v", got)
	}
	if id, known, err := s.Recall(t.Context(), e.Account, e.Identifier); id != "lead-1" || !known || err != nil {
		t.Errorf("Recall = %q, %v, %v", id, known, err)
	}
	must(t, s.Append(t.Context(), lead()))
	proxy.LoseAnswer("commit", false)
	taken := take(t, s, 10)
	if len(taken) != 1 || proxy.Lost() != 4 {
		t.Fatalf("%d leads were taken, %d answers lost", len(taken), proxy.Lost())
	}
	must(t, s.Advance(t.Context(), taken[0].ID, outbox.Progress{Step: "append", At: time.Now()}))
}

// If the answer to taking leads is lost and the database is away, they are due again later.
func TestStrays(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	proxy := pgtest.NewProxy(t, f.server.Address())
	s := f.joinAt(t, "a", strings.Replace(f.server.DSN(), f.server.Address(), proxy.Address(), 1))
	other := f.join(t, "b")
	must(t, s.Append(t.Context(), lead()))
	must(t, s.Append(t.Context(), lead()))
	proxy.LoseAnswer("commit", true)
	now := time.Now()
	taken, err := s.Take(t.Context(), "default", now, now, 10, nil)
	if err == nil || len(taken) > 0 {
		t.Fatalf("Take returned %d leads, error %v", len(taken), err)
	}
	if s.Health() == nil {
		t.Error("the store is healthy although the database is away")
	}
	if got := take(t, other, 10); len(got) != 0 {
		t.Fatal("node b has taken leads that are leased to node a")
	}
	proxy.Refuse(false)
	must(t, s.Keep(t.Context()))
	given := take(t, other, 10)
	if len(given) != 2 {
		t.Errorf("%d leads are due again, want 2", len(given))
	}
	for _, e := range given {
		if e.Attempts != 1 || !e.AmbiguousSince.IsZero() {
			t.Errorf("the lead counts as tried: %+v", e)
		}
	}
}

// A commit is not canceled with the visitor's request.
func TestCanceledRequest(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	ctx := t.Context()
	s, err := pgstore.Open(ctx, address(t, primary.DSN()), pgstore.Options{Node: "a", PoolSize: 4})
	must(t, err)
	found := missStandby(t, primary)
	t.Cleanup(func() {
		found()
		must(t, s.Close())
	})
	e := lead()
	request, leave := context.WithCancel(ctx)
	defer leave()
	ended := make(chan error, 1)
	go func() { ended <- s.Append(request, e) }()
	if !awaitsStandby(t, primary, insertEntry, ended) {
		t.Fatal("the commit did not wait for the standby")
	}
	leave()
	select {
	case err := <-ended:
		t.Fatalf("the commit ended with the request: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	// An administrator cancels the wait. The primary has committed by then, but the standby has not.
	must(t, primary.Exec(ctx, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))
	select {
	case err := <-ended:
		if !errors.Is(err, outbox.ErrUnsure) {
			t.Errorf("appending without the standby: error %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the append has not ended")
	}
}

// A lead that is delivered at once takes two round trips, each of which is a commit.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	proxy := pgtest.NewProxy(t, f.server.Address())
	s := f.joinAt(t, "a", strings.Replace(f.server.DSN(), f.server.Address(), proxy.Address(), 1))
	const leads = 50
	before := proxy.Requests()
	for i := range leads {
		e := lead(begun, marked(fmt.Sprint("lead ", i)), func(e *outbox.Entry) { e.Identifier = fmt.Sprintf("9180%08d", i) })
		must(t, s.Append(t.Context(), e))
		must(t, s.Settle(t.Context(), e.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now(), LeadID: "lead-1"}))
	}
	// A connection that was idle for a while is tried first, which a busy machine may make happen.
	if n := proxy.Requests() - before; n < 2*leads || n > 2*leads+leads/2 {
		t.Errorf("%d leads took %d round trips, want %d", leads, n, 2*leads)
	}
}
