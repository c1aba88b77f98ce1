package bolt_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/bolt"
)

// farFuture is when everything is due.
var farFuture = time.Unix(0, math.MaxInt64).UTC()

// image is an outbox of which everything is known.
type image struct {
	bytes   []byte
	entries map[string]outbox.Entry
	at      map[string]bolt.Extent // where the record of each is
}

// newImage makes an outbox with a history.
func newImage(t *testing.T) image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
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
	im := image{entries: make(map[string]outbox.Entry)}
	for _, e := range listAll(t, store) {
		im.entries[e.ID] = e
	}
	must(t, store.Close())
	im.bytes, err = os.ReadFile(path)
	must(t, err)
	im.at = bolt.Extents(im.bytes)
	if len(im.at) != len(im.entries) {
		t.Fatalf("%d records found of %d entries", len(im.at), len(im.entries))
	}
	return im
}

// harm damages a copy of the image, and says which bytes.
func (im image) harm(t *rapid.T) (harmed []byte, from, to int) {
	b := append([]byte(nil), im.bytes...)
	used := bolt.UsedBytes(b)
	from = rapid.IntRange(0, used-1).Draw(t, "from")
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

// TestDamaged damages an outbox at random. It must open and work, and no
// entry may be gone that waits and whose own bytes are whole.
func TestDamaged(t *testing.T) {
	t.Parallel()
	im := newImage(t)
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprintf("outbox-%d.db", n))
		harmed, from, to := im.harm(rt)
		if err := os.WriteFile(path, harmed, 0o600); err != nil {
			rt.Fatal(err)
		}
		store, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer store.Close()
		seen := useUp(t, rt, store)
		for id, e := range im.entries {
			at := im.at[id]
			whole := at.To <= from || at.From >= to
			if whole && e.State == outbox.Waiting && !seen[id] {
				rt.Errorf("entry %s at %d to %d is gone, though only %d to %d were damaged", id, at.From, at.To, from, to)
			}
		}
		if err := store.Append(t.Context(), newEntry()); err != nil {
			rt.Error(err)
		}
	})
}

// useUp takes, settles and lists all that the store has, and returns the ids.
func useUp(t *testing.T, rt *rapid.T, store *bolt.Store) map[string]bool {
	seen := make(map[string]bool)
	for _, account := range []string{"default", "north"} {
		for range 500 {
			_, ok, err := store.NextDue(t.Context(), account)
			if err != nil {
				rt.Fatal(err)
			}
			if !ok {
				break
			}
			entries, err := store.Take(t.Context(), account, farFuture, time.Now(), 20, nil)
			if err != nil {
				rt.Fatal(err)
			}
			for _, e := range entries {
				seen[e.ID] = true
			}
		}
	}
	f := outbox.Filter{}
	for {
		page, err := store.List(t.Context(), f)
		if err != nil {
			rt.Fatal(err)
		}
		for _, e := range page {
			seen[e.ID] = true
			f.After = e.ID
		}
		if len(page) == 0 {
			break
		}
	}
	if _, err := store.Expire(t.Context(), outbox.Delivered, farFuture, 1000); err != nil {
		rt.Fatal(err)
	}
	if _, err := store.Counts(t.Context()); err != nil {
		rt.Fatal(err)
	}
	return seen
}

func TestDamagedIsReported(t *testing.T) {
	t.Parallel()
	im := newImage(t)
	for name, test := range map[string]struct {
		harm func([]byte) []byte
		want map[string]any // of the log entry
	}{
		"both meta pages": {
			func(b []byte) []byte { clear(b[:2*4096]); return b },
			map[string]any{"carried_over": int64(len(im.entries)), "lost": int64(0), "lost_known": false},
		},
		"nothing but noise": {
			func([]byte) []byte { return []byte(strings.Repeat("noise", 10_000)) },
			map[string]any{"carried_over": int64(0), "found_by_scanning": int64(0), "lost_known": false},
		},
		"all zeros": {
			func(b []byte) []byte { clear(b); return b },
			map[string]any{"carried_over": int64(0)},
		},
		"shorter by what it was grown in advance and a page": {
			func(b []byte) []byte { return b[:bolt.UsedBytes(b)-1] },
			map[string]any{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "outbox.db")
			harmed := test.harm(append([]byte(nil), im.bytes...))
			must(t, os.WriteFile(path, harmed, 0o600))
			log := openLogged(t, path)
			wantFiles(t, filepath.Dir(path), "outbox.db", "outbox.db.corrupt-20260301T120000Z", "outbox.db.lock", "outbox.db.reserve")
			errorsLogged := log.FilterLevelExact(zapcore.ErrorLevel).All()
			if len(errorsLogged) != 1 {
				t.Fatalf("%d errors logged, want 1: %v", len(errorsLogged), errorsLogged)
			}
			fields := errorsLogged[0].ContextMap()
			for key, want := range test.want {
				if fields[key] != want {
					t.Errorf("%s = %v, want %v", key, fields[key], want)
				}
			}
			aside, err := os.ReadFile(fields["set_aside"].(string))
			must(t, err)
			if string(aside) != string(harmed) {
				t.Error("what was set aside is not what there was")
			}
			for _, e := range im.entries {
				for _, value := range []string{e.Identifier, string(payload)} {
					if strings.Contains(fmt.Sprint(errorsLogged), value) {
						t.Fatal("a value was logged")
					}
				}
			}
		})
	}
}

// openLogged opens an outbox on the first of March, closes it when the test
// ends, and returns its log.
func openLogged(t *testing.T, path string) *observer.ObservedLogs {
	t.Helper()
	_, log := openObserved(t, path)
	return log
}

func openObserved(t *testing.T, path string) (*bolt.Store, *observer.ObservedLogs) {
	t.Helper()
	core, log := observer.New(zap.DebugLevel)
	store, err := bolt.Open(path, bolt.Options{
		Logger: zap.New(core),
		Now:    func() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) },
	})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store, log
}

// TestScannedAreAmbiguous: what is found by scanning may be an older copy of
// what was delivered since.
func TestScannedAreAmbiguous(t *testing.T) {
	t.Parallel()
	im := newImage(t)
	path := filepath.Join(t.TempDir(), "outbox.db")
	clear(im.bytes[:2*4096])
	must(t, os.WriteFile(path, im.bytes, 0o600))
	store := openAt(t, path)
	for _, e := range listAll(t, store) {
		want := e.BegunAt
		if want.IsZero() {
			want = e.CreatedAt
		}
		if e.State == outbox.Waiting && !e.AmbiguousSince.Equal(want) {
			t.Errorf("entry %s is ambiguous since %v, want %v", e.ID, e.AmbiguousSince, want)
		}
		if was := im.entries[e.ID]; was.ID != "" && was.State != e.State {
			t.Errorf("entry %s was %s and is %s: an older copy was preferred", e.ID, was.State, e.State)
		}
	}
}

// TestReachedAreNotAmbiguous: damage elsewhere says nothing about entries
// that the file's structure leads to.
func TestReachedAreNotAmbiguous(t *testing.T) {
	t.Parallel()
	im := newImage(t)
	path := filepath.Join(t.TempDir(), "outbox.db")
	must(t, os.WriteFile(path, im.bytes[:bolt.UsedBytes(im.bytes)-1], 0o600))
	store := openAt(t, path)
	reached := 0
	for _, e := range listAll(t, store) {
		if e.AmbiguousSince.IsZero() {
			reached++
		}
	}
	if reached < len(im.entries)*9/10 {
		t.Errorf("%d of %d entries are known for certain", reached, len(im.entries))
	}
}

func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed.db")
	store := openAt(f, path)
	appendMany(f, store, 10)
	if err := store.Close(); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	seed = seed[:bolt.UsedBytes(seed)]
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	f.Add(seed[4096:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "outbox.db")
		must(t, os.WriteFile(path, b, 0o600))
		store, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			return // of a newer version, or another program's
		}
		defer store.Close()
		_, err = store.List(t.Context(), outbox.Filter{})
		must(t, err)
		now := time.Now()
		_, err = store.Take(t.Context(), "default", farFuture, now, 100, nil)
		must(t, err)
		must(t, store.Append(t.Context(), newEntry()))
	})
}
