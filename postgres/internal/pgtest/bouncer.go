package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bouncerConfig pools transactions. Each one gets another server connection than the last one, so
// that whatever depends on a session breaks.
const bouncerConfig = `[databases]
* = host=127.0.0.1 port=%d user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
server_round_robin = 1
default_pool_size = 8
max_client_conn = 1000
server_login_retry = 1
`

// Bouncer is a PgBouncer.
type Bouncer struct {
	server *Server
	port   int
}

// Bounce starts a PgBouncer between the test and the server. The test ends it. Without PgBouncer,
// the test is skipped, but fails if the environment variable CI is set.
func (s *Server) Bounce(t testing.TB) *Bouncer {
	t.Helper()
	path := needBouncer(t)
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(config, fmt.Appendf(nil, bouncerConfig, s.port, port), 0o644); err != nil { //nolint:gosec // another user reads it
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user reads it
		t.Fatal(err)
	}
	output := new(strings.Builder)
	process := exec.Command(path, config)
	process.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true} // it refuses to run as root too
	process.Stdout, process.Stderr = output, output
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill() // it keeps nothing
		_ = process.Wait()
	})
	b := &Bouncer{server: s, port: port}
	deadline := time.Now().Add(startTimeout)
	for {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = conn.Close()
			return b
		}
		if time.Now().After(deadline) {
			t.Fatalf("PgBouncer does not start: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func needBouncer(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "pgbouncer is missing: install it, on Debian with apt-get install pgbouncer"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// DSN returns a DSN of the pooler.
func (b *Bouncer) DSN() string {
	return strings.Replace(b.server.DSN(), ":"+strconv.Itoa(b.server.port)+"/", ":"+strconv.Itoa(b.port)+"/", 1)
}
