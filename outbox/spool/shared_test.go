package spool_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// remote is a primary on another machine, which several processes share. While it is away, every
// method fails as if the network was cut.
type remote struct {
	*sqlstore.Store

	away atomic.Bool
	lost atomic.Bool  // the answers to appends are lost
	slow atomic.Int64 // how long an append takes
	late atomic.Int64 // how long the answer to an append takes
	done atomic.Int64 // appends that have ended

	mu    sync.Mutex
	marks map[string]string // owners by key
}

var _ outbox.Shared = (*remote)(nil)

var errCut = errors.New("the network is cut")

func (*remote) IsShared() bool                       { return true }
func (*remote) Skew() time.Duration                  { return time.Minute }
func (*remote) LeasedUntil(string) (time.Time, bool) { return time.Time{}, false }

func (*remote) Fleet(context.Context) (outbox.Fleet, error) {
	return outbox.Fleet{Nodes: []outbox.Node{{Name: "web-1", Self: true}}}, nil
}

func (r *remote) Lend(context.Context, outbox.LoanRequest) (outbox.Loan, error) {
	if r.away.Load() {
		return outbox.Loan{}, errCut
	}
	return outbox.Loan{Tokens: 1, Nodes: 1}, nil
}

func (r *remote) Publish(context.Context, string, outbox.AccountState) (bool, error) {
	return !r.away.Load(), nil
}

func (r *remote) Mark(_ context.Context, m outbox.Mark, owner string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.marks[m.Key] == "" {
		r.marks[m.Key] = owner
	}
	return r.marks[m.Key] == owner, nil
}

func (r *remote) Unmark(_ context.Context, m outbox.Mark, _ string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.marks, m.Key)
	return nil
}

func (r *remote) Health() error {
	if r.away.Load() {
		return outbox.Away(errCut)
	}
	return r.Store.Health()
}

func (r *remote) Append(ctx context.Context, e outbox.Entry) error {
	defer r.done.Add(1)
	time.Sleep(time.Duration(r.slow.Load()))
	if r.away.Load() {
		return errCut
	}
	if e.Mark.Key != "" {
		if is, _ := r.Mark(ctx, e.Mark, e.ID); !is {
			return &outbox.RepeatError{ID: r.marks[e.Mark.Key]}
		}
	}
	err := r.Store.Append(ctx, e)
	time.Sleep(time.Duration(r.late.Load()))
	if r.lost.Load() {
		return errors.Join(outbox.ErrUnsure, err)
	}
	return err
}

func (r *remote) Get(ctx context.Context, id string) (outbox.Entry, error) {
	if r.away.Load() {
		return outbox.Entry{}, errCut
	}
	return r.Store.Get(ctx, id)
}

func (r *remote) Adopt(ctx context.Context, entries []outbox.Adoption) error {
	if r.away.Load() {
		return errCut
	}
	return r.Store.Adopt(ctx, entries)
}

// openShared opens a store over a remote primary.
func openShared(t *testing.T) (*spool.Store, *remote) {
	t.Helper()
	return openOver(t, func(r *remote) outbox.Store { return r })
}

// openOver opens a store over what wrap makes of a remote primary.
func openOver(t *testing.T, wrap func(*remote) outbox.Store) (*spool.Store, *remote) {
	t.Helper()
	dir := t.TempDir()
	open := func(ctx context.Context, file string) (*sqlstore.Store, error) {
		return sqlstore.Open(ctx, file, sqlstore.Options{LockTimeout: time.Millisecond})
	}
	db, err := open(t.Context(), filepath.Join(dir, "remote.db"))
	if err != nil {
		t.Fatal(err)
	}
	primary := &remote{Store: db, marks: make(map[string]string)}
	s := spool.Open(t.Context(), spool.Options{
		Name: "db.example/leads",
		Open: func(context.Context) (outbox.Store, error) { return wrap(primary), nil },
		OpenSpool: func(ctx context.Context, file string) (spool.Spool, error) {
			store, err := open(ctx, file)
			if err != nil {
				return nil, err
			}
			return store, nil
		},
		Prefixes:       func() []string { return []string{filepath.Join(dir, "local.spool-")} },
		AppendPatience: 300 * time.Millisecond,
		Retry:          10 * time.Millisecond,
		MaxRetry:       50 * time.Millisecond,
	})
	t.Cleanup(func() { _ = s.Close() })
	return s, primary
}

func newLead(begun bool) outbox.Entry {
	e := outbox.Entry{ID: uuid.Must(uuid.NewV7()).String(), Account: "default", Payload: []byte("{}"), CreatedAt: time.Now(), DueAt: time.Now()}
	if begun {
		e.BegunAt = e.CreatedAt
	}
	return e
}

// awaitMoved waits until the primary has the entry and no spool is left.
func awaitMoved(t *testing.T, s *spool.Store, r *remote, id string) outbox.Entry {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if e, err := r.Store.Get(t.Context(), id); err == nil && len(s.Status().Spools) == 0 {
			return e
		}
	}
	t.Fatalf("entry %s has not moved: %+v", id, s.Status())
	return outbox.Entry{}
}

// While the primary is away, leads are kept and delivered from a spool, and move when it is back. An
// attempt at a lead of the primary can still be recorded then.
func TestSharedPrimaryAway(t *testing.T) {
	t.Parallel()
	s, primary := openShared(t)
	ctx, now := t.Context(), time.Now()
	before := newLead(true)
	if err := s.Append(ctx, before); err != nil {
		t.Fatal(err)
	}
	primary.away.Store(true)
	if skew := s.Skew(); skew != time.Minute {
		t.Errorf("skew %v", skew)
	}
	kept, tried := newLead(false), newLead(true)
	for _, e := range []outbox.Entry{kept, tried} {
		if err := s.Append(ctx, e); err != nil {
			t.Fatalf("appending while the primary is away: %v", err)
		}
	}
	if status := s.Status(); status.Trouble == nil || len(status.Spools) != 1 {
		t.Errorf("status %+v", status)
	}
	delivered := outbox.Settlement{State: outbox.Delivered, At: now, LeadID: "lead-1"}
	if err := s.Settle(ctx, tried.ID, delivered); err != nil {
		t.Errorf("settling a lead of the spool: %v", err)
	}
	if err := s.Settle(ctx, before.ID, delivered); !errors.Is(err, outbox.ErrAway) {
		t.Errorf("settling a lead of the primary: error %v", err)
	}
	if taken, err := s.Take(ctx, "default", now.Add(time.Second), now, 10, nil); err != nil || len(taken) != 1 || taken[0].ID != kept.ID {
		t.Errorf("taken from the spool: %v, error %v", taken, err)
	}
	if err := s.Settle(ctx, kept.ID, delivered); err != nil {
		t.Error(err)
	}
	if loan, err := s.Lend(ctx, outbox.LoanRequest{Account: "default", Want: 1}); !errors.Is(err, outbox.ErrAway) {
		t.Errorf("borrowing while the primary is away: %+v, error %v", loan, err)
	}
	if published, err := s.Publish(ctx, "default", outbox.AccountState{}); published || !errors.Is(err, outbox.ErrAway) {
		t.Errorf("publishing while the primary is away: %v, error %v", published, err)
	}
	primary.away.Store(false)
	for _, id := range []string{kept.ID, tried.ID} {
		if e := awaitMoved(t, s, primary, id); e.State != outbox.Delivered || e.Attempts != 1 {
			t.Errorf("moved as %+v", e)
		}
	}
	if err := s.Settle(ctx, before.ID, delivered); err != nil {
		t.Errorf("settling a lead of the primary when it is back: %v", err)
	}
	if loan, err := s.Lend(ctx, outbox.LoanRequest{Account: "default", Want: 1}); err != nil || loan.Tokens != 1 {
		t.Errorf("borrowing when the primary is back: %+v, error %v", loan, err)
	}
}

// A lead whose append has an unknown result is kept in a spool too. It is not sent from there before
// it is compared, and there is one of it in the end.
func TestUnsureAppend(t *testing.T) {
	t.Parallel()
	for _, begun := range []bool{false, true} {
		s, primary := openShared(t)
		ctx := t.Context()
		primary.lost.Store(true)
		e := newLead(false)
		if begun {
			e = newLead(true)
			if err := s.Append(ctx, e); !errors.Is(err, outbox.ErrBusy) {
				t.Fatalf("appending a taken lead: error %v", err)
			}
			// The primary gives it back, because no attempt follows.
			if err := primary.Store.Settle(ctx, e.ID, outbox.Settlement{State: outbox.Waiting, DueAt: e.DueAt, Uncounted: true}); err != nil {
				t.Fatal(err)
			}
			e.BegunAt = time.Time{}
		}
		if err := s.Append(ctx, e); err != nil {
			t.Fatalf("appending a lead (%v): %v", begun, err)
		}
		primary.lost.Store(false)
		if got := awaitMoved(t, s, primary, e.ID); got.State != outbox.Waiting || got.Attempts != 0 {
			t.Errorf("the lead is %+v", got)
		}
		page, err := s.List(ctx, outbox.Filter{})
		if err != nil || len(page) != 1 {
			t.Errorf("there are %d leads, error %v", len(page), err)
		}
	}
}

// A lead that the primary does not store in time goes to a spool, and only there.
func TestSlowAppend(t *testing.T) {
	t.Parallel()
	s, primary := openShared(t)
	primary.slow.Store(int64(5 * time.Second))
	e := newLead(false)
	if err := s.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if primary.done.Load() > 0 {
		t.Error("the append waited for the primary")
	}
	primary.slow.Store(0)
	if got := awaitMoved(t, s, primary, e.ID); got.State != outbox.Waiting {
		t.Errorf("the lead is %+v", got)
	}
	for deadline := time.Now().Add(time.Minute); primary.done.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if page, err := s.List(t.Context(), outbox.Filter{}); err != nil || len(page) != 1 {
		t.Errorf("there are %d leads, error %v", len(page), err)
	}
}

// Marks are in the primary. A repeat that the primary refuses does not go to a spool. While the
// primary is away, marks cannot be asked for, and entries are kept regardless of them.
func TestMarks(t *testing.T) {
	t.Parallel()
	s, primary := openShared(t)
	ctx := t.Context()
	mark := outbox.Mark{Key: "the same lead", For: time.Minute}
	first, second := newLead(false), newLead(true)
	first.Mark, second.Mark = mark, mark
	if err := s.Append(ctx, first); err != nil {
		t.Fatal(err)
	}
	err := s.Append(ctx, second)
	if repeat, ok := errors.AsType[*outbox.RepeatError](err); !ok || repeat.ID != first.ID {
		t.Errorf("appending a repeat: error %v", err)
	}
	if is, err := s.Mark(ctx, mark, second.ID); is || err != nil {
		t.Errorf("marking a key of another owner: %v, error %v", is, err)
	}
	if status := s.Status(); status.Trouble != nil || len(status.Spools) != 0 {
		t.Errorf("status %+v", status)
	}
	primary.away.Store(true)
	if is, err := s.Mark(ctx, mark, first.ID); is || !errors.Is(err, outbox.ErrAway) {
		t.Errorf("marking a key while the primary is away: %v, error %v", is, err)
	}
	kept := newLead(false)
	kept.Mark = mark
	if err := s.Append(ctx, kept); err != nil {
		t.Errorf("appending a repeat while the primary is away: %v", err)
	}
	primary.away.Store(false)
	awaitMoved(t, s, primary, kept.ID)
	if err := s.Unmark(ctx, mark, first.ID); err != nil {
		t.Error(err)
	}
	third := newLead(false)
	third.Mark = mark
	if err := s.Append(ctx, third); err != nil {
		t.Errorf("appending with a mark that was released: %v", err)
	}
}

// A lead that the primary stores as taken, but says so too late, is waiting in the end, because no
// attempt follows.
func TestLateAnswerToTaken(t *testing.T) {
	t.Parallel()
	s, primary := openShared(t)
	ctx := t.Context()
	primary.late.Store(int64(time.Second))
	e := newLead(true)
	if err := s.Append(ctx, e); !errors.Is(err, outbox.ErrBusy) {
		t.Fatalf("appending a taken lead: error %v", err)
	}
	e.BegunAt = time.Time{}
	if err := s.Append(ctx, e); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		now := time.Now()
		taken, err := s.Take(ctx, "default", now.Add(time.Second), now, 10, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(taken) == 1 && taken[0].Attempts == 1 {
			break
		}
		if len(taken) > 0 || now.After(deadline) {
			page, err := s.List(ctx, outbox.Filter{})
			t.Fatalf("taken %+v, the outbox has %+v, error %v", taken, page, err)
		}
	}
	if page, err := s.List(ctx, outbox.Filter{}); err != nil || len(page) != 1 {
		t.Errorf("there are %d leads, error %v", len(page), err)
	}
}

// A lead that the primary has not stored, or not yet, is due again as soon as it has moved there.
func TestUnsureIsDueWhenMoved(t *testing.T) {
	t.Parallel()
	s, primary := openShared(t)
	primary.slow.Store(int64(time.Second))
	e := newLead(false)
	if err := s.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got := awaitMoved(t, s, primary, e.ID)
	if wait := got.DueAt.Sub(e.DueAt); wait > time.Millisecond {
		t.Errorf("the lead is due %v later", wait)
	}
	if got.AmbiguousSince.IsZero() {
		t.Error("the lead is not ambiguous")
	}
}

// published notes what is published to it.
type published struct {
	*remote

	settings chan outbox.Settings
}

func (p *published) PublishSettings(settings outbox.Settings) { p.settings <- settings }

// A primary that opens late gets the settings when it does.
func TestPublishLate(t *testing.T) {
	t.Parallel()
	dir, opening := t.TempDir(), make(chan struct{})
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "remote.db"), sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	primary := &published{&remote{Store: db}, make(chan outbox.Settings, 2)}
	s := spool.Open(t.Context(), spool.Options{
		Open: func(context.Context) (outbox.Store, error) {
			<-opening
			return primary, nil
		},
		OpenSpool: func(context.Context, string) (spool.Spool, error) { return nil, errCut },
		Prefixes:  func() []string { return []string{filepath.Join(dir, "local.spool-")} },
		Patience:  10 * time.Millisecond,
	})
	t.Cleanup(func() { _ = s.Close() })
	early, late := outbox.Settings{"default": {"crm_rate": "1/h 1"}}, outbox.Settings{"default": {"crm_rate": "2/h 1"}}
	s.PublishSettings(early)
	close(opening)
	if got := <-primary.settings; !got.Equal(early) {
		t.Errorf("the primary got %v", got)
	}
	s.PublishSettings(late)
	if got := <-primary.settings; !got.Equal(late) {
		t.Errorf("then it got %v", got)
	}
}
