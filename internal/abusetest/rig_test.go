//go:build linux

package abusetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	enterpriseID = "66aa00bb11cc22dd33ee44ff"
	token        = "11111111-8888-7777-1700000000000:66666666-5555-4444"
)

// rig is a Caddy under attack, with the demo's site, a form with the default guards, and a stand-in
// for TeleCRM.
type rig struct {
	*caddyproc.Process
	crm   *sandbox.Sandbox
	site  string // host and port
	admin string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	crm, err := sandbox.New(sandbox.Config{Token: token, EnterpriseID: enterpriseID})
	if err != nil {
		t.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: crm, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		crm.Close()
		_ = server.Close()
	})
	dir := t.TempDir()
	r := &rig{
		crm:   crm,
		site:  "127.0.0.1:" + caddyproc.FreePort(t),
		admin: "127.0.0.1:" + caddyproc.FreePort(t),
	}
	caddyfile := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(caddyfile, []byte(r.caddyfile(listener.Addr().String())), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Process = caddyproc.Start(t, binary, caddyfile, dir, "http://"+r.site+"/", "TELECRM_TEST_TOKEN="+token)
	return r
}

func (r *rig) caddyfile(crm string) string {
	return fmt.Sprintf(`{
	admin %s
	grace_period 1s
	log {
		level WARN
	}
	servers {
		trusted_proxies static 127.0.0.1/32
	}
	telecrm {
		check off
		account {
			token {env.TELECRM_TEST_TOKEN}
			enterprise_id %s
			base_url http://%s/autoupdate/v2
			country IN
			crm_rate 1000/s 1000
		}
	}
}
http://%s {
	bind 127.0.0.1
	root * example/site
	telecrm /contact {
		field name
		field phone
		field message
		origins https://partner.example.org
		thank_you /thank-you
	}
	try_files {path}.html {path}
	file_server
}
`, r.admin, enterpriseID, crm, r.site)
}

// memory is the memory use of the process, in bytes.
type memory struct {
	peak int64 // peak resident set
	heap int64 // Go's heap in use
}

func (r *rig) memory(t *testing.T) memory {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID()))
	if err != nil {
		t.Fatal(err)
	}
	return memory{
		peak: 1024 * int64(numberAfter(t, string(status), "\nVmHWM:")),
		heap: int64(numberAfter(t, r.metrics(t), "\ngo_memstats_heap_inuse_bytes")),
	}
}

// tick is the unit of time in /proc.
const tick = 10 * time.Millisecond

// cpu returns the processor time of the process.
func (r *rig) cpu(t *testing.T) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.PID()))
	if err != nil {
		t.Fatal(err)
	}
	// After the program's name, in parentheses, the 12th and 13th fields are the user and the
	// system time.
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// openFiles counts the open files of the server, most of which are connections.
func (r *rig) openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.PID()))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func (r *rig) metrics(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// numberAfter returns the number after words in text.
func numberAfter(t *testing.T, text, words string) float64 {
	t.Helper()
	_, after, found := strings.Cut(text, words)
	fields := strings.Fields(after)
	if !found || len(fields) == 0 {
		t.Fatalf("%q not found", words)
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
