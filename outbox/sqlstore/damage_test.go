package sqlstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// farFuture is a time at which every entry is due.
var farFuture = time.Unix(0, math.MaxInt64).UTC()

const pageSize = 4096

// image is an outbox file with its expected content.
type image struct {
	bytes   []byte
	lock    []byte
	entries map[string]outbox.Entry
	pages   map[string]uint32 // the page on which each row begins
}

// newImage creates an outbox with entries in all states.
func newImage(t *testing.T) image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	withHistory(t, store)
	im := image{entries: make(map[string]outbox.Entry)}
	for _, e := range listAll(t, store) {
		im.entries[e.ID] = e
	}
	must(t, store.Close())
	var err error
	im.bytes, err = os.ReadFile(path)
	must(t, err)
	im.lock, err = os.ReadFile(path + ".lock")
	must(t, err)
	im.pages = sqlstore.RowPages(path)
	if len(im.pages) != len(im.entries) {
		t.Fatalf("%d rows found, want %d", len(im.pages), len(im.entries))
	}
	return im
}

func withHistory(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	appendMany(t, store, 120)
	now := time.Now()
	taken, err := store.Take(t.Context(), "default", now, now, 60, nil)
	must(t, err)
	for i, e := range taken {
		settlement := outbox.Settlement{State: outbox.States()[i%3], At: now, DueAt: now.Add(time.Hour)}
		must(t, store.Settle(t.Context(), e.ID, settlement))
	}
	_, err = store.Expire(t.Context(), outbox.Parked, now.Add(time.Hour), 5)
	must(t, err)
	for i := range 40 {
		e := newEntry()
		e.Account = "north"
		e.Payload = make([]byte, i*300)
		must(t, store.Append(t.Context(), e))
	}
}

// harm damages a copy of the image and returns the damaged range.
func (im image) harm(t *rapid.T) (harmed []byte, from, to int) {
	b := append([]byte(nil), im.bytes...)
	from = rapid.IntRange(0, len(b)-1).Draw(t, "from")
	to = min(from+rapid.SampledFrom([]int{1, 8, 100, 4096, 20000}).Draw(t, "length"), len(b))
	switch rapid.SampledFrom([]string{"flip", "zero", "scribble", "truncate"}).Draw(t, "damage") {
	case "flip":
		to = from + 1
		b[from] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	case "zero":
		clear(b[from:to])
	case "scribble":
		for i := from; i < to; i++ {
			b[i] = byte(i * 7)
		}
	case "truncate":
		b, to = b[:from], len(im.bytes)
	}
	return b, from, to
}

// A randomly damaged outbox opens and works. Take never returns an altered entry. A waiting entry
// is not lost if its own page is intact.
func TestDamaged(t *testing.T) {
	t.Parallel()
	im := newImage(t)
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprintf("outbox-%d.db", n))
		harmed, from, to := im.harm(rt)
		if err := errors.Join(os.WriteFile(path, harmed, 0o600), os.WriteFile(path+".lock", im.lock, 0o600)); err != nil {
			rt.Fatal(err)
		}
		store, err := open(path, sqlstore.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer store.Close()
		seen := useUp(t, rt, store)
		for id, e := range im.entries {
			begins := int(im.pages[id]-1) * pageSize
			whole := len(e.Payload) < 3000 && (begins+pageSize <= from || begins >= to)
			got, ok := seen[id]
			if whole && e.State == outbox.Waiting && !ok {
				rt.Errorf("entry %s is lost, although its page at %d is intact and only bytes %d to %d were damaged", id, begins, from, to)
			}
			if ok {
				if diff := diffDelivered(e, got); diff != "" {
					rt.Errorf("entry %s was altered (-appended +taken):\n%s", id, diff)
				}
			}
		}
		if err := store.Append(t.Context(), newEntry()); err != nil {
			rt.Error(err)
		}
	})
}

// diffDelivered compares the fields of an entry that are delivered.
func diffDelivered(want, got outbox.Entry) string {
	of := func(e outbox.Entry) outbox.Entry {
		return outbox.Entry{ID: e.ID, Account: e.Account, Form: e.Form, Identifier: e.Identifier, Payload: e.Payload, CreatedAt: e.CreatedAt}
	}
	return cmp.Diff(of(want), of(got), cmp.Comparer(bytes.Equal))
}

// useUp takes all waiting entries, calls other methods of the store, and returns the taken entries.
func useUp(t *testing.T, rt interface{ Fatal(...any) }, store *sqlstore.Store) map[string]outbox.Entry {
	seen := make(map[string]outbox.Entry)
	check := func(err error) {
		if err != nil {
			rt.Fatal(err)
		}
	}
	for _, account := range []string{"default", "north"} {
		for range 500 {
			_, ok, err := store.NextDue(t.Context(), account)
			check(err)
			if !ok {
				break
			}
			entries, err := store.Take(t.Context(), account, farFuture, time.Now(), 20, nil)
			check(err)
			for _, e := range entries {
				seen[e.ID] = e
			}
		}
	}
	_, err := store.List(t.Context(), outbox.Filter{})
	check(err)
	_, err = store.Expire(t.Context(), outbox.Delivered, farFuture, 1000)
	check(err)
	_, err = store.Counts(t.Context())
	check(err)
	return seen
}

func TestDamagedIsReported(t *testing.T) {
	t.Parallel()
	im := newImage(t)
	for name, test := range map[string]struct {
		harm    func([]byte) []byte
		carried int64
	}{
		"first page cleared":             {func(b []byte) []byte { clear(b[:pageSize]); return b }, int64(len(im.entries))},
		"all but the last pages cleared": {func(b []byte) []byte { clear(b[:len(b)-20*pageSize]); return b }, -1},
		"all pages cleared":              {func(b []byte) []byte { clear(b); return b }, 0},
		"header corrupt":                 {func(b []byte) []byte { b[18], b[20], b[60] = 99, 99, 99; return b }, int64(len(im.entries))},
		"format corrupt":                 {func(b []byte) []byte { b[18] = 126; return b }, int64(len(im.entries))},
		"table definition corrupt":       {replace("seq INTEGER PRIMARY KEY", "seq INTEGER PRYMARY KEY"), int64(len(im.entries))},
		"index definition corrupt":       {replace("WHERE state = 1", "WHERE state = 3"), int64(len(im.entries))},
		"truncated in the middle":        {func(b []byte) []byte { return b[:len(b)/2+100] }, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "outbox.db")
			harmed := test.harm(append([]byte(nil), im.bytes...))
			must(t, errors.Join(os.WriteFile(path, harmed, 0o600), os.WriteFile(path+".lock", im.lock, 0o600), os.Chmod(path, 0o644)))
			store, log := openOn1March(t, path)
			if _, err := store.Check(t.Context(), true); err != nil {
				t.Error(err)
			}
			wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db-shm", "outbox.db-wal", "outbox.db.damaged-20260301-120000", "outbox.db.lock", "outbox.db.reserve")
			wantMode(t, path+".damaged-20260301-120000", 0o600)
			errorsLogged := log.FilterLevelExact(zapcore.ErrorLevel).All()
			if len(errorsLogged) != 1 {
				t.Fatalf("%d errors logged, want 1: %v", len(errorsLogged), errorsLogged)
			}
			fields := errorsLogged[0].ContextMap()
			if got := fields["carried_over"]; test.carried >= 0 && got != test.carried {
				t.Errorf("carried over %v, want %d", got, test.carried)
			}
			aside, err := os.ReadFile(fields["set_aside"].(string))
			must(t, err)
			if string(aside) != string(harmed) {
				t.Error("the file that was set aside differs from the damaged file")
			}
			if strings.Contains(fmt.Sprint(errorsLogged), "918123456789") {
				t.Fatal("the log contains a value of an entry")
			}
		})
	}
}

// replace returns a function that replaces a text in the definitions of the tables.
func replace(old, with string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(with), 1) }
}

// openOn1March opens an outbox with a fixed clock and returns its log.
func openOn1March(t *testing.T, path string) (*sqlstore.Store, *observer.ObservedLogs) {
	t.Helper()
	core, log := observer.New(zap.WarnLevel)
	store, err := open(path, sqlstore.Options{
		Logger: zap.New(core),
		Now:    func() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) },
	})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store, log
}

// A flipped bit in the type of a page hides no waiting entry.
func TestFlippedBitsInPageTypes(t *testing.T) {
	t.Parallel()
	im := newImage(t)
	pages := slices.Sorted(maps.Values(im.pages))
	dir := t.TempDir()
	for i, page := range slices.Compact(pages) {
		path := filepath.Join(dir, fmt.Sprint(i), "outbox.db")
		must(t, os.Mkdir(filepath.Dir(path), 0o700))
		harmed := slices.Clone(im.bytes)
		harmed[(page-1)*pageSize] ^= 1 << (i % 8)
		must(t, errors.Join(os.WriteFile(path, harmed, 0o600), os.WriteFile(path+".lock", im.lock, 0o600)))
		store := openAt(t, path)
		seen := useUp(t, t, store)
		for id, e := range im.entries {
			if _, ok := seen[id]; !ok && e.State == outbox.Waiting {
				t.Errorf("bit %d of the type of page %d is flipped: entry %s is lost", i%8, page, id)
			}
		}
		must(t, store.Close())
		must(t, os.RemoveAll(filepath.Dir(path)))
	}
}

// TestFlippedBits flips one bit at a time in the files of a crashed store: in 100 copies, or in
// OUTBOX_FLIPS copies. Take must not return an altered entry, and every lost entry must be logged.
//
//	OUTBOX_FLIPS=10000 go test -run TestFlippedBits ./outbox/sqlstore
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	flips := 100
	if raced {
		flips = 20
	}
	if asked := os.Getenv("OUTBOX_FLIPS"); asked != "" {
		var err error
		flips, err = strconv.Atoi(asked)
		must(t, err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "outbox.db")
	store := openAt(t, path)
	withHistory(t, store)
	must(t, store.Close())
	store = openAt(t, path)
	crashed := filepath.Join(dir, "crashed.db")
	for try := 0; try == 0 || sizeOf(t, crashed+"-wal") == 0; try++ {
		if try == 20 {
			t.Fatal("the log was written to the file before it could be copied")
		}
		withHistory(t, store)
		must(t, copyDatabase(path, crashed))
	}
	before := listAll(t, store)
	gone, silent := 0, 0
	for seed := range uint64(flips) {
		random := rand.New(rand.NewPCG(seed, 0))
		suffix := []string{"", "-wal"}[seed%2]
		copied := filepath.Join(dir, "flipped.db")
		must(t, copyDatabase(crashed, copied))
		content, err := os.ReadFile(copied + suffix)
		must(t, err)
		at, bit := random.IntN(len(content)), random.IntN(8)
		content[at] ^= 1 << bit
		must(t, os.WriteFile(copied+suffix, content, 0o600))

		store, log := openObserved(t, copied)
		seen := useUp(t, t, store)
		for _, e := range before {
			got, ok := seen[e.ID]
			if !ok && e.State == outbox.Waiting {
				gone++
				if log.FilterLevelExact(zapcore.ErrorLevel).Len() == 0 {
					silent++
					t.Errorf("bit %d of byte %d of %q: entry %s is lost without an error in the log", bit, at, "outbox.db"+suffix, e.ID)
				}
			}
			if ok && e.State != outbox.Waiting && got.AmbiguousSince.IsZero() {
				t.Errorf("bit %d of byte %d of %q: entry %s was %s, but is taken and not ambiguous", bit, at, "outbox.db"+suffix, e.ID, e.State)
			}
			if !ok {
				continue
			}
			if diff := diffDelivered(e, got); diff != "" {
				t.Errorf("bit %d of byte %d of %q: entry %s was altered:\n%s", bit, at, "outbox.db"+suffix, e.ID, diff)
			}
		}
		must(t, store.Append(t.Context(), newEntry()))
		must(t, store.Close())
		leftovers, err := filepath.Glob(copied + "*")
		must(t, err)
		for _, name := range leftovers {
			must(t, os.Remove(name))
		}
		if done := int(seed) + 1; done%1000 == 0 || done == flips {
			t.Logf("%d flips: %d entries lost, %d of them without an error in the log", done, gone, silent)
		}
	}
}

// The periodic check finds damage that no operation has met, and all intact rows are carried over.
func TestInspect(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	withHistory(t, store)
	want := len(listAll(t, store))
	must(t, store.Close())
	// Make two indices share their pages.
	alter(t, path, `PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'known_at') WHERE name = 'entries_due'`)
	store, log := openObserved(t, path)
	must(t, store.Inspect(t.Context()))
	report, err := store.Check(t.Context(), true)
	must(t, err)
	if len(report.Problems)+len(report.Damaged)+report.Missing != 0 || report.Entries != want {
		t.Errorf("after the repair: %+v, want %d entries and no damage", report, want)
	}
	if log.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
		t.Errorf("log %v, want one error", log.All())
	}
}

// A file that was overwritten with noise is soon replaced.
func TestNoiseIsReplacedSoon(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	mustAppend(t, store)
	must(t, store.Close())
	noise := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	must(t, os.WriteFile(path, noise, 0o600))
	began := time.Now()
	store = openAt(t, path)
	mustAppend(t, store)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("replacing 4 MiB of noise took %v", took)
	}
}

// If several readers meet the same damage at once, the file is set aside once.
func TestConcurrentReadersMeetDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 300)
	must(t, store.Close())
	// Store due times of a wrong type.
	alter(t, path, "UPDATE entries SET due_at = 'text'")
	store, log := openObserved(t, path)
	var readers sync.WaitGroup
	for range 16 {
		readers.Go(func() {
			_, _, err := store.NextDue(t.Context(), "default")
			_, listing := store.List(t.Context(), outbox.Filter{})
			if err := errors.Join(err, listing); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
	aside, err := filepath.Glob(path + ".damaged-*")
	must(t, err)
	if errorsLogged := log.FilterLevelExact(zapcore.ErrorLevel); len(aside) != 1 || errorsLogged.Len() != 1 {
		t.Errorf("files set aside %q, log %v, want one file and one error", aside, errorsLogged.All())
	}
}

func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed.db")
	store := openAt(f, path)
	appendMany(f, store, 10)
	must2(f, store.Close())
	seed, err := os.ReadFile(path)
	must2(f, err)
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	f.Add(seed[pageSize:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "outbox.db")
		must(t, os.WriteFile(path, b, 0o600))
		store, err := open(path, sqlstore.Options{})
		if err != nil {
			return // written by a newer version or another program
		}
		defer store.Close()
		_, err = store.List(t.Context(), outbox.Filter{})
		_, taking := store.Take(t.Context(), "default", farFuture, time.Now(), 100, nil)
		must(t, errors.Join(err, taking, store.Append(t.Context(), newEntry())))
	})
}

func must2(f *testing.F, err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}
