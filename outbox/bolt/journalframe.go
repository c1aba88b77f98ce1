package bolt

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/google/uuid"
)

// A journal is a sequence of frames, one for each batch:
//
//	magic (4) | CRC-32C of all that follows (4) | length of the body (4) | outbox (16) | generation (8) | sequence (8) | body
//
// The outbox's file says which outbox it is and which generation of frames it
// contains; the frames that count are of that outbox and the next generation,
// numbered from 0, one after the other from the journal's beginning. Behind
// them lie older ones, since the journal is written over and never cut.

// journalMagic is no valid UTF-8, and holds the format's version.
const (
	journalMagic      = "\xf5\xfej\x01"
	journalHeaderSize = 4 + 4 + 4 + len(uuid.UUID{}) + 8 + 8
)

// lineage says to which outbox a journal's frames belong, and to which
// generation.
type lineage struct {
	outbox     uuid.UUID
	generation uint64
}

// next is the lineage of the frames that a file of this one does not contain.
func (l lineage) next() lineage { return lineage{l.outbox, l.generation + 1} }

const lineageSize = len(uuid.UUID{}) + 8

func (l lineage) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(append(b, l.outbox[:]...), l.generation)
}

func readLineage(b []byte) lineage {
	return lineage{uuid.UUID(b[:16]), binary.BigEndian.Uint64(b[16:])}
}

// lineageValue guards the lineage with a checksum: a flipped bit must not make
// another of it, to which the journal would not belong.
func lineageValue(l lineage) []byte {
	b := l.append(make([]byte, 0, lineageSize+4))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func lineageOf(value []byte) (lineage, bool) {
	if len(value) != lineageSize+4 {
		return lineage{}, false
	}
	l := readLineage(value)
	return l, bytes.Equal(value, lineageValue(l))
}

// journalFrame is a frame as it was found.
type journalFrame struct {
	lineage
	sequence uint64
	offset   int64
	body     []byte
}

func (f journalFrame) end() int64 { return f.offset + int64(journalHeaderSize+len(f.body)) }

// sealJournalFrame fills in the header of a frame whose body is complete.
func sealJournalFrame(b []byte, l lineage, sequence uint64) {
	head := append(b[:0], journalMagic...)
	head = binary.BigEndian.AppendUint32(head, 0)
	head = binary.BigEndian.AppendUint32(head, uint32(len(b)-journalHeaderSize)) //nolint:gosec // the journal is smaller
	binary.BigEndian.AppendUint64(l.append(head), sequence)
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
}

// journalFrameAt returns the frame at that offset of a journal.
func journalFrameAt(journal []byte, offset int) (journalFrame, bool) {
	b := journal[offset:]
	if len(b) < journalHeaderSize || string(b[:4]) != journalMagic {
		return journalFrame{}, false
	}
	size := int64(binary.BigEndian.Uint32(b[8:]))
	if size > int64(len(b)-journalHeaderSize) {
		return journalFrame{}, false
	}
	whole := b[:journalHeaderSize+int(size)]
	if binary.BigEndian.Uint32(b[4:]) != crc32.Checksum(whole[8:], castagnoli) {
		return journalFrame{}, false
	}
	body := whole[journalHeaderSize:]
	if steps(body, func(step) error { return nil }) != nil {
		return journalFrame{}, false
	}
	return journalFrame{
		lineage:  readLineage(b[12:]),
		sequence: binary.BigEndian.Uint64(b[12+lineageSize:]),
		offset:   int64(offset),
		body:     body,
	}, true
}

// journalFrames returns all whole frames of a journal.
func journalFrames(journal []byte) []journalFrame {
	var frames []journalFrame
	for at := 0; at < len(journal); {
		if f, ok := journalFrameAt(journal, at); ok {
			frames = append(frames, f)
			at = int(f.end())
			continue
		}
		i := bytes.Index(journal[at+1:], []byte(journalMagic))
		if i < 0 {
			break
		}
		at += 1 + i
	}
	return frames
}

// current returns the frames of that lineage up to the first that is missing,
// and those behind it, of which there are none unless the journal is damaged.
func current(frames []journalFrame, of lineage) (before, behind []journalFrame) {
	end := int64(0)
	for _, f := range frames {
		switch {
		case f.lineage != of:
		case f.sequence == uint64(len(before)) && f.offset == end && len(behind) == 0:
			before = append(before, f)
			end = f.end()
		default:
			behind = append(behind, f)
		}
	}
	return before, behind
}
