//go:build linux

package fleettest

import (
	"os"
	"strings"
	"testing"
	"time"
)

// reload changes a node's config.
func (n *node) reload(t *testing.T, from, to string) {
	t.Helper()
	config, err := os.ReadFile(n.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.config, []byte(strings.Replace(string(config), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := n.Run(t.Context(), "reload", "--config", n.config, "--adapter", "caddyfile"); err != nil {
		t.Fatalf("reloading: %v\n%s", err, out)
	}
}

// telecrm runs a command of the plugin on a node.
func (n *node) telecrm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return n.Run(t.Context(), append(append([]string{"telecrm"}, args...), "--address", n.admin)...)
}

// await waits until holds returns true.
func (f *fleet) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, n := range f.nodes {
				t.Log(n.Log())
			}
			t.Fatalf("no %s after a minute", what)
		}
	}
}

// Each node says once which settings differ and where, and that they agree again after a reload.
func TestDisagreement(t *testing.T) {
	f := newFleet(t, 2, noStandby)
	const differs, agrees = "machines that share the outbox have different settings", "agree on a setting again"
	f.nodes[1].reload(t, "crm_rate 1000/s 1000", "crm_rate 500/s 1000")
	f.nodes[1].reload(t, "lease 5s", "lease 5s") // another reload is not news
	for _, n := range f.nodes {
		f.await(t, "warning", func() bool { return strings.Contains(n.Log(), differs) })
		out, err := n.telecrm(t, "status")
		if want := "crm_rate of account default: 3600000/h 1000 on web-1, 1800000/h 1000 on web-2"; err != nil || !strings.Contains(out, want) {
			t.Errorf("error %v, the status is\n%s\nwant %q", err, out, want)
		}
	}
	f.nodes[1].reload(t, "crm_rate 500/s 1000", "crm_rate 1000/s 1000")
	for _, n := range f.nodes {
		f.await(t, "end of the disagreement", func() bool { return strings.Contains(n.Log(), agrees) })
		if log := n.Log(); strings.Count(log, differs) != 1 || strings.Count(log, agrees) != 1 {
			t.Errorf("the log says so more than once:\n%s", log)
		}
	}
}
