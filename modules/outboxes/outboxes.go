// Package outboxes registers the guest modules `telecrm.outbox.sqlite` and `telecrm.outbox.off`.
package outboxes

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/disk"
	"github.com/leadwire/caddy-telecrm/outbox/spool"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func init() {
	caddy.RegisterModule(SQLite{})
	caddy.RegisterModule(Off{})
}

// SQLite keeps leads in a file on this machine.
//
// While the file cannot be used, leads are kept in a spool and delivered from there: another
// process uses it, its folder is not writable, it is not an outbox, a newer version wrote it, or
// its disk is gone. The log says so as an error. The spool is a file beside it,
// `<file>.spool-<id>`, or else in `telecrm/spools` in Caddy's data directory. The leads move to the
// file when it can be used, in this process or the next one. Nothing is overwritten.
type SQLite struct {
	// The file. Its directory is created if necessary. Only one process at a time uses the file.
	// Default: `telecrm/outbox.db` in Caddy's data directory
	File string `json:"file,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (SQLite) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "telecrm.outbox.sqlite",
		New: func() caddy.Module { return new(SQLite) },
	}
}

// Provision resolves placeholders in the file name and fills in the default.
func (s *SQLite) Provision(caddy.Context) error {
	if s.File == "" {
		s.File = filepath.Join(caddy.AppDataDir(), "telecrm", "outbox.db")
		return nil
	}
	return placeholder.Expand(caddy.NewReplacer(), placeholder.Setting{Name: "outbox file", Value: &s.File})
}

// Resource returns the file's absolute path.
func (s *SQLite) Resource() (string, error) {
	path, err := filepath.Abs(s.File)
	if err != nil {
		return "", fmt.Errorf("finding outbox %s: %w", s.File, err)
	}
	return path, nil
}

// Open opens the file, or a spool while the file cannot be used.
func (s *SQLite) Open(logger *zap.Logger) (outbox.Store, error) {
	path, err := s.Resource()
	if err != nil {
		return nil, err
	}
	// The store does not wait long for a disk that hangs, so leave everything that reads the disk to it.
	warn := sync.OnceFunc(func() {
		if warning := disk.Warning(filepath.Dir(path)); warning != "" {
			logger.Warn(warning, zap.String("file", path))
		}
	})
	note := sync.OnceFunc(func() { Note{Resource: path, File: path}.Keep(logger) })
	return spool.Open(context.Background(), spool.Options{
		Name: path,
		Open: func(ctx context.Context) (outbox.Store, error) {
			warn()
			note()
			return openFile(ctx, path, 0, logger)
		},
		OpenSpool: func(ctx context.Context, file string) (spool.Spool, error) {
			return openFile(ctx, file, time.Millisecond, logger)
		},
		Prefixes: func() []string { return spoolPrefixes(path) },
		Folder:   filepath.Dir(path),
		Logger:   logger,
	}), nil
}

// openFile opens a database. It exists because a nil pointer must not become an interface.
func openFile(ctx context.Context, path string, lockTimeout time.Duration, logger *zap.Logger) (spool.Spool, error) {
	store, err := sqlstore.Open(ctx, path, sqlstore.Options{Logger: logger, LockTimeout: lockTimeout})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// OpenToMove implements [dispatch.Mover].
func (s *SQLite) OpenToMove(ctx context.Context, logger *zap.Logger, away bool) (outbox.Store, error) {
	path, err := s.Resource()
	if err != nil {
		return nil, err
	}
	if away {
		// Opening would create the file.
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("opening outbox: %w", err)
		}
		if err := spool.Unused(spoolPrefixes(path)); err != nil {
			return nil, err
		}
	}
	return openFile(ctx, path, 0, logger)
}

// spoolSuffix begins what follows the name of an outbox in that of a spool.
const spoolSuffix = ".spool-"

// spoolPrefixes returns the beginnings of the paths of the file's spools. They are the same for all
// paths of one file.
func spoolPrefixes(path string) []string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	sum := sha256.Sum256([]byte(path))
	name := fmt.Sprintf("%s-%x", filepath.Base(path), sum[:4]) + spoolSuffix
	return []string{path + spoolSuffix, filepath.Join(caddy.AppDataDir(), "telecrm", "spools", name)}
}

// UnmarshalCaddyfile sets up the outbox from Caddyfile tokens. Syntax:
//
//	sqlite [<file>]
func (s *SQLite) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	switch args := d.RemainingArgs(); len(args) {
	case 0:
	case 1:
		if s.File = args[0]; s.File == "" {
			return d.Errf("outbox sqlite: the file is empty; if it is written as {$NAME}, is the variable set?")
		}
	default:
		return d.Errf("outbox sqlite takes at most one file")
	}
	return nil
}

// Off does not keep leads: if TeleCRM does not accept a lead while the visitor waits, the visitor
// gets an error.
type Off struct{}

// CaddyModule returns the Caddy module information.
func (Off) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "telecrm.outbox.off",
		New: func() caddy.Module { return new(Off) },
	}
}

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	off
func (*Off) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() {
		return d.Errf("outbox off takes no argument")
	}
	return nil
}

// Resource returns an empty name because there is nothing to open.
func (*Off) Resource() (string, error) { return "", nil }

// Open returns an error because there is nothing to open.
func (*Off) Open(*zap.Logger) (outbox.Store, error) {
	return nil, errors.New("the outbox is off")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*SQLite)(nil)
	_ caddyfile.Unmarshaler = (*SQLite)(nil)
	_ dispatch.Mover        = (*SQLite)(nil)
	_ caddyfile.Unmarshaler = (*Off)(nil)
	_ dispatch.Guest        = (*Off)(nil)
)
