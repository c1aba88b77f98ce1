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

// keepNote lets later processes know that there is an outbox.
func keepNote(path string) error {
	if err := os.MkdirAll(noteFolder(), 0o700); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(path))
	return os.WriteFile(filepath.Join(noteFolder(), fmt.Sprintf("%x", sum[:8])), []byte(path), 0o600)
}

// usedRetry is the time until an outbox that another process has open is looked at again.
const usedRetry = 10 * time.Second

// FindLeft finds the outboxes of earlier processes that no config uses any more although leads wait
// in them, and reports them. It returns when none of them is used by another process, or when the
// context ends.
func FindLeft(ctx context.Context, logger *zap.Logger) {
	for findLeft(ctx, logger) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(usedRetry):
		}
	}
}

// findLeft returns true if another process uses an outbox.
func findLeft(ctx context.Context, logger *zap.Logger) (used bool) {
	notes, err := filepath.Glob(filepath.Join(noteFolder(), "*"))
	if err != nil {
		logger.Warn("outboxes of earlier configs cannot be found", zap.Error(err))
	}
	for _, note := range notes {
		path, err := os.ReadFile(note)
		if err != nil || slices.ContainsFunc(dispatch.All(), func(d *dispatch.Dispatcher) bool { return d.Resource == string(path) }) {
			continue
		}
		left, err := countLeft(ctx, string(path))
		if errors.Is(err, outbox.ErrInUse) {
			used = true
			continue
		}
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			logger.Warn("an outbox that the running config does not use cannot be read, so more leads may wait in it", zap.Error(err))
		} else if left.Waiting == 0 {
			_ = os.Remove(note)
		}
		dispatch.ReportLeft(left, logger)
	}
	return used
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
