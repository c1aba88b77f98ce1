package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// openOutbox implements [cli.OpenOutbox].
func openOutbox(ctx context.Context, words string, away bool) (outbox.Store, error) {
	if strings.TrimSpace(words) == "" {
		return nil, errors.New(`outbox: must be written as in a Caddyfile, such as "sqlite /srv/outbox.db"`)
	}
	tokens, err := caddyfile.Tokenize([]byte(words), "outbox")
	if err != nil {
		return nil, fmt.Errorf("reading the words of an outbox: %w", err)
	}
	d := caddyfile.NewDispenser(tokens)
	d.Next()
	name := d.Val()
	if name == "outbox" {
		return nil, errors.New(`outbox: leave out the word outbox, and begin with the kind, such as "sqlite /srv/outbox.db"`)
	}
	if _, err := caddy.GetModule("telecrm.outbox." + name); err != nil {
		return nil, dispatch.UnknownOutbox(name, "")
	}
	module, err := caddyfile.UnmarshalModule(d, "telecrm.outbox."+name)
	if err != nil {
		return nil, err
	}
	mover, ok := module.(dispatch.Mover)
	if !ok {
		return nil, fmt.Errorf("outbox %s does not keep leads", name)
	}
	provisioning, cancel := caddy.NewContext(caddy.Context{Context: ctx})
	defer cancel()
	if p, ok := module.(caddy.Provisioner); ok {
		if err := p.Provision(provisioning); err != nil {
			return nil, err
		}
	}
	return mover.OpenToMove(ctx, caddy.Log().Named("telecrm"), away)
}
