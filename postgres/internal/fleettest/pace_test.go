//go:build linux

package fleettest

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// door stands before the CRM. It notes when requests come, and can turn them away.
type door struct {
	crm *sandbox.Sandbox

	mu     sync.Mutex
	came   []time.Time
	status int // of each answer; 0: the CRM's
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.came = append(d.came, time.Now())
	status := d.status
	d.mu.Unlock()
	if status != 0 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{}`))
		return
	}
	d.crm.ServeHTTP(w, r)
}

func (d *door) answer(status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = status
}

func (d *door) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.came)
}

// mostWithin returns the largest number of requests in any window of the length.
func (d *door) mostWithin(window time.Duration) (most int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := 0
	for i, at := range d.came {
		for at.Sub(d.came[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// The nodes together send no faster than crm_rate, also when one of them dies, and while the database
// is away and when it is back.
func TestPaceOfFleet(t *testing.T) {
	const rate, burst = 20, 10
	f := newPacedFleet(t, 3, noStandby, "20/s 10")
	f.during(t, 40, func() {
		time.Sleep(sized(3*time.Second, 30*time.Second))
		f.nodes[0].Kill()
		f.nodes[0].start(t, f.dsn)
		time.Sleep(sized(2*time.Second, 30*time.Second))
		if err := f.server.Kill(); err != nil {
			t.Error(err)
		}
		time.Sleep(sized(3*time.Second, 30*time.Second))
		if err := f.server.Start(); err != nil {
			t.Error(err)
		}
		time.Sleep(sized(2*time.Second, 30*time.Second))
	})
	f.verify(t, 3*lease+sized(2*time.Minute, 5*time.Minute))
	for _, window := range []time.Duration{3 * time.Second, 10 * time.Second} {
		most, allowed := f.door.mostWithin(window), burst+rate*int(window.Seconds())
		t.Logf("at most %d requests within %v, %d are allowed", most, window, allowed)
		if most > allowed {
			t.Errorf("FAST: %d requests within %v, more than %d", most, window, allowed)
		}
	}
}

// When TeleCRM turns the account away, all nodes hold their leads, and one probe serves all of them.
// A resume on any node is for all.
func TestHoldOfFleet(t *testing.T) {
	f := newFleet(t, 3, noStandby)
	f.door.answer(http.StatusUnauthorized)
	f.during(t, 20, func() { time.Sleep(4 * time.Second) })
	before := f.door.count()
	if before > 3*len(f.nodes) {
		t.Errorf("%d requests before all nodes knew of the hold", before)
	}
	time.Sleep(sized(10*time.Second, 5*time.Minute))
	if probes := f.door.count() - before; probes > sized(1, 5) {
		t.Errorf("%d probes", probes)
	}
	for _, n := range f.nodes {
		n.await(t, "on hold")
	}
	f.door.answer(0)
	if out := f.nodes[1].command(t, "accounts", "resume", "default"); !strings.Contains(out, "default") {
		t.Errorf("resume says %q", out)
	}
	f.verify(t, time.Minute)
	for _, n := range f.nodes {
		n.await(t, "sending")
	}
}

// await waits until the node's status contains the text.
func (n *node) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		status := n.command(t, "status")
		if strings.Contains(status, text) {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("the status does not contain %q:\n%s", text, status)
			return
		}
	}
}

// command runs a command of the outbox.
func (n *node) command(t *testing.T, args ...string) string {
	t.Helper()
	out, err := n.Run(t.Context(), append(append([]string{"telecrm"}, args...), "--address", n.admin)...)
	if err != nil && out == "" {
		t.Error(err)
	}
	return out
}
