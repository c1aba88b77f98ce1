//go:build linux

package fleettest

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/sandbox"
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

// post sends one visitor's post to a node.
func (n *node) post(t *testing.T, name, phone string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm("http://"+n.site+"/enquire", url.Values{"name": {name}, "phone": {phone}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("%s got the status %d", name, resp.StatusCode)
	}
}

// get reads a path of a node's admin endpoint.
func (n *node) get(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + n.admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Any node shows which of them has a lead in flight: lists, the page and the metrics, which are the
// documented ones. While the database is away, a scrape does not wait for it.
func TestSeenFromAnyNode(t *testing.T) {
	f := newFleet(t, 2, noStandby)
	first, second := f.nodes[0], f.nodes[1]
	f.crm.Inject(sandbox.Faults()[sandbox.FaultSlow].On(sandbox.OpCreate))
	second.post(t, "Asha Example", "+918123456789")
	f.await(t, "lead in flight on the other node", func() bool {
		out, err := first.telecrm(t, "leads", "list")
		return err == nil && strings.Contains(out, "in flight on web-2")
	})
	page := first.get(t, "/telecrm/")
	for _, want := range []string{"Machines that share the outbox", "web-1 <span class=\"quiet\">(this one)", ">web-2</th>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	exposed := make(map[string]string)
	for _, line := range regexp.MustCompile(`(?m)^(caddy_telecrm_fleet_[a-z_]+)(?:\{([a-z]+)="(.*)"\})? `).FindAllStringSubmatch(first.get(t, "/metrics"), -1) {
		exposed[line[1]] = line[2]
		if line[2] != "" && line[3] != "web-1" && line[3] != "web-2" {
			t.Errorf("%s has the label %q", line[1], line[3])
		}
	}
	documented := make(map[string]string)
	root, err := caddyproc.Root() // of this module
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "..", "docs", "fleet.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(caddy_telecrm_[a-z_]+)` \\| (.*?) \\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = strings.Trim(strings.Replace(row[2], "none", "", 1), "`")
	}
	if !maps.Equal(exposed, documented) {
		t.Errorf("exposed %v, documented %v", exposed, documented)
	}
	if err := f.server.Kill(); err != nil {
		t.Fatal(err)
	}
	f.await(t, "metrics without the fleet", func() bool {
		return !strings.Contains(first.get(t, "/metrics"), "caddy_telecrm_fleet_") && first.isAway()
	})
	var took []time.Duration
	for range 5 {
		begun := time.Now()
		if metrics := first.get(t, "/metrics"); strings.Contains(metrics, "caddy_telecrm_fleet_") || !strings.Contains(metrics, "caddy_telecrm_account_held") {
			t.Errorf("while the database is away, the metrics are\n%s", strings.Join(regexp.MustCompile(`(?m)^caddy_telecrm.*`).FindAllString(metrics, -1), "\n"))
		}
		took = append(took, time.Since(begun))
	}
	if slowest := slices.Max(took); slowest > time.Second {
		t.Errorf("scrapes took %v", took)
	}
	if out, err := first.telecrm(t, "status"); err != nil || strings.Contains(out, "Nodes:") || !strings.Contains(out, "without those in the outbox") {
		t.Errorf("while the database is away, error %v, the status is\n%s", err, out)
	}
	if err := f.server.Start(); err != nil {
		t.Fatal(err)
	}
	f.await(t, "state of the fleet again", func() bool { return strings.Contains(first.get(t, "/metrics"), "caddy_telecrm_fleet_nodes 2") })
}

// isAway reports whether the node has noticed that the database is away.
func (n *node) isAway() bool { return strings.Contains(n.Log(), "outbox cannot be used at present") }
