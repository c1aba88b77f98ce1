// Package browsertest has a real browser go through the demo of Caddyfile.example, served by the real binary.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// repoRoot is the folder that Caddyfile.example says to start the demo from.
const repoRoot = "../.."

// buildTimeout is enough for a machine that has compiled none of Caddy yet.
const buildTimeout = 10 * time.Minute

// caddyBinary is the path of the binary under test; TestMain sets it before any test runs.
var caddyBinary string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browsertest:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "browsertest-")
	if err != nil {
		return 0, fmt.Errorf("making a folder for the binary: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	caddyBinary = filepath.Join(dir, "caddy")
	build := exec.CommandContext(ctx, "go", "build", "-o", caddyBinary, "./cmd/caddy")
	build.Dir = repoRoot
	if output, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building ./cmd/caddy: %w\n%s", err, output)
	}
	return m.Run(), nil
}
