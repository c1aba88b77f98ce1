package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// CountClosed returns the number of entries of an outbox that no process has open, and how many of
// them wait. It changes nothing in the outbox. The error wraps [outbox.ErrInUse] if a process has it
// open, and [fs.ErrNotExist] if there is none. There is also an error if [Open] would repair the
// outbox first, because SQLite itself would drop the entries that Open carries over.
func CountClosed(ctx context.Context, path string) (entries, waiting int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("counting what is in outbox %s: %w", path, err)
		}
	}()
	if _, err := os.Stat(path); err != nil && fileSize(path+suffixWAL)+fileSize(path+suffixRestore) == 0 {
		return 0, 0, err // resolve would create the folder
	}
	if path, err = resolve(path); err != nil {
		return 0, 0, err
	}
	lock, err := os.OpenFile(path+suffixLock, os.O_RDWR, 0)
	if err == nil {
		defer func() { _ = lock.Close() }()
		err = lockFile(lock)
	}
	if errors.Is(err, errLocked) {
		return 0, 0, outbox.ErrInUse
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, err
	}
	last, marked := (&fileLock{file: lock}).lastMark()
	if err := hiddenCommits(path, last, marked); err != nil {
		return 0, 0, err
	}
	if fileSize(path) == 0 {
		return 0, 0, fmt.Errorf("%w: it is empty or missing", errDamaged)
	}
	parameters := immutable
	if fileSize(path+suffixWAL) > 0 {
		parameters = readOnly // its last process was killed
	}
	pool, err := openPool(path, parameters, 1, readerPragmas...)
	if err != nil {
		return 0, 0, err
	}
	err = pool.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE state IN ('waiting', 'taken')) FROM leads`).Scan(&entries, &waiting)
	return entries, waiting, errors.Join(err, pool.Close())
}
