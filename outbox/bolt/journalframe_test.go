package bolt

import (
	"bytes"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func journalFrameOf(l lineage, sequence uint64, value []byte) []byte {
	var r redo
	r.reset()
	r.put(0, []byte("key"), value)
	r.delete(1, []byte("another"))
	sealJournalFrame(r.frame, l, sequence)
	return r.frame
}

// TestJournalIsWrittenOver: of a journal that was written over by generation
// after generation, and torn at any byte, the frames of the last are found up
// to the one that was torn, and no others.
func TestJournalIsWrittenOver(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := lineage{outbox: uuid.UUID{1}}
		var journal, last []byte
		var ends []int
		for range rapid.IntRange(1, 4).Draw(t, "generations") {
			l.generation++
			last, ends = nil, nil
			for n := range rapid.IntRange(1, 6).Draw(t, "frames") {
				size := rapid.SampledFrom([]int{1, 40, 300}).Draw(t, "size")
				value := bytes.Repeat([]byte{byte(l.generation)<<4 | byte(n)}, size)
				last = append(last, journalFrameOf(l, uint64(n), value)...)
				ends = append(ends, len(last))
			}
			torn := rapid.IntRange(0, len(last)).Draw(t, "torn after")
			journal = append(last[:torn:torn], journal[min(torn, len(journal)):]...)
			for n := len(ends) - 1; n >= 0 && !bytes.HasPrefix(journal, last[:ends[n]]); n-- {
				ends = ends[:n] // not by chance as it was before
			}
		}
		before, behind := current(journalFrames(journal), l)
		if len(before) != len(ends) || len(behind) != 0 {
			t.Fatalf("%d frames and %d behind them, want %d", len(before), len(behind), len(ends))
		}
		for i, f := range before {
			if f.end() != int64(ends[i]) || f.sequence != uint64(i) {
				t.Errorf("frame %d ends at %d, want %d", f.sequence, f.end(), ends[i])
			}
		}
	})
}

// FuzzJournalFrames: whatever the bytes, what is found in them is there.
func FuzzJournalFrames(f *testing.F) {
	l := lineage{outbox: uuid.UUID{1}, generation: 3}
	seed := append(journalFrameOf(l, 0, []byte("value")), journalFrameOf(l, 1, nil)...)
	f.Add(seed)
	f.Add(append([]byte(journalMagic), seed...))
	f.Add(seed[:len(seed)-1])
	f.Fuzz(func(t *testing.T, journal []byte) {
		end := int64(0)
		for _, frame := range journalFrames(journal) {
			if frame.offset < end || frame.end() > int64(len(journal)) {
				t.Fatalf("a frame at %d to %d of %d, behind one that ends at %d", frame.offset, frame.end(), len(journal), end)
			}
			end = frame.end()
			again := append(make([]byte, journalHeaderSize), frame.body...)
			sealJournalFrame(again, frame.lineage, frame.sequence)
			if !bytes.Equal(again, journal[frame.offset:end]) {
				t.Error("a frame is not what it says")
			}
		}
	})
}

// FuzzSteps: what is read of a frame's body is what was written.
func FuzzSteps(f *testing.F) {
	f.Add(journalFrameOf(lineage{}, 0, []byte("value"))[journalHeaderSize:])
	f.Fuzz(func(t *testing.T, body []byte) {
		var first, second []step
		var r redo
		r.reset()
		if err := steps(body, func(s step) error { first = append(first, s); return nil }); err != nil {
			return
		}
		for _, s := range first {
			if s.deletes {
				r.delete(s.table, s.key)
			} else {
				r.put(s.table, s.key, s.value)
			}
		}
		err := steps(r.frame[journalHeaderSize:], func(s step) error { second = append(second, s); return nil })
		if err != nil || len(first) != len(second) {
			t.Fatalf("%d steps, then %d, error %v", len(first), len(second), err)
		}
		for i, s := range first {
			if !bytes.Equal(s.key, second[i].key) || !bytes.Equal(s.value, second[i].value) ||
				s.table != second[i].table || s.deletes != second[i].deletes {
				t.Errorf("step %v, then %v", s, second[i])
			}
		}
	})
}
