package outboxes

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

// Note lets later processes know that leads may wait on this machine when no config names their
// outbox any more.
type Note struct {
	// Resource identifies the outbox.
	Resource string `json:"resource"`
	// File is its database file; empty if the outbox is not in a file.
	File string `json:"file,omitempty"`
	// Prefixes are the beginnings of the paths of its spools, unless it is in a file.
	Prefixes []string `json:"spools,omitempty"`
}

// noteFolder has a note for each outbox.
func noteFolder() string { return filepath.Join(caddy.AppDataDir(), "telecrm", "outboxes") }

// Keep writes the note. It logs an error.
func (n Note) Keep(logger *zap.Logger) {
	if err := n.write(); err != nil {
		logger.Warn("leads that are left in this outbox cannot be reported later, because Caddy's data directory cannot be written", zap.String("outbox", n.Resource), zap.Error(err))
	}
}

// write adds the note to the one that is there. It does not write the same again, because a full disk
// would leave an empty note.
func (n Note) write() error {
	sum := sha256.Sum256([]byte(n.Resource))
	file := filepath.Join(noteFolder(), fmt.Sprintf("%x", sum[:8]))
	before, _ := readNote(file)
	added := slices.DeleteFunc(slices.Clone(n.Prefixes), func(prefix string) bool { return slices.Contains(before.Prefixes, prefix) })
	if before.Resource == n.Resource && before.File == n.File && len(added) == 0 {
		return nil
	}
	n.Prefixes = append(before.Prefixes, added...)
	content, err := json.Marshal(n)
	if err == nil {
		err = os.MkdirAll(noteFolder(), 0o700)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}

func readNote(file string) (n Note, err error) {
	content, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(content, &n)
	}
	return n, err
}

// spools returns the beginnings of the paths of the outbox's spools.
func (n Note) spools() []string {
	if n.File == "" {
		return n.Prefixes
	}
	return spoolPrefixes(n.File)
}

// isThere reports whether the file exists, or the folders for spools. Their disk may be away.
func (n Note) isThere() bool {
	places := []string{n.File}
	if n.File == "" {
		places = slices.Clone(n.Prefixes)
		for i, prefix := range places {
			places[i] = filepath.Dir(prefix)
		}
	}
	return !slices.ContainsFunc(places, func(place string) bool {
		_, err := os.Stat(place)
		return err != nil
	})
}

// usedRetry is the time until an outbox that is used is looked at again.
const usedRetry = 10 * time.Second

// FindLeft finds the outboxes of earlier configs and processes that are not used any more although
// leads wait in them, and reports them. The config itself uses the resource named own. FindLeft returns
// when the others are not used by another process, nor by the config before, or when the context ends.
func FindLeft(ctx context.Context, own string, logger *zap.Logger) {
	notes, err := os.ReadDir(noteFolder())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger.Warn("outboxes of earlier configs cannot be found", zap.Error(err))
	}
	for {
		notes = slices.DeleteFunc(notes, func(note fs.DirEntry) bool { return !reportNoted(ctx, note.Name(), own, logger) })
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

// looking has the notes whose outboxes are being looked at. An outbox on a disk that hangs holds one
// search, and not one more after each reload.
var looking sync.Map

// reportNoted reports the outbox of a note if leads wait in it although it is not used. It returns true
// if another process or config uses it.
func reportNoted(ctx context.Context, name, own string, logger *zap.Logger) (used bool) {
	if _, hangs := looking.LoadOrStore(name, nil); hangs {
		return true
	}
	defer looking.Delete(name)
	file := filepath.Join(noteFolder(), name)
	n, err := readNote(file)
	if err != nil || n.Resource == own {
		return false
	}
	if dispatch.IsOpen(n.Resource) {
		return true
	}
	left, entries, err := n.countLeft(ctx)
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
	case entries == 0 && n.isThere():
		n.remove(file, logger)
	}
	dispatch.ReportLeft(left, logger)
	return false
}

// remove removes the note of an empty outbox, unless a config has opened the outbox meanwhile.
func (n Note) remove(file string, logger *zap.Logger) {
	_ = os.Remove(file)
	if dispatch.IsOpen(n.Resource) { // a config that opens it from now on writes a note
		n.Keep(logger)
	}
}

// files lists the files on this machine that have leads of the outbox.
func (n Note) files() ([]string, error) {
	files, err := spool.Files(n.spools())
	if n.File != "" {
		files = append(files, n.File)
	}
	return files, err //nolint:wrapcheck // it names the folder
}

// countLeft counts the leads on this machine in a closed outbox and its spools, and those of them
// that wait.
func (n Note) countLeft(ctx context.Context) (left adminapi.Left, entries int, _ error) {
	left = adminapi.Left{Resource: n.Resource, Since: time.Now().UTC()}
	files, err := n.files()
	failed := []error{err}
	for _, file := range files {
		all, waiting, err := sqlstore.CountClosed(ctx, file)
		if !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
		entries += all
		if left.Waiting += waiting; waiting > 0 && file != n.File {
			left.Spools = append(left.Spools, file)
		}
	}
	return left, entries, errors.Join(failed...)
}
