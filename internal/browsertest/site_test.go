package browsertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
	pollInterval = 20 * time.Millisecond
)

// unreachableCRM is an address at which nothing listens: port 1 belongs to a service that died out.
const unreachableCRM = "http://localhost:1/autoupdate/v2"

// site is a running demo: the pages and, beside them, the sandbox that stands in for TeleCRM.
type site struct {
	pages   string // URL without a path
	sandbox string // likewise
	log     *processLog
}

// startSite runs the demo on ports of its own until the test ends. Edits are pairs of old and new text in the Caddyfile.
func startSite(t *testing.T, edits ...string) *site {
	t.Helper()
	pages, crm := freePort(t), freePort(t)
	s := &site{pages: "http://localhost:" + pages, sandbox: "http://localhost:" + crm, log: new(processLog)}
	config := demoConfig(t, edits, pages, crm)

	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, caddyBinary, "run", "--config", config, "--adapter", "caddyfile")
	cmd.Dir = repoRoot
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatalf("starting the site: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		stop()
		// Wait reports the context's error for a process that SIGTERM ended with success.
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the site did not stop well: %v", err)
		}
		s.log.check(t)
	})

	for _, url := range []string{s.pages, s.sandbox} {
		s.waitFor(t, url)
	}
	return s
}

// freePort finds a TCP port at which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatalf("finding a free port: %v", err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatalf("finding a free port: %v", err)
	}
	return port
}

// demoConfig writes a copy of Caddyfile.example with other ports and without the admin endpoint, whose port is fixed.
func demoConfig(t *testing.T, edits []string, pages, crm string) string {
	t.Helper()
	example, err := os.ReadFile(filepath.Join(repoRoot, "Caddyfile.example"))
	if err != nil {
		t.Fatalf("reading the example: %v", err)
	}
	text := string(example)
	for _, old := range []string{"\n{\n", "8080", "8081"} {
		if !strings.Contains(text, old) {
			t.Fatalf("Caddyfile.example has no %q to put something else for", old)
		}
	}
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			t.Fatalf("Caddyfile.example has no %q to edit", edits[i])
		}
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	text = strings.Replace(text, "\n{\n", "\n{\n\tadmin off\n", 1)
	text = strings.NewReplacer("8080", pages, "8081", crm).Replace(text)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatalf("writing the Caddyfile: %v", err)
	}
	return config
}

// waitFor waits until url answers with success.
func (s *site) waitFor(t *testing.T, url string) {
	t.Helper()
	eventually(t, startTimeout, "the site to answer at "+url, func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatalf("asking %s: %v", url, err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, s.log.String)
}

// leads returns what the sandbox has stored.
func (s *site) leads(t *testing.T) []sandbox.Lead {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.sandbox+"/leads.json", nil)
	if err != nil {
		t.Fatalf("asking for the leads: %v", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("asking for the leads: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	decoder := json.NewDecoder(resp.Body)
	decoder.UseNumber() // so that 4 and 4.0 differ
	decoder.DisallowUnknownFields()
	var leads []sandbox.Lead
	if err := decoder.Decode(&leads); err != nil {
		t.Fatalf("reading the leads: %v", err)
	}
	return leads
}

// onlyLead returns the one lead that the sandbox has stored.
func (s *site) onlyLead(t *testing.T) sandbox.Lead {
	t.Helper()
	leads := s.leads(t)
	if len(leads) != 1 {
		t.Fatalf("the sandbox has %d leads, not 1; the site's log:\n%s", len(leads), s.log)
	}
	return leads[0]
}

// eventually polls until ok reports true. details, if given, say more when the time is up.
func eventually(t *testing.T, timeout time.Duration, what string, ok func() bool, details ...func() string) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			var more strings.Builder
			for _, detail := range details {
				more.WriteString("\n" + detail())
			}
			t.Fatalf("waited %v in vain for %s%s", timeout, what, &more)
		}
	}
}

// processLog is what a process has written so far.
type processLog struct {
	mu      sync.Mutex
	text    bytes.Buffer
	private []string
}

func (l *processLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *processLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// keepOut has the test fail if the log ever holds one of the texts.
func (l *processLog) keepOut(texts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.private = append(l.private, texts...)
}

func (l *processLog) check(t *testing.T) {
	t.Helper()
	text := l.String()
	if strings.Contains(text, "panic") {
		t.Errorf("the site panicked:\n%s", text)
	}
	for _, private := range l.private {
		if strings.Contains(text, private) {
			t.Errorf("the site's log holds what a visitor typed, %q:\n%s", private, text)
		}
	}
}
