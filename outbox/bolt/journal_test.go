package bolt_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/bolt"
)

// files are an outbox's file and its journal, as a crash would leave them.
type files struct{ main, journal []byte }

func readFiles(t *testing.T, path string) files {
	t.Helper()
	main, err := os.ReadFile(path)
	must(t, err)
	journal, err := os.ReadFile(path + ".journal")
	if !errors.Is(err, fs.ErrNotExist) {
		must(t, err)
	}
	return files{main, journal}
}

// write writes them to a folder of their own, and returns the outbox's path.
func (f files) write(tb testing.TB, dir string) string {
	tb.Helper()
	path := filepath.Join(dir, "outbox.db")
	err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(path, f.main, 0o600))
	if f.journal != nil {
		err = errors.Join(err, os.WriteFile(path+".journal", f.journal, 0o600))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

func appendOne(t *testing.T, store *bolt.Store) outbox.Entry {
	t.Helper()
	e := newEntry()
	e.Payload = []byte(`{}`)
	must(t, store.Append(t.Context(), e))
	return e
}

func wantDump(t *testing.T, store *bolt.Store, want map[string]outbox.State) {
	t.Helper()
	if got := dump(t, store); !maps.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
}

// TestTornJournal cuts the journal at every byte of its last batch. That batch
// must be gone as a whole, and those before it be there.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openHeld(t, path)
	appendOne(t, store)
	must(t, store.Checkpoint())
	appendOne(t, store)
	e := appendOne(t, store)
	_, err := store.Take(t.Context(), "default", farFuture, time.Now(), 1, nil)
	must(t, err)
	must(t, store.Retry(t.Context(), e.ID, time.Now()))
	want := dump(t, store)
	appendOne(t, store)
	image := readFiles(t, path)
	ends := bolt.JournalFrameEnds(image.journal)
	if len(ends) != 5 {
		t.Fatalf("%d batches in the journal, want 5", len(ends))
	}
	dir := t.TempDir()
	for at := ends[3]; at < ends[4]; at++ {
		torn := files{image.main, bytes.Clone(image.journal[:at])}
		if at%2 == 0 {
			torn.journal = append(torn.journal, make([]byte, 1000)...) // as it was before
		}
		path := torn.write(t, filepath.Join(dir, strconv.Itoa(at)))
		store := openAt(t, path)
		wantDump(t, store, want)
		must(t, store.Close())
		wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")
	}
}

// TestClosedFileIsComplete: a store that is closed has no journal, and its
// file alone holds everything.
func TestClosedFileIsComplete(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openHeld(t, path)
	appendMany(t, store, 50)
	want := dump(t, store)
	if alone := openAt(t, files{main: readFiles(t, path).main}.write(t, t.TempDir())); len(dump(t, alone)) != 0 {
		t.Error("the file was written before there was need to")
	}
	must(t, store.Close())
	wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.lock", "outbox.db.reserve")
	wantDump(t, openAt(t, readFiles(t, path).write(t, t.TempDir())), want)
}

// TestStaleJournal: batches that the file contains are not done again.
func TestStaleJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openHeld(t, path)
	var stale []files
	appendOne(t, store)
	for range 4 {
		e := appendOne(t, store)
		appendMany(t, store, 5)
		stale = append(stale, readFiles(t, path))
		must(t, store.Checkpoint())
		must(t, store.Erase(t.Context(), e.ID))
		stale = append(stale, readFiles(t, path))
		must(t, store.Checkpoint())
	}
	must(t, store.Close())
	closed := readFiles(t, path)
	store = openAt(t, path)
	want := dump(t, store)
	for _, f := range stale {
		path := files{closed.main, f.journal}.write(t, t.TempDir())
		store, log := openObserved(t, path)
		wantDump(t, store, want)
		appendOne(t, store)
		again := dump(t, store)
		crashed := openAt(t, readFiles(t, path).write(t, t.TempDir()))
		wantDump(t, crashed, again)
		if log.FilterLevelExact(zapcore.ErrorLevel).Len() > 0 {
			t.Errorf("errors logged: %v", log.All())
		}
	}
}

// TestAnotherOutboxesJournal: a journal does nothing to a file that it does
// not belong to, and is kept for a person to look at.
func TestAnotherOutboxesJournal(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "outbox.db")
	appendMany(t, openAt(t, other), 5)
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 5)
	want := dump(t, store)
	must(t, store.Close())
	for name, journal := range map[string][]byte{
		"another outbox's": readFiles(t, other).journal,
		"no journal":       []byte("somebody's notes"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := files{readFiles(t, path).main, journal}.write(t, t.TempDir())
			store, log := openObserved(t, path)
			wantDump(t, store, want)
			wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.journal.replaced-20260301T120000Z", "outbox.db.lock", "outbox.db.reserve")
			aside, err := os.ReadFile(path + ".journal.replaced-20260301T120000Z")
			must(t, err)
			if !bytes.Equal(aside, journal) {
				t.Error("what was set aside is not what there was")
			}
			if n := log.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
				t.Errorf("%d errors logged, want 1", n)
			}
			appendOne(t, store)
		})
	}
}

// TestFileGone: what only the journal holds of a file that was removed, or put
// back from an older copy, is carried over; what became of it is not known.
func TestFileGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openHeld(t, path)
	old := appendOne(t, store)
	must(t, store.Checkpoint())
	older := readFiles(t, path).main
	appendOne(t, store)
	must(t, store.Checkpoint())
	e := appendOne(t, store)
	erased := appendOne(t, store)
	must(t, store.Erase(t.Context(), erased.ID))
	journal := readFiles(t, path).journal
	for name, test := range map[string]struct {
		main    []byte
		prepare func(*testing.T, string)
		old     bool
	}{
		"removed":       {nil, func(t *testing.T, path string) { must(t, os.Remove(path)) }, false},
		"empty":         {nil, func(*testing.T, string) {}, false},
		"an older copy": {older, func(*testing.T, string) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := files{test.main, journal}.write(t, t.TempDir())
			test.prepare(t, path)
			store, log := openObserved(t, path)
			if got, err := store.Get(t.Context(), e.ID); err != nil || !got.AmbiguousSince.Equal(e.CreatedAt) {
				t.Errorf("ambiguous since %v, error %v", got.AmbiguousSince, err)
			}
			if got, err := store.Get(t.Context(), old.ID); test.old && (err != nil || !got.AmbiguousSince.IsZero()) {
				t.Errorf("what was in the older copy is ambiguous since %v, error %v", got.AmbiguousSince, err)
			}
			if n := log.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
				t.Errorf("%d errors logged, want 1: %v", n, log.All())
			}
			asides, err := filepath.Glob(path + ".journal.corrupt-*")
			if err != nil || len(asides) != 1 {
				t.Errorf("%q were set aside, error %v", asides, err)
			}
			appendOne(t, store)
			want := dump(t, store)
			must(t, store.Close())
			wantDump(t, openAt(t, path), want)
		})
	}
}

// TestFlippedJournal flips a bit of a journal. What the batches before it and
// behind it have done is there, and so is what can be read of its own.
func TestFlippedJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openHeld(t, path)
	for range 20 {
		appendOne(t, store) // a batch of its own, of which something is left
	}
	must(t, store.Checkpoint())
	var batches []outbox.Entry // one entry each
	for range 8 {
		batches = append(batches, appendOne(t, store))
	}
	image := readFiles(t, path)
	// Behind those that count lie some from before the checkpoint.
	ends := bolt.JournalFrameEnds(image.journal)[:len(batches)]
	want := dump(t, store)
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		at := rapid.IntRange(0, ends[len(ends)-1]-1).Draw(rt, "at")
		harmed := files{image.main, bytes.Clone(image.journal)}
		harmed.journal[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		store, log := openObserved(t, harmed.write(t, filepath.Join(dir, strconv.Itoa(n))))
		defer store.Close()
		got := dump(t, store)
		hit := 0
		for ends[hit] <= at {
			hit++
		}
		for i, e := range batches {
			if got[e.ID] == "" && i != hit {
				rt.Errorf("batch %d is gone, though %d was damaged", i, hit)
			}
		}
		if len(got) < len(want)-1 {
			rt.Errorf("%d entries left of %d", len(got), len(want))
		}
		errorsLogged := log.FilterLevelExact(zapcore.ErrorLevel).All()
		if last := hit == len(ends)-1; !last && len(errorsLogged) != 1 {
			rt.Fatalf("%d errors logged, want 1", len(errorsLogged))
		} else if last {
			return // as if it was torn
		}
		if lost := errorsLogged[0].ContextMap()["lost"]; lost != int64(len(want)-len(got)) {
			rt.Errorf("%d entries were lost, and %v reported", len(want)-len(got), lost)
		}
		for _, e := range listAll(t, store) {
			if later := e.ID > batches[hit].ID; e.AmbiguousSince.IsZero() != later {
				rt.Errorf("entry %s is ambiguous since %v; it was in a later batch: %v", e.ID, e.AmbiguousSince, later)
			}
		}
		if err := store.Append(t.Context(), newEntry()); err != nil {
			rt.Error(err)
		}
	})
}

// TestDamagedWithJournal damages a file that has a journal at random. Nothing
// may be gone that is in the journal.
func TestDamagedWithJournal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openHeld(t, path)
	appendMany(t, store, 100)
	must(t, store.Checkpoint())
	journalled := make(map[string]outbox.State)
	for range 20 {
		journalled[appendOne(t, store).ID] = outbox.Waiting
	}
	now := time.Now()
	taken, err := store.Take(t.Context(), "default", now, now, 30, nil)
	must(t, err)
	for i, e := range taken {
		state := outbox.States()[i%3]
		must(t, store.Settle(t.Context(), e.ID, outbox.Settlement{State: state, At: now, DueAt: now}))
		journalled[e.ID] = state
	}
	crashed := readFiles(t, path)
	whole := image{bytes: crashed.main}
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		harmed, _, _ := whole.harm(rt)
		path := files{harmed, crashed.journal}.write(t, filepath.Join(dir, strconv.Itoa(n)))
		store := openAt(t, path)
		defer store.Close()
		seen := useUp(t, rt, store)
		for id, state := range journalled {
			if state != outbox.Delivered && !seen[id] {
				rt.Errorf("entry %s is gone, though it was in the journal", id)
			}
		}
	})
}

// TestVersion1 opens a file of the version before the journal.
func TestVersion1(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 20)
	want := dump(t, store)
	must(t, store.Close())
	change := func(f func(meta *bbolt.Bucket) error) {
		db, err := bbolt.Open(path, 0o600, nil)
		must(t, err)
		must(t, db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket([]byte("meta"))) }))
		must(t, db.Close())
	}
	change(func(meta *bbolt.Bucket) error {
		return errors.Join(meta.Put([]byte("version"), bolt.VersionValue(1)), meta.Delete([]byte("journal")))
	})
	store, log := openObserved(t, path)
	wantDump(t, store, want)
	want[appendOne(t, store).ID] = outbox.Waiting
	wantDump(t, openAt(t, readFiles(t, path).write(t, t.TempDir())), want)
	must(t, store.Close())
	change(func(meta *bbolt.Bucket) error {
		if !bytes.Equal(meta.Get([]byte("version")), bolt.VersionValue(2)) {
			t.Error("a program that knows of no journal could open it")
		}
		return nil
	})
	if log.FilterLevelExact(zapcore.ErrorLevel).Len() > 0 {
		t.Errorf("errors logged: %v", log.All())
	}
}

// FuzzOpenJournal: whatever lies in the journal's place, the outbox opens with
// what its file holds, and works.
func FuzzOpenJournal(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed.db")
	store := openHeld(f, path)
	appendMany(f, store, 10)
	if err := store.Checkpoint(); err != nil {
		f.Fatal(err)
	}
	appendMany(f, store, 3)
	main, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	journal, err := os.ReadFile(path + ".journal")
	if err != nil {
		f.Fatal(err)
	}
	ends := bolt.JournalFrameEnds(journal)
	f.Add(journal[:ends[len(ends)-1]])
	f.Add(journal[1:ends[len(ends)-1]])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, journal []byte) {
		store := openAt(t, files{main, journal}.write(t, t.TempDir()))
		defer store.Close()
		if n := len(listAll(t, store)); n < 10 {
			t.Errorf("%d entries, want at least 10", n)
		}
		appendOne(t, store)
	})
}
