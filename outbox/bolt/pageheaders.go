package bolt

// walkedBytes is up to which length all of a file is looked at when it is
// opened, and its page headers before each commit: a few thousand small reads.
// Larger files, of a backlog of a hundred thousand leads, would take too long
// for that; of those, damage shows where bbolt comes across it.
const walkedBytes = 64 << 20

// checkHeaders returns an error wrapping errDamaged if a page claims to go on
// beyond the file's last. bbolt frees what a page claims one page after the
// other, and would be busy for hours with a number of which one bit was flipped.
func (h *handle) checkHeaders() error {
	m, err := h.meta()
	if err != nil || m.bytes() > walkedBytes {
		return err
	}
	header := make([]byte, pageHeaderSize)
	for id := uint64(2); id < m.pages; id++ {
		if _, err := h.file.ReadAt(header, int64(id)*h.pageSize); err != nil { //nolint:gosec // m.bytes is bounded
			return damaged("page %d cannot be read", id)
		}
		// What another page goes on in begins with no number of its own.
		overflow := uint64(native.Uint32(header[12:]))
		if native.Uint64(header) == id && id+overflow >= m.pages {
			return damaged("page %d claims to go on for %d more of %d", id, overflow, m.pages)
		}
	}
	return nil
}
