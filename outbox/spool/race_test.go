//go:build race

package spool_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain checks fewer random histories with the race detector, under which SQLite in Go is ten
// times slower.
func TestMain(m *testing.M) {
	_ = flag.Set("rapid.checks", "10")
	os.Exit(m.Run())
}
