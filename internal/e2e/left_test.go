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

// A Caddy that starts with another outbox tells of the leads that an earlier one left, also if that
// one was killed or ends later.
func TestLeadsLeftByAnEarlierCaddy(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, s *server) (ends func()){
		"stopped": func(t *testing.T, s *server) func() { s.Stop(t); return func() {} },
		"killed":  func(_ *testing.T, s *server) func() { s.Kill(); return func() {} },
		"ends later": func(t *testing.T, s *server) func() {
			earlier := s.Process
			s.site, s.admin = "http://127.0.0.1:"+caddyproc.FreePort(t), "127.0.0.1:"+caddyproc.FreePort(t)
			return func() { earlier.Stop(t) }
		},
	} {
		for instead, other := range map[string]string{"off": "outbox off", "another file": "outbox sqlite {env.HOME}/other.db"} {
			t.Run(name+", "+instead, func(t *testing.T) {
				t.Parallel()
				mine := "outbox sqlite " + filepath.Join(t.TempDir(), "mine.db")
				s := serve(t, enquiry, mine)
				s.global = strings.Replace(s.global, s.crmAddress(t), "127.0.0.1:"+caddyproc.FreePort(t), 1)
				s.reload(t, enquiry)
				s.post(t, "/contact", ravi)
				admin := s.admin
				ends := end(t, s)
				s.global = strings.Replace(strings.Replace(s.global, mine, other, 1), "admin "+admin, "admin "+s.admin, 1)
				s.write(t, enquiry)
				s.start(t)
				ends()
				eventuallyTrue(t, "the warning", func() bool {
					return strings.Contains(s.Log(), "leads wait in an outbox that the running config does not use")
				})
				if output := s.telecrm(t, "status"); !strings.Contains(output, "mine.db") || !strings.Contains(output, "1 lead waited in it") {
					t.Errorf("status prints\n%s", output)
				}
				s.reload(t, enquiry+"\nheader X-Reload 1")
				if n := strings.Count(s.Log(), "does not use"); n != 1 {
					t.Errorf("logged %d times after a reload, want once", n)
				}
				s.global = strings.Replace(s.global, other, mine, 1)
				s.reload(t, enquiry)
				if output := s.telecrm(t, "status"); strings.Contains(output, "waited in it") {
					t.Errorf("status after the outbox is used again:\n%s", output)
				}
			})
		}
	}
}
