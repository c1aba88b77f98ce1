package e2e_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is a site's own folder, in which the real command is run.
type checkout struct {
	t     *testing.T
	caddy string
	dir   string
}

const driftConfig = `{
	admin off
	telecrm {
		account {
			token s3cret
			enterprise_id 66aa00bb11cc22dd33ee44ff
			country IN
		}
		outbox sqlite outbox.db
	}
}
:0 {
	root * site
	telecrm /enquire {
		field name
		field phone
		thank_you /thanks
	}
	try_files {path}.html {path}
	file_server
}
`

const driftPage = `<form method="post" action="/enquire">
<label>Name <input name="name" autocomplete="name"></label>
<label>Phone <input name="phone" type="tel" autocomplete="tel" required></label>
</form>
`

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	caddy, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := &checkout{t, caddy, t.TempDir()}
	c.write("Caddyfile", driftConfig)
	c.write("site/contact.html", driftPage)
	c.write("site/de/kontakt.html", driftPage)
	c.write("site/thanks.html", "<p>Thanks</p>")
	return c
}

func (c *checkout) write(name, content string) {
	c.t.Helper()
	file := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
		c.t.Fatal(err)
	}
}

// check runs the command in a folder below that of the site.
func (c *checkout) check(below string, args ...string) (stdout, stderr string, status int) {
	c.t.Helper()
	var out, errs strings.Builder
	cmd := exec.CommandContext(c.t.Context(), c.caddy, append([]string{"telecrm", "check", "--offline"}, args...)...)
	cmd.Dir = filepath.Join(c.dir, below)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+c.dir, "XDG_CONFIG_HOME="+c.dir)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		c.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// The command says what changed on the pages since it last found no errors.
func TestCheckSinceLastGoodRun(t *testing.T) {
	t.Parallel()
	c := newCheckout(t)
	if _, stderr, status := c.check("", "--since", "last"); status != 0 || !strings.Contains(stderr, "There is no earlier check to compare with.") {
		t.Errorf("status %d, printed %s", status, stderr)
	}
	for range 2 { // a check that found errors is not compared with
		c.write("site/contact.html", strings.Replace(driftPage, `name="phone"`, `name="tel"`, 1))
		stdout, stderr, status := c.check("", "--since", "last")
		if status != 1 || !strings.Contains(stderr, "Changed: form /enquire: input phone vanished from /contact\n") ||
			!strings.Contains(stderr, "Changed: form /enquire: input tel is new on /contact, at site/contact.html:3:14\n") || !strings.Contains(stdout, "required-input-missing") {
			t.Errorf("status %d, printed %s%s", status, stdout, stderr)
		}
	}
	c.write("site/de/kontakt.html", strings.Replace(driftPage, `name="phone"`, `name="tel"`, 1))
	if _, stderr, _ := c.check("", "--since", "last"); !strings.Contains(stderr, "input phone vanished from /contact, /de/kontakt; it was at site/contact.html:3:14\n") {
		t.Errorf("printed %s", stderr)
	}
	c.write("site/contact.html", driftPage)
	c.write("site/de/kontakt.html", driftPage)
	if _, stderr, status := c.check("", "--since", "last", "--json"); status != 0 || strings.Contains(stderr, "Changed") {
		t.Errorf("status %d, printed %s", status, stderr)
	}
	if err := os.Remove(filepath.Join(c.dir, "site", "de", "kontakt.html")); err != nil {
		t.Fatal(err)
	}
	if _, stderr, _ := c.check("", "--since", "last"); !strings.Contains(stderr, "its HTML form vanished from /de/kontakt\n") {
		t.Errorf("printed %s", stderr)
	}
}

// The patch of the command is all that it prints, and applies in the folder where it was run.
func TestCheckFix(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("patch"); err != nil {
		t.Skip("patch is not installed")
	}
	for name, tt := range map[string]struct {
		config string
		args   []string
	}{
		"relative": {driftConfig, nil},
		"absolute": {driftConfig, []string{"--config", "DIR/Caddyfile"}},
		"root":     {strings.Replace(driftConfig, "root * site", "root * DIR/site", 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCheckout(t)
			c.write("Caddyfile", strings.NewReplacer("DIR", c.dir, "/thanks", "/thank").Replace(tt.config))
			for _, page := range []string{"site/contact.html", "site/de/kontakt.html"} {
				c.write(page, strings.Replace(driftPage, ` method="post"`, "", 1))
			}
			args := []string{"--fix"}
			for _, arg := range tt.args {
				args = append(args, strings.Replace(arg, "DIR", c.dir, 1))
			}
			stdout, stderr, status := c.check("", args...)
			if status != 1 || !strings.HasPrefix(stdout, "--- a/Caddyfile\n+++ b/Caddyfile\n@@ ") || !strings.Contains(stderr, "The patch changes 3 lines. To apply it, pipe it to: patch -p1\n") {
				t.Errorf("status %d, printed:\n%s%s", status, stdout, stderr)
			}
			if strings.Contains(stdout, "s3cret") {
				t.Errorf("the patch shows the token:\n%s", stdout)
			}
			patch := exec.CommandContext(t.Context(), "patch", "-p1")
			patch.Dir, patch.Stdin = c.dir, strings.NewReader(stdout)
			if output, err := patch.CombinedOutput(); err != nil {
				t.Fatalf("patch: %v\n%s\n%s", err, output, stdout)
			}
			if stdout, _, status := c.check(""); status != 0 || !strings.Contains(stdout, "nothing found") {
				t.Errorf("status %d after the patch, printed:\n%s", status, stdout)
			}
			if stdout, stderr, status := c.check("", "--fix"); stdout != "" || status != 0 || !strings.Contains(stderr, "There is nothing to fix.") {
				t.Errorf("status %d, printed:\n%s%s", status, stdout, stderr)
			}
		})
	}
}

// Run elsewhere, the patch has names for the root of the file system.
func TestCheckFixFromElsewhere(t *testing.T) {
	t.Parallel()
	c := newCheckout(t)
	c.write("Caddyfile", strings.Replace(driftConfig, "root * site", "root * "+c.dir+"/site", 1))
	c.write("site/contact.html", strings.Replace(driftPage, ` method="post"`, "", 1))
	stdout, stderr, _ := c.check("site/de", "--fix", "--config", "../../Caddyfile")
	if want := "--- a" + c.dir + "/site/contact.html\n"; !strings.HasPrefix(stdout, want) || !strings.Contains(stderr, "pipe it to: patch -p1 -d /\n") {
		t.Errorf("printed:\n%s%s", stdout, stderr)
	}
}
