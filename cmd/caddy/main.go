// Command caddy is Caddy with its standard modules and this plugin, to try the plugin from a
// checkout:
//
//	go run ./cmd/caddy run --config Caddyfile.example
//
// For production, build a binary with xcaddy; see the README.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
)

func main() {
	caddycmd.Main()
}
