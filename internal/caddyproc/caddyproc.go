// Package caddyproc builds Caddy with this plugin and runs it as a process of
// its own, for tests of promises that hold for the real binary only.
package caddyproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Build builds cmd/caddy into dir and returns the binary's path.
func Build(dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "caddy")
	build := exec.Command("go", "build", "-o", binary, "./cmd/caddy")
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

// FreePort returns a TCP port of the loopback interface that nothing listens
// on.
func FreePort(t testing.TB) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// Process is a running Caddy.
type Process struct {
	Env []string // what it was started with, for commands beside it

	binary string
	cmd    *exec.Cmd
	log    buffer
	exited chan struct{}
}

// Start runs `caddy run --config config` in the module's top folder, with its
// data and config folders in home, and waits until ready answers. It is
// stopped when the test ends.
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
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() { p.Stop(t) })
	p.await(t, ready)
	return p
}

func (p *Process) await(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
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
			t.Fatalf("caddy ended before it answered:\n%s", p.Log())
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("caddy did not answer at %s:\n%s", url, p.Log())
}

// Run runs another command of the same binary, such as validate, and returns
// what it printed.
func (p *Process) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Dir, cmd.Env = p.cmd.Dir, p.Env
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// Log returns what the process has printed so far.
func (p *Process) Log() string { return p.log.String() }

// Stop asks the process to end, and kills it if it has not after ten seconds.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	if p.ended() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		t.Errorf("caddy did not stop:\n%s", p.Log())
		p.Kill()
	}
}

// Kill ends the process at once, as a crash would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

func (p *Process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// buffer is a bytes.Buffer for a process to write while a test reads.
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
