//go:build linux

// Package faulttest tests that no lead is lost. It runs the real binary under load through crashes,
// outages, full disks and reloads, against a CRM that records every request, and compares the
// answers to visitors with the leads in the CRM.
//
//	go test ./internal/faulttest
//	FAULT_FULL=1 go test -v -timeout 2h -parallel 16 ./internal/faulttest
//	FAULT_RACE=1 go test ./internal/faulttest
//
// The first takes a few minutes. The second is the size that docs/reliability.md reports. The third
// runs the Caddy under test with the race detector.
//
// Wrong clocks are not tested here: a Go program reads the time from the kernel, which a preloaded
// library cannot change, and all processes share the kernel's clock. The tests of package delivery
// inject a clock.
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

// fullSize selects the size that the docs report.
var fullSize = os.Getenv("FAULT_FULL") != ""

// sized returns the first value in CI and the second at full size.
func sized[T any](ci, full T) T {
	if fullSize {
		return full
	}
	return ci
}

// pass waits while the load continues.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the test was canceled")
	}
}

// patience bounds waiting for things that should happen at once, on a machine that is busy with
// other tests.
const patience = 20 * time.Second

// await waits until holds returns true.
func await(t *testing.T, what string, within time.Duration, holds func() bool) {
	t.Helper()
	deadline := time.After(within)
	for !holds() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("no %[2]s after %[1]v", within, what)
		}
	}
}
