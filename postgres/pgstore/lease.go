package pgstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/record"
)

// node is this process in the fleet, until its lease ends. It then joins as another node.
type node struct {
	id uuid.UUID
	// until is when the lease ends by this machine's clock, which is not later than by the
	// database's.
	until time.Time
	// published and spooled are the settings and the number of entries in its row.
	published string
	spooled   int
}

// leaseMargin is the part of a lease that a node does not use, because clocks may run differently
// fast.
const leaseMargin = 12

// untilFrom returns until when a lease lasts that was asked for at the given time.
func (s *Store) untilFrom(asked time.Time) time.Time {
	return asked.Add(s.opts.Lease - s.opts.Lease/leaseMargin)
}

func (s *Store) currentNode() *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node
}

// IsShared implements [outbox.Shared].
func (*Store) IsShared() bool { return true }

// LeasedUntil implements [outbox.Shared].
func (s *Store) LeasedUntil(id string) (time.Time, bool) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return time.Time{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, taken := s.taken[parsed]
	if !taken {
		return time.Time{}, false
	}
	return a.node.until, true
}

// join joins the fleet as a new node.
func (s *Store) join(ctx context.Context) error {
	asked := time.Now()
	n := &node{id: uuid.New(), until: s.untilFrom(asked)}
	if _, err := s.askTime(ctx, qJoin, n.id[:], s.opts.Node, s.opts.Lease.Milliseconds()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node = n
	return nil
}

// leave makes the entries due that this process has taken, and leaves the fleet.
func (s *Store) leave(ctx context.Context) error {
	s.mu.Lock()
	nodes := map[uuid.UUID]bool{s.node.id: true}
	for _, a := range s.taken {
		nodes[a.node.id] = true
	}
	s.mu.Unlock()
	for id := range nodes {
		if _, err := s.release(ctx, id[:]); err != nil {
			return err
		}
	}
	id := s.currentNode().id
	_, err := s.pool.ExecContext(ctx, s.text(qLeave), id[:])
	return err
}

// releaseBatch is the number of entries that are released at once.
const releaseBatch = 1000

// release makes the entries due that a node or any dead node has taken, and lets all nodes take those
// that were reserved for it. It returns the number of entries that are ambiguous.
func (s *Store) release(ctx context.Context, node []byte) (ambiguous int, err error) {
	defer s.floors.forget()
	for n := 1; n > 0; {
		n = 0
		err := s.rows(ctx, qRelease, func(rows *sql.Rows) error {
			var is bool
			err := rows.Scan(&is)
			if n++; is {
				ambiguous++
			}
			return err
		}, record.Millis(s.now()), node, releaseBatch)
		if err != nil {
			return ambiguous, err
		}
	}
	return ambiguous, nil
}

// releaseDead makes the entries due whose node's lease has ended.
func (s *Store) releaseDead(ctx context.Context) error {
	if _, err := s.pool.ExecContext(ctx, s.text(qBury)); err != nil {
		return err
	}
	released, err := s.release(ctx, nil)
	if released > 0 {
		s.opts.Logger.Warn("leads were in flight on a node that is gone; TeleCRM is asked about them before they are sent",
			zap.String("outbox", s.name), zap.Int("leads", released))
	}
	return err
}

// keepLease renews the lease until ctx ends, and looks for dead nodes.
func (s *Store) keepLease(ctx context.Context) {
	for {
		wait := s.opts.Lease/4 + rand.N(s.opts.Lease/12) //nolint:gosec // it only spreads the load
		if s.health.get() != nil {
			wait /= 8
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.soon:
			timer.Stop()
		case <-timer.C:
		}
		err := s.keepNow(ctx)
		if ctx.Err() == nil {
			s.health.note(explain(err))
		}
	}
}

func (s *Store) keepNow(ctx context.Context) error {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, min(s.opts.ReadTimeout, s.opts.Lease/4))
	defer cancel()
	if err := s.renew(ctx); err != nil {
		return err
	}
	if _, err := s.version(ctx, s.pool); err != nil {
		return err
	}
	if err := s.giveBackStrays(ctx); err != nil {
		return err
	}
	if err := s.releaseOrphans(ctx); err != nil {
		return err
	}
	if err := s.releaseDead(ctx); err != nil {
		return err
	}
	if err := s.endMarks(ctx); err != nil {
		return err
	}
	if err := s.agree(ctx); err != nil {
		return err
	}
	return s.forgetErased(ctx)
}

// renew renews the lease. If it has ended, the process joins as another node.
func (s *Store) renew(ctx context.Context) error {
	asked := time.Now()
	n := s.currentNode()
	renewed, err := s.askTime(ctx, qRenew, n.id[:], s.opts.Lease.Milliseconds())
	if err != nil {
		return err
	}
	if !renewed {
		s.opts.Logger.Warn("this node's lease has ended; another node decides the leads that were in flight here",
			zap.String("outbox", s.name), zap.String("node", s.opts.Node))
		return s.join(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n.until = s.untilFrom(asked)
	return nil
}

// giveBackStrays makes entries due that this process has taken without having learned it.
func (s *Store) giveBackStrays(ctx context.Context) error {
	s.mu.Lock()
	strays := maps.Clone(s.strays)
	s.mu.Unlock()
	ids := slices.SortedFunc(maps.Keys(strays), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	defer s.floors.forget()
	for _, id := range ids {
		of := strays[id].id
		if _, err := s.pool.ExecContext(ctx, s.text(qGiveBack), of[:], [][]byte{id[:]}); err != nil {
			return err
		}
		s.mu.Lock()
		delete(s.strays, id)
		s.mu.Unlock()
	}
	return nil
}

// holder returns the node for an attempt that begins now. The error wraps [outbox.ErrBusy] if the
// node's lease has ended.
func (s *Store) holder() (*node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !time.Now().Before(s.node.until) {
		return nil, fmt.Errorf("this node's lease has ended: %w", outbox.ErrBusy)
	}
	return s.node, nil
}

// Fleet implements [outbox.Shared].
func (s *Store) Fleet(ctx context.Context) (fleet outbox.Fleet, err error) {
	self := s.currentNode().id
	err = s.read(ctx, func(ctx context.Context) error {
		fleet = outbox.Fleet{}
		var open float64
		if err := s.pool.QueryRowContext(ctx, s.text(qHealth), s.opts.Schema).Scan(&fleet.DeadRows, &open); err != nil {
			return err
		}
		fleet.OpenFor = time.Duration(open * float64(time.Second))
		return s.rows(ctx, qNodes, func(rows *sql.Rows) error {
			var n outbox.Node
			var settings string
			err := rows.Scan(&n.Name, &n.Self, &n.JoinedAt, &settings, &n.Spooled, &n.InFlight)
			n.JoinedAt, n.Settings = n.JoinedAt.UTC(), settingsIn(settings)
			fleet.Nodes = append(fleet.Nodes, n)
			return err
		}, self[:])
	})
	return fleet, wrap("reading the state of the fleet", uuid.Nil, err)
}
