package sqlstore

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// fileLock keeps other processes of this program from opening the outbox. Programs that read it
// with SQLite are not affected. The lock file also contains the last mark.
type fileLock struct {
	path string
	file *os.File
	info os.FileInfo
}

// errLocked means that another process holds the lock.
var errLocked = errors.New("locked")

const lockRetry = 25 * time.Millisecond

// acquire creates the lock file and waits for the lock. It returns [outbox.ErrInUse] if another
// process still holds it after the timeout.
func acquire(ctx context.Context, path string, timeout time.Duration) (*fileLock, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, outbox.ErrInUse)
	defer cancel()
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	for {
		l, err := tryAcquire(path)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func tryAcquire(path string) (*fileLock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &fileLock{path: path, file: file}
	if err = lockFile(file); err == nil {
		l.info, err = file.Stat()
	}
	if err == nil && !l.isInPlace() {
		err = errLocked // its last holder removed it
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return l, nil
}

// confirm acquires a new lock if the lock file was removed. It returns [outbox.ErrInUse] if another
// process has acquired a new one.
func (l *fileLock) confirm() error {
	if l.isInPlace() {
		return nil
	}
	next, err := tryAcquire(l.path)
	if errors.Is(err, errLocked) {
		return outbox.ErrInUse
	}
	if err != nil {
		return err
	}
	l.release()
	*l = *next
	return nil
}

// isInPlace reports whether the locked file is still the one at its path.
func (l *fileLock) isInPlace() bool {
	info, err := os.Stat(l.path)
	return err == nil && os.SameFile(info, l.info)
}

func (l *fileLock) release() { _ = l.file.Close() }

// mark is the ledger's identity and counts in the lock file. A checksum follows it.
type mark struct {
	Magic                               [8]byte
	Store                               [storeIDSize]byte
	Commits, Appended, Removed, Missing int64
}

var markMagic = [8]byte([]byte("tcrmmark"))

// mark writes the ledger to the lock file once the commit is durable. The mark is not synced, so it
// may be older than the database. If it is newer, the database has lost commits that were
// acknowledged.
func (l *fileLock) mark(of ledger) error {
	b, err := binary.Append(nil, binary.BigEndian,
		mark{markMagic, [storeIDSize]byte(of.store), of.commits, of.appended, of.removed, of.missing})
	if err == nil {
		_, err = l.file.WriteAt(binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), 0)
	}
	return err
}

// lastMark returns the ledger that was last written by mark, or false if there is none.
func (l *fileLock) lastMark() (of ledger, ok bool) {
	var m mark
	b := make([]byte, binary.Size(m)+4)
	if _, err := l.file.ReadAt(b, 0); err != nil {
		return ledger{}, false
	}
	n, err := binary.Decode(b, binary.BigEndian, &m)
	if err != nil || m.Magic != markMagic || crc32.Checksum(b[:n], castagnoli) != binary.BigEndian.Uint32(b[n:]) {
		return ledger{}, false
	}
	return ledger{store: m.Store[:], commits: m.Commits, appended: m.Appended, removed: m.Removed, missing: m.Missing}, true
}
