// Command caddy is Caddy with its standard modules and this plugin, for
// trying the plugin out from a checkout:
//
//	go run ./cmd/caddy run --config Caddyfile.example
//
// For production, build a binary with xcaddy as the README says.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/leadwire/caddy-telecrm"
)

func main() {
	caddycmd.Main()
}
