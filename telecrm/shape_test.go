package telecrm_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

const leadID = "64c1f0aa12bb34cc56dd78ee"

// Responses in shapes that the API does not document.
func TestCreateLeadReadsLenientShapes(t *testing.T) {
	t.Parallel()
	created := telecrm.Answer{Status: 201, Verdict: telecrm.Created, LeadID: leadID}
	with := func(a telecrm.Answer, change func(*telecrm.Answer)) telecrm.Answer {
		change(&a)
		return a
	}
	for _, tc := range []struct {
		name string
		body string
		want telecrm.Answer
	}{
		{
			name: "error as text with code and message beside it",
			body: `{"error":"Unauthorized","message":"Invalid token","code":"NOT_AUTHORIZED"}`,
			want: telecrm.Answer{Status: 401, Verdict: telecrm.Hold, Code: "NOT_AUTHORIZED", Message: "Unauthorized"},
		},
		{
			name: "error as an object with the rest beside it",
			body: `{"error":{},"message":"Invalid token","code":"NOT_AUTHORIZED"}`,
			want: telecrm.Answer{Status: 401, Verdict: telecrm.Hold, Code: "NOT_AUTHORIZED", Message: "Invalid token"},
		},
		{
			name: "message alone",
			body: `{"message":"Phone is missing"}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected, Message: "Phone is missing"},
		},
		{
			name: "list of errors",
			body: `{"errors":[{"code":"INVALID_LEAD","message":"Phone is missing"},{"code":"OTHER"}]}`,
			want: telecrm.Answer{Status: 403, Verdict: telecrm.Rejected, Code: "INVALID_LEAD", Message: "Phone is missing"},
		},
		{
			name: "list of texts",
			body: `{"error":null,"errors":["Phone is missing","Name is missing"]}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected, Message: "Phone is missing"},
		},
		{
			name: "list that begins with null",
			body: `{"errors":[null,true,{"code":"INVALID_LEAD"}]}`,
			want: telecrm.Answer{Status: 403, Verdict: telecrm.Rejected, Code: "INVALID_LEAD"},
		},
		{
			name: "error as a list",
			body: `{"error":[{"code":"BUY_LICENSE"}]}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Hold, Code: "BUY_LICENSE"},
		},
		{
			name: "code as a number",
			body: `{"error":{"code":918012345670,"message":42}}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected, Message: "42"},
		},
		{
			name: "code that is a sentence",
			body: `{"error":{"code":"Phone 918012345670 is taken"}}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected},
		},
		{
			name: "code of great length",
			body: `{"error":{"code":"` + strings.Repeat("A", 65) + `"}}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected},
		},
		{
			name: "message of many lines and of great length",
			body: `{"error":{"message":"a\r\n\u0000\u2028 b` + strings.Repeat("é", 300) + `"}}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected, Message: "a b" + strings.Repeat("é", 297) + "…"},
		},
		{
			name: "success with a list of errors",
			body: `{"errors":[{"code":"SOME_CODE"}]}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Retry, Code: "SOME_CODE", Ambiguous: true},
		},
		{
			name: "success with an empty list of errors",
			body: `{"errors":[],"error":null}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Created},
		},
		{
			name: "success with a lead beside a list of errors",
			body: `{"lead_id":"` + leadID + `","errors":["Rating was dropped"]}`,
			want: with(created, func(a *telecrm.Answer) { a.Message = "Rating was dropped" }),
		},
		{
			name: "success with an error as text",
			body: `{"error":"Something went wrong"}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Retry, Message: "Something went wrong", Ambiguous: true},
		},
		{
			name: "success with a bare null",
			body: `null`,
			want: telecrm.Answer{Status: 201, Verdict: telecrm.Created},
		},
		{
			name: "lead id as a number",
			body: `{"lead_id":9007199254740993}`,
			want: with(created, func(a *telecrm.Answer) { a.LeadID = "9007199254740993" }),
		},
		{
			name: "lead id as something else",
			body: `{"lead_id":{"$oid":"64c1"}}`,
			want: with(created, func(a *telecrm.Answer) { a.LeadID = "" }),
		},
		{
			name: "lead id that could break a log or a path",
			body: `{"lead_id":"64c1\nlevel=error"}`,
			want: with(created, func(a *telecrm.Answer) { a.LeadID = "" }),
		},
		{
			name: "lead id of great length",
			body: `{"lead_id":"` + strings.Repeat("6", 129) + `"}`,
			want: with(created, func(a *telecrm.Answer) { a.LeadID = "" }),
		},
		{
			name: "duplicate that names its lead",
			body: `{"error":{"code":"LEAD_ALREADY_EXISTS","lead_id":"` + leadID + `"}}`,
			want: telecrm.Answer{Status: 409, Verdict: telecrm.Duplicate, Code: "LEAD_ALREADY_EXISTS", LeadID: leadID},
		},
		{
			name: "duplicate that names its lead beside the error",
			body: `{"lead_id":"` + leadID + `","error":{"code":"LEAD_ALREADY_EXISTS"}}`,
			want: telecrm.Answer{Status: 409, Verdict: telecrm.Duplicate, Code: "LEAD_ALREADY_EXISTS", LeadID: leadID},
		},
		{
			name: "actions of unknown shapes keep their places",
			body: `{"lead_id":"` + leadID + `","actions":[null,"CREATED",{"action_id":7,"status":"CREATED"},{"status":{}}]}`,
			want: with(created, func(a *telecrm.Answer) {
				a.Actions = []telecrm.ActionResult{{}, {}, {ID: "7", Status: "CREATED"}, {}}
			}),
		},
		{
			name: "actions that are not a list",
			body: `{"lead_id":"` + leadID + `","actions":"IGNORED"}`,
			want: with(created, func(a *telecrm.Answer) { a.Actions = []telecrm.ActionResult{{}} }),
		},
		{
			name: "lists that are empty in other ways",
			body: `{"lead_id":"` + leadID + `","actions":{},"remarks":""}`,
			want: created,
		},
		{
			name: "remark that is not a list",
			body: `{"lead_id":"` + leadID + `","remarks":{"field":"fields.rating","status":"IGNORED"}}`,
			want: with(created, func(a *telecrm.Answer) {
				a.Remarks = []telecrm.Remark{{Field: "fields.rating", Status: "IGNORED"}}
			}),
		},
		{
			name: "remarks as texts",
			body: `{"lead_id":"` + leadID + `","remarks":["Rating was dropped",null]}`,
			want: with(created, func(a *telecrm.Answer) { a.Remarks = []telecrm.Remark{{Text: "Rating was dropped"}} }),
		},
		{
			name: "remarks that cannot be read",
			body: `{"lead_id":"` + leadID + `","remarks":[{"reason":"rating"},[1],true]}`,
			want: with(created, func(a *telecrm.Answer) {
				unread := telecrm.Remark{Text: "unreadable remark"}
				a.Remarks = []telecrm.Remark{unread, unread, unread}
			}),
		},
		{
			name: "remark of another status",
			body: `{"lead_id":"` + leadID + `","remarks":[{"field":"fields.source","status":"OPTION_ADDED","remark":"x"}]}`,
			want: with(created, func(a *telecrm.Answer) {
				a.Remarks = []telecrm.Remark{{Field: "fields.source", Status: "OPTION_ADDED", Text: "x"}}
			}),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{
				BaseURL: newServer(t, answering(tc.want.Status, typeJSON, tc.body)),
			})
			got := client.CreateLead(context.Background(), invented())
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(telecrm.Answer{}, "Date", "Err")); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if got.Err != nil {
				t.Errorf("Err is %v, want none", got.Err)
			}
		})
	}
}

func TestActionResultStored(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{"CREATED": true, "IGNORED": false, "QUEUED": false, "": false} {
		if got := (telecrm.ActionResult{Status: status}).Stored(); got != want {
			t.Errorf("an action that is %q: Stored() = %t, want %t", status, got, want)
		}
	}
}

func TestCreateLeadReadsAnswersUpToTheCap(t *testing.T) {
	t.Parallel()
	const head = `{"lead_id":"` + leadID + `","padding":"`
	answer := func(size int) string {
		return head + strings.Repeat("x", size-len(head)-len(`"}`)) + `"}`
	}
	for _, tc := range []struct {
		name      string
		body      string
		confirmed bool
	}{
		{"just as long as is read", answer(telecrm.MaxAnswerBytes), true},
		{"longer by a line break", answer(telecrm.MaxAnswerBytes) + "\n", true},
		{"longer by one", answer(telecrm.MaxAnswerBytes + 1), false},
		{"longer by far", answer(16 * telecrm.MaxAnswerBytes), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(201, typeJSON, tc.body))})
			got := client.CreateLead(context.Background(), invented())
			if got.Confirmed() != tc.confirmed {
				t.Errorf("answer is %v; want it confirmed: %t", got, tc.confirmed)
			}
			if lost := got.Verdict == telecrm.Retry && got.Ambiguous && got.Err != nil; lost == tc.confirmed {
				t.Errorf("answer is %v, ambiguous %t; want an ambiguous retry: %t", got, got.Ambiguous, !tc.confirmed)
			}
			if !tc.confirmed && !strings.Contains(got.Reason(), "longer than 256 KiB") {
				t.Errorf("reason is %q, want the limit in it", got.Reason())
			}
		})
	}
}

func TestCreateLeadBoundsLists(t *testing.T) {
	t.Parallel()
	const sentBack = 1000
	body := `{"lead_id":"` + leadID + `","actions":[{}` + strings.Repeat(`,{}`, sentBack-1) +
		`],"remarks":["x"` + strings.Repeat(`,"x"`, sentBack-1) + `]}`
	client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(201, typeJSON, body))})
	got := client.CreateLead(context.Background(), invented())
	if !got.Confirmed() || len(got.Actions) != 200 || len(got.Remarks) != 201 {
		t.Fatalf("answer is %v with %d actions and %d remarks, want 200 of each and what was left out",
			got, len(got.Actions), len(got.Remarks))
	}
	want := telecrm.Remark{Text: "800 more remarks omitted"}
	if last := got.Remarks[200]; last != want {
		t.Errorf("the last remark is %+v, want %+v", last, want)
	}
}

func TestCreateLeadHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 14, 9, 30, 0, 0, time.UTC)
	for _, tc := range []struct {
		header string
		want   time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"120", 2 * time.Minute},
		{"86400", 24 * time.Hour},
		{"86401", 24 * time.Hour},
		{"9223372036854775807", 24 * time.Hour},
		{"99999999999999999999999999", 24 * time.Hour},
		{"-5", 0},
		{"+5", 0},
		{"1.5", 0},
		{"soon", 0},
		{"Sat, 14 Mar 2026 09:30:45 GMT", 45 * time.Second},
		{"Saturday, 14-Mar-26 09:30:45 GMT", 45 * time.Second},
		{"Sat Mar 14 09:30:45 2026", 45 * time.Second},
		{"Sat, 14 Mar 2026 09:29:00 GMT", 0},
		{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
		{"Sun, 15 Mar 2026 09:30:01 GMT", 24 * time.Hour},
		{"Fri, 31 Dec 9999 23:59:59 GMT", 24 * time.Hour},
	} {
		t.Run(tc.header, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{
				Now: func() time.Time { return now },
				Transport: transport(func(req *http.Request) (*http.Response, error) {
					return respond(req, 429, http.Header{"Retry-After": {tc.header}}, ""), nil
				}),
			})
			got := client.CreateLead(context.Background(), invented())
			if got.Verdict != telecrm.Retry || got.RetryAfter != tc.want {
				t.Errorf("%v after %v, want retry after %v", got.Verdict, got.RetryAfter, tc.want)
			}
		})
	}
}

// Every answer has the server's time, even a failure.
func TestAnswersHaveTheServersTime(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, time.March, 14, 9, 30, 0, 0, time.UTC)
	for header, want := range map[string]time.Time{
		"Sat, 14 Mar 2026 09:30:00 GMT": want,
		"yesterday":                     {},
	} {
		for _, status := range []int{201, 400, 503} {
			client := newClient(t, telecrm.Config{
				Transport: transport(func(req *http.Request) (*http.Response, error) {
					return respond(req, status, http.Header{"Date": {header}}, "{}"), nil
				}),
			})
			if got := client.CreateLead(t.Context(), invented()).Date; !got.Equal(want) {
				t.Errorf("status %d, Date %q: the server's time is %v, want %v", status, header, got, want)
			}
		}
	}
}
