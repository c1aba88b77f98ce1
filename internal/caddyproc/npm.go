package caddyproc

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// npmTimeout bounds the installation of packages.
const npmTimeout = 5 * time.Minute

// InstallPackages installs the packages of the package-lock.json in the test's folder with npm,
// unless they are installed.
func InstallPackages(t *testing.T) {
	t.Helper()
	lock, err := os.Stat("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	// npm writes this file last.
	installed, err := os.Stat(filepath.Join("node_modules", ".package-lock.json"))
	if err == nil && !installed.ModTime().Before(lock.ModTime()) {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), npmTimeout)
	defer cancel()
	npm := exec.CommandContext(ctx, Need(t, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.WaitDelay = time.Second
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("installing packages with npm: %v\n%s", err, out)
	}
}
