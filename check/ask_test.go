package check_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const enterprise = "66aa00bb11cc22dd33ee44ff"

// ask lets the clean site ask a sandbox. Its workspace is like the one of the site.
func ask(t *testing.T, configure func(*sandbox.Config), faults []sandbox.Fault, around func(http.Handler) http.Handler) *site {
	t.Helper()
	schema := sandbox.DefaultSchema()
	schema.Fields = slices.DeleteFunc(schema.Fields, func(f sandbox.Field) bool { return f.APIName == "product" })
	schema.Fields = append(schema.Fields,
		sandbox.Field{APIName: "product", Type: sandbox.TypeDropdown, Options: []string{"Solar", "Battery"}}, sandbox.Field{APIName: "visit", Type: sandbox.TypeDate})
	schema.ArchivedStatuses = []string{"Cold"}
	config := sandbox.Config{Token: "token", EnterpriseID: enterprise, Schema: schema}
	if configure != nil {
		configure(&config)
	}
	crm, err := sandbox.New(config)
	if err != nil {
		t.Fatal(err)
	}
	crm.Inject(faults...)
	var handler http.Handler = crm
	if around != nil {
		handler = around(crm)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)
	client, err := telecrm.New(telecrm.Config{Token: "token", EnterpriseID: enterprise, BaseURL: server.URL + "/autoupdate/v2", Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	s.account.API, s.account.Workspace = client, nil
	s.config.Now = time.Now
	s.config.Ask(t.Context())
	return s
}

func TestAskedWorkspace(t *testing.T) {
	t.Parallel()
	detailed := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "detail=false" {
				r.URL.RawQuery = "detail=true"
			}
			h.ServeHTTP(w, r)
		})
	}
	summary := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.RawQuery = ""
			h.ServeHTTP(w, r)
		})
	}
	for name, tt := range map[string]struct {
		configure func(*sandbox.Config)
		around    func(http.Handler) http.Handler
	}{
		"as documented":   {},
		"as seen live":    {configure: func(c *sandbox.Config) { c.LiveShapes = true }},
		"detailed fields": {around: detailed},
		"summaries":       {around: summary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ask(t, tt.configure, nil, tt.around)
			if report := run(t, s.config); len(report.Findings)+len(report.Unverified) > 0 {
				t.Errorf("could not check %q, and found %s", report.Unverified, describe(report.Findings))
			}
			s.form.Set[1].Value = "Fersh"
			s.field("product").Options = []string{"Solar", "Batery"}
			s.form.Set[2].Value = "agent8@example.org"
			s.config.Ask(t.Context())
			var codes []check.Code
			for _, f := range run(t, s.config).Findings {
				codes = append(codes, f.Code)
			}
			for _, code := range []check.Code{check.UnknownStatus, check.UnknownOption, check.UnknownAssignee} {
				if !slices.Contains(codes, code) {
					t.Errorf("%s is not among %v", code, codes)
				}
			}
		})
	}
}

// Each way in which TeleCRM may fail is one finding, and what was not told is not held against the
// config.
func TestAskedWorkspaceFails(t *testing.T) {
	t.Parallel()
	faults := sandbox.Faults()
	for name, tt := range map[string]struct {
		faults []sandbox.Fault
		want   check.Code
	}{
		"401 about the token":      {[]sandbox.Fault{faults[sandbox.FaultUnauthorizedToken]}, check.TokenRefused},
		"401 about the enterprise": {[]sandbox.Fault{faults[sandbox.FaultUnauthorizedAccount]}, check.WrongEnterpriseID},
		"401 with a string":        {[]sandbox.Fault{faults[sandbox.FaultUnauthorizedString]}, check.TokenRefused},
		"404 of the enterprise":    {[]sandbox.Fault{faults[sandbox.FaultNotFoundJSON]}, check.WrongEnterpriseID},
		"404 with HTML":            {[]sandbox.Fault{faults[sandbox.FaultNotFoundHTML]}, check.WrongBaseURL},
		"405 with HTML":            {[]sandbox.Fault{faults[sandbox.FaultMethodHTML]}, check.WrongBaseURL},
		"license":                  {[]sandbox.Fault{faults[sandbox.FaultLicenseExpired]}, check.AccountOnHold},
		"500":                      {[]sandbox.Fault{{Status: 500}}, check.WorkspaceUnavailable},
		"HTML with 200":            {[]sandbox.Fault{faults[sandbox.FaultHTML2xx]}, check.WorkspaceUnavailable},
		"no answer":                {[]sandbox.Fault{{Drop: true}}, check.WorkspaceUnavailable},
		"actions alone":            {[]sandbox.Fault{sandbox.Fault{Status: 500}.On(sandbox.OpActions)}, check.WorkspaceUnavailable},
		"pipeline alone":           {[]sandbox.Fault{faults[sandbox.FaultNotFoundHTML].On(sandbox.OpPipeline)}, check.WorkspaceUnavailable},
		"members alone":            {[]sandbox.Fault{sandbox.Fault{Status: 503}.On(sandbox.OpMember)}, check.WorkspaceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := ask(t, nil, tt.faults, nil)
			report := run(t, s.config)
			if len(report.Findings) != 1 || report.Findings[0].Code != tt.want || len(report.Unverified) != 1 {
				t.Errorf("could not check %q, and found %s; want %s", report.Unverified, describe(report.Findings), tt.want)
			}
		})
	}
}

func TestSlowWorkspaceIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	crm, err := sandbox.New(sandbox.Config{Token: "token", EnterpriseID: enterprise, Latency: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)
	client, err := telecrm.New(telecrm.Config{Token: "token", EnterpriseID: enterprise, BaseURL: server.URL + "/autoupdate/v2", Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s.account.API, s.account.Workspace = client, nil
	s.config.Ask(t.Context())
	report := run(t, s.config)
	if len(report.Findings) != 1 || report.Findings[0].Code != check.WorkspaceUnavailable || !slices.Equal(report.Unverified, []string{"the fields of account default"}) {
		t.Errorf("could not check %q, and found %s", report.Unverified, describe(report.Findings))
	}
}
