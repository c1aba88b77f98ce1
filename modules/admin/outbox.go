package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
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

// withDatabases calls f with the database of an outbox, which is nil if it cannot be used, and with
// its spools by file. No lead moves meanwhile.
func withDatabases(ctx context.Context, d *dispatch.Dispatcher, f func(db database, spools map[string]database) error) error {
	if db, ok := d.Store.(database); ok {
		return f(db, nil)
	}
	refusal := refuse(http.StatusConflict, "outbox %s is not a file; use the tools of its database, such as pg_dump and pg_amcheck", d.Resource)
	store, ok := d.Spooling()
	if !ok {
		return refusal
	}
	return store.Members(ctx, func(members []spool.Member) error {
		var own database
		spools := make(map[string]database)
		for _, m := range members {
			db, ok := m.Store.(database)
			switch {
			case !ok:
				return refusal
			case m.File == "":
				own = db
			default:
				spools[m.File] = db
			}
		}
		return f(own, spools)
	})
}

// whyAway returns why an outbox cannot be used.
func whyAway(d *dispatch.Dispatcher) string {
	if store, ok := d.Spooling(); ok {
		if err := store.Status().Trouble; err != nil {
			return err.Error()
		}
	}
	return "it is being opened"
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
		outboxes, err := checkOutbox(ctx, d)
		if err != nil {
			return outboxFailed(err, "")
		}
		checked.Outboxes = append(checked.Outboxes, outboxes...)
	}
	return answerJSON(w, checked)
}

// checkOutbox checks an outbox and its spools.
func checkOutbox(ctx context.Context, d *dispatch.Dispatcher) (checked []adminapi.CheckedOutbox, err error) {
	check := func(resource string, db database) error {
		report, err := db.Check(ctx, true)
		checked = append(checked, adminapi.CheckedOutbox{
			Resource: resource, Entries: report.Entries, Damaged: report.Damaged, Missing: report.Missing, Problems: report.Problems,
		})
		return err
	}
	err = withDatabases(ctx, d, func(db database, spools map[string]database) error {
		if db == nil {
			checked = append(checked, adminapi.CheckedOutbox{Resource: d.Resource, Unchecked: whyAway(d)})
		} else if err := check(d.Resource, db); err != nil {
			return err
		}
		for _, file := range slices.Sorted(maps.Keys(spools)) {
			if err := check(file, spools[file]); err != nil {
				return err
			}
		}
		return nil
	})
	return checked, err
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), longPatience)
	defer cancel()
	written, err := backUp(ctx, open[0], backup.File)
	switch {
	case errors.Is(err, fs.ErrExist):
		return refuse(http.StatusConflict, "%s exists; a backup never replaces a file", backup.File)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return refuse(http.StatusBadRequest, "%s cannot be created; its folder must exist and be writable for Caddy's user", backup.File)
	case err != nil:
		return outboxFailed(err, "")
	}
	return answerJSON(w, written)
}

// backUp writes an outbox to a new file, and each of its spools to a file with the name that it
// would have beside that outbox.
func backUp(ctx context.Context, d *dispatch.Dispatcher, file string) (written adminapi.BackedUp, err error) {
	write := func(db database, file string) error {
		if err := db.Backup(ctx, file); err != nil {
			return err
		}
		written.Files = append(written.Files, file)
		return nil
	}
	err = withDatabases(ctx, d, func(db database, spools map[string]database) error {
		if db == nil {
			return refuse(http.StatusConflict, "outbox %s cannot be used, so it cannot be backed up: %s", d.Resource, whyAway(d))
		}
		if err := write(db, file); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(spools)) {
			if err := write(spools[name], file+spoolSuffix(name)); err != nil {
				return err
			}
		}
		return nil
	})
	return written, err
}

// spoolSuffix returns the end of a spool's name, from .spool- on.
func spoolSuffix(name string) string { return name[strings.LastIndex(name, ".spool-"):] }
