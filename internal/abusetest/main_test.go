//go:build linux

// Package abusetest tests that the site stays up under attack. It runs the real binary, attacks its
// form over the loopback interface, and measures what other visitors notice and how much memory the
// process uses.
//
//	go test -v ./internal/abusetest
//	ABUSE_FULL=1 go test -v -timeout 30m ./internal/abusetest
//
// The first takes less than a minute. The second is the size that docs/security.md reports.
// Attackers and visitors share the machine with the Caddy under test, so waiting times are
// reported, but have no limit.
package abusetest

import (
	"os"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// binary is the path of the Caddy under test.
var binary string

func TestMain(m *testing.M) { os.Exit(caddyproc.BuildAndRun(m, &binary)) }

// fullSize selects the size that the docs report.
var fullSize = os.Getenv("ABUSE_FULL") != ""

// sized returns the first value in CI and the second at full size.
func sized[T any](ci, full T) T {
	if fullSize {
		return full
	}
	return ci
}

// patience bounds waiting for things that should happen at once, on a machine that is busy with
// other tests.
const patience = 30 * time.Second
