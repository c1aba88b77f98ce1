package sqlstore

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// frame is a page in the write-ahead log.
type frame struct {
	page   uint32
	commit bool // the last frame of a transaction
	intact bool // the checksum matches
	offset int64
}

const (
	logHeaderSize   = 32
	frameHeaderSize = 24
)

// readFrames returns the frames of all transactions in a log. Unlike SQLite, it does not stop at
// the first corrupt frame.
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
			salts = string(b[8:16]) // the salts in the header may be damaged too
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
		// Frames from before the log was last restarted may follow.
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

// reachable returns the number of frames that SQLite would read.
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

// hiddenCommits returns an error if the log contains commits that SQLite would drop when it opens the
// database. marked is false if the last mark is not known.
func hiddenCommits(path string, last ledger, marked bool) error {
	switch {
	case fileSize(path) == 0 && fileSize(path+suffixWAL) > 0:
		return fmt.Errorf("%w: it is empty or missing, but its log is not", errDamaged)
	case marked && logIsDamaged(path, last):
		return fmt.Errorf("%w: its log contains commits that SQLite cannot read", errDamaged)
	}
	return nil
}

// logIsDamaged reports whether SQLite would miss commits in the log. The mark shows which commits
// were acknowledged. A transaction that a crash interrupted was not.
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
	l.use(l.frames[:n])
	commits, known := int64(0), false
	_ = l.records(func(values []any, _ bool) error {
		if of, ok := decodeLedger(values); ok {
			commits, known = max(commits, of.commits), true
			return errFound
		}
		return nil
	})
	return known && commits < last.commits
}
