package bolt

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// appendNumbers appends the entries of these numbers, many at once.
func appendNumbers(t *testing.T, s *Store, from, to int) {
	t.Helper()
	const writers = 500
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for n := from + w; n < to; n += writers {
				if err := s.Append(context.Background(), entryNumber(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
}

// cost is what an operation did to the file.
type cost struct{ pages, nodes int64 }

func measure(t *testing.T, s *Store, do func() error) cost {
	t.Helper()
	before := s.handle.db.Stats().TxStats
	if err := errors.Join(do(), s.Checkpoint()); err != nil {
		t.Fatal(err)
	}
	after := s.handle.db.Stats().TxStats
	diff := after.Sub(&before)
	return cost{pages: diff.GetPageCount(), nodes: diff.GetNodeCount()}
}

// TestCostDoesNotGrow: what an operation reads and writes grows no more than
// the depth of a tree does, whatever the number of entries; and the entries
// themselves take hardly more room than their bytes.
func TestCostDoesNotGrow(t *testing.T) {
	t.Parallel()
	const few, many = 200, 20_000
	s := openTemp(t)
	now := time.Unix(1<<31, 0)
	operations := map[string]func() error{
		"Append": func() error { return s.Append(t.Context(), entryNumber(1<<20+int(commits(t, s)))) },
		"Take":   func() error { _, err := s.Take(t.Context(), "default", now, now, 1, nil); return err },
		"NextDue": func() error {
			_, _, err := s.NextDue(t.Context(), "default")
			return err
		},
		"List": func() error {
			_, err := s.List(t.Context(), outbox.Filter{State: outbox.Waiting, Account: "default", Limit: 10})
			return err
		},
		"Expire": func() error { _, err := s.Expire(t.Context(), outbox.Delivered, now, 10); return err },
		"Counts": func() error { _, err := s.Counts(t.Context()); return err },
	}
	appendNumbers(t, s, 0, few)
	alone(t, s, s.checkpoint)
	atFew := make(map[string]cost)
	for name, do := range operations {
		atFew[name] = measure(t, s, do)
	}
	appendNumbers(t, s, few, many)
	alone(t, s, s.checkpoint)
	for name, do := range operations {
		before, after := atFew[name], measure(t, s, do)
		if after.pages > before.pages+8 || after.nodes > before.nodes+8 {
			t.Errorf("%s wrote %d pages and read %d nodes of %d entries, %d and %d of %d",
				name, before.pages, before.nodes, few, after.pages, after.nodes, many)
		}
	}
	m, err := s.handle.meta()
	if err != nil {
		t.Fatal(err)
	}
	// A million of these must fit into a gibibyte, of which bbolt grows a
	// file by 16 MiB in advance.
	if perEntry := m.bytes() / many; perEntry > 900 {
		t.Errorf("%d bytes per entry", perEntry)
	}
}

func TestCompact(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	const entries = 40_000
	appendNumbers(t, s, 0, entries)
	before := fileSize(t, s)
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := fileSize(t, s); after != before {
		t.Errorf("a full file went from %d to %d bytes", before, after)
	}
	deliverAll(t, s, entries-100)
	if _, err := s.Expire(t.Context(), outbox.Delivered, time.Unix(1<<32, 0), entries); err != nil {
		t.Fatal(err)
	}
	left, err := s.List(t.Context(), outbox.Filter{})
	if err != nil {
		t.Fatal(err)
	}

	reading := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				if _, err := s.List(t.Context(), outbox.Filter{}); err != nil {
					t.Error(err)
				}
				select {
				case <-reading:
					return
				default:
				}
			}
		})
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(reading)
	readers.Wait()
	if after := fileSize(t, s); after > before/4 {
		t.Errorf("the file went from %d to %d bytes", before, after)
	}
	if _, err := os.Stat(s.path + suffixCompact); err == nil {
		t.Error("the copy was left behind")
	}
	again, err := s.List(t.Context(), outbox.Filter{})
	if err != nil || len(left) != 100 || len(again) != 100 {
		t.Errorf("%d entries before, %d after, error %v", len(left), len(again), err)
	}
	wantConsistent(t, s)
	deliverAll(t, s, 100)
}

func fileSize(t *testing.T, s *Store) int64 {
	t.Helper()
	info, err := os.Stat(s.path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func deliverAll(t *testing.T, s *Store, n int) {
	t.Helper()
	now := time.Unix(1<<31, 0)
	delivered := outbox.Settlement{State: outbox.Delivered, At: now}
	for n > 0 {
		entries, err := s.Take(t.Context(), "default", now, now, min(n, 1000), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			t.Fatalf("none is due, though %d are left", n)
		}
		var work sync.WaitGroup
		for _, e := range entries {
			work.Go(func() {
				if err := s.Settle(t.Context(), e.ID, delivered); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		n -= len(entries)
	}
}
