//go:build unix

package caddyproc

import (
	"context"
	"net"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// FreePort returns a TCP port for a Caddy or a listener of [Listen]. It stays reserved until the
// test ends: a socket that is bound to all addresses and does not listen keeps it from others, and
// Caddy shares it because Caddy sets SO_REUSEPORT. Until something listens, connections are refused.
func FreePort(t testing.TB) string {
	t.Helper()
	socket, err := reserve(unix.AF_INET6, &unix.SockaddrInet6{})
	if err != nil { // the machine does not have IPv6
		socket, err = reserve(unix.AF_INET, &unix.SockaddrInet4{})
	}
	if err != nil {
		t.Fatalf("reserving a port: %v", err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	bound, err := unix.Getsockname(socket)
	if err != nil {
		t.Fatalf("reserving a port: %v", err)
	}
	if v6, ok := bound.(*unix.SockaddrInet6); ok {
		return strconv.Itoa(v6.Port)
	}
	return strconv.Itoa(bound.(*unix.SockaddrInet4).Port)
}

// reserve returns a socket that shares its port with those that set SO_REUSEPORT too.
func reserve(family int, address unix.Sockaddr) (socket int, err error) {
	syscall.ForkLock.RLock() // a child must not keep the port
	socket, err = unix.Socket(family, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, err
	}
	if family == unix.AF_INET6 {
		err = unix.SetsockoptInt(socket, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err == nil {
		err = unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if err == nil {
		err = unix.Bind(socket, address)
	}
	if err != nil {
		_ = unix.Close(socket)
		return 0, err
	}
	return socket, nil
}

// Listen listens on an address with a port of [FreePort].
func Listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(socket uintptr) {
			failed = unix.SetsockoptInt(int(socket), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		if err != nil {
			return err
		}
		return failed
	}}
	return config.Listen(ctx, "tcp", address)
}
