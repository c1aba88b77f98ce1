// Package pgtest starts PostgreSQL servers for tests.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout limits the start of a server.
const startTimeout = 30 * time.Second

// Server is a PostgreSQL server in a temporary folder, on the loopback interface.
type Server struct {
	dir      string // of the data
	port     int
	settings []string
	owner    *syscall.Credential // nil for the user of this process

	mu      sync.Mutex
	process *exec.Cmd
	output  bytes.Buffer
}

// Start starts a server with the given settings, such as "fsync=off". The test ends it. Without
// PostgreSQL, the test is skipped, but fails if the environment variable CI is set.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	Need(t)
	s, err := New(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Errorf("stopping PostgreSQL: %v", err)
		}
	})
	return s
}

// Need skips the test without PostgreSQL, or fails it if the environment variable CI is set.
func Need(t testing.TB) {
	t.Helper()
	_, err := program("initdb")
	switch {
	case err == nil:
	case os.Getenv("CI") == "":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// New starts a server. The caller must call Remove. The error wraps [exec.ErrNotFound] if PostgreSQL
// is not installed.
func New(settings ...string) (*Server, error) {
	initdb, err := program("initdb")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: filepath.Join(dir, "data"), settings: settings}
	if err := s.init(initdb); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, s.Remove())
	}
	return s, nil
}

// Standby starts a standby of the server, for which commits on it wait from then on. It follows the
// server at the address, which is the server's own or that of a [Proxy]. The test ends it.
func (s *Server) Standby(t testing.TB, address string) *Server {
	t.Helper()
	backup, err := program("pg_basebackup")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	standby := &Server{dir: filepath.Join(dir, "data"), settings: s.settings, owner: s.owner}
	t.Cleanup(func() {
		if err := standby.Remove(); err != nil {
			t.Errorf("stopping the standby: %v", err)
		}
	})
	if s.owner != nil {
		if err := os.Chown(dir, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	output, err := standby.command(backup, "-D", standby.dir, "-h", host, "-p", port, "-U", "postgres",
		"-R", "-X", "stream", "-c", "fast").CombinedOutput()
	if err != nil {
		t.Fatalf("copying the server: %v: %s", err, output)
	}
	if err := standby.Start(); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if err := s.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return standby
}

// Promote makes a standby the primary, which waits for no other standby.
func (s *Server) Promote(ctx context.Context) error {
	return errors.Join(s.Exec(ctx, "SELECT pg_promote()"),
		s.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = ''"), s.Exec(ctx, "SELECT pg_reload_conf()"))
}

// program returns the path of one of PostgreSQL's programs.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // Debian
	if len(found) == 0 {
		return "", fmt.Errorf("%s is missing: install PostgreSQL 14 or later, on Debian with apt-get install postgresql: %w", name, exec.ErrNotFound)
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

// version returns the number in the path of a program.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

func (s *Server) init(initdb string) error {
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		if err := s.disown(); err != nil {
			return err
		}
	}
	output, err := s.command(initdb, "-D", s.dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("creating a database cluster: %w: %s", err, output)
	}
	return nil
}

// disown makes another user own the server.
func (s *Server) disown() error {
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // ids of the system
		return os.Chown(filepath.Dir(s.dir), uid, gid)
	}
	return errors.New("running PostgreSQL as root: there is no user postgres or nobody to run it as")
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = filepath.Dir(s.dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return c
}

// Start starts the server again after Stop or Kill.
func (s *Server) Start() error {
	path, err := program("postgres")
	if err != nil {
		return err
	}
	if s.port == 0 {
		if s.port, err = freePort(); err != nil {
			return err
		}
	}
	args := []string{"-D", s.dir, "-k", filepath.Dir(s.dir), "-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(s.port)}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.output.Reset()
	s.process = s.command(path, args...)
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	return s.awaitReady()
}

// awaitReady waits until the server accepts connections.
func (s *Server) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.DSN())
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("PostgreSQL does not start: %w: %s", err, s.output.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// DSN returns a DSN of the server. Every user of this machine may connect as a superuser.
func (s *Server) DSN() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// Address returns the address on which the server listens.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Exec carries out statements.
func (s *Server) Exec(ctx context.Context, statements string) error {
	conn, err := pgx.Connect(ctx, s.DSN())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statements)
	return err
}

// Stop ends the server, and with it all connections and what they have not committed.
func (s *Server) Stop() error { return s.end(syscall.SIGINT) }

// Kill ends the server as a power failure would, except that its disk keeps what was written.
func (s *Server) Kill() error { return s.end(syscall.SIGQUIT) }

func (s *Server) end(how syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	process := s.process
	s.process = nil
	if err := process.Process.Signal(how); err != nil {
		return err
	}
	err := process.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); exited && how == syscall.SIGQUIT {
		return nil
	}
	return err
}

// Remove stops the server and removes its files.
func (s *Server) Remove() error {
	return errors.Join(s.Stop(), os.RemoveAll(filepath.Dir(s.dir)))
}

// Schema returns the name of a schema for one test.
func Schema(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(t.Name()))
	return name[max(0, len(name)-30):] + fmt.Sprintf("_%d", time.Now().UnixNano()%1e9)
}
