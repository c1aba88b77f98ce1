//go:build linux

package faulttest

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// If the disk stalls for longer than a visitor can wait, their lead is sent directly. If the disk
// stores it later after all, it is not sent a second time.
func TestDiskStalls(t *testing.T) {
	t.Parallel()
	visitors := sized(40, 400)
	r := newRig(t, settings{launcher: buildStallCaddy(t), kind: "stalled", deliver: "now 3s"})
	for range visitors { // make the people known, so that a second create shows as an action
		r.one(t)
	}
	r.people = visitors
	stall := r.outbox + ".stall"
	write(t, stall, "")
	begun := time.Now()
	var visits sync.WaitGroup
	for range visitors {
		p := r.next()
		visits.Go(func() { r.visit(p) })
	}
	visits.Wait()
	if err := os.Remove(stall); err != nil {
		t.Fatal(err)
	}
	settled := func() bool {
		return r.unsettled() == 0 && len(r.unrecorded()) == 0 && time.Since(r.crm.quietSince()) > 3*time.Second
	}
	await(t, "end of all deliveries", 2*time.Minute, settled)
	allThanked(t, r.since(begun))
	r.verifyTimelines(t)
	posts, doubled := r.since(begun), 0
	for _, n := range r.notes() {
		doubled += n - 1
	}
	t.Logf("\n| fault | posts | thanked | lost | doubled | wait of the thanked |\n| disk stalls for over ten seconds | %d | %d | %d | %d | %s |",
		len(posts), count(posts, http.StatusSeeOther), len(r.unrecorded()), doubled, waits(posts))
}

// buildStallCaddy builds a Caddy with an outbox whose disk can stall.
func buildStallCaddy(t *testing.T) string {
	t.Helper()
	root, err := caddyproc.Root()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "stallcaddy")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./internal/faulttest/stallcaddy")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building caddy: %v\n%s", err, output)
	}
	return path
}
