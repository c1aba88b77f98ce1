package e2e_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/caddyproc"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/outbox/sqlstore"
	"github.com/leadwire/caddy-telecrm/sandbox"
)

// telecrm runs a command against the server. It must succeed.
func (s *server) telecrm(t *testing.T, args ...string) string {
	t.Helper()
	output, err := s.Run(t.Context(), append(append([]string{"telecrm"}, args...), "--address", s.admin)...)
	if err != nil && !saysHowAccountsAre(err, args) {
		t.Fatalf("caddy telecrm %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return output
}

// saysHowAccountsAre reports whether a command failed only in that its exit status tells of an
// account that is on hold or failing.
func saysHowAccountsAre(err error, args []string) bool {
	failed, ok := errors.AsType[*exec.ExitError](err)
	return ok && args[0] == "status" && (failed.ExitCode() == 3 || failed.ExitCode() == 4)
}

// listed returns the leads in the output of `leads list`.
func (s *server) listed(t *testing.T, args ...string) []adminapi.Lead {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(s.telecrm(t, append([]string{"leads", "list", "--json"}, args...)...)))
	var leads []adminapi.Lead
	for decoder.More() {
		var lead adminapi.Lead
		if err := decoder.Decode(&lead); err != nil {
			t.Fatal(err)
		}
		leads = append(leads, lead)
	}
	return leads
}

const parkingEnquiry = `
	telecrm /contact {
		field name
		field phone
		on_duplicate park
		rate_limit off
		dedupe off
		thank_you /thank-you
	}`

// awaitParked waits until so many leads are parked, and returns them.
func (s *server) awaitParked(t *testing.T, count int) (parked []adminapi.Lead) {
	t.Helper()
	eventuallyTrue(t, fmt.Sprintf("%d leads to be parked", count), func() bool {
		parked = s.listed(t, "--state", "parked")
		return len(parked) == count
	})
	return parked
}

// Operators can find out which leads are parked and why, and deal with them.
func TestOperatorHandlesParkedLeads(t *testing.T) {
	s := serve(t, parkingEnquiry)
	for range 3 {
		s.post(t, "/contact", ravi)
	}
	parked := s.awaitParked(t, 2)
	if parked[0].Reason != "TeleCRM has another lead with this identifier" {
		t.Fatalf("parked %+v", parked)
	}
	if output := s.telecrm(t, "leads", "list"); strings.Contains(output, "Zenobia") || caddyproc.HasPhone(output) {
		t.Errorf("the list shows personal data:\n%s", output)
	}
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"--identifier", "081234-56789"}, 3},
		{[]string{"--identifier", "+91 81234 56789", "--state", "parked"}, 2},
		{[]string{"--identifier", "81234 56780"}, 0},
		{[]string{"--form", "/contact", "--since", "1h"}, 3},
		{[]string{"--until", "1h"}, 0},
	} {
		if found := s.listed(t, test.args...); len(found) != test.want {
			t.Errorf("%q found %d leads, want %d", test.args, len(found), test.want)
		}
	}
	if output := s.telecrm(t, "leads", "list", "--form", "/contacts"); !strings.Contains(output, "its forms are: /contact") {
		t.Errorf("an unknown form: %s", output)
	}
	if output := s.telecrm(t, "leads", "show", parked[0].ID); !strings.Contains(output, "Zenobia Quartermaine") {
		t.Errorf("show printed\n%s", output)
	}
	export := filepath.Join(t.TempDir(), "leads.csv")
	s.telecrm(t, "leads", "export", "--format", "csv", "--output", export)
	if content, err := os.ReadFile(export); err != nil || strings.Count(string(content), "Zenobia Quartermaine,918123456789") != 3 {
		t.Errorf("export wrote %s, error %v", content, err)
	}
	s.telecrm(t, "leads", "discard", parked[1].ID)

	s.crm.Inject(sandbox.Faults()[sandbox.FaultStatus200])
	s.telecrm(t, "leads", "retry", "--all", "--state", "parked")
	for deadline := time.Now().Add(patience); len(s.listed(t, "--state", "delivered")) < 2; {
		if time.Now().After(deadline) {
			t.Fatalf("the retried lead was not delivered:\n%s", s.telecrm(t, "leads", "list"))
		}
	}
	if output := s.telecrm(t, "leads", "erase", "--identifier", "081234-56789"); !strings.Contains(output, "2 leads erased") {
		t.Errorf("erase printed %s", output)
	}
	if left := s.listed(t); len(left) != 0 {
		t.Errorf("leads after erase: %+v", left)
	}
	s.Stop(t)
	if caddyproc.HasPhone(s.Log()) {
		t.Error("found a phone number in the log")
	}
	for _, secret := range []string{"Quartermaine", secretToken} {
		if strings.Contains(s.Log(), secret) {
			t.Errorf("found %q in the log", secret)
		}
	}
}

// The commands reach an admin endpoint at a Unix socket, as Caddy's own commands do.
func TestCommandsAtUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := serve(t, parkingEnquiry)
	socket := "unix/" + filepath.Join(dir, "admin.sock")
	s.global = strings.Replace(s.global, s.admin, socket+"|0600", 1)
	s.reload(t, parkingEnquiry)
	s.admin = socket
	for range 2 {
		s.post(t, "/contact", ravi)
	}
	s.telecrm(t, "leads", "discard", s.awaitParked(t, 1)[0].ID)
	// Cron mails each line.
	if output, err := s.Run(t.Context(), "telecrm", "status", "--quiet", "--config", s.config); err != nil || output != "" {
		t.Errorf("with the address from the config: error %v, printed\n%s", err, output)
	}
}

// An export that is ended in the middle does not leave a file, which would have only some of the
// leads. timeout sends the first signal, a terminal that closes the second.
func TestEndedExportLeavesNoFile(t *testing.T) {
	caddyproc.LeaveOutIfShort(t)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	endings := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	// A command does not inherit that its parent ignores a signal, as under nohup, if the parent handles it.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, endings...)
	defer signal.Stop(handled)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, ending := range endings {
		asked := make(chan struct{}, 1)
		endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/telecrm/status" {
				_, _ = io.WriteString(w, `{}`)
				return
			}
			_, _ = io.Copy(io.Discard, r.Body) // only then is the client's end noticed
			asked <- struct{}{}
			<-r.Context().Done()
		}))
		file := filepath.Join(t.TempDir(), "leads.ndjson")
		cmd := exec.CommandContext(ctx, path, "telecrm", "leads", "export", "--format", "ndjson",
			"--address", strings.TrimPrefix(endpoint.URL, "http://"), "--output", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-asked
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(ending); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if _, left := os.Stat(file); !errors.Is(left, os.ErrNotExist) || err == nil {
			t.Errorf("%v: left the file behind (%v), error %v", ending, left, err)
		}
		endpoint.Close()
	}
}

// An export that nohup started goes on when its terminal closes, and one that a shell script started
// in the background goes on when the script is interrupted.
func TestExportOutlivesItsTerminal(t *testing.T) {
	caddyproc.LeaveOutIfShort(t)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for name, ignored := range map[string]os.Signal{"HUP": syscall.SIGHUP, "INT": os.Interrupt} {
		asked, answer, gone := make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)
		endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/telecrm/status" {
				_, _ = io.Copy(io.Discard, r.Body) // only then is the client's end noticed
				asked <- struct{}{}
				select {
				case <-answer:
				case <-r.Context().Done():
					gone <- struct{}{}
				}
			}
			_, _ = io.WriteString(w, `{}`)
		}))
		file := filepath.Join(t.TempDir(), "leads.ndjson")
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `trap "" `+name+`; exec "$@"`, "sh", path, "telecrm", "leads", "export",
			"--format", "ndjson", "--address", strings.TrimPrefix(endpoint.URL, "http://"), "--output", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-asked
		if err := cmd.Process.Signal(ignored); err != nil {
			t.Fatal(err)
		}
		select {
		case <-gone:
		case <-time.After(time.Second):
		}
		close(answer)
		err := cmd.Wait()
		if _, missing := os.Stat(file); err != nil || missing != nil {
			t.Errorf("%v: error %v, file: %v", ignored, err, missing)
		}
		endpoint.Close()
	}
}

// A name on the command line names one lead or account, or nothing. An unset variable of a script
// leaves an empty one.
func TestNamesThatLookLikePaths(t *testing.T) {
	s := serve(t, parkingEnquiry)
	s.post(t, "/contact", ravi)
	for _, name := range []string{"", ".", "..", "../status", "./", "a/b"} {
		for _, args := range [][]string{
			{"leads", "show"}, {"leads", "show", "--json"}, {"leads", "retry"}, {"leads", "discard"}, {"accounts", "resume"},
		} {
			output, err := s.Run(t.Context(), append(append([]string{"telecrm"}, args...), "--address", s.admin, name)...)
			said := regexp.MustCompile(`is empty|not found|unknown account`).MatchString(output)
			if failed, isExit := errors.AsType[*exec.ExitError](err); !isExit || failed.ExitCode() != 1 || !said {
				t.Errorf("%s %q: error %v, printed\n%s", args, name, err, output)
			}
		}
	}
	if leads := s.listed(t); len(leads) != 1 {
		t.Errorf("left are %+v", leads)
	}
}

// The chart of the last 24 hours goes on after a restart. The leads before it are counted once,
// however often the page is looked at.
func TestChartSurvivesRestarts(t *testing.T) {
	s := serve(t, parkingEnquiry)
	var sum [3]int
	await := func(want [3]int) {
		t.Helper()
		t.Logf("awaiting %d, the chart had %d", want, sum)
		eventuallyTrue(t, "the chart to have them", func() bool {
			sum = [3]int{}
			for _, hour := range chartHour.FindAllStringSubmatch(get(t, "http://"+s.admin+"/telecrm/"), -1) {
				for i := range sum {
					n, err := strconv.Atoi(hour[i+1])
					if err != nil {
						t.Fatal(err)
					}
					sum[i] += n
				}
			}
			return sum == want
		})
	}
	for range 3 {
		s.post(t, "/contact", ravi)
	}
	await([3]int{3, 1, 2})
	for n := range 2 {
		s.Stop(t)
		s.start(t)
		await([3]int{3 + n, 1, 2 + n})
		s.post(t, "/contact", ravi)
		await([3]int{4 + n, 1, 3 + n})
	}
}

// chartHour matches an hour of the chart.
var chartHour = regexp.MustCompile(`(\d+) accepted, (\d+) delivered, (\d+) parked`)

// After a rejected reload, the rejected config's router serves the admin API. It must answer for
// the running config.
func TestAdminAfterRejectedReload(t *testing.T) {
	s := serve(t, parkingEnquiry)
	s.post(t, "/contact", ravi)
	before := s.telecrm(t, "status", "--json")

	global := s.global
	s.global = strings.Replace(global, "account {", "account other {", 1)
	// The stand-in's port is taken, so the reload fails in its last step, after its apps have
	// started.
	s.write(t, strings.Replace(parkingEnquiry, "telecrm /contact {", "telecrm /contact {\naccount other", 1)+
		"\n}\nhttp://127.0.0.1:"+strings.TrimPrefix(s.crmAddress(t), "127.0.0.1:")+" {\nrespond taken")
	if output, err := s.Run(t.Context(), "reload", "--config", s.config, "--address", s.admin); err == nil {
		t.Fatalf("the reload was accepted:\n%s", output)
	}
	s.global = global
	if after := s.telecrm(t, "status", "--json"); after != before {
		t.Errorf("got status\n%swant\n%s", after, before)
	}
	s.reload(t, parkingEnquiry+"\n# changed")
	if after := s.telecrm(t, "status", "--json"); after != before {
		t.Errorf("status after an accepted reload: got\n%swant\n%s", after, before)
	}
}

// crmAddress returns the stand-in's address.
func (s *server) crmAddress(t *testing.T) string {
	t.Helper()
	_, after, found := strings.Cut(s.global, "base_url http://")
	if !found {
		t.Fatal("the config has no base_url")
	}
	address, _, _ := strings.Cut(after, "/")
	return address
}

func TestAdminWithOutboxOff(t *testing.T) {
	s := serve(t, enquiry, "outbox off")
	if output := s.telecrm(t, "status"); !strings.Contains(output, "the outbox is off") {
		t.Errorf("status:\n%s", output)
	}
	output, err := s.Run(t.Context(), "telecrm", "leads", "list", "--address", s.admin)
	if err == nil || !strings.Contains(output, "Error: the outbox is off") {
		t.Errorf("error %v\n%s", err, output)
	}
}

// Without an outbox, the status, the exit status and the metrics tell an outage too.
func TestOutageWithOutboxOff(t *testing.T) {
	s := serve(t, enquiry, "outbox off")
	fault := sandbox.Faults()[sandbox.FaultServerError]
	s.crm.Inject(fault, fault, fault)
	for range 3 {
		if got := s.post(t, "/contact", ravi); got.status != http.StatusServiceUnavailable {
			t.Fatalf("status %d", got.status)
		}
	}
	output, err := s.Run(t.Context(), "telecrm", "status", "--quiet", "--address", s.admin)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 4 || !strings.HasPrefix(output, "default: failing since ") || !strings.Contains(output, "HTTP 500") {
		t.Errorf("error %v\n%s", err, output)
	}
	if metrics := get(t, "http://"+s.admin+"/metrics"); !strings.Contains(metrics, `caddy_telecrm_account_state{account="default",state="failing"} 1`) {
		t.Error("the metrics do not say that the account is failing")
	}
	s.post(t, "/contact", ravi)
	if output := s.telecrm(t, "status", "--quiet"); output != "" {
		t.Errorf("after the outage:\n%s", output)
	}
	for _, words := range []string{"the outbox is off: visitors are asked to try again later", "leads are sent to TeleCRM as usual again"} {
		if n := strings.Count(s.Log(), words); n != 1 {
			t.Errorf("%q is logged %d times", words, n)
		}
	}
}

// Caddy's admin endpoint refuses posts that another site makes a browser send. They have no effect.
func TestAdminRefusesOtherSites(t *testing.T) {
	s := serve(t, parkingEnquiry)
	s.post(t, "/contact", ravi)
	s.post(t, "/contact", ravi)
	id := s.listed(t, "--state", "parked")[0].ID
	for _, header := range []http.Header{
		{"Origin": {"https://evil.example"}},
		{"Origin": {"null"}},
		{"Referer": {"https://evil.example/page"}, "Sec-Fetch-Mode": {"navigate"}},
		{"Sec-Fetch-Mode": {"no-cors"}},
	} {
		for _, path := range []string{
			"/telecrm/leads/" + id + "/retry", "/telecrm/leads/retry?state=parked", "/telecrm/leads/erase", "/telecrm/accounts/default/resume",
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.admin+path, strings.NewReader(url.Values{"a": {"b"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = header.Clone()
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s with %v: status %d", path, header, resp.StatusCode)
			}
		}
	}
	if lead := s.listed(t, "--state", "parked"); len(lead) != 1 || lead[0].Attempts != 1 {
		t.Errorf("parked %+v", lead)
	}
}

// queryOutbox reads the file of the running server's outbox, as the sqlite3 command does.
func (s *server) queryOutbox(t *testing.T, query string) (answer string) {
	t.Helper()
	var status adminapi.Status
	if err := json.Unmarshal([]byte(s.telecrm(t, "status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", status.Outboxes[0].Resource)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// The outbox of a running server can be checked and copied. The copy is an outbox by itself.
func TestOperatorChecksAndCopiesTheOutbox(t *testing.T) {
	s := serve(t, strings.Replace(enquiry, "thank_you", "deliver later\n\t\tthank_you", 1))
	const leads = 3
	for n := range leads {
		if got := s.post(t, "/contact", url.Values{"name": {"Meera Iyer"}, "phone": {fmt.Sprintf("0812345678%d", n)}}); got.status != http.StatusSeeOther {
			t.Fatalf("status %d", got.status)
		}
	}
	if output := s.telecrm(t, "outbox", "check"); !strings.Contains(output, "3 leads checked") {
		t.Errorf("the check says %q", output)
	}
	eventuallyTrue(t, "the file to have the delivered leads", func() bool {
		return s.queryOutbox(t, "select state || count(*) from leads group by state order by state") == "delivered3"
	})
	file := filepath.Join(t.TempDir(), "copy.db")
	if output := s.telecrm(t, "outbox", "backup", file); !strings.Contains(output, file) {
		t.Errorf("the backup says %q", output)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v, error %v", info, err)
	}
	if output, err := s.Run(t.Context(), "telecrm", "outbox", "backup", file, "--address", s.admin); err == nil || !strings.Contains(output, "never replaces a file") {
		t.Errorf("a second backup to the same file: %v, %q", err, output)
	}
	if output, err := s.Run(t.Context(), "telecrm", "outbox", "backup", "/nonexistent/copy.db", "--address", s.admin); err == nil || !strings.Contains(output, "must exist") {
		t.Errorf("a backup to no folder: %v, %q", err, output)
	}
	copied, err := sqlstore.Open(t.Context(), file, sqlstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = copied.Close() }()
	entries, err := copied.List(t.Context(), outbox.Filter{})
	if err != nil || len(entries) != leads {
		t.Errorf("the copy has %d leads, error %v; want %d", len(entries), err, leads)
	}
}
