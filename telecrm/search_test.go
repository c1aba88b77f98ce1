package telecrm_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The lead that searches in these tests find.
var (
	createdOn = time.Date(2026, time.January, 1, 4, 0, 1, int(234*time.Millisecond), time.UTC)
	found     = telecrm.FoundLead{ID: leadID, Identifier: "+918123456789", CreatedOn: createdOn}
)

// findInvented searches for the invented lead.
func findInvented(ctx context.Context, client *telecrm.Client) telecrm.Found {
	return client.FindLeads(ctx, "phone", telecrm.PhoneIdentifier.Spellings("918123456789"))
}

func TestFindLeadsSends(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, field string
		spellings   []string
		body        string
	}{
		{"one spelling", "email", []string{"ravi@example.org"}, `{"fields":{"email":["ravi@example.org"]}}`},
		{
			"several", "phone", telecrm.PhoneIdentifier.Spellings("918123456789"),
			`{"fields":{"phone":["918123456789","+918123456789","8123456789","08123456789"]}}`,
		},
		{"blank ones among them", "phone", []string{"", "12015550123", " "}, `{"fields":{"phone":["12015550123"]}}`},
		{"text that would end the string", `a"b`, []string{`"]}`}, `{"fields":{"a\"b":["\"]}"]}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []sent
			newClient(t, telecrm.Config{Transport: recorder(&got)}).FindLeads(context.Background(), tc.field, tc.spellings)
			want := []sent{{
				Method: "POST",
				Host:   "https://next.telecrm.in",
				Path:   "/autoupdate/v2/enterprise/" + testEnterprise + "/lead/search?skip=0&limit=10",
				Header: http.Header{
					"Authorization": {"Bearer " + testToken},
					"Content-Type":  {"application/json"},
					"Accept":        {"application/json"},
					"User-Agent":    {"caddy-telecrm"},
				},
				Body: tc.body,
			}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// An empty search matches every lead, so it is not sent.
func TestFindLeadsRefusesEmptySearch(t *testing.T) {
	t.Parallel()
	for name, search := range map[string]struct {
		field     string
		spellings []string
	}{
		"no field":     {"", []string{"918123456789"}},
		"no spellings": {"phone", nil},
		"blank ones":   {"phone", []string{"", " \t"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []sent
			client := newClient(t, telecrm.Config{Transport: recorder(&got)})
			result := client.FindLeads(context.Background(), search.field, search.spellings)
			if result.OK() || result.Failure.Verdict != telecrm.Rejected || result.Failure.Err == nil {
				t.Errorf("result is %v, want rejected with an error", result)
			}
			if len(got) != 0 {
				t.Errorf("%d requests were sent", len(got))
			}
		})
	}
}

func TestFindLeadsReads(t *testing.T) {
	t.Parallel()
	with := func(change func(*telecrm.FoundLead)) []telecrm.FoundLead {
		lead := found
		change(&lead)
		return []telecrm.FoundLead{lead}
	}
	one := []telecrm.FoundLead{found}
	noID := with(func(l *telecrm.FoundLead) { l.ID = "" })
	noDate := with(func(l *telecrm.FoundLead) { l.CreatedOn = time.Time{} })
	noIdentifier := with(func(l *telecrm.FoundLead) { l.Identifier = "" })
	const fields = `"fields":{"phone":"+918123456789","created_on":1767240001234}`
	// dated returns a row with another creation time.
	dated := func(value string) string {
		return `{"data":[{"id":"` + leadID + `","fields":{"phone":"+918123456789","created_on":` + value + `}}]}`
	}
	for _, tc := range []struct {
		name, body string
		leads      []telecrm.FoundLead
		more       bool
	}{
		{"as seen live", `{"data":[{"id":"64c1f0aa12bb34cc56dd78ee","status":"Fresh","employeeid":"agent7@example.org",
			"rating":3,"isArchived":false,"isSpam":false,"fields":{"name":"Ravi Menon","phone":"+918123456789",
			"created_on":1767240001234,"modified_on":1767240009999}}],"total_count":1,"skip":0,"limit":10}`, one, false},
		{"as documented", `{"data":[{` + fields + `}],"total_count":1}`, noID, false},
		{"no lead", `{"data":[],"total_count":0,"skip":0,"limit":10}`, nil, false},
		{"no lead and no count", `{"data":[]}`, nil, false},
		{"beside a null error", `{"data":[],"error":null,"errors":[]}`, nil, false},

		{"_id", `{"data":[{"_id":"` + leadID + `",` + fields + `}]}`, one, false},
		{"lead_id", `{"data":[{"lead_id":"` + leadID + `",` + fields + `}]}`, one, false},
		{"leadId", `{"data":[{"leadId":"` + leadID + `",` + fields + `}]}`, one, false},
		{"first of several ids", `{"data":[{"leadId":"9","_id":"` + leadID + `","id":"",` + fields + `}]}`, one, false},
		{"id that cannot stand in a path", `{"data":[{"id":"a b",` + fields + `}]}`, noID, false},
		{"id as something else", `{"data":[{"id":{"$oid":"64c1"},` + fields + `}]}`, noID, false},

		{"everything at the top", `{"data":[{"id":"` + leadID + `","phone":"+918123456789","created_on":1767240001234}]}`, one, false},
		{"fields of another type", `{"data":[{"id":"` + leadID + `","fields":[],"phone":"+918123456789","created_on":1767240001234}]}`, one, false},
		{"no identifier", `{"data":[{"id":"` + leadID + `","fields":{"created_on":1767240001234}}]}`, noIdentifier, false},
		{"identifier in other case", `{"data":[{"id":"` + leadID + `","fields":{"Phone":"+918123456789","created_on":1767240001234}}]}`, noIdentifier, false},
		{
			"identifier as a number", `{"data":[{"id":"` + leadID + `","fields":{"phone":918123456789,"created_on":1767240001234}}]}`,
			with(func(l *telecrm.FoundLead) { l.Identifier = "918123456789" }), false,
		},

		{"date as text", dated(`"1767240001234"`), one, false},
		{"date as a float", dated(`1.767240001234E12`), one, false},
		{"date as formatted by the workspace", dated(`"01/01/2026 09:30:01"`), noDate, false},
		{"date as ISO", dated(`"2026-01-01T04:00:01.234Z"`), noDate, false},
		{"date in seconds", dated(`1767240001`), noDate, false},
		{"date in microseconds", dated(`1767240001234000`), noDate, false},
		{"no date", dated(`null`), noDate, false},
		{"zero", dated(`0`), noDate, false},
		{"not a number", dated(`"NaN"`), noDate, false},
		{"infinite", dated(`1e999`), noDate, false},

		{"two leads", `{"data":[{"id":"` + leadID + `",` + fields + `},{` + fields + `}],"total_count":2}`, append(slices.Clone(one), noID...), false},
		{"more than shown", `{"data":[{"id":"` + leadID + `",` + fields + `}],"total_count":2}`, one, true},
		{"more than shown, as text", `{"data":[{"id":"` + leadID + `",` + fields + `}],"total_count":"2"}`, one, true},
		{"counted and not shown", `{"data":[],"total_count":1}`, nil, true},
		{"fewer than shown", `{"data":[{"id":"` + leadID + `",` + fields + `}],"total_count":0}`, one, false},
		{"rows that cannot be read", `{"data":[null,"x",{"id":"` + leadID + `",` + fields + `}]}`, one, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(200, typeJSON, tc.body))})
			want := telecrm.Found{Leads: tc.leads, More: tc.more}
			got := findInvented(context.Background(), client)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(telecrm.Found{}, "ServerTime"), cmpopts.IgnoreFields(telecrm.FoundLead{}, "Fields")); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if !got.OK() {
				t.Errorf("OK() = false for %v", got)
			}
		})
	}
}

func TestFindLeadsBoundsRows(t *testing.T) {
	t.Parallel()
	row := `{"id":"` + leadID + `"},`
	for _, tc := range []struct {
		rows, leads int
		total       string
		more        bool
	}{
		{9, 9, "", false},
		{10, 10, "", true}, // the page is full
		{10, 10, `,"total_count":10`, false},
		{10, 10, `,"total_count":11`, true},
		{1000, 10, "", true},
		{1000, 10, `,"total_count":1`, true},
	} {
		body := `{"data":[` + strings.TrimSuffix(strings.Repeat(row, tc.rows), ",") + `]` + tc.total + `}`
		client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(200, typeJSON, body))})
		got := findInvented(context.Background(), client)
		if len(got.Leads) != tc.leads || got.More != tc.more {
			t.Errorf("%d rows%s: %v, want %d leads, more %t", tc.rows, tc.total, got, tc.leads, tc.more)
		}
	}
}

func TestFindLeadsFailure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, body string
		want       telecrm.Answer
		unusable   bool // Err is set
	}{
		{"limit", `{"error":{"code":"BAD_REQUEST","message":"limit"}}`, telecrm.Answer{Status: 400, Verdict: telecrm.Rejected, Code: "BAD_REQUEST"}, false},
		{"token", `{"error":{"code":"NOT_AUTHORIZED"}}`, telecrm.Answer{Status: 401, Verdict: telecrm.Hold, Code: "NOT_AUTHORIZED"}, false},
		{"license", `{"error":{"code":"ENTERPRISE_LICENSE_EXPIRED"}}`, telecrm.Answer{Status: 403, Verdict: telecrm.Hold, Code: "ENTERPRISE_LICENSE_EXPIRED"}, false},
		{"page", errorPage, telecrm.Answer{Status: 404, Verdict: telecrm.Hold}, false},
		{"method", errorPage, telecrm.Answer{Status: 405, Verdict: telecrm.Hold}, false},
		{"redirect", ``, telecrm.Answer{Status: 302, Verdict: telecrm.Hold}, false},
		{"timeout", ``, telecrm.Answer{Status: 408, Verdict: telecrm.Retry}, false},
		{"conflict", `{"error":{"code":"LEAD_ALREADY_EXISTS","lead_id":"64c1"}}`, telecrm.Answer{Status: 409, Verdict: telecrm.Retry, Code: "LEAD_ALREADY_EXISTS"}, false},
		{"slow down", ``, telecrm.Answer{Status: 429, Verdict: telecrm.Retry}, false},
		{"server", errorPage, telecrm.Answer{Status: 500, Verdict: telecrm.Retry}, false},

		{"success with an error", `{"data":[],"error":{"code":"SOME_CODE"}}`, telecrm.Answer{Status: 200, Verdict: telecrm.Retry, Code: "SOME_CODE"}, false},
		{"success with an error about the account", `{"error":{"code":"NOT_AUTHORIZED"}}`, telecrm.Answer{Status: 200, Verdict: telecrm.Hold, Code: "NOT_AUTHORIZED"}, false},
		{"success with a list of errors", `{"data":[],"errors":["x"]}`, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, false},
		{"success with nothing", ``, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, true},
		{"success with a page", errorPage, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, true},
		{"success without rows", `{"total_count":0}`, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, true},
		{"success with no list", `{"data":null,"total_count":0}`, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, true},
		{"success with another list", `{"data":{"id":"64c1"}}`, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, true},
		{"success of a create", `{"lead_id":"64c1","actions":[{"status":"CREATED"}],"remarks":[{"field":"x"}]}`, telecrm.Answer{Status: 201, Verdict: telecrm.Retry}, true},
		{"success of the async API", `{"status":"QUEUED"}`, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, true},
		{"success cut off", `{"data":[{"id":"64c1"`, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, true},
		{"success of great length", `{"data":[],"x":"` + strings.Repeat("x", telecrm.MaxAnswerBytes) + `"}`, telecrm.Answer{Status: 200, Verdict: telecrm.Retry}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(tc.want.Status, typeJSON, tc.body))})
			got := findInvented(context.Background(), client)
			if got.OK() {
				t.Fatalf("result is %v, want a failure", got)
			}
			want := telecrm.Found{Failure: &tc.want}
			ignore := []cmp.Option{
				cmpopts.IgnoreFields(telecrm.Found{}, "ServerTime"),
				cmpopts.IgnoreFields(telecrm.Answer{}, "Date", "Err", "Message"),
			}
			if diff := cmp.Diff(want, got, ignore...); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if (got.Failure.Err != nil) != tc.unusable {
				t.Errorf("Err is %v; want one: %t", got.Failure.Err, tc.unusable)
			}
		})
	}
}

func TestFindLeadsReadsHeader(t *testing.T) {
	t.Parallel()
	answered := time.Date(2026, time.March, 14, 9, 30, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		status int
		header http.Header
		server time.Time
		after  time.Duration
	}{
		"date":                   {200, http.Header{"Date": {"Sat, 14 Mar 2026 09:30:00 GMT"}}, answered, 0},
		"date of a failure":      {503, http.Header{"Date": {"Sat, 14 Mar 2026 09:30:00 GMT"}, "Retry-After": {"120"}}, answered, 2 * time.Minute},
		"no date":                {200, http.Header{}, time.Time{}, 0},
		"date of another format": {200, http.Header{"Date": {"2026-03-14T09:30:00Z"}}, time.Time{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{
				Transport: transport(func(req *http.Request) (*http.Response, error) {
					return respond(req, tc.status, tc.header, `{"data":[]}`), nil
				}),
			})
			got := findInvented(context.Background(), client)
			if got.ServerTime != tc.server {
				t.Errorf("server time is %v, want %v", got.ServerTime, tc.server)
			}
			if got.OK() != (tc.status == 200) || !got.OK() && got.Failure.RetryAfter != tc.after {
				t.Errorf("result is %v, want HTTP %d and retry after %v", got, tc.status, tc.after)
			}
		})
	}
}

func TestFoundFormatsAsItsReason(t *testing.T) {
	t.Parallel()
	failure := &telecrm.Answer{Verdict: telecrm.Retry, Status: 500, Message: "918123456789"}
	for _, tc := range []struct {
		found telecrm.Found
		want  string
	}{
		{telecrm.Found{}, "leads found: 0"},
		{telecrm.Found{Leads: []telecrm.FoundLead{found}}, "leads found: 1"},
		{telecrm.Found{Leads: []telecrm.FoundLead{found, found}, More: true}, "leads found: at least 2"},
		{telecrm.Found{Failure: failure}, "HTTP 500"},
	} {
		if got := tc.found.Reason(); got != tc.want {
			t.Errorf("Reason() = %q, want %q", got, tc.want)
		}
		for _, v := range []any{tc.found, &tc.found} {
			if got := fmt.Sprintf("%+v", v); got != tc.want {
				t.Errorf("a %T prints as %q, want %q", v, got, tc.want)
			}
		}
		checkHides(t, everyVerb(tc.found)+everyVerb(tc.found.Leads), "918123456789")
	}
}
