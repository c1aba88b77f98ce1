// Package browsertest has a real browser go through the demo of Caddyfile.example, served by the real binary.
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
