// Command stallcaddy is Caddy with this plugin and one more outbox, whose disk a test can stall:
// while the file beside it that is named like it, and ends in .stall, exists, no append ends.
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

// stalled is the default outbox on a disk that stalls.
type stalled struct{ outboxes.Bolt }

// CaddyModule returns the Caddy module information.
func (stalled) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "telecrm.outbox.stalled", New: func() caddy.Module { return new(stalled) }}
}

// UnmarshalCaddyfile takes the file's name.
func (s *stalled) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return s.Bolt.UnmarshalCaddyfile(d)
}

// Open opens the file.
func (s *stalled) Open(logger *zap.Logger) (outbox.Store, error) {
	store, err := s.Bolt.Open(logger)
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
			// As a write that the disk held up: it is carried out, whoever waits.
			return s.Store.Append(context.WithoutCancel(ctx), entry)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
