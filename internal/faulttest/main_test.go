//go:build linux

// Package faulttest shows that no lead is lost. It runs the real binary under
// load through crashes, outages, full disks and reloads, against a CRM that
// remembers every request, and compares what visitors were told with what the
// CRM was sent.
//
//	go test ./internal/faulttest
//	FAULT_FULL=1 go test -v -timeout 2h -parallel 16 ./internal/faulttest
//	FAULT_RACE=1 go test ./internal/faulttest
//
// The first runs in a few minutes; the second is the size that
// docs/reliability.md reports; the third has the race detector watch the
// Caddy under test.
//
// A clock that is set forward or back is not among the faults: a Go program
// asks the kernel for the time, past anything that could be preloaded to lie
// to it, and the kernel's clock is everybody's. The tests of package delivery
// turn the clock themselves.
package faulttest

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// binary is the path of the Caddy under test.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv("FAULT_RACE") != "" {
		flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -race")
		_ = os.Setenv("GOFLAGS", flags)
	}
	os.Exit(caddyproc.BuildAndRun(m, &binary))
}

// fullSize tells whether to run at the size that is reported.
var fullSize = os.Getenv("FAULT_FULL") != ""

// sized returns the first value in CI and the second at full size.
func sized[T any](ci, full T) T {
	if fullSize {
		return full
	}
	return ci
}

// pass lets time pass while the load goes on.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the test was ended")
	}
}

// patience is how long things may take that should happen at once, on a
// machine that is busy with other tests.
const patience = 20 * time.Second

// await waits until the condition holds.
func await(t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	deadline := time.After(within)
	for !holds() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("after %v: still no %s", within, what)
		}
	}
}
