package command

import (
	"errors"
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
			// Caddy refuses any origin at a socket.
			_, _ = fmt.Fprintf(w, `{"note":"asked as %s from %q"}`, r.Host, r.Header["Origin"])
		}),
	}}
	server.Start()
	defer server.Close()
	for _, address := range []string{"unix/" + socket, "unix/" + socket + "|0600"} {
		c, err := connectAdmin(address, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if status, err := c.Status(t.Context()); err != nil || status.Note != "asked as 127.0.0.1 from []" {
			t.Errorf("%s: status %+v, error %v", address, status, err)
		}
		c.HTTP.CloseIdleConnections()
	}
}

// An address that cannot be one is named, instead of a Caddy that does not answer there.
func TestAdminAddresses(t *testing.T) {
	t.Setenv("ADMIN", "localhost:2020")
	dir := t.TempDir()
	off := filepath.Join(dir, "off.json")
	if err := os.WriteFile(off, []byte(`{"admin":{"disabled":true}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ address, config, want string }{
		{"localhost:1-2", "", "localhost:2019"},
		{"localhost:x", "", "localhost:2019"},
		{"localhost", "", "localhost:2019"},
		{"localhost:0", "", "localhost:2019"},
		{"http://localhost:2019", "", "localhost:2019"},
		{"{env.NOPE}", "", "{env.NOPE}"},
		{"", off, "admin off"},
		{"", dir, "is a directory"},
	} {
		if _, err := connectAdmin(test.address, test.config, ""); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: error %v, want one about %s", test.address, test.config, err, test.want)
		}
	}
	c, err := connectAdmin("{env.ADMIN}", "", "")
	if err != nil || c.Address != "localhost:2020" {
		t.Errorf("a placeholder: %+v, error %v", c, err)
	}
}

// Each line that Caddy refuses is a finding of its own.
func TestRefusedLines(t *testing.T) {
	for text, want := range map[string]string{
		"parsing caddyfile tokens for 'telecrm': country: unknown country \"India\"; use a code, at Caddyfile:7; and field: unknown word \"x\"; and more, at sites/a.conf:12 import chain ['Caddyfile:1 (import sites/*)']; and thank_you: wrong, at Caddyfile:20": "Caddyfile:7 sites/a.conf:12 Caddyfile:20",
		"adapting config using caddyfile: parsing caddyfile tokens for 'telecrm': field: options is repeated, at Caddyfile:3":                                                                                                                                      "Caddyfile:3",
		"reading the config: no such file": "",
	} {
		var places []string
		lines := refusedLines(errors.New(text))
		for _, line := range lines {
			places = append(places, line.Place.String())
			if strings.Contains(line.Message, ", at ") || strings.HasPrefix(line.Message, "parsing") {
				t.Errorf("message %q", line.Message)
			}
		}
		if got := strings.Join(places, " "); got != want {
			t.Errorf("%s: lines %q, want %q", text, got, want)
		}
	}
}
