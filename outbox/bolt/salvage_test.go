package bolt

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// TestScanFindsAllFrames: wherever whole frames lie among noise, and across
// whatever boundary, all are found and nothing else is.
func TestScanFindsAllFrames(t *testing.T) {
	t.Parallel()
	const block = 512
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "noise"), 1))
		var file []byte
		var want []int64
		for range rapid.IntRange(1, 6).Draw(t, "frames") {
			gap := rapid.SampledFrom([]int{0, 1, 3, 50, block - 20, block - 3, block}).Draw(t, "gap")
			for range gap {
				file = append(file, byte(random.Uint32()))
			}
			if rapid.Bool().Draw(t, "torn") {
				torn := frameOf(random, 100)
				file = append(file, torn[:rapid.IntRange(1, len(torn)-1).Draw(t, "torn after")]...)
			}
			want = append(want, int64(len(file)))
			file = append(file, frameOf(random, rapid.SampledFrom([]int{0, 350, block, 3 * block}).Draw(t, "size"))...)
		}
		var got []int64
		scanFrames(bytes.NewReader(file), int64(len(file)), block, func(offset int64, frame []byte) {
			got = append(got, offset)
			if _, err := decodeRecord(frame); err != nil {
				t.Error("a frame that was found cannot be decoded")
			}
		})
		if len(got) != len(want) {
			t.Fatalf("frames at %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("frames at %v, want %v", got, want)
			}
		}
	})
}

func frameOf(random *rand.Rand, size int) []byte {
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(random.Uint32())
	}
	id := uuid.UUID{1}
	for i := 1; i < len(id); i++ {
		id[i] = byte(random.Uint32())
	}
	return (&record{id: id, revision: 1, entry: outbox.Entry{Account: "default", State: outbox.Waiting, Payload: payload}}).encode()
}

// TestScanPrefersTheLatest: of several copies of a record the one that was
// changed last counts.
func TestScanPrefersTheLatest(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	r, err := decodeRecord(frameOf(random, 10))
	if err != nil {
		t.Fatal(err)
	}
	var file []byte
	for _, revision := range []uint64{2, 5, 4} {
		r.revision = revision
		file = append(file, r.encode()...)
	}
	left := survey(bytes.NewReader(file), int64(len(file)))
	if p := left.records[r.id]; len(left.records) != 1 || p.revision != 5 || left.scanned != 1 {
		t.Errorf("records %v, %d of them by scanning", left.records, left.scanned)
	}
}

// FuzzSurvey: whatever the bytes, what is found in them is there.
func FuzzSurvey(f *testing.F) {
	s, err := Open(f.TempDir()+"/outbox.db", Options{})
	if err != nil {
		f.Fatal(err)
	}
	for n := range 8 {
		if err := s.Append(f.Context(), entryNumber(n)); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(s.path)
	if err != nil {
		f.Fatal(err)
	}
	m, _ := readMeta(bytes.NewReader(seed), int64(len(seed)))
	f.Add(seed[:m.bytes()])
	f.Add(seed[4096:m.bytes()])
	f.Add([]byte(frameMagic + "\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		left := survey(bytes.NewReader(file), int64(len(file)))
		for id, p := range left.records {
			if r, ok := left.read(p); !ok || r.id != id || r.revision != p.revision {
				t.Errorf("record %s is not where it was found", id)
			}
		}
	})
}
