//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a Caddy process.
type server struct {
	addr, admin string
	cmd         *exec.Cmd
}

// crms are the CRMs of the accounts.
type crms struct{ fast, slow, refusing *crm }

const caddyfile = `{
	admin %[1]s
	log {
		level ERROR
	}
	telecrm {
		outbox sqlite %[3]s/outbox.db
%[4]s
	}
}

(form) {
	account {args[0]}
	field name
	field phone
	field email
	field company
	field city
	field product
	field budget budget number
	field message
	rate_limit off
	thank_you /thanks
}

http://%[2]s {
	bind 127.0.0.1
	forgetful /forgetful
	least /kept %[3]s/kept.db
	least /sent %[3]s/sent.db %[5]s
	telecrm /later {
		import form fast
		deliver later
	}
	telecrm /held {
		import form refused
		deliver later
	}
	telecrm /now {
		import form fast
		deliver now
	}
	telecrm /slow {
		import form slow
		deliver now
	}
}
`

const accountBlock = `
		account %[1]s {
			token bench-token
			enterprise_id %[1]s
			base_url %[2]s
			country IN
			crm_rate 100000/s 100000
		}
`

// config returns the server's Caddyfile.
func (s *server) config(dir string, to crms) string {
	var accounts strings.Builder
	for name, crm := range map[string]*crm{"fast": to.fast, "slow": to.slow, "refused": to.refusing} {
		fmt.Fprintf(&accounts, accountBlock, name, crm.url)
	}
	return fmt.Sprintf(caddyfile, s.admin, s.addr, dir, accounts.String(), to.fast.url)
}

// startCaddy starts the binary with an outbox in dir.
func startCaddy(binary, dir string, to crms) (*server, error) {
	s := new(server)
	for _, addr := range []*string{&s.addr, &s.admin} {
		listener, err := listen()
		if err != nil {
			return nil, err
		}
		*addr = listener.Addr().String()
		if err := listener.Close(); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(s.config(dir, to)), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(binary, "run", "--config", config, "--adapter", "caddyfile") //nolint:gosec // our own binary
	s.cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting caddy: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.waitUntilReady(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

var errNoAnswer = errors.New("server: no answer in time")

func (s *server) waitUntilReady(ctx context.Context) error {
	for {
		conn, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return errNoAnswer
		case <-time.After(20 * time.Millisecond):
		}
	}
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

// profile writes a profile of the server's processor time for the given duration to a file.
func (s *server) profile(path string, duration time.Duration) error {
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", s.admin, duration.Seconds()))
	if err != nil {
		return fmt.Errorf("profiling: %w", err)
	}
	defer resp.Body.Close()
	file, err := os.Create(path) //nolint:gosec // the path is the operator's
	if err != nil {
		return err
	}
	_, err = io.Copy(file, resp.Body)
	return errors.Join(err, file.Close())
}
