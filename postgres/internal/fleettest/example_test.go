//go:build linux

package fleettest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/postgres/internal/pgtest"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// The example for people takes leads, also after a machine was killed and after the standby was
// promoted. It leaves nothing behind.
func TestExample(t *testing.T) {
	pgtest.Need(t)
	e := startExample(t)
	e.checkPages(t)
	want := []string{"before"}
	e.post(t, "before")
	e.kill(t, "web-2", syscall.SIGKILL)
	for _, name := range []string{"after 1", "after 2", "after 3"} { // each machine has its turn
		want = append(want, name)
		e.post(t, name)
	}
	e.awaitLeads(t, want)

	e.kill(t, "primary", syscall.SIGQUIT)
	promote := regexp.MustCompile(`(?m)^\t(.* -c 'SELECT pg_promote\(\)')$`).FindStringSubmatch(e.output.String())
	if promote == nil {
		t.Fatal("the example does not say how to promote the standby")
	}
	if output, err := exec.CommandContext(t.Context(), "bash", "-c", promote[1]).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", promote[1], err, output)
	}
	want = append(want, "promoted")
	e.post(t, "promoted")
	e.awaitLeads(t, want)
	e.stop(t)
}

// checkPages opens the pages that the example names, as a browser does with an address that is typed.
func (e *example) checkPages(t *testing.T) {
	t.Helper()
	pages := regexp.MustCompile(`http://localhost:\d+\S*`).FindAllString(e.output.String(), -1)
	if len(pages) != 5 {
		t.Errorf("the example names %d pages: %q", len(pages), pages)
	}
	for _, page := range pages {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s answers with status %d", page, answer.StatusCode)
		}
	}
}

// example is a running postgres/example/run.sh.
type example struct {
	cmd     *exec.Cmd
	port    int // of the load balancer
	output  *output
	exited  chan error
	stopped bool
}

// output is what the example prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func startExample(t *testing.T) *example {
	t.Helper()
	root, err := caddyproc.Root()
	if err != nil {
		t.Fatal(err)
	}
	e := &example{port: freePorts(t, 10), output: new(output), exited: make(chan error, 1)}
	e.cmd = exec.Command("bash", filepath.Join(root, "example", "run.sh"), binary)
	e.cmd.Env = append(os.Environ(), "PORT="+strconv.Itoa(e.port))
	e.cmd.Stdout, e.cmd.Stderr = e.output, e.output
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { e.exited <- e.cmd.Wait() }()
	t.Cleanup(func() { e.stop(t) })
	for deadline := time.Now().Add(3 * time.Minute); !strings.Contains(e.output.String(), "Press Ctrl-C"); time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-e.exited:
			e.stopped = true
			t.Fatalf("the example has ended: %v:\n%s", err, e.output)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the example does not start:\n%s", e.output)
		}
	}
	return e
}

// freePorts returns the first of n adjacent ports on which nothing listens. They are outside of the
// range from which the system takes ports.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for first := 20000; first < 32000; first += n {
		free := true
		for port := first; free && port < first+n; port++ {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
			if free = err == nil; free {
				_ = l.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("there are no free ports")
	return 0
}

// pids returns the ids of the processes that the example lists.
func (e *example) pids(t *testing.T) map[string]int {
	t.Helper()
	pids := make(map[string]int)
	for _, found := range regexp.MustCompile(`(?m)^(web-\d|front|primary|standby) +(\d+)`).FindAllStringSubmatch(e.output.String(), -1) {
		pids[found[1]], _ = strconv.Atoi(found[2])
	}
	if len(pids) != 6 {
		t.Fatalf("the example lists the processes %v:\n%s", pids, e.output)
	}
	return pids
}

func (e *example) kill(t *testing.T, name string, how syscall.Signal) {
	t.Helper()
	pid := e.pids(t)[name]
	if err := syscall.Kill(pid, how); err != nil {
		t.Fatalf("killing %s: %v", name, err)
	}
	// Until its last thread has ended, it may take a post and reset the connection.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if _, state, _ := strings.Cut(string(stat), ") "); err != nil || strings.HasPrefix(state, "Z") && len(threads) < 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not end", name)
		}
	}
}

// post sends the form through the load balancer.
func (e *example) post(t *testing.T, name string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	phone := fmt.Sprintf("+9180%08d", time.Now().UnixNano()%1e8)
	values := url.Values{"name": {name}, "phone": {phone}, "message": {"please call"}}
	resp, err := client.PostForm(fmt.Sprintf("http://127.0.0.1:%d/contact", e.port), values)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s got the status %d:\n%s", name, resp.StatusCode, e.output)
	}
}

// awaitLeads waits until the stand-in for TeleCRM has the leads, each once.
func (e *example) awaitLeads(t *testing.T, names []string) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		leads, err := e.leads(t)
		for _, name := range names {
			if err == nil && leads[name] != 1 {
				err = fmt.Errorf("%d leads of %q", leads[name], name)
			}
		}
		if err == nil && len(leads) == len(names) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the stand-in has the leads %v, want each of %q once: %v", leads, names, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (e *example) leads(t *testing.T) (map[string]int, error) {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/leads.json", e.port+1))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var list []sandbox.Lead
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return nil, err
	}
	leads := make(map[string]int)
	for _, l := range list {
		name, _ := l.Fields["name"].(string)
		leads[name]++
		if len(l.Actions) != 1 {
			t.Errorf("%s has %d actions", name, len(l.Actions))
		}
	}
	return leads, nil
}

// stop ends the example as Ctrl-C does. It then has no process and no file left.
func (e *example) stop(t *testing.T) {
	t.Helper()
	if e.stopped {
		return
	}
	e.stopped = true
	if err := e.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	select {
	case err := <-e.exited:
		if err != nil {
			t.Errorf("the example has ended with %v:\n%s", err, e.output)
		}
	case <-time.After(time.Minute):
		_ = e.cmd.Process.Kill()
		t.Fatalf("the example does not end:\n%s", e.output)
	}
	for name, pid := range e.pids(t) {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("the process of %s is still there: %v", name, err)
		}
	}
	folder := regexp.MustCompile(`all data are in (\S+)\.`).FindStringSubmatch(e.output.String())
	if folder == nil {
		t.Fatalf("the example does not name its folder:\n%s", e.output)
	}
	if _, err := os.Stat(folder[1]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of the example is still there: %v", err)
	}
}
