// Package outboxes registers the guest modules `telecrm.outbox.sqlite` and `telecrm.outbox.off`.
package outboxes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
)

func init() {
	caddy.RegisterModule(SQLite{})
	caddy.RegisterModule(Off{})
}

// SQLite keeps leads in a file on this machine.
type SQLite struct {
	// The file. Its directory is created if necessary. Only one process can use the file. Default:
	// `telecrm/outbox.db` in Caddy's data directory
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

// Open opens the file.
func (s *SQLite) Open(logger *zap.Logger) (outbox.Store, error) {
	path, err := s.Resource()
	if err != nil {
		return nil, err
	}
	return sqlstore.Open(context.Background(), path, sqlstore.Options{Logger: logger})
}

// UnmarshalCaddyfile sets up the outbox from Caddyfile tokens. Syntax:
//
//	sqlite [<file>]
func (s *SQLite) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	switch args := d.RemainingArgs(); len(args) {
	case 0:
	case 1:
		s.File = args[0]
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
		return d.Errf("outbox off takes no argument, got %q", d.Val())
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
	_ dispatch.Guest        = (*SQLite)(nil)
	_ caddyfile.Unmarshaler = (*Off)(nil)
	_ dispatch.Guest        = (*Off)(nil)
)
