package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/outbox/record"
)

const (
	// quietAfter is how long the store must be idle before it writes the log to the file.
	quietAfter = 200 * time.Millisecond
	// checkpointBytes is the length of the log at which it is written to the file in the
	// background. At twice that length, the writer itself writes it. The file may grow by as much,
	// so the reserve must have room for that.
	checkpointBytes = 4 << 20
	// longLog is the length at which the log is truncated. Overwriting an old log is faster than
	// growing a file.
	longLog = 3 * checkpointBytes
	// scrubAfter is how long erased values may stay in the log of a busy store.
	scrubAfter = 5 * time.Second
)

// checkpointer is the writer's record of the log and its checkpoints.
type checkpointer struct {
	commits int        // the log's length is checked every few commits
	running bool       // another goroutine is writing the log to the file
	done    chan error // receives the result of that goroutine; buffered
	seen    *handle    // the handle when that goroutine started
	// erased means that the log contains erased values, since erasedAt.
	erased   bool
	erasedAt time.Time
}

// afterCommit keeps the log from growing too long.
func (w *writer) afterCommit() {
	if w.handle == nil {
		return
	}
	if w.wal.erased && w.wal.erasedAt.IsZero() {
		w.wal.erasedAt = time.Now()
	}
	if !w.wal.erasedAt.IsZero() && time.Since(w.wal.erasedAt) > scrubAfter {
		w.scrub()
	}
	if w.wal.commits++; w.wal.commits%8 != 0 || w.room.short || w.handle == nil {
		return // while the disk is full, each commit empties the log
	}
	log, err := checkpoint(w.ctx, w.handle.conn, "NOOP")
	if err != nil {
		return // a commit reports the same error
	}
	most := int(min(checkpointBytes, w.room.growth()) / pageSize)
	switch {
	case log.frames > 2*most:
		w.checkpointNow("PASSIVE") // the log restarts only when all of it is in the file
	case log.left > most && !w.wal.running:
		w.wal.running, w.wal.seen = true, w.handle
		go w.checkpointBeside()
	}
}

// checkpointBeside writes the log to the file while the writer continues. It sends the result to
// the writer, which also waits for it when the store closes.
func (w *writer) checkpointBeside() {
	_, err := w.tryRead(w.ctx, func(h *handle) error {
		conn, err := h.readers.Conn(w.ctx)
		if err != nil {
			return err
		}
		_, err = checkpoint(w.ctx, conn, "PASSIVE")
		return errors.Join(err, conn.Close())
	})
	w.wal.done <- err
}

// awaitCheckpoint waits for the checkpoint in the background, if there is one. Two checkpoints
// never run at once.
func (w *writer) awaitCheckpoint() {
	if w.wal.running {
		w.checkpointed(<-w.wal.done)
	}
}

func (w *writer) checkpointed(err error) {
	w.wal.running = false
	if w.wal.seen == w.handle {
		w.heed(err)
	}
}

// checkpointNow writes the log to the file, with room from the reserve if the disk is full. It
// reports whether it wrote the whole log.
func (w *writer) checkpointNow(mode string) bool {
	if w.awaitCheckpoint(); w.handle == nil {
		return false
	}
	log, err := checkpoint(w.ctx, w.handle.conn, mode)
	for isFull(err, w.room.reserve) && w.makeRoom() && w.handle != nil {
		log, err = checkpoint(w.ctx, w.handle.conn, mode)
	}
	w.heed(err)
	return err == nil && log.left == 0
}

// heed repairs the database if the error of a checkpoint requires it.
func (w *writer) heed(err error) {
	if isDamage(err) || isDistrust(err) && !isFull(err, w.room.reserve) {
		if err := w.repair(err); err != nil {
			w.health.worsen(err)
		}
	}
}

// tidy writes the log to the file when the store is idle. It empties the log if it is long or
// contains erased values.
func (w *writer) tidy() {
	if w.handle == nil {
		return
	}
	if !w.wal.erasedAt.IsZero() || fileSize(w.path+suffixWAL) > longLog {
		w.scrub()
	} else if log, err := checkpoint(w.ctx, w.handle.conn, "NOOP"); err == nil && log.left > 0 {
		w.checkpointNow("PASSIVE")
	}
	w.lookForRoom() // the log may have released some
}

// scrub empties the log. It tries again later if a reader uses the log.
func (w *writer) scrub() {
	exec := func(statement string) { _, _ = w.handle.conn.ExecContext(w.ctx, statement) }
	exec("PRAGMA busy_timeout = 20") // do not wait long for slow readers
	emptied := w.checkpointNow("TRUNCATE")
	if w.handle != nil {
		exec("PRAGMA busy_timeout = 5000")
	}
	if emptied {
		w.wal.erased, w.wal.erasedAt = false, time.Time{}
		return
	}
	if !w.wal.erasedAt.IsZero() {
		w.wal.erasedAt = time.Now()
	}
	w.quiet.Reset(retryAfter)
}

const (
	// compactBytes is the minimum of free space for Compact.
	compactBytes = 1 << 20
	// compactStep is the number of pages to release between other commits.
	compactStep = 256
)

// Compact implements [outbox.Store]. It does nothing unless at least 1 MiB and a quarter of the
// file are free. Other changes are written in between.
func (s *Store) Compact(ctx context.Context) error {
	for more, first := true, true; more; first = false {
		err := s.await(ctx, &operation{alone: func() (err error) {
			more, err = s.writer.compact(first)
			return err
		}})
		if err != nil {
			return record.Wrap("compacting", uuid.Nil, err)
		}
	}
	return nil
}

// compact returns some free pages to the file system and reports whether there are more.
func (w *writer) compact(first bool) (more bool, err error) {
	if err := w.ready(); err != nil {
		return false, err
	}
	free := w.freeBytes()
	if first && (free < compactBytes || free < fileSize(w.path)/4) || free == 0 {
		return false, nil
	}
	if err := w.vacuum(); err != nil {
		return false, err
	}
	w.wal.commits = 7 // so that the next commit checks the log's length
	w.afterCommit()
	if more = w.freeBytes() > 0; !more {
		w.scrub()
	}
	return more, nil
}

// vacuum returns some free pages to the file system. On a full disk it takes only as many as a
// transaction has room for, and empties the log before and after.
func (w *writer) vacuum() error {
	step := int64(compactStep)
	if w.room.short {
		if err := w.emptyLog(); err != nil {
			return err
		}
		step = max(w.room.transaction()/(4*pageSize), 1) // moving a page changes some others
	}
	// Each step of the statement releases one page.
	rows, err := w.handle.conn.QueryContext(w.ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", step))
	if err != nil {
		return err
	}
	for rows.Next() {
		continue
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || !w.room.short { //nolint:sqlclosecheck // the checkpoint needs it closed
		return err
	}
	return w.emptyLog()
}

// Backup writes the whole store to a new file while the store is in use. The new file is a complete
// outbox. The error wraps [os.ErrExist] if the file exists.
func (s *Store) Backup(ctx context.Context, file string) error {
	err := s.read(ctx, func(h *handle) error { return h.backUp(ctx, file) })
	return record.Wrap("backing up to "+file, uuid.Nil, err)
}

// backUp writes a copy of the database to a new file while the database is in use.
func (h *handle) backUp(ctx context.Context, path string) error {
	conn, err := h.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// VACUUM INTO writes only the copy, but query_only forbids it too.
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only = OFF"); err != nil {
		return err
	}
	err = copyTo(ctx, conn, path)
	_, closing := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = ON")
	return errors.Join(err, closing)
}

// copyTo writes a copy of the database of a connection to a new file.
func copyTo(ctx context.Context, conn *sql.Conn, path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	_, err = conn.ExecContext(ctx, "VACUUM INTO ?", path)
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return syncFolder(filepath.Dir(path))
}
