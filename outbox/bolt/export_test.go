package bolt

import (
	"bytes"
	"context"
	"math"
)

// SchemaVersion is the version that this package writes.
const SchemaVersion = schemaVersion

// VersionValue is what the file says of its schema's version.
var VersionValue = versionValue

// Extent is where in a file something is.
type Extent struct{ From, To int }

// Extents returns where the records are that a whole file's structure leads to.
func Extents(file []byte) map[string]Extent {
	left := survey(bytes.NewReader(file), int64(len(file)))
	extents := make(map[string]Extent, len(left.records))
	for id, p := range left.records {
		if !p.scanned {
			extents[id.String()] = Extent{From: int(p.offset), To: int(p.offset) + p.size}
		}
	}
	return extents
}

// UsedBytes returns how much of a whole file holds pages.
func UsedBytes(file []byte) int {
	m, ok := readMeta(bytes.NewReader(file), int64(len(file)))
	if !ok {
		panic("the file has no meta page")
	}
	return int(m.bytes())
}

// SetMapFlags has the file mapped with these flags from now on.
func (s *Store) SetMapFlags(flags int) { s.handle.db.MmapFlags = flags }

// Checkpoint commits to the file what the journal holds.
func (s *Store) Checkpoint() error {
	return s.await(context.Background(), &operation{alone: s.checkpoint})
}

// HoldCheckpoints has changes committed to the file only when the journal is
// full or Checkpoint is called, however slow the machine is.
func (s *Store) HoldCheckpoints() error {
	return s.await(context.Background(), &operation{alone: func() error {
		s.checkpointAfter = math.MaxInt64
		return nil
	}})
}

// JournalFrameEnds returns where in a journal its frames end.
func JournalFrameEnds(journal []byte) []int {
	var ends []int
	for _, f := range journalFrames(journal) {
		ends = append(ends, int(f.end()))
	}
	return ends
}
