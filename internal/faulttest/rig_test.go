//go:build linux

package faulttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// settings are the differences between the tests' Caddyfiles.
type settings struct {
	deliver  string        // "now 500ms" unless set
	timeout  time.Duration // of one request to the CRM; 10s unless set
	grace    time.Duration // 5s unless set
	latency  time.Duration // of the CRM
	kind     string        // of the outbox; "sqlite" unless set
	outbox   string        // the file; in the test's folder unless set
	launcher string        // runs in place of the binary
	home     string        // contains Caddy's data directory; in the test's folder unless set
	before   func()        // runs before Caddy starts for the first time
}

// rig is a Caddy under test, its visitors and its CRM.
type rig struct {
	*caddyproc.Process
	*crowd
	crm *crm

	settings
	config, token string // paths
	site, admin   string // addresses
	earlier       string // log of the previous processes
}

func newRig(t *testing.T, s settings) *rig {
	t.Helper()
	dir := t.TempDir()
	if s.deliver == "" {
		s.deliver = "now 500ms"
	}
	if s.timeout == 0 {
		s.timeout = 10 * time.Second
	}
	if s.grace == 0 {
		s.grace = 5 * time.Second
	}
	if s.kind == "" {
		s.kind = "sqlite"
	}
	if s.outbox == "" {
		s.outbox = filepath.Join(dir, "telecrm", "outbox.db")
	}
	if s.home == "" {
		s.home = dir
	}
	if s.launcher == "" {
		s.launcher = binary
	}
	r := &rig{
		settings: s,
		crm:      newCRM(t, s.latency),
		config:   filepath.Join(dir, "Caddyfile"),
		token:    filepath.Join(dir, "token"),
		site:     "127.0.0.1:" + caddyproc.FreePort(t),
		admin:    "127.0.0.1:" + caddyproc.FreePort(t),
	}
	r.crowd = newCrowd(formAt(r.site))
	write(t, r.token, firstToken)
	write(t, r.config, r.caddyfile())
	if s.before != nil {
		s.before()
	}
	r.start(t)
	return r
}

// twin returns another Caddy with the same outbox, data directory, visitors and CRM, at other
// addresses. It is not running yet.
func (r *rig) twin(t *testing.T) *rig {
	t.Helper()
	other := *r
	other.Process, other.earlier = nil, ""
	other.config = filepath.Join(t.TempDir(), "Caddyfile")
	other.site, other.admin = "127.0.0.1:"+caddyproc.FreePort(t), "127.0.0.1:"+caddyproc.FreePort(t)
	write(t, other.config, other.caddyfile())
	return &other
}

// status returns the output of caddy telecrm status.
func (r *rig) status(t *testing.T) string {
	t.Helper()
	status, exit := r.telecrm(t, "status")
	if exit != 0 && exit != 3 && exit != 4 { // of accounts that are on hold or failing
		t.Errorf("status: exit status %d\n%s", exit, status)
	}
	return status
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) caddyfile() string {
	return fmt.Sprintf(`{
	admin %s
	grace_period %s
	telecrm {
		check off
		account {
			token {file.%s}
			enterprise_id %s
			base_url http://%s/autoupdate/v2
			country IN
			crm_rate 1000/s 1000
			timeout %s
		}
		outbox %s %s
	}
}
http://%s {
	bind 127.0.0.1
	respond /plain 303
	telecrm /enquire {
		field name
		field phone
		field message
		action 1042 {
			field note message
		}
		deliver %s
		rate_limit off
		thank_you /thanks
	}
}
`, r.admin, r.grace, r.token, enterpriseID, r.crm.address, r.timeout, r.kind, r.outbox, r.site, r.deliver)
}

// start starts Caddy, or restarts it after it was stopped or killed.
func (r *rig) start(t *testing.T) {
	t.Helper()
	if r.Process != nil {
		r.earlier += r.Log()
	}
	r.Process = caddyproc.Start(t, r.launcher, r.config, r.home, "http://"+r.site+"/")
}

// load loads the given Caddyfile and returns the status of the answer. It retries if the connection
// is reset, because Caddy replaces its admin endpoint with each config.
func (r *rig) load(t *testing.T, caddyfile string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		status, err := r.tryLoad(ctx, caddyfile)
		if err == nil {
			return status
		}
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Fatalf("loading a config: %v\n%s", err, r.Log())
		}
	}
}

func (r *rig) tryLoad(ctx context.Context, caddyfile string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.admin+"/load", strings.NewReader(caddyfile))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "text/caddyfile")
	req.Header.Set("Cache-Control", "must-revalidate") // even if the config is the same
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}

// logLine is one line of Caddy's log.
type logLine struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
	ID    string `json:"id"`

	// In lines about an outbox that was set aside.
	CarriedOver int  `json:"carried_over"`
	Lost        int  `json:"lost"`
	LostKnown   bool `json:"lost_known"`

	text string
}

// logged returns the log lines of all processes that contain words. An empty level matches any
// level.
func (r *rig) logged(level, words string) []logLine {
	var lines []logLine
	for text := range strings.Lines(r.earlier + r.Log()) {
		line := logLine{text: text}
		if json.Unmarshal([]byte(text), &line) == nil && (level == "" || line.Level == level) && strings.Contains(line.Msg, words) {
			lines = append(lines, line)
		}
	}
	return lines
}
