package pgstore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// loan asks for tokens at one request a second with a burst of five.
func loan(t *testing.T, s *pgstore.Store, change ...func(*outbox.LoanRequest)) outbox.Loan {
	t.Helper()
	r := outbox.LoanRequest{Account: "default", Key: "k", Rate: 1, Burst: 5, Want: 1}
	for _, c := range change {
		c(&r)
	}
	got, err := s.Lend(t.Context(), r)
	must(t, err)
	return got
}

func publish(t *testing.T, s *pgstore.Store, change ...func(*outbox.AccountState)) {
	t.Helper()
	state := loan(t, s, func(r *outbox.LoanRequest) { r.Want = 0 }).State
	state.Key = "k"
	for _, c := range change {
		c(&state)
	}
	published, err := s.Publish(t.Context(), "default", state)
	must(t, err)
	if !published {
		t.Fatal("the state was not published")
	}
}

func held(s *outbox.AccountState) { s.Held, s.Note = true, "why" }

// However many nodes ask for however many tokens, at no time are more requests sent than the pace
// allows, even if each token is used as late as possible.
func TestOnePace(t *testing.T) {
	t.Parallel()
	for name, pace := range map[string]struct {
		rate  float64
		burst int
	}{
		"slow": {5, 1}, "default": {1, 5}, "fast": {200, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			var mu sync.Mutex
			lent, usable, begun := 0, time.Duration(0), time.Now()
			var work sync.WaitGroup
			for _, node := range []string{"a", "b", "c"} {
				s := f.join(t, node)
				work.Go(func() {
					for time.Since(begun) < 2*time.Second {
						got := loan(t, s, func(r *outbox.LoanRequest) { r.Rate, r.Burst, r.Want = pace.rate, pace.burst, 1000 })
						mu.Lock()
						lent, usable = lent+got.Tokens, got.Usable
						mu.Unlock()
					}
				})
			}
			work.Wait()
			took := time.Since(begun)
			most := float64(pace.burst) + pace.rate*took.Seconds()
			if usable > 50*time.Millisecond {
				most -= pace.rate * usable.Seconds()
			}
			if float64(lent) > most || lent == 0 {
				t.Errorf("%d tokens were lent in %v, want at most %.1f", lent, took, most)
			}
		})
	}
}

// A loan lets a node send at once what it may send later, and says how long the next one takes.
func TestLoan(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	lent := 0
	for range 10 {
		lent += loan(t, a).Tokens
	}
	if lent != 4 {
		t.Errorf("%d tokens were lent at once, want 4", lent)
	}
	got := loan(t, b)
	if got.Tokens != 0 || got.Wait <= 0 || got.Wait > time.Second || got.Nodes != 2 || got.Usable != time.Second {
		t.Errorf("loan %+v", got)
	}
	if other := loan(t, b, func(r *outbox.LoanRequest) { r.Account = "north" }); other.Tokens != 1 {
		t.Errorf("another account: loan %+v", other)
	}
	loan(t, b, func(r *outbox.LoanRequest) { r.Want, r.Paid = 0, 2 })
	if got := loan(t, a); got.Wait < time.Second || got.Wait > 3*time.Second {
		t.Errorf("after two requests without a loan, the next token is lent after %v", got.Wait)
	}
}

// While an account is on hold, one node is lent the probe, and an attempt in flight may go on.
func TestOneProbe(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	publish(t, a, held, func(s *outbox.AccountState) { s.ProbeIn, s.FreshIn = time.Minute, 0 })
	got := loan(t, b, func(r *outbox.LoanRequest) { r.Want = 3 })
	if s := got.State; got.Tokens != 0 || !s.Held || s.Note != "why" || s.ProbeIn < 50*time.Second || s.FreshIn != 0 {
		t.Errorf("before the probe is due: loan %+v", got)
	}
	if got := loan(t, b, func(r *outbox.LoanRequest) { r.Continues = true }); got.Tokens != 1 {
		t.Errorf("for an attempt in flight: loan %+v", got)
	}
	fresh := func(r *outbox.LoanRequest) { r.Want, r.Fresh = 3, true }
	if got := loan(t, b, fresh); got.Tokens != 1 {
		t.Errorf("for a new lead: loan %+v", got)
	}
	if got := loan(t, a, fresh); got.Tokens != 0 || got.State.FreshIn <= 0 || got.State.FreshIn > 15*time.Second {
		t.Errorf("while the probe is in flight: loan %+v", got)
	}
	publish(t, b, func(s *outbox.AccountState) { s.Held = false })
	if got := loan(t, a, func(r *outbox.LoanRequest) { r.Want = 2 }); got.Tokens == 0 || got.State.Held {
		t.Errorf("after the hold: loan %+v", got)
	}
}

// A pause is the whole fleet's, and when the CRM did not answer, one node tries whether it does
// again.
func TestOnePause(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	publish(t, a, func(s *outbox.AccountState) { s.PausedFor, s.PausedAgo = time.Minute, time.Second })
	if got := loan(t, b); got.Tokens != 0 || got.State.PausedFor < 50*time.Second || got.State.PausedAgo < time.Second {
		t.Errorf("while paused: loan %+v", got)
	}
	publish(t, b, func(s *outbox.AccountState) { s.PausedFor, s.Trial = 0, true })
	if got := loan(t, a, func(r *outbox.LoanRequest) { r.Want = 2 }); got.Tokens != 1 {
		t.Errorf("the first try: loan %+v", got)
	}
	if got := loan(t, b); got.Tokens != 0 || got.State.PausedFor <= 0 || got.State.PausedFor > 5*time.Second {
		t.Errorf("while another node tries: loan %+v", got)
	}
}

// A node that reaches the CRM with other settings is not limited by the state.
func TestStateOfOtherSettings(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	publish(t, a, held, func(s *outbox.AccountState) { s.ProbeIn, s.PausedFor = time.Minute, time.Minute })
	if got := loan(t, b, func(r *outbox.LoanRequest) { r.Key = "new token" }); got.Tokens != 1 {
		t.Errorf("loan %+v", got)
	}
}

// A state replaces only the one that the node has seen.
func TestPublishConflict(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	seen := loan(t, a).State
	publish(t, b, held)
	if published, err := a.Publish(t.Context(), "default", seen); published || err != nil {
		t.Errorf("published %v, error %v", published, err)
	}
	if got := loan(t, a).State; !got.Held || got.Version != seen.Version+1 {
		t.Errorf("state %+v", got)
	}
}
