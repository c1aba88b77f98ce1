package caddyproc

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Need returns the path of the first of the programs that is installed. If none is, it skips the
// test or, in CI, fails it.
func Need(t testing.TB, programs ...string) string {
	t.Helper()
	for _, program := range programs {
		if path, err := exec.LookPath(program); err == nil {
			return path
		}
	}
	missing := "not installed: " + strings.Join(programs, " or ")
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
