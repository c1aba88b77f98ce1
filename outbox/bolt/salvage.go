package bolt

import (
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// remains are the records that can still be read in a damaged file and its
// journal, each known by where it is.
type remains struct {
	src     io.ReaderAt
	closer  io.Closer // of src; nil: it is not ours to close
	records map[uuid.UUID]place
	counts  map[string]uint64 // the file's own, by their keys
	// whole: the file's structure leads to every record.
	whole bool
	// lineage is the file's; zero if it cannot be read. With the journal it
	// becomes that of the fresh file, which contains all of it.
	lineage        lineage
	journalDamaged bool
	// counted is how many the file's own counts say there were; -1 if the
	// counts are damaged.
	counted int
	scanned int // how many were found by scanning
	carried int // how many were carried over
	// outdated: what the structure leads to is what the last commit but one
	// left.
	outdated bool
}

type place struct {
	src      io.ReaderAt
	offset   int64
	size     int
	revision uint64
	scanned  bool
	later    bool // than all that was found before
	// doubtful: it may have been changed since by what could not be read.
	doubtful bool
}

// survey finds what can still be read. Records that the file's structure
// leads to are what the last commit left. Only if that structure may have lost
// some, the whole file is scanned for others: of those it may hold copies that
// are older than the one that was lost.
func survey(src io.ReaderAt, size int64) *remains {
	r := &remains{src: src, records: make(map[uuid.UUID]place), counted: -1}
	r.whole = r.surveyStructure(size)
	if !r.whole {
		scanFrames(src, size, scanBlock, func(offset int64, frame []byte) {
			r.note(place{src: src, offset: offset, scanned: true}, frame)
		})
	}
	r.countScanned()
	return r
}

func (r *remains) countScanned() {
	r.scanned = 0
	for _, p := range r.records {
		if p.scanned {
			r.scanned++
		}
	}
}

func (r *remains) close() {
	if r.closer != nil {
		_ = r.closer.Close()
	}
}

// surveyStructure reports whether it reached every record.
func (r *remains) surveyStructure(size int64) bool {
	m, both, ok := readMetas(r.src, size)
	if !ok {
		return false
	}
	r.outdated = !both
	f := &pageFile{src: r.src, size: size, pageSize: m.pageSize}
	r.readCounts(f, m.root)
	f.damage = 0
	entries, ok := f.bucket(m.root, bucketEntries)
	if !ok {
		return false
	}
	whole := true
	f.eachOf(entries, func(e element) {
		whole = r.note(place{src: r.src, offset: e.offset}, e.value) && whole
	})
	return whole && both && f.damage == 0 && len(r.records) == r.counted
}

func (r *remains) readCounts(f *pageFile, root uint64) {
	tables, ok := f.bucket(root, bucketMeta)
	if !ok {
		return
	}
	r.counts = make(map[string]uint64)
	f.eachOf(tables, func(e element) {
		r.noteCount(e.key, e.value)
		if string(e.key) == string(keyLineage) {
			r.lineage, _ = lineageOf(e.value)
		}
	})
	if f.damage > 0 {
		r.counts = nil
	}
	r.sum()
}

// noteCount notes a shard's count, if the key is one's.
func (r *remains) noteCount(key, value []byte) {
	if bytes.HasPrefix(key, []byte(prefixCount)) && len(value) == 8 {
		r.counts[string(key)] = binary.BigEndian.Uint64(value) & (1<<40 - 1)
	}
}

// sum adds up the counts, if they could be read.
func (r *remains) sum() {
	if r.counts == nil {
		return
	}
	r.counted = 0
	for _, n := range r.counts {
		r.counted += int(n) //nolint:gosec // masked when noted
	}
}

// note remembers where a record is; false if it is none.
func (r *remains) note(at place, frame []byte) bool {
	rec, err := decodeRecord(frame)
	if err != nil {
		return false
	}
	before, known := r.records[rec.id]
	if known && before.revision >= rec.revision {
		return true
	}
	if known && at.scanned && !at.later && !before.scanned && !r.outdated {
		return true // of a commit that never was
	}
	at.size, at.revision = len(frame), rec.revision
	r.records[rec.id] = at
	return true
}

// lost is how many entries could not be read, as far as is known.
func (r *remains) lost() int { return max(r.counted-r.carried, 0) }

// scanBlock is how much of a file is scanned at once.
const scanBlock = 1 << 20

// scanFrames visits every whole frame in src, of which it reads block by block.
func scanFrames(src io.ReaderAt, size, block int64, visit func(offset int64, frame []byte)) {
	buf := make([]byte, block)
	for start := int64(0); start < size; {
		n, err := src.ReadAt(buf[:min(block, size-start)], start)
		if n == 0 && err != nil {
			start += 4096 // the disk cannot read that page
			continue
		}
		start = scanOne(src, size, start, buf[:n], visit)
	}
}

// scanOne visits the frames that begin in a block, and returns where to go on.
func scanOne(src io.ReaderAt, size, start int64, block []byte, visit func(offset int64, frame []byte)) int64 {
	for at := 0; ; {
		i := bytes.Index(block[at:], []byte(frameMagic))
		if i < 0 {
			// The block may end within a magic, but not before where it is by now.
			return start + int64(max(len(block)-len(frameMagic)+1, at, 1))
		}
		at += i
		offset := start + int64(at)
		frame, ok := readFrame(src, size, offset, block[at:])
		if !ok {
			at++
			continue
		}
		visit(offset, frame)
		at += len(frame)
		if at >= len(block) {
			return start + int64(at)
		}
	}
}

// readFrame returns the frame at offset, of which seen is the beginning.
func readFrame(src io.ReaderAt, size, offset int64, seen []byte) ([]byte, bool) {
	header := make([]byte, frameHeaderSize)
	if n := copy(header, seen); n < len(header) {
		if _, err := src.ReadAt(header, offset); err != nil {
			return nil, false
		}
	}
	length := int64(frameHeaderSize) + int64(binary.BigEndian.Uint32(header[5:]))
	if header[4] != frameVersion || length > min(size-offset, int64(frameHeaderSize+maxBodySize)) {
		return nil, false
	}
	frame := seen
	if int64(len(seen)) < length {
		frame = make([]byte, length)
		if _, err := src.ReadAt(frame, offset); err != nil {
			return nil, false
		}
	}
	_, n, err := frameBody(frame)
	if err != nil {
		return nil, false
	}
	return frame[:n], true
}

// carryOver copies what remains into a fresh database. An entry in attempts
// stays taken: its attempt is under way in this process.
func (r *remains) carryOver(to *bbolt.DB, attempts map[uuid.UUID]struct{}, now time.Time) error {
	ids := slices.SortedFunc(maps.Keys(r.records), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	r.carried = 0
	for chunk := range chunks(ids, r.records) {
		err := update(to, func(c *changes) error {
			for _, id := range chunk {
				rec, ok := r.read(r.records[id])
				if !ok {
					continue // the disk has gone on failing since
				}
				_, underWay := attempts[id]
				p := r.records[id]
				rec.resume(underWay, p.scanned || p.doubtful, now)
				if err := c.insert(rec, rec.encode()); err != nil {
					return err
				}
				r.carried++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *remains) read(p place) (*record, bool) {
	frame := make([]byte, p.size)
	if _, err := p.src.ReadAt(frame, p.offset); err != nil {
		return nil, false
	}
	rec, err := decodeRecord(frame)
	return rec, err == nil
}

// resume fits a record that was carried over into what is under way.
func (r *record) resume(underWay, doubtful bool, now time.Time) {
	if r.entry.State != outbox.Waiting {
		return
	}
	switch {
	case underWay:
		r.taken = true
	case r.taken:
		r.abandon(now)
	}
	if doubtful && r.entry.AmbiguousSince.IsZero() {
		// It may be an older copy of an entry that was delivered since.
		r.entry.AmbiguousSince = r.entry.BegunAt
		if r.entry.AmbiguousSince.IsZero() {
			r.entry.AmbiguousSince = r.entry.CreatedAt
		}
	}
}

// chunks yields ids in groups that fit into one transaction.
func chunks(ids []uuid.UUID, places map[uuid.UUID]place) func(yield func([]uuid.UUID) bool) {
	return func(yield func([]uuid.UUID) bool) {
		for len(ids) > 0 {
			n, size := 0, 0
			for n < len(ids) && n < maxBatchOps && size < maxBatchBytes {
				size += places[ids[n]].size
				n++
			}
			if !yield(ids[:n]) {
				return
			}
			ids = ids[n:]
		}
	}
}
