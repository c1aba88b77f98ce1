//go:build unix

package caddyproc

import (
	"net"
	"testing"
)

// A reserved port belongs to the test: also on another address, before it is used and between two
// uses, as when Caddy restarts.
func TestFreePortIsReserved(t *testing.T) {
	t.Parallel()
	port := FreePort(t)
	checkReserved := func(when string) {
		for _, host := range []string{"127.0.0.1", "127.0.0.2", "::1", ""} {
			stranger, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(host, port))
			if err == nil {
				_ = stranger.Close()
				t.Errorf("%s: somebody else can listen on %q", when, host)
			}
		}
	}
	checkReserved("before it is used")
	for _, host := range []string{"127.0.0.1", ""} {
		listener, err := Listen(t.Context(), net.JoinHostPort(host, port))
		if err != nil {
			t.Fatalf("the test cannot listen on %q: %v", host, err)
		}
		checkReserved("while it is used")
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		checkReserved("after it was used")
	}
}

// Nothing answers at a reserved port, so that a test can use it for a server that is down.
func TestFreePortRefusesConnections(t *testing.T) {
	t.Parallel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:"+FreePort(t))
	if err == nil {
		_ = conn.Close()
		t.Fatal("the connection was accepted")
	}
}

// Ports that are reserved at once differ.
func TestFreePortsDiffer(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 200 {
		port := FreePort(t)
		if seen[port] {
			t.Fatalf("port %s was reserved twice", port)
		}
		seen[port] = true
	}
}
