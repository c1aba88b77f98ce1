package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
)

// workspaces stands for several TeleCRM workspaces behind one host. It records which token reached
// which path with which lead, and refuses the tokens it is told to.
type workspaces struct {
	*httptest.Server

	mu      sync.Mutex
	leads   map[string]string // "<token> <path>" of the successful request, by the lead's name
	refused map[string]bool
}

func newWorkspaces(t *testing.T) *workspaces {
	t.Helper()
	w := &workspaces{leads: make(map[string]string), refused: make(map[string]bool)}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

func (w *workspaces) serve(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var lead struct {
		Fields map[string]any `json:"fields"`
	}
	if err != nil || json.Unmarshal(body, &lead) != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused[token] {
		rw.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(rw, `{"error":{"code":"NOT_AUTHORIZED","message":"no"}}`)
		return
	}
	name, _ := lead.Fields["name"].(string)
	w.leads[name] = token + " " + r.URL.Path
	rw.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(rw, `{"lead_id":"64c1f0aa12bb34cc56dd78ee","status":"ok"}`)
}

func (w *workspaces) refuse(token string, refused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused[token] = refused
}

func (w *workspaces) received() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	leads := make(map[string]string, len(w.leads))
	maps.Copy(leads, w.leads)
	return leads
}

// inlineForm returns a form at path with inline account settings.
func inlineForm(path string, settings ...string) string {
	return fmt.Sprintf(`
	telecrm %s {
		enterprise_id %s
		country IN
		%s
		field name
		field phone
		deliver later
		rate_limit off
		honeypot off
		thank_you /thank-you
	}`, path, enterpriseID, strings.Join(settings, "\n\t\t"))
}

// accounts returns the accounts in the output of the status command, by name.
func (s *server) accounts(t *testing.T) map[string]adminapi.Account {
	t.Helper()
	output := s.telecrm(t, "status", "--json")
	var status adminapi.Status
	if err := json.Unmarshal([]byte(output), &status); err != nil {
		t.Fatalf("status: %v\n%s", err, output)
	}
	accounts := make(map[string]adminapi.Account)
	for _, o := range status.Outboxes {
		for _, a := range o.Accounts {
			accounts[a.Name] = a
		}
	}
	return accounts
}

const (
	tokenA = "aaaaaaaa-8888-7777-1700000000000:66666666-5555-4444"
	tokenB = "bbbbbbbb-8888-7777-1700000000000:66666666-5555-4444"
	tokenC = "cccccccc-8888-7777-1700000000000:66666666-5555-4444"
)

// The leads of a form with inline account settings are delivered with exactly these settings, even
// if another form's are similar. The status lists the accounts separately.
func TestInlineSettingsMakeTheAccount(t *testing.T) {
	const syncPath, asyncPath = "/autoupdate/v2/enterprise/" + enterpriseID + "/lead", "/enterprise/" + enterpriseID + "/autoupdatelead"
	crm := newWorkspaces(t)
	sync := func(prefix string) string { return "base_url " + crm.URL + prefix + "/autoupdate/v2" }
	async := func(prefix string) string { return "async_base_url " + crm.URL + prefix }
	host := crm.URL
	for name, test := range map[string]struct {
		forms [2][]string // settings of /a and /b
		by    [2]string   // token and path of their leads
		names [2]string   // of their accounts
	}{
		"different token and base url": {
			[2][]string{{"token " + tokenA, sync("")}, {"token " + tokenB, sync("/test")}},
			[2]string{tokenA + " " + syncPath, tokenB + " /test" + syncPath},
			[2]string{enterpriseID + " at " + host + "/autoupdate/v2", enterpriseID + " at " + host + "/test/autoupdate/v2"},
		},
		"sync only and async only": {
			[2][]string{{"token " + tokenA, sync("")}, {"async_token " + tokenB, async("")}},
			[2]string{tokenA + " " + syncPath, tokenB + " " + asyncPath},
			[2]string{enterpriseID + " at " + host + "/autoupdate/v2", enterpriseID + " async at " + host},
		},
		"sync only and both": {
			[2][]string{{"token " + tokenA, sync("")}, {"token " + tokenA, sync(""), "async_token " + tokenB, async("")}},
			[2]string{tokenA + " " + syncPath, tokenA + " " + syncPath},
			[2]string{enterpriseID + " at " + host + "/autoupdate/v2", enterpriseID + " at " + host + "/autoupdate/v2 and async at " + host},
		},
		"different token": {
			[2][]string{{"token " + tokenA, sync("")}, {"token " + tokenB, sync("")}},
			[2]string{tokenA + " " + syncPath, tokenB + " " + syncPath},
			[2]string{enterpriseID + " at " + host + "/autoupdate/v2", enterpriseID + " at " + host + "/autoupdate/v2 #2"},
		},
		"different pace and timeout": {
			[2][]string{{"token " + tokenA, sync("")}, {"token " + tokenA, sync(""), "crm_rate 100/s 9", "timeout 4s"}},
			[2]string{tokenA + " " + syncPath, tokenA + " " + syncPath},
			[2]string{enterpriseID + " at " + host + "/autoupdate/v2", enterpriseID + " at " + host + "/autoupdate/v2 (crm_rate 100/s 9, timeout 4s)"},
		},
		"different identifier": {
			[2][]string{{"token " + tokenA, sync("")}, {"token " + tokenA, sync(""), "identifier name"}},
			[2]string{tokenA + " " + syncPath, tokenA + " " + syncPath},
			[2]string{enterpriseID + " at " + host + "/autoupdate/v2", enterpriseID + " at " + host + "/autoupdate/v2 (identifier name)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, inlineForm("/a", test.forms[0]...)+inlineForm("/b", test.forms[1]...))
			const each = 6
			want := make(map[string]string)
			for i := range each {
				for n, path := range []string{"/a", "/b"} {
					lead := fmt.Sprintf("%s: %s %d", name, path, i)
					want[lead] = test.by[n]
					if a := s.post(t, path, url.Values{"name": {lead}, "phone": {fmt.Sprintf("0812345%d1%02d", n, i)}}); a.status != http.StatusSeeOther {
						t.Fatalf("post to %s: status %d\n%s", path, a.status, s.Log())
					}
				}
			}
			var wrong []string
			eventuallyTrue(t, "all leads arrive", func() bool {
				received := crm.received()
				wrong = nil
				for lead, by := range want {
					if received[lead] == "" {
						return false
					}
					if received[lead] != by {
						wrong = append(wrong, lead+" arrived with "+received[lead])
					}
				}
				return true
			})
			if len(wrong) > 0 {
				slices.Sort(wrong)
				t.Errorf("%d of %d leads arrived with other settings:\n%s", len(wrong), len(want), strings.Join(wrong, "\n"))
			}
			eventuallyTrue(t, "the status counts the leads of each account", func() bool {
				accounts := s.accounts(t)
				return accounts[test.names[0]].Delivered == each && accounts[test.names[1]].Delivered == each
			})
		})
	}
}

func eventuallyTrue(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting: %s", what)
		}
	}
}

// Waiting leads are delivered after the token or the settings in their account's name change, but
// only by an account that reaches the same workspace.
func TestWaitingLeadsSurviveSettingsChange(t *testing.T) {
	crm := newWorkspaces(t)
	base := func(prefix string) string { return "base_url " + crm.URL + prefix + "/autoupdate/v2" }
	before := inlineForm("/a", "token "+tokenA, base("")) + inlineForm("/b", "token "+tokenB, base(""))
	for name, test := range map[string]struct {
		site, global string
		waits        bool
	}{
		"both tokens replaced": {site: inlineForm("/a", "token "+tokenC, base("")) + inlineForm("/b", "token "+tokenC+"0", base(""))},
		"one block for both":   {site: inlineForm("/a", "token "+tokenC, base(""))},
		"another pace":         {site: inlineForm("/a", "token "+tokenC, base(""), "crm_rate 50/s 5", "timeout 3s")},
		"an async token added": {site: inlineForm("/a", "token "+tokenC, base(""), "async_token "+tokenC, "async_base_url "+crm.URL)},
		"moved to an account":  {site: enquiry, global: "account {\nenterprise_id " + enterpriseID + "\ncountry IN\ntoken " + tokenC + "\n" + base("") + "\n}"},
		"another workspace":    {site: inlineForm("/a", "token "+tokenC, base("/test")), waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			crm.refuse(tokenA, true)
			crm.refuse(tokenB, true)
			s := serve(t, before)
			var leads []string
			for n, path := range []string{"/a", "/b"} {
				for i := range 3 {
					lead := fmt.Sprintf("%s: %s %d", name, path, i)
					leads = append(leads, lead)
					s.post(t, path, url.Values{"name": {lead}, "phone": {fmt.Sprintf("0812345%d1%02d", n, i)}})
				}
			}
			eventuallyTrue(t, "both accounts are on hold", func() bool {
				held := 0
				for _, a := range s.accounts(t) {
					if a.Held {
						held++
					}
				}
				return held == 2
			})
			for _, account := range []string{enterpriseID + " at " + crm.URL + "/autoupdate/v2", enterpriseID + " at " + crm.URL + "/autoupdate/v2 #2"} {
				if output, err := s.Run(t.Context(), "telecrm", "accounts", "resume", account, "--address", s.admin); err != nil || !strings.Contains(output, "is tried first") {
					t.Errorf("resuming %s: %v\n%s", account, err, output)
				}
			}
			if test.global != "" {
				s.global = strings.Replace(s.global, "\t\taccount {", "\t\t"+test.global+"\n\t\taccount other {", 1)
			}
			s.reload(t, test.site)
			if test.waits {
				waiting := 0
				for _, a := range s.accounts(t) {
					if !a.Configured {
						waiting += a.Waiting
					}
				}
				if waiting != len(leads) {
					t.Errorf("%d leads are waiting, want %d", waiting, len(leads))
				}
				return
			}
			eventuallyTrue(t, "all leads arrive", func() bool {
				received := crm.received()
				return !slices.ContainsFunc(leads, func(lead string) bool { return received[lead] == "" })
			})
		})
	}
}
