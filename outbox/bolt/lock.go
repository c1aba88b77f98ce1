package bolt

import (
	"errors"
	"os"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// fileLock keeps other processes from the outbox. It has a file of its own,
// since a database's lock ends when compaction, or a salvage, puts another
// file in its place.
type fileLock struct {
	path string
	file *os.File
	info os.FileInfo
}

// errLocked: another process holds the lock.
var errLocked = errors.New("locked")

const lockRetry = 25 * time.Millisecond

// acquire waits for the lock, and creates its file. It returns
// [outbox.ErrInUse] if another process still holds it after the timeout.
func acquire(path string, timeout time.Duration) (*fileLock, error) {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	retry := time.NewTicker(lockRetry)
	defer retry.Stop()
	for {
		l, err := tryAcquire(path)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		select {
		case <-retry.C:
		case <-deadline.C:
			return nil, outbox.ErrInUse
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
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return l, nil
}

// confirm takes the lock anew if its file was removed, by which another
// process may have come by it. It returns [outbox.ErrInUse] if one has.
func (l *fileLock) confirm() error {
	info, err := os.Stat(l.path)
	if err == nil && os.SameFile(info, l.info) {
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

func (l *fileLock) release() { _ = l.file.Close() }
