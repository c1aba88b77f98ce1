package spool

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// everything is the weight of the gate.
const everything = math.MaxInt64

// member is the primary or a spool.
type member struct {
	outbox.Store

	file  string // of a spool
	place string // the prefix of the spool's file
	spool Spool  // nil for the primary
	// unknown says that the spool of an earlier process has not been compared with the open primary, so
	// that its entries may have been delivered from there.
	unknown atomic.Bool

	mu    sync.Mutex
	taken map[string]person   // entries with an attempt in flight
	moved map[string]struct{} // entries that were adopted elsewhere, but could not be erased here
}

// person identifies the person of an entry.
type person struct{ account, identifier string }

func newMember(file string, store outbox.Store) *member {
	return &member{Store: store, file: file, taken: make(map[string]person), moved: make(map[string]struct{})}
}

// key returns an id as stores write it.
func key(id string) string {
	if parsed, err := uuid.Parse(id); err == nil {
		return parsed.String()
	}
	return id
}

// begun records attempts in flight.
func (m *member) begun(entries ...outbox.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		m.taken[key(e.ID)] = person{e.Account, e.Identifier}
	}
}

// ended records the end of an attempt and returns its person.
func (m *member) ended(id string) person {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := m.taken[key(id)]
	delete(m.taken, key(id))
	return of
}

// inFlight counts the attempts in flight.
func (m *member) inFlight() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.taken)
}

func (m *member) isTaken(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, taken := m.taken[key(id)]
	return taken
}

func (m *member) hasMoved(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, moved := m.moved[key(id)]
	return moved
}

// setMoved records whether an entry that was adopted elsewhere is still here.
func (m *member) setMoved(id string, here bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if here {
		m.moved[key(id)] = struct{}{}
	} else {
		delete(m.moved, key(id))
	}
}

// movedIDs lists the entries that were adopted elsewhere, but could not be erased here.
func (m *member) movedIDs() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.moved))
}

// view is the state of a store during one operation.
type view struct {
	primary *member // nil if it is not open
	spools  []*member
	refused bool
	hidden  bool
	// away says why the primary, which is open, cannot be reached; nil if it can. It is not in the
	// view then.
	away error
}

// members returns the spools and then the primary, which is the order in which to look for an
// entry.
func (v view) members() []*member {
	if v.primary == nil {
		return v.spools
	}
	return append(slices.Clone(v.spools), v.primary)
}

// home returns the member that entries move to and that keeps the clock: the primary, or else the
// first spool. It returns nil if there is neither.
func (v view) home() *member {
	if v.primary == nil && len(v.spools) > 0 {
		return v.spools[0]
	}
	return v.primary
}

// serving returns the members from which entries may be taken.
func (v view) serving() []*member {
	serving := make([]*member, 0, len(v.spools)+1)
	for _, m := range v.spools {
		if len(m.movedIDs()) == 0 && (v.primary == nil || !m.unknown.Load()) {
			serving = append(serving, m)
		}
	}
	if v.primary != nil && !v.hidden {
		serving = append(serving, v.primary)
	}
	return serving
}

// enter begins an operation. No entry moves until the caller calls leave.
func (s *Store) enter(ctx context.Context) (v view, leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return view{}, nil, err
	}
	if err := s.gate.Acquire(ctx, 1); err != nil {
		return view{}, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.gate.Release(1)
		return view{}, nil, outbox.ErrClosed
	}
	v = view{primary: s.primary, spools: slices.Clone(s.spools), refused: s.refused, hidden: s.hidden}
	if shared := s.sharedPrimary(); shared != nil {
		if v.away = shared.Health(); v.away != nil {
			v.primary = nil
		}
	}
	return v, func() { s.gate.Release(1) }, nil
}

// sharedPrimary returns the primary if it is open and several processes share it. The caller holds
// mu.
func (s *Store) sharedPrimary() outbox.Shared {
	if s.primary == nil {
		return nil
	}
	shared, ok := s.primary.Store.(outbox.Shared)
	if !ok || !shared.IsShared() {
		return nil
	}
	return shared
}

// IsShared implements [outbox.Shared].
func (s *Store) IsShared() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sharedPrimary() != nil
}

// Fleet implements [outbox.Shared].
func (s *Store) Fleet(ctx context.Context) (outbox.Fleet, error) {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return outbox.Fleet{}, err
	}
	defer leave()
	if v.primary == nil {
		return outbox.Fleet{}, nil
	}
	shared, ok := v.primary.Store.(outbox.Shared)
	if !ok {
		return outbox.Fleet{}, nil
	}
	return shared.Fleet(ctx)
}

// LeasedUntil implements [outbox.Shared]. Entries of spools are not leased.
func (s *Store) LeasedUntil(id string) (until time.Time, leased bool) {
	s.mu.Lock()
	primary, shared := s.primary, s.sharedPrimary()
	s.mu.Unlock()
	if shared == nil || !primary.isTaken(id) {
		return time.Time{}, false
	}
	return shared.LeasedUntil(id)
}

// Limits of how long enterAlone keeps new operations waiting. It waits longer after each failure,
// because the disk may be slow.
const (
	minAlone = 250 * time.Millisecond
	maxAlone = 4 * time.Second
)

// errBusy means that entries cannot move at present.
var errBusy = errors.New("operations that are slow, such as a backup, have not ended yet")

// enterAlone waits until no operation runs, so that entries can move. It does not wait long, because
// an operation on a disk that hangs must not stop the others.
func (s *Store) enterAlone(ctx context.Context) (leave func(), err error) {
	s.mu.Lock()
	within, pinned := s.alone, s.pins > 0
	s.mu.Unlock()
	if pinned {
		return nil, errBusy
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, errBusy)
	defer cancel()
	err = s.gate.Acquire(ctx, everything)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.alone = min(2*s.alone, maxAlone)
		return nil, context.Cause(ctx)
	case s.pins > 0:
		s.gate.Release(everything)
		return nil, errBusy
	}
	s.alone = minAlone
	return func() { s.gate.Release(everything) }, nil
}

// Skew implements [outbox.Shared].
func (s *Store) Skew() time.Duration {
	s.mu.Lock()
	shared := s.sharedPrimary()
	s.mu.Unlock()
	if shared == nil {
		return 0
	}
	return shared.Skew()
}

// Lend implements [outbox.Shared]. The error wraps [outbox.ErrAway] while the primary cannot be used.
func (s *Store) Lend(ctx context.Context, want outbox.LoanRequest) (loan outbox.Loan, err error) {
	err = s.asShared(ctx, func(shared outbox.Shared) error {
		loan, err = shared.Lend(ctx, want)
		return err
	})
	return loan, err
}

// Publish implements [outbox.Shared]. The error wraps [outbox.ErrAway] while the primary cannot be
// used.
func (s *Store) Publish(ctx context.Context, account string, state outbox.AccountState) (published bool, err error) {
	err = s.asShared(ctx, func(shared outbox.Shared) error {
		published, err = shared.Publish(ctx, account, state)
		return err
	})
	return published, err
}

// Mark implements [outbox.Shared]. Spools do not have marks. The error wraps [outbox.ErrAway] while
// the primary cannot be used.
func (s *Store) Mark(ctx context.Context, m outbox.Mark, owner string) (isOwner bool, err error) {
	err = s.asShared(ctx, func(shared outbox.Shared) error {
		isOwner, err = shared.Mark(ctx, m, owner)
		return err
	})
	return isOwner, err
}

// Unmark implements [outbox.Shared].
func (s *Store) Unmark(ctx context.Context, m outbox.Mark, id string) error {
	return s.asShared(ctx, func(shared outbox.Shared) error { return shared.Unmark(ctx, m, id) })
}

// asShared calls f with the primary.
func (s *Store) asShared(ctx context.Context, f func(outbox.Shared) error) error {
	v, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if v.primary == nil {
		return outbox.ErrAway
	}
	shared, ok := v.primary.Store.(outbox.Shared)
	if !ok {
		return outbox.ErrAway
	}
	return f(shared)
}
