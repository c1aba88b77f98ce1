package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"go.uber.org/zap"
)

// start opens the database for the first time in this process.
func (w *writer) start(ctx context.Context) error {
	w.ctx, w.change.ctx = ctx, ctx
	if err := w.clearLeftovers(); err != nil {
		return err
	}
	last, marked := w.lock.lastMark()
	size := fileSize(w.path)
	if size > 0 && !isOurs(w.path, marked) {
		return errForeign
	}
	if hidden := hiddenCommits(w.path, last, marked); hidden != nil {
		if err := w.replaceDamaged(hidden); err != nil {
			return err
		}
	} else if size == 0 && marked && last.held() > 0 {
		w.log.Error("outbox file is missing, and its entries are lost; if you have a copy, stop Caddy and put the copy in its place",
			zap.String("file", w.path), zap.Int64("entries", last.held()))
	}
	if err := w.reopen(); err != nil {
		return err
	}
	// Empty the log before anything is added to it. The reserve provides the room for that, and is
	// then filled again.
	w.scrub()
	w.seeRoom()
	w.owed = &lastProcess{last, marked}
	if err := w.catchUp(); err != nil && !isFull(err, w.room.reserve) {
		return err
	}
	return nil
}

// lastProcess is the last mark of an earlier process. marked is false if there is none.
type lastProcess struct {
	ledger ledger
	marked bool
}

// catchUp handles what an earlier process left behind: entries in flight, missing entries, and
// commits that the file has lost. Until that is done, no entry is added, taken or settled.
func (w *writer) catchUp() error {
	err := w.inSteps(func(c *change) error { return w.catchUpWith(c, w.owed.ledger, w.owed.marked) })
	if err == nil {
		w.owed = nil
	}
	return err
}

// catchUpWith does as much of that as fits into the transaction.
func (w *writer) catchUpWith(c *change, last ledger, marked bool) error {
	behind := marked && string(last.store) == string(c.ledger.store) && last.commits > c.ledger.commits
	if behind {
		w.log.Error("outbox file is older than it was: its log was removed or damaged, or an older copy was put in its place; "+
			"waiting entries may have been delivered since, so TeleCRM is asked before they are sent",
			zap.String("file", w.path), zap.Int64("commits", last.commits-c.ledger.commits),
			zap.Int64("entries", max(last.appended-c.ledger.appended, 0)))
		c.after.commits = last.commits
		c.budget = math.MaxInt64 // use one transaction, so that a crash does not lose a part of it
	}
	gone := c.ledger.held()
	for _, n := range c.counts {
		gone -= n
	}
	if gone != 0 {
		w.log.Error("outbox entries are missing, or have reappeared if the number is negative", zap.String("file", w.path), zap.Int64("entries", gone))
		c.after.missing += gone
	}
	err := c.release()
	if err == nil && behind {
		err = c.doubtAll()
	}
	c.wrote = c.wrote || behind || gone != 0
	return err
}

// reopen opens the database. If it is damaged, reopen replaces it with what can still be read.
func (w *writer) reopen() error {
	if err := createFile(w.path); err != nil {
		return err
	}
	for _, suffix := range []string{"", suffixWAL, suffixLock, suffixReserve} { // copies have any mode
		if err := os.Chmod(w.path+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.log.Warn("outbox file may be readable by other users; set its mode to 0600", zap.String("file", w.path+suffix), zap.Error(err))
		}
	}
	h, err := openHandle(w.ctx, w.path)
	for isFull(err, w.room.reserve) && w.makeRoom() {
		h, err = openHandle(w.ctx, w.path)
	}
	if isDamage(err) {
		return w.replaceDamaged(err)
	}
	if err != nil {
		return err
	}
	w.use(h)
	return nil
}

// use replaces the current handle with h, which may be nil, and closes the previous one.
func (w *writer) use(h *handle) {
	w.swap.Lock()
	before := w.handle
	w.handle = h
	w.swap.Unlock()
	for _, a := range w.attempts {
		a.row = nil // the other database may have an older one, or under another number
	}
	if before != nil {
		if err := before.close(); err != nil {
			w.log.Warn("outbox file was not closed cleanly", zap.String("file", w.path), zap.Error(err))
		}
	}
}

func (w *writer) drop() { w.use(nil) }

// ready makes sure that the database is open and is still the file at its path.
func (w *writer) ready() error {
	if w.handle == nil {
		return w.reopen()
	}
	if name := w.moved(); name != "" {
		return w.putBack(name)
	}
	return nil
}

// moved returns the name of a file of the open database that was removed or replaced, or "".
func (w *writer) moved() (name string) {
	for suffix, opened := range map[string]*os.FileInfo{"": &w.handle.db, suffixWAL: &w.handle.wal} {
		info, err := os.Stat(w.path + suffix)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, *opened) {
			return filepath.Base(w.path + suffix)
		}
		if err == nil {
			*opened = info
		}
	}
	return ""
}

// putBack restores the database after its file or log was removed or replaced. The content can be
// read as long as the database is open.
func (w *writer) putBack(what string) error {
	w.log.Error("an outbox file was removed or replaced while Caddy was using it; it is put back; stop Caddy before you move it",
		zap.String("file", w.path), zap.String("name", what))
	restored := w.path + suffixRestore
	if err := errors.Join(makeFolder(filepath.Dir(w.path)), w.lock.confirm(), removeDatabase(restored)); err != nil {
		return err
	}
	taken := w.handle.db
	// Another connection might open the file that is there now.
	if err := copyTo(w.ctx, w.handle.conn, restored); err != nil {
		return err
	}
	w.drop()
	if info, err := os.Stat(w.path); err == nil && os.SameFile(info, taken) {
		if err := removeDatabase(w.path); err != nil { // only its log was replaced
			return err
		}
	}
	if _, err := w.takePlace(restored, suffixReplaced); err != nil {
		return err
	}
	return w.reopen()
}

// repairSeen repairs the database, unless the handle that met the damage was replaced since.
func (w *writer) repairSeen(seen *handle, cause error) error {
	if w.handle != seen {
		return nil
	}
	if err := w.repair(cause); err != nil {
		return err
	}
	if w.owed == nil {
		w.releaseRepaired()
	}
	return nil
}

// repair reopens the database after an error. It does not trust cached pages of a file that could
// not be read or written. If the file was replaced, the error may be about the file that is there
// now, and the open database is put back.
func (w *writer) repair(cause error) error {
	w.repaired = true
	if w.handle != nil {
		if name := w.moved(); name != "" {
			if err := w.putBack(name); !isDamage(err) {
				return err
			}
		}
	}
	if isDamage(cause) {
		return w.replaceDamaged(cause)
	}
	if w.handle != nil {
		w.log.Warn("outbox is reopened after an error", zap.String("file", w.path), zap.Error(cause))
		// The next connection must not find a failed commit in the log. Writing the log to the file
		// also writes each page of earlier commits again.
		if log, err := checkpoint(w.ctx, w.handle.conn, "TRUNCATE"); err != nil || log.left > 0 {
			w.log.Warn("outbox log could not be written to the file", zap.String("file", w.path), zap.Error(err))
		}
		w.drop()
	}
	return w.reopen()
}

// replaceDamaged carries over what can be read of the damaged file to a new one, and sets the
// damaged file aside.
func (w *writer) replaceDamaged(cause error) error {
	w.drop()
	restored := w.path + suffixRestore
	if err := errors.Join(removeDatabase(restored), createFile(restored)); err != nil {
		return err
	}
	fresh, err := openHandle(w.ctx, restored)
	if err != nil {
		return err
	}
	carried, err := w.carryOver(w.path, fresh)
	if err = errors.Join(err, fresh.close()); err != nil {
		return fmt.Errorf("carrying over readable entries: %w", err)
	}
	aside, err := w.takePlace(restored, suffixDamaged)
	if err != nil {
		return err
	}
	fields := []zap.Field{
		zap.String("file", w.path), zap.String("set_aside", aside), zap.Int("carried_over", carried), zap.NamedError("cause", cause),
	}
	if last, ok := w.lock.lastMark(); ok {
		fields = append(fields, zap.Int64("lost", max(last.held()-int64(carried), 0)))
	}
	w.log.Error("outbox file was damaged; it is set aside, and its readable entries are carried over to a new file; keep the damaged file until you know what is lost",
		fields...)
	return w.reopen()
}

// takePlace sets the database aside if there is one, and moves a closed database to its path.
func (w *writer) takePlace(restored, suffix string) (aside string, err error) {
	if err := syncFile(restored); err != nil {
		return "", err
	}
	if aside, err = setAside(w.path, suffix, w.now()); err != nil {
		return "", fmt.Errorf("setting the file aside: %w", err)
	}
	return aside, errors.Join(os.Rename(restored, w.path), syncFolder(filepath.Dir(w.path)))
}

// clearLeftovers cleans up after a crash. If the file is missing, the crash interrupted a
// replacement, which is completed.
func (w *writer) clearLeftovers() error {
	restored := w.path + suffixRestore
	if _, err := os.Lstat(w.path); errors.Is(err, fs.ErrNotExist) && fileSize(restored) > 0 {
		_, err := w.takePlace(restored, suffixDamaged)
		return err
	}
	return removeDatabase(restored)
}
