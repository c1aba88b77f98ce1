//go:build linux

package faulttest

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// A second Caddy on the same outbox file starts, says that the file is in use, even if it uses
// another path, and keeps its leads in a spool. Commands that only read the config do not. The first
// Caddy takes over what the second one leaves behind.
func TestSecondProcessOnOneFile(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{})
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(filepath.Dir(r.outbox), alias); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{"same path": r.outbox, "symbolic link": filepath.Join(alias, filepath.Base(r.outbox))} {
		second := r.twin(t)
		second.outbox = file
		write(t, second.config, second.caddyfile())
		for _, command := range []string{"validate", "adapt"} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			if output, err := r.Run(ctx, command, "--config", second.config); err != nil {
				t.Errorf("%s: %s while Caddy runs: %v\n%s", name, command, err, output)
			}
			cancel()
		}
		if found := r.spools(t); len(found) > 0 {
			t.Errorf("%s: a command that only reads the config has made a spool: %v", name, found)
		}
		second.start(t)
		second.wantAway(t, "in use by another process", "outbox sqlite <file>", file)
		r.goTo(second.site)
		if p := r.one(t); !p.thanked() {
			t.Errorf("%s: the second process answered with status %d", name, p.status)
		}
		second.Stop(t)
		await(t, "takeover", patience, func() bool { return len(r.spools(t)) == 0 })
	}
	r.goTo(r.site)
	if p := r.one(t); !p.thanked() {
		t.Errorf("the first process answered with status %d", p.status)
	}
	r.verify(t, r.drain(t, patience), false)
}

// When Caddy is stopped in any way, attempts in flight finish first, and the next process knows
// their results.
func TestStopLetsAttemptsEnd(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*testing.T, *rig){
		"SIGTERM":    func(t *testing.T, r *rig) { r.Stop(t) },
		"caddy stop": stopByCommand,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings{deliver: "later", timeout: patience, grace: patience})
			r.during(t, 50, func() { pass(t, time.Second) }) // each delivery allows more to be sent at once
			r.crm.fail(func(int) sandbox.Fault { return sandbox.Fault{Delay: 2 * time.Second} })
			begin := time.Now()
			r.during(t, 50, func() {
				await(t, "attempt", patience, func() bool { return r.crm.busy() > 5 })
			})
			stop(t, r)
			for _, q := range r.crm.seenAfter(begin) {
				if q.status != http.StatusCreated {
					t.Errorf("an attempt in flight ended with status %d (0: cut off)", q.status)
				}
			}
			r.crm.heal()
			r.start(t)
			l := r.drain(t, 30*time.Second)
			allThanked(t, l.posts)
			r.verify(t, l, false)
		})
	}
}

// The next process resolves an attempt that outlasted the grace period.
func TestStopGivesAttemptsUpAfterGrace(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{deliver: "later", timeout: time.Minute, grace: 500 * time.Millisecond})
	r.during(t, 50, func() { pass(t, time.Second) })
	r.crm.fail(always(sandbox.FaultSlowAfterStore))
	r.during(t, 50, func() {
		await(t, "attempt", patience, func() bool { return r.crm.busy() > 5 })
	})
	begin := time.Now()
	r.Stop(t)
	if took := time.Since(begin); took > r.timeout/2 {
		t.Errorf("stopping took %v with a grace period of %v", took, r.grace)
	}
	r.crm.heal()
	r.start(t)
	l := r.drain(t, 30*time.Second)
	allThanked(t, l.posts)
	r.verify(t, l, false)
}

func stopByCommand(t *testing.T, r *rig) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if output, err := r.Run(ctx, "stop", "--address", r.admin); err != nil {
		t.Fatalf("caddy stop: %v\n%s", err, output)
	}
	await(t, "end of the process", patience, func() bool { return len(r.logged("info", "shutdown complete")) > 0 })
	r.Kill() // the process has exited, which Stop would report as an error
}
