//go:build !unix

package caddyproc

import (
	"context"
	"net"
	"strconv"
	"testing"
)

// FreePort returns a TCP port of the loopback interface that nothing listens on. Another process
// may take it.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// Listen listens on an address with a port of [FreePort].
func Listen(ctx context.Context, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}
