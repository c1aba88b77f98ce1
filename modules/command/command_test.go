package command

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The commands reach an endpoint at a Unix socket, even if its address includes permissions.
func TestConnectAdmin(t *testing.T) {
	dir, err := os.MkdirTemp("", "") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	socket := filepath.Join(dir, "admin.sock")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"note":"asked as %s"}`, r.Host)
		}),
	}}
	server.Start()
	defer server.Close()
	for _, address := range []string{"unix/" + socket, "unix/" + socket + "|0600"} {
		c, err := connectAdmin(address, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if status, err := c.Status(t.Context()); err != nil || status.Note != "asked as 127.0.0.1" {
			t.Errorf("%s: status %+v, error %v", address, status, err)
		}
		c.HTTP.CloseIdleConnections()
	}
	for _, address := range []string{"localhost:1-2", "localhost:x"} {
		if _, err := connectAdmin(address, "", ""); err == nil || !strings.Contains(err.Error(), "localhost:2019") {
			t.Errorf("%s: error %v", address, err)
		}
	}
}
