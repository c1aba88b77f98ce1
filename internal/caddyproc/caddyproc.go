// Package caddyproc builds Caddy with this plugin and runs it as a process, for tests of the real
// binary.
package caddyproc

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	buildTimeout = 10 * time.Minute // for a machine with an empty build cache
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
	pollInterval = 20 * time.Millisecond
)

// leftOut is the message of tests that -short leaves out.
const leftOut = "left out with -short: needs Caddy built with this plugin"

// LeaveOutIfShort skips the test with -short. Call it in tests that need a built Caddy, in a
// package that also has others.
func LeaveOutIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip(leftOut)
	}
}

// BuildAndRun builds Caddy, stores the binary's path in binary, runs the tests and returns the exit
// code. With -short it does nothing and succeeds. Call it from TestMain.
func BuildAndRun(m *testing.M, binary *string) int {
	flag.Parse()
	KeepNoConnections()
	if testing.Short() {
		fmt.Println(leftOut)
		return 0
	}
	code, err := buildAndRun(m, binary)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var phone = regexp.MustCompile(`81234[ -]?56`)

// HasPhone reports whether text has a phone number of the tests' visitors. Fewer digits of it can be
// in a time, an id or the name of a temporary folder by chance.
func HasPhone(text string) bool { return phone.MatchString(text) }

// KeepNoConnections makes [http.DefaultTransport] open a connection for each request. A Caddy that
// loads a config may cut off one that is kept just when a form is posted over it, and Go does not
// post it again.
func KeepNoConnections() { http.DefaultTransport.(*http.Transport).DisableKeepAlives = true }

func buildAndRun(m *testing.M, binary *string) (code int, err error) {
	dir, err := os.MkdirTemp("", "caddyproc")
	if err != nil {
		return 0, fmt.Errorf("creating a folder for the binary: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	*binary, err = Build(dir)
	if err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// Build builds cmd/caddy in dir and returns the binary's path.
func Build(dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	binary := filepath.Join(dir, "caddy")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/caddy")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building caddy: %w\n%s", err, output)
	}
	return binary, nil
}

// Root returns the module's top folder.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the module's top folder: %w", err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "caddy", "main.go")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("finding the module's top folder: no cmd/caddy above the working directory")
}

// Process is a running Caddy. One goroutine at a time may use it.
type Process struct {
	Env []string // its environment, also for other commands

	binary  string
	cmd     *exec.Cmd
	log     buffer
	exited  chan struct{}
	err     error // of cmd.Wait, once exited is closed
	stopped bool  // by the test
}

// Start runs `caddy run --config config` in the module's top folder, with its data and config
// folders in home, and waits until ready answers. It stops Caddy when the test ends.
func Start(t testing.TB, binary, config, home, ready string, env ...string) *Process {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{
		Env:    append(append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home), env...),
		binary: binary,
		exited: make(chan struct{}),
	}
	p.cmd = exec.Command(binary, "run", "--config", config, "--adapter", "caddyfile")
	p.cmd.Dir = root
	p.cmd.Env = p.Env
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting caddy: %v", err)
	}
	go func() {
		defer close(p.exited)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() { p.Stop(t) })
	p.Await(t, ready)
	return p
}

// Await waits until url answers, with any status.
func (p *Process) Await(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			return
		}
		select {
		case <-p.exited:
			t.Fatalf("caddy exited before it answered at %s", url) // Stop reports the error
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
	t.Fatalf("caddy did not answer at %s:\n%s", url, p.Log())
}

// Run runs another command of the same binary, such as validate, and returns its output.
func (p *Process) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Dir, cmd.Env = p.cmd.Dir, p.Env
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log returns the process's output so far.
func (p *Process) Log() string { return p.log.String() }

// Stop terminates the process, and kills it after ten seconds. The test fails if the process had
// exited before, exits with an error, or has logged a panic. Further calls do nothing.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if p.stopped {
		return
	}
	p.stopped = true
	// Signal fails if the process has already exited.
	gone := p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.Kill()
		t.Errorf("caddy did not stop:\n%s", p.Log())
		return
	}
	switch {
	case gone != nil, p.err != nil:
		t.Errorf("caddy: unexpected exit: %v:\n%s", errors.Join(gone, p.err), p.Log())
	case strings.Contains(p.Log(), "panic"):
		t.Errorf("caddy panicked:\n%s", p.Log())
	}
}

// Kill ends the process at once, like a crash.
func (p *Process) Kill() {
	p.stopped = true
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
