//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// crm answers every create-lead request as TeleCRM would, after the latency.
type crm struct {
	url    string
	server *http.Server
}

func startCRM(latency time.Duration) (*crm, error) {
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	var created atomic.Uint64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"lead_id": fmt.Sprintf("%024x", created.Add(1)), "actions": nil, "remarks": nil})
	})
	c := &crm{
		url:    "http://" + listener.Addr().String(),
		server: &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second},
	}
	go func() { _ = c.server.Serve(listener) }()
	return c, nil
}

func (c *crm) close() { _ = c.server.Close() }

func listen() (net.Listener, error) {
	var config net.ListenConfig
	return config.Listen(context.Background(), "tcp", "127.0.0.1:0")
}

// server is a Caddy process.
type server struct {
	addr string
	cmd  *exec.Cmd
}

const caddyfile = `{
	admin off
	log {
		level ERROR
	}
	telecrm {
		account {
			token bench-token
			enterprise_id bench
			base_url %[1]s
			country IN
		}
		account fast {
			token bench-token
			enterprise_id fast
			base_url %[1]s
			country IN
			crm_rate 100000/s 100000
		}
		outbox sqlite %[2]s/outbox.db
	}
}

http://%[3]s {
	bind 127.0.0.1
	forgetful /forgetful
	telecrm /later {
		field name
		field phone
		field message
		deliver later
		rate_limit off
		thank_you /thanks
	}
	telecrm /now {
		account fast
		field name
		field phone
		field message
		deliver now
		rate_limit off
		thank_you /thanks
	}
}
`

func startCaddy(binary, dir, crmURL string) (*server, error) {
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	s := &server{addr: listener.Addr().String()}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, caddyfile, crmURL, dir, s.addr), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(binary, "run", "--config", config) //nolint:gosec // our own binary
	s.cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting caddy: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err = waitFor(ctx, func() bool {
		conn, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(30*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	_ = s.cmd.Wait()
}

// cpu returns the processor time that Caddy has used so far.
func (s *server) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "stat"))
	if err != nil {
		return 0, fmt.Errorf("reading the server's processor time: %w", err)
	}
	// After the command's name, in parentheses, utime and stime are the 12th and 13th fields, in
	// ticks of 10 ms.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the server's processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
