package bolt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/leadwire/caddy-telecrm/outbox"
)

func entryNumber(n int) outbox.Entry {
	return outbox.Entry{
		ID:      fmt.Sprintf("01920000-0000-7000-8000-%012x", n),
		Account: "default", Form: "/enquire", Identifier: fmt.Sprintf("9181234%05d", n),
		Payload: make([]byte, 350), CreatedAt: time.Unix(1, 0), DueAt: time.Unix(int64(n), 0),
	}
}

func openTemp(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "outbox.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// commits returns how many there have been.
func commits(t *testing.T, s *Store) uint64 {
	t.Helper()
	m, err := s.handle.meta()
	if err != nil {
		t.Fatal(err)
	}
	return m.txid
}

// pause keeps the writer busy until the function it returns is called.
func pause(s *Store) (resume func()) {
	held, begun := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.await(context.Background(), &operation{alone: func() error {
			close(begun)
			<-held
			return nil
		}})
	}()
	<-begun
	return func() { close(held) }
}

// batches returns how many there are in the journal.
func batches(t *testing.T, s *Store) (n uint64) {
	t.Helper()
	alone(t, s, func() error { n = s.journal.sequence; return nil })
	return n
}

func TestWhatWaitsSharesOneBatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(filepath.Join(dir, "outbox.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if n := batches(t, s); n != 0 {
			t.Fatalf("%d batches in the journal of a store that was just opened", n)
		}
		resume := pause(s)
		before := commits(t, s)
		const appends = 100
		var work sync.WaitGroup
		var known int
		var mu sync.Mutex
		for n := range appends {
			for range 2 { // one of each two fails, for itself
				work.Go(func() {
					err := s.Append(context.Background(), entryNumber(n))
					if errors.Is(err, outbox.ErrExists) {
						mu.Lock()
						known++
						mu.Unlock()
					} else if err != nil {
						t.Error(err)
					}
				})
			}
		}
		work.Go(func() {
			if err := s.Erase(context.Background(), entryNumber(appends).ID); !errors.Is(err, outbox.ErrNotFound) {
				t.Errorf("erasing what is not there: error %v", err)
			}
		})
		synctest.Wait()
		resume()
		work.Wait()
		if n, m := batches(t, s), commits(t, s)-before; n != 1 || m != 0 {
			t.Errorf("%d batches, %d commits, want 1 and none", n, m)
		}
		if known != appends {
			t.Errorf("%d appends failed, want %d", known, appends)
		}
		counts, err := s.Counts(context.Background())
		if err != nil || len(counts) != 1 || counts[0].Entries != appends {
			t.Errorf("counts %v, %v", counts, err)
		}
	})
}

func TestNothingToWriteIsNoCommit(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	before := commits(t, s)
	if _, err := s.Take(t.Context(), "default", time.Now(), time.Now(), 10, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Expire(t.Context(), outbox.Delivered, time.Now(), 10); err != nil {
		t.Fatal(err)
	}
	if n, m := batches(t, s), commits(t, s)-before; n != 0 || m != 0 {
		t.Errorf("%d batches, %d commits, want none", n, m)
	}
}

func TestContextEndsWhileWaiting(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	resume := pause(s)
	ctx, cancel := context.WithCancel(t.Context())
	appended := make(chan error)
	go func() { appended <- s.Append(ctx, entryNumber(1)) }()
	cancel()
	if err := <-appended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one wrapping %v", err, context.Canceled)
	}
	resume()
	if err := s.Append(t.Context(), entryNumber(2)); err != nil {
		t.Error(err)
	}
}

func TestCloseWhileOthersWait(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	resume := pause(s)
	appended := make(chan error)
	for n := range 20 {
		go func() { appended <- s.Append(t.Context(), entryNumber(n)) }()
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	resume()
	accepted := 0
	for range 20 {
		switch err := <-appended; {
		case err == nil:
			accepted++
		case !errors.Is(err, outbox.ErrClosed):
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	s, err := Open(s.path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries, err := s.List(t.Context(), outbox.Filter{})
	if err != nil || len(entries) != accepted {
		t.Errorf("%d accepted, %d there, error %v", accepted, len(entries), err)
	}
}

// TestUndo: a commit whose last write failed is not seen by anybody, though it
// is in the file; what the journal holds is there nevertheless.
func TestUndo(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	for n := range 5 {
		if err := s.Append(t.Context(), entryNumber(n)); err != nil {
			t.Fatal(err)
		}
		alone(t, s, s.checkpoint)
		if err := s.Append(t.Context(), entryNumber(100+n)); err != nil {
			t.Fatal(err)
		}
		alone(t, s, func() error {
			before := commits(t, s)
			// A batch that goes into the file at once.
			r, err := newRecord(entryNumber(200 + n))
			if err != nil {
				return err
			}
			c := s.handle.changes
			c.reset()
			if err := errors.Join(c.add(r, r.encode(), &s.handle.highest), c.writeCounts()); err != nil {
				return err
			}
			at, sequence := s.journal.of, s.journal.sequence
			end := s.journal.end
			if err := s.commitOpen(c); err != nil {
				return err
			}
			s.journal.of, s.journal.sequence, s.journal.end = at, sequence, end
			if err := s.handle.undo(before + 1); err != nil {
				return err
			}
			s.rewind()
			return nil
		})
		if _, err := s.Get(t.Context(), entryNumber(200+n).ID); !errors.Is(err, outbox.ErrNotFound) {
			t.Fatalf("what was undone is there: error %v", err)
		}
		for _, kept := range []int{n, 100 + n} {
			if _, err := s.Get(t.Context(), entryNumber(kept).ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	alone(t, s, func() error { return s.handle.undo(commits(t, s) + 1) })
	if _, err := s.Get(t.Context(), entryNumber(4).ID); err != nil {
		t.Errorf("what was not to be undone is gone: %v", err)
	}
	alone(t, s, s.checkpoint)
	wantConsistent(t, s)
}

// alone has the writer do something between batches.
func alone(t *testing.T, s *Store, do func() error) {
	t.Helper()
	if err := s.await(context.Background(), &operation{alone: do}); err != nil {
		t.Fatal(err)
	}
}

// wantConsistent checks the file with bbolt's own check.
func wantConsistent(t *testing.T, s *Store) {
	t.Helper()
	err := s.handle.db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPassesOverNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	var work sync.WaitGroup
	for n := range maxPassedOver + 50 {
		work.Go(func() {
			if err := s.Append(t.Context(), entryNumber(n)); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	asked := 0
	busy := func(string) bool { asked++; return true }
	now := time.Unix(1<<20, 0)
	entries, err := s.Take(t.Context(), "default", now, now, 10, busy)
	if err != nil || len(entries) != 0 {
		t.Errorf("%d taken, error %v", len(entries), err)
	}
	if asked != maxPassedOver {
		t.Errorf("%d looked at, want %d", asked, maxPassedOver)
	}
}
