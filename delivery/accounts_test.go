package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// sharedAccounts has the paces and the states of accounts that several processes share, like the
// durable outbox, whose tests check the details.
type sharedAccounts struct {
	mu    sync.Mutex
	nodes int
	away  bool
	rows  map[string]*sharedAccount
	loans int // calls of Lend that lent something
}

type sharedAccount struct {
	state                    outbox.AccountState
	paidAt                   time.Time
	pausedAt, pausedUntil    time.Time
	heldAt, probeAt, freshAt time.Time
}

func newSharedAccounts(nodes int) *sharedAccounts {
	return &sharedAccounts{nodes: nodes, rows: make(map[string]*sharedAccount)}
}

func (s *sharedAccounts) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *sharedAccounts) row(account string) *sharedAccount {
	if s.rows[account] == nil {
		s.rows[account] = new(sharedAccount)
	}
	return s.rows[account]
}

// modelUsable is how long a token may be used.
const modelUsable = 100 * time.Millisecond

func (s *sharedAccounts) Lend(_ context.Context, want outbox.LoanRequest) (outbox.Loan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return outbox.Loan{}, outbox.ErrAway
	}
	now, a := time.Now(), s.row(want.Account)
	loan := outbox.Loan{Usable: modelUsable, Nodes: s.nodes, State: a.at(now)}
	interval := time.Duration(float64(time.Second) / want.Rate)
	a.paidAt = later(a.paidAt, now).Add(time.Duration(want.Paid) * interval)
	room := time.Duration(max(float64(want.Burst)-want.Rate*modelUsable.Seconds(), 1) * float64(interval))
	allowed := want.Want
	same := a.state.Key == want.Key && !want.Continues
	held := same && !a.heldAt.IsZero()
	trial := same && a.state.Trial && !held
	switch {
	case same && loan.State.PausedFor > 0, held && loan.State.ProbeIn > 0 && (!want.Fresh || loan.State.FreshIn > 0):
		allowed = 0
	case held, trial:
		allowed = min(allowed, 1)
	}
	for ; loan.Tokens < allowed && !a.paidAt.Add(interval).After(now.Add(room)); loan.Tokens++ {
		a.paidAt = a.paidAt.Add(interval)
	}
	if loan.Tokens > 0 {
		s.loans++
		if held {
			a.probeAt, a.freshAt = now.Add(15*time.Second), now.Add(15*time.Second)
		}
		if trial {
			a.pausedUntil = now.Add(5 * time.Second)
		}
	}
	loan.Wait = max(a.paidAt.Add(interval).Sub(now.Add(room)), 0)
	return loan, nil
}

// at returns the state at a time.
func (a *sharedAccount) at(now time.Time) outbox.AccountState {
	s := a.state
	s.PausedFor, s.ProbeIn, s.FreshIn = max(a.pausedUntil.Sub(now), 0), max(a.probeAt.Sub(now), 0), max(a.freshAt.Sub(now), 0)
	if s.PausedFor > 0 {
		s.PausedAgo = now.Sub(a.pausedAt)
	}
	if s.Held = !a.heldAt.IsZero(); s.Held {
		s.HeldAgo = now.Sub(a.heldAt)
	}
	return s
}

func (s *sharedAccounts) Publish(_ context.Context, account string, state outbox.AccountState) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return false, outbox.ErrAway
	}
	now, a := time.Now(), s.row(account)
	if a.state.Version != state.Version {
		return false, nil
	}
	*a = sharedAccount{
		state: state, paidAt: a.paidAt, pausedAt: now.Add(-state.PausedAgo),
		pausedUntil: now.Add(state.PausedFor), probeAt: now.Add(state.ProbeIn), freshAt: now.Add(state.FreshIn),
	}
	a.state.Version++
	if state.Held {
		a.heldAt = now.Add(-state.HeldAgo)
	}
	return true, nil
}
