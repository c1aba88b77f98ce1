//go:build linux

package faulttest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/sandbox"
)

// An outage is told: once in the log when it begins and when it ends, by the status, its exit status
// and the line for cron, by the page, and by the metrics. After it, one command sends what waits.
func TestOutageIsTold(t *testing.T) {
	t.Parallel()
	const leads = 3
	for _, tc := range []struct {
		name   string
		begin  func(*crm)
		end    func(*testing.T, *crm)
		exit   int
		state  string
		reason string
		cause  string
		level  string
		warns  string
		ends   string
	}{
		{
			"refused", (*crm).close, func(t *testing.T, c *crm) { t.Helper(); c.listen(t) },
			4, "failing", "connection refused", "connect",
			"warn", "TeleCRM does not answer", "as usual again",
		},
		{
			"503", func(c *crm) {
				c.fail(func(int) sandbox.Fault { return sandbox.Fault{Status: http.StatusServiceUnavailable} })
			},
			func(_ *testing.T, c *crm) { c.heal() },
			4, "failing", "HTTP 503", "server",
			"warn", "TeleCRM does not answer", "as usual again",
		},
		{
			"200 with HTML", func(c *crm) {
				c.fail(func(int) sandbox.Fault {
					return sandbox.Fault{Status: http.StatusOK, ContentType: "text/html", Body: "<html>"}
				})
			},
			func(_ *testing.T, c *crm) { c.heal() },
			4, "failing", "not from TeleCRM", "unreadable",
			"warn", "TeleCRM does not answer", "as usual again",
		},
		{
			"401", func(c *crm) { c.revoke(firstToken) }, func(_ *testing.T, c *crm) { c.issue(firstToken) },
			3, "on hold", "HTTP 401", "account",
			"error", "does not accept leads from this account", "accepts leads from this account again",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings{deliver: "later"})
			if output, exit := r.telecrm(t, "status", "--quiet"); output != "" || exit != 0 {
				t.Errorf("all is well, but status --quiet exits with %d and prints %q", exit, output)
			}
			tc.begin(r.crm)
			for range leads {
				r.one(t)
			}
			var line string
			await(t, "trouble in the status", patience, func() bool {
				var exit int
				line, exit = r.telecrm(t, "status", "--quiet")
				return exit == tc.exit
			})
			if strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "default: "+tc.state+" since ") ||
				!strings.Contains(line, tc.reason) || !strings.HasSuffix(line, "3 leads wait\n") {
				t.Errorf("status --quiet prints %q", line)
			}
			output, exit := r.telecrm(t, "status")
			if exit != tc.exit || !strings.Contains(output, tc.reason) || !strings.Contains(output, "accounts resume default") {
				t.Errorf("status exits with %d and prints\n%s", exit, output)
			}
			t.Logf("%s%s", line, output)
			if page := r.get(t, "/telecrm/"); !strings.Contains(page, tc.reason) || !strings.Contains(page, "/accounts/default/resume") {
				t.Errorf("the page does not say %q", tc.reason)
			}
			metrics := r.get(t, "/metrics")
			for _, sample := range []string{
				`caddy_telecrm_account_state{account="default",state="` + tc.state + `"} 1`,
				`caddy_telecrm_account_state{account="default",state="sending"} 0`,
			} {
				if !strings.Contains(metrics, sample) {
					t.Errorf("the metrics do not have %s", sample)
				}
			}
			if _, after, found := strings.Cut(metrics, `caddy_telecrm_account_last_error_timestamp_seconds{account="default",cause="`+tc.cause+`"} `); !found || strings.HasPrefix(after, "0\n") {
				t.Errorf("the metrics do not have the time of the last error; cause %s", tc.cause)
			}
			await(t, "line in the log", patience, func() bool { return len(r.logged(tc.level, tc.warns)) > 0 })

			tc.end(t, r.crm)
			output, exit = r.telecrm(t, "accounts", "resume", "default")
			if exit != 0 || !strings.HasPrefix(output, "default: 3 leads are due now") {
				t.Errorf("resume exits with %d and prints %q", exit, output)
			}
			r.drain(t, patience)
			await(t, "end of the trouble in the log", patience, func() bool { return len(r.logged("info", tc.ends)) > 0 })
			await(t, "end of the trouble in the status", patience, func() bool {
				output, exit := r.telecrm(t, "status", "--quiet")
				return output == "" && exit == 0
			})
			if output, _ := r.telecrm(t, "status"); !strings.Contains(output, "the last error was at ") || !strings.Contains(output, tc.reason) {
				t.Errorf("after the outage, status prints\n%s", output)
			}
			if output, exit := r.telecrm(t, "accounts", "resume", "default"); exit != 0 || output != "default: nothing to do: it is sending, and no lead is waiting\n" {
				t.Errorf("another resume exits with %d and prints %q", exit, output)
			}
			begun := slices.DeleteFunc(append(r.logged("warn", ""), r.logged("error", "")...), func(line logLine) bool {
				return !strings.Contains(line.text, `"logger":"telecrm"`)
			})
			if len(begun) != 1 || !strings.Contains(begun[0].text, tc.reason) || !strings.Contains(begun[0].text, `"waiting":`) {
				t.Errorf("want one warning or error, logged %v", begun)
			}
			ended := r.logged("info", tc.ends)
			if len(ended) != 1 || !strings.Contains(ended[0].text, `"lasted":`) || !strings.Contains(ended[0].text, `"due":2`) {
				t.Errorf("logged %v", ended)
			}
		})
	}
}

// telecrm runs a command against the server, and returns its output and its exit status.
func (r *rig) telecrm(t *testing.T, args ...string) (output string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	output, err := r.Run(ctx, append(append([]string{"telecrm"}, args...), "--address", r.admin)...)
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return output, failed.ExitCode()
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, output)
	}
	return output, 0
}

// get returns the body of a page of the admin endpoint.
func (r *rig) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
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
