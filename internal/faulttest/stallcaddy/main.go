// Command stallcaddy is Caddy with this plugin and one more outbox, whose disk a test can stall:
// appends block while a file with the outbox's name and the suffix .stall exists.
package main

import (
	"context"
	"os"
	"time"

	"go.uber.org/zap"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
)

func main() {
	caddy.RegisterModule(stalled{})
	caddycmd.Main()
}

// stalled is the default outbox on a disk that can stall.
type stalled struct{ outboxes.SQLite }

// CaddyModule returns the Caddy module information.
func (stalled) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "telecrm.outbox.stalled", New: func() caddy.Module { return new(stalled) }}
}

// UnmarshalCaddyfile reads the file's name.
func (s *stalled) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return s.SQLite.UnmarshalCaddyfile(d)
}

// Open opens the file.
func (s *stalled) Open(logger *zap.Logger) (outbox.Store, error) {
	store, err := s.SQLite.Open(logger)
	return &stalledStore{store, s.File + ".stall"}, err
}

type stalledStore struct {
	outbox.Store

	stall string
}

// Append writes the entry to a disk that may have stalled.
func (s *stalledStore) Append(ctx context.Context, entry outbox.Entry) error {
	for {
		if _, err := os.Stat(s.stall); err != nil {
			// A stalled write is carried out later, even if the caller has given up.
			return s.Store.Append(context.WithoutCancel(ctx), entry)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
