package sqlstore_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// roleVariable makes a process of the test binary play a role instead of running tests. Tests use
// it to start a second process.
const roleVariable = "OUTBOX_TEST_ROLE"

// roles maps names to functions. Each receives the path of an outbox.
var roles = map[string]func(path string) error{
	"hold": hold,
}

func TestMain(m *testing.M) {
	if raced {
		_ = flag.Set("rapid.checks", "20")
	}
	role, ok := roles[os.Getenv(roleVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(os.Getenv("OUTBOX_TEST_PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is another process of the test binary.
type child struct {
	*exec.Cmd
	lines *bufio.Scanner
	stop  func()
}

func startChild(t *testing.T, role, path string, variables ...string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), variables...), roleVariable+"="+role, "OUTBOX_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &child{Cmd: cmd, lines: bufio.NewScanner(stdout), stop: func() { _ = stdin.Close() }}
}
