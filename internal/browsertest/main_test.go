// Package browsertest runs a real browser against the demo of Caddyfile.example, served by the real
// binary.
package browsertest

import (
	"os"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// binary is the path of the Caddy under test.
var binary string

func TestMain(m *testing.M) {
	os.Exit(caddyproc.BuildAndRun(m, &binary))
}
