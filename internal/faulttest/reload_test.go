//go:build linux

package faulttest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Visitors do not notice reloads, accepted or refused, and no lead is lost or sent twice.
func TestReloadedUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{latency: 20 * time.Millisecond})
	listener := httptest.NewServer(http.NotFoundHandler())
	defer listener.Close()
	occupied := listener.Listener.Addr().String()
	accepted, refused := 0, 0
	plain := newCrowd("http://" + r.site + "/plain")
	reload := func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		deadline := time.Now().Add(sized(5*time.Second, 5*time.Minute))
		for n := 0; time.Now().Before(deadline); n++ {
			<-ticker.C
			if n%2 == 1 {
				r.loadMistake(t, n/2, occupied)
				refused++
				continue
			}
			// Caddy ignores a reload with the same config.
			deliver := fmt.Sprintf("deliver now %dms", 500+n)
			if status := r.load(t, strings.Replace(r.caddyfile(), "deliver "+r.deliver, deliver, 1)); status != http.StatusOK {
				t.Errorf("reload %d: status %d", n, status)
			}
			accepted++
		}
	}
	rate := sized(50, 100)
	r.during(t, rate, func() { plain.during(t, rate, reload) })
	l := r.drain(t, 30*time.Second)
	r.allReachedThanked(t, l)
	r.verify(t, l, false)
	if accepted < 10 || refused < 10 {
		t.Errorf("only %d accepted and %d refused reloads", accepted, refused)
	}
	t.Logf("Caddy cut off %d of %d posts before they reached the form, and %d of %d posts to another handler",
		count(l.posts, 0), len(l.posts), count(plain.all(), 0), len(plain.all()))
	l.report(t, fmt.Sprintf("%d reloads and %d refused ones", accepted, refused))
}

// loadMistake loads one of several broken configs. Some fail when they are parsed, some when they
// are provisioned, and some only when the new config starts.
func (r *rig) loadMistake(t *testing.T, nth int, occupied string) {
	t.Helper()
	mistakes := []struct{ old, wrong string }{
		{"field name", "feild name"},
		{"country IN", "country Atlantis"},
		{r.token, r.token + ".gone"},
		{"http://" + r.site, "http://" + occupied}, // port in use
	}
	m := mistakes[nth%len(mistakes)]
	if status := r.load(t, strings.Replace(r.caddyfile(), m.old, m.wrong, 1)); status < 400 {
		t.Errorf("a config with %q was accepted", m.wrong)
	}
}

// allReachedThanked checks that the visitor of every post that reached the form was thanked. During
// a reload, Caddy itself cuts off some connections of any site before a handler sees the request.
func (r *rig) allReachedThanked(t *testing.T, l ledger) {
	t.Helper()
	reached, thanked := len(r.logged("info", "submission")), count(l.posts, http.StatusSeeOther)
	if reached != thanked {
		t.Errorf("FAILED VISITORS: %d posts reached the form, %d visitors were thanked", reached, thanked)
	}
	for _, p := range l.posts {
		if !p.thanked() && p.status != 0 {
			t.Errorf("FAILED VISITOR: %q got status %d", p.name, p.status)
		}
	}
}
