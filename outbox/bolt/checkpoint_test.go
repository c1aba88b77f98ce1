package bolt

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// copied opens what a crash would leave of the store.
func copied(t *testing.T, s *Store) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.db")
	for _, suffix := range []string{"", suffixJournal} {
		content, err := os.ReadFile(s.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	crashed, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = crashed.Close() })
	return crashed
}

func wantNumbers(t *testing.T, s *Store, want ...int) {
	t.Helper()
	entries, err := s.List(t.Context(), outbox.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, 0, len(entries))
	for _, e := range entries {
		got = append(got, e.ID)
	}
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = got[i] == entryNumber(want[i]).ID
	}
	if !ok {
		t.Fatalf("entries %q, want those numbered %v", got, want)
	}
}

// TestFailedBatch: what is left of a batch that could not be written, be it a
// part or all of it, is not taken for one that was.
func TestFailedBatch(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Append(t.Context(), entryNumber(1)))
	frame := func() (frame []byte) {
		alone(t, s, func() error {
			content, err := s.journal.read()
			first := journalFrames(content)[0]
			frame = append(make([]byte, journalHeaderSize), first.body...)
			frame = append(frame, appendSized(appendSized([]byte{0}, []byte("key of another")), make([]byte, 2000))...)
			sealJournalFrame(frame, s.journal.of, s.journal.sequence)
			return err
		})
		return frame
	}
	for n, part := range []int{10, journalHeaderSize, 500, 2000} {
		torn := frame()[:part]
		alone(t, s, func() error { _, err := s.journal.file.WriteAt(torn, s.journal.end); return err })
		wantNumbers(t, copied(t, s), numbersTo(n+1)...)
		must(s.Append(t.Context(), entryNumber(n+2)))
		wantNumbers(t, copied(t, s), numbersTo(n+2)...)
	}
	whole := frame()
	alone(t, s, func() error { _, err := s.journal.file.WriteAt(whole, s.journal.end); return err })
	alone(t, s, s.journal.erase)
	wantNumbers(t, copied(t, s), numbersTo(5)...)
	must(s.Append(t.Context(), entryNumber(6)))
	wantNumbers(t, copied(t, s), numbersTo(6)...)
}

// numbersTo returns 1 to n.
func numbersTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i + 1
	}
	return numbers
}

// TestJournalCannotBeWritten: entries go into the file then, and into the
// journal again when it can be written.
func TestJournalCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	for n := range 4 {
		if err := s.Append(t.Context(), entryNumber(n)); err != nil {
			t.Fatal(err)
		}
		before := commits(t, s)
		var writable *os.File
		alone(t, s, func() (err error) {
			writable = s.journal.file
			s.journal.file, err = os.Open(s.journal.path)
			return err
		})
		if err := s.Append(t.Context(), entryNumber(100+n)); err != nil {
			t.Fatal(err)
		}
		if n := commits(t, s) - before; n != 1 {
			t.Errorf("%d commits, want 1", n)
		}
		alone(t, s, func() error { s.journal.file.Close(); s.journal.file = writable; return nil })
	}
	wantNumbers(t, copied(t, s), 0, 1, 2, 3, 100, 101, 102, 103)
}

// TestCatchesUp: some seconds after a change the file contains it.
func TestCatchesUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(filepath.Join(dir, "outbox.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for n := range 3 {
			before := commits(t, s)
			if err := s.Append(context.Background(), entryNumber(n)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(checkpointAfter - time.Nanosecond)
			synctest.Wait()
			if commits(t, s) != before || batches(t, s) == 0 {
				t.Error("the file was written before it was time")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if commits(t, s) != before+1 || batches(t, s) != 0 {
				t.Error("the file was not written though it was time")
			}
		}
	})
}

// TestLongJournal: the journal is committed before it is too long, and a batch
// that it cannot take goes into the file at once.
func TestLongJournal(t *testing.T) {
	t.Parallel()
	s := openTemp(t)
	for n, size := range []int{3 << 20, 2 << 20, 1 << 20, 20 << 20, 1} {
		e := entryNumber(n + 1)
		e.Payload = make([]byte, size)
		if err := s.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		wantNumbers(t, copied(t, s), numbersTo(n+1)...)
		alone(t, s, func() error {
			if s.journal.end >= checkpointBytes || s.journal.size > maxJournal {
				t.Errorf("a journal of %d bytes in %d", s.journal.end, s.journal.size)
			}
			return nil
		})
	}
}
