//go:build linux

package bolt_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/leadwire/caddy-telecrm/outbox/bolt"
)

// Whatever bits of the file are flipped while nobody has it open, it opens,
// takes entries and closes: bbolt by itself would at times be busy for hours
// with a page whose length has one bit too many, or take the process down.
func TestOpenAfterFlippedBits(t *testing.T) {
	t.Parallel()
	source := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, source)
	appendMany(t, store, 200)
	must(t, store.Close())
	content, err := os.ReadFile(source)
	must(t, err)
	for seed := range uint64(300) {
		flipped := append([]byte(nil), content...)
		random := rand.New(rand.NewPCG(seed, 0))
		for range 20 {
			flipped[random.IntN(len(flipped))] ^= 1 << random.IntN(8)
		}
		path := filepath.Join(t.TempDir(), "flipped.db")
		must(t, os.WriteFile(path, flipped, 0o600))
		store, err := bolt.Open(path, bolt.Options{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := store.Append(t.Context(), newEntry()); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		must(t, store.Close())
	}
}

// A page that claims to be longer than the file is damage, before bbolt
// believes it.
func TestPageThatClaimsTooMuch(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	store := openAt(t, path)
	appendMany(t, store, 200)
	must(t, store.Compact(t.Context())) // which commits what the journal holds
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	info, err := file.Stat()
	must(t, err)
	pageSize := int64(os.Getpagesize())
	for offset := 2 * pageSize; offset < info.Size(); offset += pageSize {
		_, err = file.WriteAt([]byte{0x40}, offset+15) // the highest byte of how many pages follow
		must(t, err)
	}
	must(t, file.Close())
	must(t, store.Append(t.Context(), newEntry()))
	must(t, store.Compact(t.Context()))
	counts, err := store.Counts(t.Context())
	must(t, err)
	if len(counts) != 1 || counts[0].Entries != 201 {
		t.Errorf("counts %v, want 201 entries", counts)
	}
}
