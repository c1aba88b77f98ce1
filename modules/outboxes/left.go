package outboxes

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// noteFolder has a note for each file that was opened as an outbox on this machine. A note contains
// the file's path.
func noteFolder() string { return filepath.Join(caddy.AppDataDir(), "telecrm", "outboxes") }

// keepNote lets later processes know that there is an outbox. A note that is there already is not
// written again, because a full disk would leave an empty one.
func keepNote(path string) error {
	sum := sha256.Sum256([]byte(path))
	note := filepath.Join(noteFolder(), fmt.Sprintf("%x", sum[:8]))
	if before, err := os.ReadFile(note); err == nil && string(before) == path {
		return nil
	}
	if err := os.MkdirAll(noteFolder(), 0o700); err != nil {
		return err
	}
	return os.WriteFile(note, []byte(path), 0o600)
}

// usedRetry is the time until an outbox that another process has open is looked at again.
const usedRetry = 10 * time.Second

// FindLeft finds the outboxes of earlier processes that no config uses any more although leads wait
// in them, and reports them. It returns when none of them is used by another process, or when the
// context ends.
func FindLeft(ctx context.Context, logger *zap.Logger) {
	notes, err := os.ReadDir(noteFolder())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger.Warn("outboxes of earlier configs cannot be found", zap.Error(err))
	}
	for {
		notes = slices.DeleteFunc(notes, func(note fs.DirEntry) bool { return !reportNoted(ctx, note.Name(), logger) })
		if len(notes) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(usedRetry):
		}
	}
}

// reportNoted reports the outbox of a note if no config uses it although leads wait in it. It returns
// true if another process uses it.
func reportNoted(ctx context.Context, name string, logger *zap.Logger) (used bool) {
	note := filepath.Join(noteFolder(), name)
	content, err := os.ReadFile(note)
	path := string(content)
	if err != nil || dispatch.IsOpen(path) {
		return false
	}
	left, err := countLeft(ctx, path)
	switch {
	case errors.Is(err, outbox.ErrInUse):
		return true
	case ctx.Err() != nil:
		return false
	case err != nil:
		logger.Warn("an outbox that the running config does not use cannot be read, so more leads may wait in it", zap.Error(err))
		if left.Waiting == 0 {
			return false // more may wait than before
		}
	case left.Waiting == 0:
		removeNote(note, path, logger)
	}
	dispatch.ReportLeft(left, logger)
	return false
}

// removeNote removes the note of an empty outbox, unless a config has opened the outbox meanwhile. The
// note of a file that does not exist stays, because its disk may only be away.
func removeNote(note, path string, logger *zap.Logger) {
	if _, err := os.Stat(path); err != nil {
		return
	}
	_ = os.Remove(note)
	if !dispatch.IsOpen(path) {
		return // a config that opens it from now on writes a note
	}
	if err := keepNote(path); err != nil {
		warnOfNote(path, err, logger)
	}
}

// warnOfNote logs that a note could not be written.
func warnOfNote(path string, err error, logger *zap.Logger) {
	logger.Warn("nothing will tell of leads in this outbox once no config names it", zap.String("file", path), zap.Error(err))
}

// countLeft counts the leads that wait in a closed outbox and its spools.
func countLeft(ctx context.Context, path string) (adminapi.Left, error) {
	left := adminapi.Left{Resource: path, Since: time.Now().UTC()}
	spools, err := spool.Files(spoolPrefixes(path))
	failed := []error{err}
	for _, file := range append(spools, path) {
		waiting, err := sqlstore.CountWaiting(ctx, file)
		if !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
		if left.Waiting += waiting; waiting > 0 && file != path {
			left.Spools = append(left.Spools, file)
		}
	}
	return left, errors.Join(failed...)
}
