package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/mapping"
)

func TestTry(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (string, int, error) {
		stdout, _, err := runChecking(t, inspecting(cleanPage), "", "", append([]string{"try", "-c", "site.conf", "-a", "caddyfile"}, args...)...)
		return stdout, exitStatus(err), err
	}
	const want = `Form /enquire
  INPUT  VALUE         BECOMES
  phone  081234 56789  phone
  city   Pune          nothing: no line of the config takes it
Lead
{
  "fields": {
    "phone": "918123456789"
  }
}
`
	for _, flags := range [][]string{nil, {"--path", "/enquire"}, {"--form", "/enquire"}} {
		if stdout, status, _ := run(append(flags, "phone=081234 56789", "city=Pune")...); stdout != want || status != 0 {
			t.Errorf("%v: status %d, printed:\n%s", flags, status, stdout)
		}
	}
	stdout, status, _ := run("phone=12", "_gotcha=")
	if status != 1 || !strings.Contains(stdout, "To correct: ") || !strings.Contains(stdout, "(phone PHONE_TOO_SHORT)\nNothing would be sent") || strings.Contains(stdout, "Lead\n{") {
		t.Errorf("status %d, printed:\n%s", status, stdout)
	}
	stdout, status, _ = run("phone=8123456789", "_gotcha=x")
	if status != 0 || !strings.Contains(stdout, "The trap _gotcha is filled in") {
		t.Errorf("status %d, printed:\n%s", status, stdout)
	}
	stdout, status, _ = run("phone=8123456789", "--json")
	var trial check.Trial
	if err := json.Unmarshal([]byte(stdout), &trial); err != nil || status != 0 || trial.Lead.Fields["phone"] != "918123456789" {
		t.Errorf("status %d, error %v, printed %s", status, err, stdout)
	}
	for _, args := range [][]string{{"phone"}, {"=x"}, {"--form", "other"}, {"--path", "/other"}, {"--path", "/enquire", "--form", "/enquire"}} {
		if stdout, status, err := run(args...); status != -1 || stdout != "" || err == nil {
			t.Errorf("%v: status %d, printed %s", args, status, stdout)
		}
	}
}

func TestTryNeedsOneOfSeveralForms(t *testing.T) {
	t.Parallel()
	inspect := func(string, string) (*check.Config, error) {
		c, err := inspecting(cleanPage)("site.conf", "caddyfile")
		second := *c.Sites[0].Forms[0]
		second.Name, second.Fields = "/callback", []mapping.Field{{Name: "phone", Input: "tel"}}
		c.Sites[0].Forms = append(c.Sites[0].Forms, &second)
		return c, err
	}
	_, _, err := runChecking(t, inspect, "", "", "try", "phone=1")
	if err == nil || !strings.Contains(err.Error(), "name one with --form: /enquire, /callback") {
		t.Errorf("got %v", err)
	}
}
