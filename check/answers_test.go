package check_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/mapping"
	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// fieldModes are the ways in which TeleCRM may list the fields, whatever it was asked for.
var fieldModes = map[string]string{"as asked": "", "summary": "detail=false", "detailed": "detail=true"}

// pipelineShapes are the ways in which TeleCRM may list statuses and lost reasons, as documented and
// as seen in answers. The documented one is the sandbox's own.
var pipelineShapes = map[string]string{
	"documented":     "",
	"live, label":    `{"statuses":[{"label":"Fresh"},{"label":"Won"}],"lostReasons":[{"label":"Too costly"}]}`,
	"live, name":     `{"statuses":[{"name":"Fresh"},{"name":"Won"}],"lostReasons":[{"name":"Too costly"}]}`,
	"live, status":   `{"statuses":[{"status":"Fresh","statusid":1}],"lostReasons":[{"reasonLabel":"Too costly"}]}`,
	"live, texts":    `{"statuses":["Fresh","Won"],"lostReasons":["Too costly"]}`,
	"several stages": `{"leadStages":[{"activeStatuses":[]},{"activeStatuses":[{"label":"Won"},{"label":"Fresh"}],"archivedStatuses":null}],"activeLeadLostReasons":[{"reasonLabel":"Too costly"}]}`,
}

// inShapes answers with the fields and the pipeline in certain shapes.
func inShapes(fields, pipeline string) func(http.Handler) http.Handler {
	return func(crm http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case fields != "" && strings.HasSuffix(r.URL.Path, "/custom-fields"):
				r.URL.RawQuery = fields
			case pipeline != "" && strings.HasSuffix(r.URL.Path, "/lead-stage-pipeline"):
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, pipeline)
				return
			}
			crm.ServeHTTP(w, r)
		})
	}
}

// seedWorkspace makes a mistake of each kind that only the workspace shows.
func seedWorkspace(s *site) {
	s.field("product").Options = []string{"Solar", "Batery"}
	s.field("visit").Type = ""
	s.form.Set[1].Value = "Fersh"
	s.form.Set[2].Value = "agent8@example.org"
	s.form.Set = append(s.form.Set,
		mapping.Setting{Name: "Source", Value: "x"}, mapping.Setting{Name: "nothing_like_it", Value: "x"},
		mapping.Setting{Name: "lost", Value: "To costly", Type: "lost_reason"})
	s.form.Actions = append(s.form.Actions, mapping.Action{Code: "1024"})
	s.form.Actions[0].Set[0].Name = "slots"
	s.form.OnDuplicate, s.form.UpdateFields = "update", []string{"locked"}
	s.form.Set = append(s.form.Set, mapping.Setting{Name: "locked", Value: "x"})
	s.account.Identifier = "email"
}

var (
	fromFields   = []check.Code{check.FieldCase, check.LockedField, check.UnknownField, check.UnknownOption, check.WrongIdentifier, check.WrongType}
	fromActions  = []check.Code{check.UnknownAction, check.UnknownActionKey}
	fromPipeline = []check.Code{check.UnknownLostReason, check.UnknownStatus}
	fromMembers  = []check.Code{check.UnknownAssignee}
)

// codesAmong returns those of the codes that the report has.
func codesAmong(r *check.Report, codes []check.Code) []check.Code {
	var found []check.Code
	for _, f := range r.Findings {
		if slices.Contains(codes, f.Code) && !slices.Contains(found, f.Code) {
			found = append(found, f.Code)
		}
	}
	slices.Sort(found)
	return found
}

func withLockedField(c *sandbox.Config) {
	c.Schema.Fields = append(c.Schema.Fields, sandbox.Field{APIName: "locked", Type: sandbox.TypeText, LockAfterCreate: true})
}

// However TeleCRM lists fields and statuses, a clean site is clean and every mistake is found.
func TestEveryShapeOfAnswers(t *testing.T) {
	t.Parallel()
	all := slices.Sorted(slices.Values(slices.Concat(fromFields, fromActions, fromPipeline, fromMembers)))
	for mode, query := range fieldModes {
		for shape, pipeline := range pipelineShapes {
			t.Run(mode+", "+shape, func(t *testing.T) {
				t.Parallel()
				s := ask(t, withLockedField, nil, inShapes(query, pipeline))
				if report := run(t, s.config); len(report.Findings)+len(report.Unverified) > 0 {
					t.Errorf("could not check %q, and found %s", report.Unverified, describe(report.Findings))
				}
				s = newSiteAsking(t, s.account.API)
				seedWorkspace(s)
				s.config.Ask(t.Context())
				report := run(t, s.config)
				if found := codesAmong(report, all); !slices.Equal(found, all) || len(report.Unverified) > 0 {
					t.Errorf("could not check %q, and found %q, want %q", report.Unverified, found, all)
				}
			})
		}
	}
}

// newSiteAsking returns a clean site that has not asked yet.
func newSiteAsking(t *testing.T, api check.API) *site {
	t.Helper()
	s := newSite(t)
	s.account.API, s.account.Workspace, s.config.Now = api, nil, time.Now
	return s
}

// Each part of the workspace may fail in each way. It is said once, what could be read is checked,
// and what could not is not held against the config.
func TestEachPartOfTheWorkspaceFails(t *testing.T) {
	t.Parallel()
	known := sandbox.Faults()
	for _, part := range []struct {
		op    sandbox.Op
		codes []check.Code // that need it
	}{
		{sandbox.OpFields, slices.Concat(fromFields, fromActions, fromPipeline, fromMembers)}, // without it, nothing else is asked
		{sandbox.OpActions, fromActions},
		{sandbox.OpPipeline, fromPipeline},
		{sandbox.OpMember, fromMembers},
	} {
		for _, name := range []string{
			sandbox.FaultNotFoundHTML, sandbox.FaultMethodHTML, sandbox.FaultSlow, sandbox.FaultDropped, sandbox.FaultHTML2xx, sandbox.FaultBadGatewayHTML,
			sandbox.FaultServerError, sandbox.FaultUnavailable, sandbox.FaultRateLimited, sandbox.FaultRateLimitedAfter, sandbox.FaultRequestTimeout,
			sandbox.FaultTruncatedJSON, sandbox.FaultErrorIn2xx, sandbox.FaultRedirect,
		} {
			t.Run(fmt.Sprintf("%s/%s", part.op, name), func(t *testing.T) {
				t.Parallel()
				s := newSiteAsking(t, failing(t, known[name].On(part.op)))
				seedWorkspace(s)
				s.config.Ask(t.Context())
				report := run(t, s.config)
				want := slices.DeleteFunc(slices.Sorted(slices.Values(slices.Concat(fromFields, fromActions, fromPipeline, fromMembers))),
					func(code check.Code) bool { return slices.Contains(part.codes, code) })
				if found := codesAmong(report, slices.Concat(want, part.codes)); !slices.Equal(found, want) {
					t.Errorf("found %q, want %q", found, want)
				}
				failed := codesAmong(report, []check.Code{check.WorkspaceUnavailable, check.WrongBaseURL, check.TokenRefused, check.AccountOnHold, check.WrongEnterpriseID})
				if len(failed) != 1 || len(report.Unverified) != 1 {
					t.Errorf("could not check %q, and found %q", report.Unverified, failed)
				}
			})
		}
	}
}

// failing returns a client of a workspace that has the fault, for a test that does not wait for it.
func failing(t *testing.T, fault sandbox.Fault) check.API {
	t.Helper()
	schema := sandbox.DefaultSchema()
	schema.Fields = slices.DeleteFunc(schema.Fields, func(f sandbox.Field) bool { return f.APIName == "product" })
	schema.Fields = append(schema.Fields, sandbox.Field{APIName: "product", Type: sandbox.TypeDropdown, Options: []string{"Solar", "Battery"}}, sandbox.Field{APIName: "visit", Type: sandbox.TypeDate})
	config := sandbox.Config{Token: "token", EnterpriseID: enterprise, Schema: schema}
	withLockedField(&config)
	crm, err := sandbox.New(config)
	if err != nil {
		t.Fatal(err)
	}
	crm.Inject(fault)
	if fault.Drop { // net/http sends a GET again after a connection broke
		crm.Inject(fault, fault)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)
	timeout := 10 * time.Second
	if fault.Delay > 0 {
		timeout = 300 * time.Millisecond
	}
	client, err := telecrm.New(telecrm.Config{Token: "token", EnterpriseID: enterprise, BaseURL: server.URL + "/autoupdate/v2", Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
