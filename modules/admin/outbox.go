package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

const (
	// longPatience limits how long reading a whole outbox may take. The read continues if the
	// client disconnects.
	longPatience = 10 * time.Minute
	// maxBackupBody limits the body of a request for a backup.
	maxBackupBody = 64 << 10
)

// database is an outbox in a database file.
type database interface {
	Check(ctx context.Context, thorough bool) (sqlstore.Report, error)
	Backup(ctx context.Context, file string) error
}

// databaseOf returns the database of an outbox, or an error if the outbox is not a database file.
func databaseOf(d *dispatch.Dispatcher) (database, error) {
	if db, ok := d.Store.(database); ok {
		return db, nil
	}
	return nil, refuse(http.StatusConflict, "outbox %s is not a database file", d.Resource)
}

// serveCheck checks all entries and indices of the open outboxes for damage.
func serveCheck(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	open, err := someOutbox()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), longPatience)
	defer cancel()
	checked := adminapi.Checked{Outboxes: make([]adminapi.CheckedOutbox, 0, len(open))}
	for _, d := range open {
		db, err := databaseOf(d)
		if err != nil {
			return err
		}
		report, err := db.Check(ctx, true)
		if err != nil {
			return outboxFailed(err, "")
		}
		checked.Outboxes = append(checked.Outboxes, adminapi.CheckedOutbox{
			Resource: d.Resource, Entries: report.Entries, Damaged: report.Damaged, Missing: report.Missing, Problems: report.Problems,
		})
	}
	return answerJSON(w, checked)
}

// serveBackup writes the outbox to a new file on the server while the outbox is in use.
func serveBackup(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	var backup adminapi.Backup
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxBackupBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&backup); err != nil || !filepath.IsAbs(backup.File) {
		return refuse(http.StatusBadRequest, `the body must be JSON with an absolute path, such as {"file": "/backup/outbox.db"}`)
	}
	open, err := someOutbox()
	if err != nil {
		return err
	}
	if len(open) > 1 {
		return refuse(http.StatusConflict, "two outboxes are open during a reload; try again in a moment")
	}
	db, err := databaseOf(open[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), longPatience)
	defer cancel()
	err = db.Backup(ctx, backup.File)
	switch {
	case errors.Is(err, fs.ErrExist):
		return refuse(http.StatusConflict, "%s exists; a backup never replaces a file", backup.File)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return refuse(http.StatusBadRequest, "%s cannot be created; its folder must exist and be writable for Caddy's user", backup.File)
	case err != nil:
		return outboxFailed(err, "")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
