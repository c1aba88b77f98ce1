package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
)

// Leads that wait in an outbox that the config does not name any more are not delivered, and
// operators are told so until it is used again.
func TestLeadsLeftInAnOutbox(t *testing.T) {
	dir := t.TempDir()
	mine := "outbox sqlite " + filepath.Join(dir, "mine.db")
	s := serve(t, enquiry, mine)
	works := s.global
	s.global = strings.Replace(works, s.crmAddress(t), "127.0.0.1:"+caddyproc.FreePort(t), 1)
	s.reload(t, enquiry)
	s.post(t, "/contact", ravi)

	broken := s.global
	const words = "1 lead waited in it"
	page := "http://" + s.admin + "/telecrm/"
	for n, other := range []string{"outbox off", "outbox sqlite " + filepath.Join(dir, "other.db")} {
		s.global = strings.Replace(broken, mine, other, 1)
		s.reload(t, enquiry)
		if got := strings.Count(s.Log(), "leads wait in an outbox that the running config does not use"); got != n+1 {
			t.Errorf("%s: logged %d times, want %d", other, got, n+1)
		}
		for _, args := range [][]string{{"status"}, {"status", "--quiet"}, {"status", "--quiet", "--json"}, {"status", "--json"}} {
			want := words
			if strings.Contains(strings.Join(args, " "), "--json") {
				want = `"waiting":1`
			}
			if output := s.telecrm(t, args...); !strings.Contains(output, "mine.db") || !strings.Contains(output, want) {
				t.Errorf("%s: %s printed\n%s", other, args, output)
			}
		}
		if shown := get(t, page); !strings.Contains(shown, words) {
			t.Errorf("%s: the page does not tell:\n%s", other, shown)
		}
		s.global = broken
		s.reload(t, enquiry)
		if output := s.telecrm(t, "status"); strings.Contains(output, words) {
			t.Errorf("%s: status after the outbox is used again:\n%s", other, output)
		}
	}
	s.global = works
	s.reload(t, enquiry)
	s.telecrm(t, "accounts", "resume", "default")
	eventuallyTrue(t, "the lead to be delivered", func() bool { return len(s.crm.Leads()) == 1 })
	s.global = strings.Replace(works, mine, "outbox off", 1)
	s.reload(t, enquiry)
	if output := s.telecrm(t, "status"); strings.Contains(output, "mine.db") {
		t.Errorf("status tells of an outbox in which nothing waits:\n%s", output)
	}
}

// Leads that wait are delivered by the next Caddy, so there is nothing to tell when one ends.
func TestNothingLeftWhenCaddyEnds(t *testing.T) {
	s := serve(t, enquiry)
	s.global = strings.Replace(s.global, s.crmAddress(t), "127.0.0.1:"+caddyproc.FreePort(t), 1)
	s.reload(t, enquiry)
	s.post(t, "/contact", ravi)
	s.Stop(t)
	if strings.Contains(s.Log(), "does not use") {
		t.Errorf("the log tells of leads that are left:\n%s", s.Log())
	}
}
