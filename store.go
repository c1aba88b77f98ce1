package caddytelecrm

import (
	"errors"
	"fmt"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/bolt"
)

func init() {
	caddy.RegisterModule(BoltOutbox{})
	caddy.RegisterModule(NoOutbox{})
}

// Outbox is a guest module in the namespace `telecrm.outbox`: a place where
// leads are kept until TeleCRM has them.
type Outbox interface {
	// Resource names what is opened, the same for every module that opens
	// the same thing: all configs of a process share one store of it.
	Resource() (string, error)

	// Open opens the store. It is called when the app starts, never to
	// validate a config.
	Open(logger *zap.Logger) (outbox.Store, error)
}

// BoltOutbox keeps leads in a file of this machine.
type BoltOutbox struct {
	// The file. Its folder is made if need be. Only one process can use it.
	// Default: `telecrm/outbox.db` in Caddy's data directory
	File string `json:"file,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (BoltOutbox) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "telecrm.outbox.bolt",
		New: func() caddy.Module { return new(BoltOutbox) },
	}
}

// Provision resolves placeholders in the file's name.
func (b *BoltOutbox) Provision(caddy.Context) error {
	file, err := caddy.NewReplacer().ReplaceOrErr(b.File, true, true)
	if err != nil {
		return fmt.Errorf("outbox file: %w", err)
	}
	if file == "" {
		file = filepath.Join(caddy.AppDataDir(), "telecrm", "outbox.db")
	}
	b.File = file
	return nil
}

// Resource returns the file's absolute path.
func (b *BoltOutbox) Resource() (string, error) {
	path, err := filepath.Abs(b.File)
	if err != nil {
		return "", fmt.Errorf("finding outbox %s: %w", b.File, err)
	}
	return path, nil
}

// Open opens the file.
func (b *BoltOutbox) Open(logger *zap.Logger) (outbox.Store, error) {
	path, err := b.Resource()
	if err != nil {
		return nil, err
	}
	return bolt.Open(path, bolt.Options{Logger: logger})
}

// UnmarshalCaddyfile sets up the outbox from Caddyfile tokens. Syntax:
//
//	bolt [<file>]
func (b *BoltOutbox) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	switch args := d.RemainingArgs(); len(args) {
	case 0:
	case 1:
		b.File = args[0]
	default:
		return d.Errf("outbox bolt takes at most one file")
	}
	return nil
}

// NoOutbox keeps nothing: a lead that TeleCRM does not take while the visitor
// waits is given back to them.
type NoOutbox struct{}

// CaddyModule returns the Caddy module information.
func (NoOutbox) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "telecrm.outbox.off",
		New: func() caddy.Module { return new(NoOutbox) },
	}
}

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	off
func (*NoOutbox) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() {
		return d.Errf("outbox off takes nothing more")
	}
	return nil
}

// Resource returns nothing: there is nothing to open.
func (*NoOutbox) Resource() (string, error) { return "", nil }

// Open returns an error: there is nothing to open.
func (*NoOutbox) Open(*zap.Logger) (outbox.Store, error) {
	return nil, errors.New("the outbox is off")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*BoltOutbox)(nil)
	_ caddyfile.Unmarshaler = (*BoltOutbox)(nil)
	_ Outbox                = (*BoltOutbox)(nil)
	_ caddyfile.Unmarshaler = (*NoOutbox)(nil)
	_ Outbox                = (*NoOutbox)(nil)
)
