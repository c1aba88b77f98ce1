package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/postgres/pgstore"
)

// marked gives an entry the mark of a key.
func marked(key string) func(*outbox.Entry) {
	return func(e *outbox.Entry) { e.Mark = outbox.Mark{Key: key, For: time.Minute} }
}

// endMarks makes the database end all marks.
func (f *fleet) endMarks(t *testing.T) {
	t.Helper()
	f.exec(t, "UPDATE %s.marks SET ends_at = clock_timestamp()")
}

func (f *fleet) exec(t *testing.T, statement string) {
	t.Helper()
	must(t, f.server.Exec(t.Context(), fmt.Sprintf(statement, pgx.Identifier{f.schema}.Sanitize())))
}

// query returns the number that a statement selects.
func (f *fleet) query(t *testing.T, statement string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.server.DSN())
	must(t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	must(t, conn.QueryRow(t.Context(), fmt.Sprintf(statement, pgx.Identifier{f.schema}.Sanitize())).Scan(&n))
	return n
}

func wantRepeat(t *testing.T, doing string, err error, of string) {
	t.Helper()
	if repeat, ok := errors.AsType[*outbox.RepeatError](err); !ok || repeat.ID != of {
		t.Errorf("%s: error %v, want a repeat of %s", doing, err, of)
	}
	wantError(t, doing, err, outbox.ErrRepeat)
}

// One entry with a mark is stored, on whichever node it comes first. In every state it is the one
// that counts.
func TestRepeat(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	same := func(e *outbox.Entry) { e.Identifier = "918123456789" }
	first := lead(same, begun, marked("one"))
	must(t, a.Append(t.Context(), first))
	repeats := map[string]outbox.Entry{
		"waiting": lead(same, marked("one")), "taken": lead(same, begun, marked("one")),
		"parked": lead(same, marked("one"), func(e *outbox.Entry) { e.State, e.SettledAt = outbox.Parked, time.Now() }),
	}
	check := func(when string) {
		t.Helper()
		for state, e := range repeats {
			wantRepeat(t, when+", appending a "+state+" entry", b.Append(t.Context(), e), first.ID)
			if _, err := b.Get(t.Context(), e.ID); !errors.Is(err, outbox.ErrNotFound) {
				t.Errorf("%s, a %s entry was stored: error %v", when, state, err)
			}
		}
	}
	check("while the first is in flight")
	must(t, a.Settle(t.Context(), first.ID, outbox.Settlement{State: outbox.Delivered, At: time.Now()}))
	check("after the first is delivered")
	if err := b.Health(); err != nil {
		t.Errorf("the store is unhealthy after a repeat: %v", err)
	}
	must(t, b.Append(t.Context(), lead(marked("another"))))
	must(t, b.Append(t.Context(), lead()))
	must(t, b.Append(t.Context(), lead()))
	wantError(t, "appending the first again", b.Append(t.Context(), first), outbox.ErrExists)
	if got := get(t, b, first.ID); got.Mark != (outbox.Mark{}) {
		t.Errorf("the entry has the mark %+v", got.Mark)
	}
}

// An entry whose identifier is in flight elsewhere does not keep the mark.
func TestBusyEntryHasNoMark(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	same := func(e *outbox.Entry) { e.Identifier = "918123456789" }
	must(t, a.Append(t.Context(), lead(same, begun)))
	busy := lead(same, begun, marked("one"))
	wantError(t, "appending a taken entry", b.Append(t.Context(), busy), outbox.ErrBusy)
	next := lead(same, marked("one"))
	must(t, a.Append(t.Context(), next))
	wantRepeat(t, "appending it without an attempt", b.Append(t.Context(), busy), next.ID)
}

// Of entries that several nodes append at once, one is stored, and the others learn its id.
func TestRepeatsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	nodes := []*pgstore.Store{f.join(t, "a"), f.join(t, "b"), f.join(t, "c")}
	for round := range 40 {
		key := fmt.Sprintf("lead %d", round)
		var work sync.WaitGroup
		var mu sync.Mutex
		var stored, repeated []string
		for i := range 2 * len(nodes) {
			work.Go(func() {
				e := lead(marked(key), func(e *outbox.Entry) { e.Identifier = fmt.Sprintf("9180%08d", round) })
				err := nodes[i%len(nodes)].Append(t.Context(), e)
				mu.Lock()
				defer mu.Unlock()
				if repeat, ok := errors.AsType[*outbox.RepeatError](err); ok {
					repeated = append(repeated, repeat.ID)
				} else if err == nil {
					stored = append(stored, e.ID)
				} else {
					t.Error(err)
				}
			})
		}
		work.Wait()
		if len(stored) != 1 || len(repeated) != 2*len(nodes)-1 {
			t.Fatalf("%d entries were stored and %d repeated", len(stored), len(repeated))
		}
		for _, id := range repeated {
			if id != stored[0] {
				t.Errorf("a repeat of %s names %s", stored[0], id)
			}
		}
	}
}

// A mark ends with its time, by the database's clock, and when its entry is removed or releases it.
func TestMarkEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *fleet, *pgstore.Store, outbox.Entry){
		"in time": func(t *testing.T, f *fleet, _ *pgstore.Store, _ outbox.Entry) { f.endMarks(t) },
		"erased": func(t *testing.T, _ *fleet, s *pgstore.Store, e outbox.Entry) {
			must(t, s.Erase(t.Context(), e.ID))
		},
		"released": func(t *testing.T, _ *fleet, s *pgstore.Store, e outbox.Entry) {
			must(t, s.Unmark(t.Context(), e.Mark, e.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			a, b := f.join(t, "a"), f.join(t, "b")
			first, second := lead(marked("one")), lead(marked("one"))
			must(t, a.Append(t.Context(), first))
			end(t, f, b, first)
			must(t, b.Append(t.Context(), second))
			wantRepeat(t, "appending a third entry", a.Append(t.Context(), lead(marked("one"))), second.ID)
			must(t, a.Unmark(t.Context(), first.Mark, first.ID)) // it is another entry's by now
			wantRepeat(t, "appending a fourth entry", a.Append(t.Context(), lead(marked("one"))), second.ID)
		})
	}
}

// A key belongs to one owner in the whole fleet until its time has ended.
func TestMark(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.join(t, "a"), f.join(t, "b")
	mark := outbox.Mark{Key: "an answer", For: time.Minute}
	for i, step := range []struct {
		by    *pgstore.Store
		owner string
		want  bool
	}{{a, "one lead", true}, {b, "another lead", false}, {b, "one lead", true}, {a, "another lead", false}} {
		if is, err := step.by.Mark(t.Context(), mark, step.owner); is != step.want || err != nil {
			t.Errorf("step %d: Mark = %v, error %v", i, is, err)
		}
	}
	f.endMarks(t)
	if is, err := b.Mark(t.Context(), mark, "another lead"); !is || err != nil {
		t.Errorf("after the mark has ended: Mark = %v, error %v", is, err)
	}
	var work sync.WaitGroup
	owners := make(chan string, 10)
	for i := range cap(owners) {
		work.Go(func() {
			is, err := []*pgstore.Store{a, b}[i%2].Mark(t.Context(), outbox.Mark{Key: "at once", For: time.Minute}, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
			if is {
				owners <- fmt.Sprint(i)
			}
		})
	}
	work.Wait()
	if len(owners) != 1 {
		t.Errorf("%d owners of a key", len(owners))
	}
}

// A caller does not wait for a mark longer than it wants to, and that does no harm to the store.
func TestMarkInTime(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s := f.join(t, "a")
	conn, err := pgx.Connect(t.Context(), f.server.DSN())
	must(t, err)
	defer func() { must(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	locking, err := conn.Begin(t.Context())
	must(t, err)
	_, err = locking.Exec(t.Context(), "LOCK TABLE "+pgx.Identifier{f.schema}.Sanitize()+".marks")
	must(t, err)
	for n := range 12 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		is, err := s.Mark(ctx, outbox.Mark{Key: fmt.Sprint("answer ", n), For: time.Minute}, "a lead")
		cancel()
		if is || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Mark = %v, error %v", is, err)
		}
	}
	must(t, locking.Rollback(t.Context()))
	if err := s.Health(); err != nil {
		t.Errorf("the store is unhealthy: %v", err)
	}
	if is, err := s.Mark(t.Context(), outbox.Mark{Key: "answer 12", For: time.Minute}, "a lead"); !is || err != nil {
		t.Errorf("afterwards: Mark = %v, error %v", is, err)
	}
}

// If the answer to an append is lost, the entry keeps its mark and is not a repeat of itself.
func TestLostAnswerToMarkedEntry(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	proxy := pgtest.NewProxy(t, f.server.Address())
	a, b := f.joinAt(t, "a", strings.Replace(f.server.DSN(), f.server.Address(), proxy.Address(), 1)), f.join(t, "b")
	e := lead(marked("one"))
	proxy.LoseAnswer("INSERT INTO", false)
	must(t, a.Append(t.Context(), e))
	if proxy.Lost() != 1 {
		t.Fatalf("%d answers were lost", proxy.Lost())
	}
	wantRepeat(t, "appending on another node", b.Append(t.Context(), lead(marked("one"))), e.ID)
}

// A schema from before there were marks gets them when a node of this version opens it. Its leads
// stay.
func TestMarksInOlderSchema(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	old := f.join(t, "a")
	before := lead()
	must(t, old.Append(t.Context(), before))
	must(t, old.Close())
	f.exec(t, "DROP TABLE %s.marks")
	f.exec(t, "ALTER TABLE %s.nodes DROP COLUMN IF EXISTS settings, DROP COLUMN IF EXISTS renewed_at, DROP COLUMN IF EXISTS spooled")
	f.exec(t, "DROP TABLE IF EXISTS %s.erased")
	f.exec(t, "UPDATE %s.ledger SET version = version - 2")
	s := f.join(t, "b")
	get(t, s, before.ID)
	first := lead(marked("one"))
	must(t, s.Append(t.Context(), first))
	wantRepeat(t, "appending it again", s.Append(t.Context(), lead(marked("one"))), first.ID)
	if n := f.query(t, "SELECT oldest FROM %s.ledger"); n != 1 {
		t.Errorf("nodes must know version %d of the schema, want 1", n)
	}
}

// A mark without an entry does not wait for a standby.
func TestMarkWithoutStandby(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	s, err := pgstore.Open(t.Context(), address(t, primary.DSN()), pgstore.Options{Node: "a", PoolSize: 4})
	must(t, err)
	found := missStandby(t, primary)
	t.Cleanup(func() {
		found()
		must(t, s.Close())
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, owner := range []string{"a lead", "another lead"} {
		is, err := s.Mark(ctx, outbox.Mark{Key: "an answer", For: time.Minute}, owner)
		if is != (owner == "a lead") || err != nil {
			t.Errorf("Mark for %s = %v, error %v", owner, is, err)
		}
	}
	// Its connection waits for the standby again.
	ended := make(chan error, 1)
	go func() { ended <- s.Append(t.Context(), lead()) }()
	if !awaitsStandby(t, primary, insertEntry, ended) {
		t.Fatal("an append did not wait for the standby")
	}
	found()
	must(t, <-ended)
}

// Marks that have ended are removed, some at a time. The keys and owners are not stored in clear.
func TestMarksAreRemoved(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	s := f.join(t, "a")
	must(t, s.Append(t.Context(), lead(marked("priya@example.com"))))
	if _, err := s.Mark(t.Context(), outbox.Mark{Key: "an answer", For: time.Minute}, "priya@example.com"); err != nil {
		t.Fatal(err)
	}
	if n := f.query(t, "SELECT count(*) FROM %s.marks WHERE octet_length(key) <> 16 OR octet_length(owner) <> 16"); n != 0 {
		t.Errorf("%d marks are not hashes", n)
	}
	f.exec(t, "INSERT INTO %s.marks SELECT sha256(n::text::bytea), '', clock_timestamp() - interval '1 hour' FROM generate_series(1, 2500) n")
	must(t, s.Keep(t.Context()))
	if n := f.query(t, "SELECT count(*) FROM %s.marks"); n != 2 {
		t.Errorf("%d marks are left, want 2", n)
	}
}
