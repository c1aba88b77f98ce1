// Command caddy is Caddy with its standard modules, this plugin and its outbox in PostgreSQL, to try
// them from a checkout. For production, build a binary with xcaddy; see docs/fleet.md.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
	_ "github.com/leadwire/caddy-telecrm/postgres"
)

func main() {
	caddycmd.Main()
}
