package caddyproc

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// npmTimeout is how long npm may take to fetch packages.
const npmTimeout = 5 * time.Minute

// InstallPackages has npm install what the package-lock.json in the test's
// folder asks for, unless it is there.
func InstallPackages(t *testing.T) {
	t.Helper()
	lock, err := os.Stat("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	// npm writes this file when all the rest is in place.
	installed, err := os.Stat(filepath.Join("node_modules", ".package-lock.json"))
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), npmTimeout)
	defer cancel()
	npm := exec.CommandContext(ctx, Need(t, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.WaitDelay = time.Second
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("installing packages with npm, which has to be there: %v\n%s", err, out)
	}
}
