package sqlstore

import (
	"encoding/binary"
	"io"
	"os"
)

// frame is a page in the write-ahead log.
type frame struct {
	page   uint32
	commit bool // it is the last of a transaction
	intact bool // it is what was written
	offset int64
}

const (
	logHeaderSize   = 32
	frameHeaderSize = 24
)

// readFrames returns the frames of all transactions in a log, whether or not SQLite would get to
// them: it stops at the first that is not intact.
func readFrames(log *os.File) (frames []frame) {
	header := make([]byte, logHeaderSize)
	if _, err := log.ReadAt(header, 0); err != nil {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if header[3]&1 != 0 {
		order = binary.BigEndian
	}
	salts, sum := string(header[16:24]), [8]byte(header[24:32])
	damaged := logSum(order, [8]byte{}, header[:24]) != sum
	b := make([]byte, frameHeaderSize+pageSize)
	commits := 0
	for at := int64(logHeaderSize); ; at += int64(len(b)) {
		if n, err := log.ReadAt(b, at); err != nil && (err != io.EOF || n < len(b)) {
			break
		}
		if damaged && at == logHeaderSize {
			salts = string(b[8:16]) // those of the header may not be what was written
		}
		stored := [8]byte(b[16:24])
		f := frame{
			page:   binary.BigEndian.Uint32(b),
			commit: binary.BigEndian.Uint32(b[4:]) != 0,
			intact: string(b[8:16]) == salts && logSum(order, sum, b[:8], b[frameHeaderSize:]) == stored,
			offset: at + frameHeaderSize,
		}
		sum = stored
		frames = append(frames, f)
		// Frames of an earlier time follow the last of this one.
		if f.commit && string(b[8:16]) == salts {
			commits = len(frames)
		}
	}
	return frames[:commits]
}

// logSum continues the checksum of a log.
func logSum(order binary.ByteOrder, sum [8]byte, parts ...[]byte) [8]byte {
	a, b := binary.BigEndian.Uint32(sum[:]), binary.BigEndian.Uint32(sum[4:])
	for _, part := range parts {
		for ; len(part) >= 8; part = part[8:] {
			a += order.Uint32(part) + b
			b += order.Uint32(part[4:]) + a
		}
	}
	binary.BigEndian.PutUint32(sum[:], a)
	binary.BigEndian.PutUint32(sum[4:], b)
	return sum
}

// reachable returns how many frames SQLite would get to.
func reachable(frames []frame) (n int) {
	for i, f := range frames {
		if !f.intact {
			break
		}
		if f.commit {
			n = i + 1
		}
	}
	return n
}

// logIsDamaged reports whether the log holds commits that were acknowledged, by the mark, and that
// SQLite would not get to. What a crash left unfinished was not.
func logIsDamaged(path string, last ledger) bool {
	l, err := openLeftovers(path)
	if err != nil {
		return false
	}
	defer l.close()
	n := reachable(l.frames)
	if n == len(l.frames) {
		return false
	}
	l.frames = l.frames[:n]
	commits, known := int64(0), false
	_ = l.records(func(values []any, _ bool) error {
		if of, ok := decodeLedger(values); ok {
			commits, known = max(commits, of.commits), true
			return io.EOF
		}
		return nil
	})
	return known && commits < last.commits
}
