package bolt

import (
	"bytes"
	"slices"

	"github.com/google/uuid"
)

// surveyJournal adds to what is left of a file what its journal holds: the
// records as the journal left them, where it follows on from the file, and
// else those that the file has lost. batches is how many batches there must be;
// -1 if that is not known.
func (r *remains) surveyJournal(journal []byte, batches int64) {
	frames := journalFrames(journal)
	switch {
	case r.lineage.outbox != uuid.Nil:
		r.surveyOwn(journal, frames, batches)
	case len(frames) > 0:
		r.surveyOrphan(frames)
	}
	r.sum()
	r.countScanned()
}

// surveyOwn surveys the journal of a file of which it is known what it
// contains.
func (r *remains) surveyOwn(journal []byte, frames []journalFrame, batches int64) {
	next := r.lineage.next()
	frames = slices.DeleteFunc(frames, func(f journalFrame) bool { return f.outbox != next.outbox })
	r.lineage.generation = latest(frames, next.generation)
	// Those of other generations are known to the file, unless it has lost
	// what it knew or is an older copy of the one that the journal belongs to.
	older := r.lineage.generation > next.generation
	if older || !r.whole {
		r.outdated = r.outdated || older
		r.glean(slices.DeleteFunc(slices.Clone(frames), func(f journalFrame) bool { return f.lineage == next }))
	}
	before, behind := current(frames, next)
	for _, f := range before {
		r.follow(f, false)
	}
	torn := batches > int64(len(before)) // a tail that was whole once
	if len(behind) > 0 || torn {
		r.bridge(journal, before, behind, torn)
	}
	r.journalDamaged = older || len(behind) > 0 || torn
}

// surveyOrphan surveys a journal whose file is gone, or has lost what it was.
func (r *remains) surveyOrphan(frames []journalFrame) {
	of := frames[0].outbox
	frames = slices.DeleteFunc(frames, func(f journalFrame) bool { return f.outbox != of })
	r.lineage = lineage{of, latest(frames, 0)}
	r.journalDamaged = true
	r.outdated = true
	r.glean(slices.DeleteFunc(slices.Clone(frames), func(f journalFrame) bool { return f.lineage == r.lineage }))
	for _, f := range frames {
		if f.lineage == r.lineage {
			r.follow(f, true)
		}
	}
}

// latest returns the highest of the frames' generations and that one.
func latest(frames []journalFrame, generation uint64) uint64 {
	for _, f := range frames {
		generation = max(generation, f.generation)
	}
	return generation
}

// follow does with the records what a batch has done. They are doubtful, as if
// found by scanning, if it is not known that it followed on from them.
func (r *remains) follow(f journalFrame, scanned bool) {
	erased := make(map[uuid.UUID]struct{})
	_ = steps(f.body, func(s step) error {
		switch {
		case s.of(bucketMeta):
			r.followCount(s)
		case s.of(bucketEntries) && len(s.key) == entryKeySize:
			id := uuid.UUID(s.key[entryShardSize:])
			if s.deletes {
				erased[id] = struct{}{}
				return nil
			}
			delete(erased, id) // it has another state
			r.noteStep(s, scanned)
		}
		return nil
	})
	for id := range erased {
		delete(r.records, id)
	}
}

func (r *remains) followCount(s step) {
	switch {
	case r.counts == nil:
	case s.deletes:
		delete(r.counts, string(s.key))
	default:
		r.noteCount(s.key, s.value)
	}
}

// of reports whether the step is one of that table.
func (s step) of(bucket []byte) bool {
	return int(s.table) < len(allBuckets) && bytes.Equal(allBuckets[s.table], bucket)
}

// bridge goes on behind a gap in the journal. What was done in it to the
// records that were known before is not known.
func (r *remains) bridge(journal []byte, before, behind []journalFrame, torn bool) {
	for id, p := range r.records {
		p.doubtful = true
		r.records[id] = p
	}
	from := int64(0)
	if len(before) > 0 {
		from = before[len(before)-1].end()
	}
	for _, f := range behind {
		r.scanGap(journal, from, f.offset)
		r.follow(f, false)
		from = f.end()
	}
	if torn {
		r.scanGap(journal, from, int64(len(journal)))
	}
}

// scanGap looks for records between whole batches.
func (r *remains) scanGap(journal []byte, from, to int64) {
	if from >= to {
		return
	}
	src := bytes.NewReader(journal[from:to])
	scanFrames(src, to-from, scanBlock, func(offset int64, frame []byte) {
		// It is later than what was known before.
		r.note(place{src: src, offset: offset, scanned: true, later: true}, frame)
	})
}

// glean notes the records of batches of which it is not known what was done
// between and after them.
func (r *remains) glean(frames []journalFrame) {
	for _, f := range frames {
		_ = steps(f.body, func(s step) error {
			if s.of(bucketEntries) && !s.deletes {
				r.noteStep(s, true)
			}
			return nil
		})
	}
}

func (r *remains) noteStep(s step, scanned bool) {
	r.note(place{src: bytes.NewReader(s.value), scanned: scanned}, s.value)
}
