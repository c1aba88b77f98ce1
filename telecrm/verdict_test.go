package telecrm_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

const (
	typeJSON = "application/json"
	typeHTML = "text/html; charset=utf-8"

	errorPage = "<!doctype html><title>Oops</title><h1>Something went wrong</h1>"
)

// Documented and observed responses of the API, and those of proxies in front of it.
func TestCreateLeadVerdict(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name        string
		contentType string // JSON unless set
		body        string
		want        telecrm.Answer
		unusable    bool // Err is set
	}{
		{
			name: "created",
			body: `{"lead_id":"64c1f0aa12bb34cc56dd78ee","actions":[],"remarks":[]}`,
			want: telecrm.Answer{Status: 201, Verdict: telecrm.Created, LeadID: "64c1f0aa12bb34cc56dd78ee"},
		},
		{
			name: "created with losses",
			body: `{"lead_id":"64c1f0aa12bb34cc56dd78ee",
				"actions":[{"action_id":"64c1f0aa12bb34cc56dd78ef","status":"CREATED"},{"action_id":null,"status":"IGNORED"}],
				"remarks":[{"field":"fields.rating","status":"IGNORED","remark":"Rating must be between 1 and 5"},
					{"field":"actions[1].fields.callback_email","status":"IGNORED","remark":"Email is invalid"}]}`,
			want: telecrm.Answer{
				Status: 201, Verdict: telecrm.Created, LeadID: "64c1f0aa12bb34cc56dd78ee",
				Actions: []telecrm.ActionResult{{ID: "64c1f0aa12bb34cc56dd78ef", Status: "CREATED"}, {Status: "IGNORED"}},
				Remarks: []telecrm.Remark{
					{Field: "fields.rating", Status: "IGNORED", Text: "Rating must be between 1 and 5"},
					{Field: "actions[1].fields.callback_email", Status: "IGNORED", Text: "Email is invalid"},
				},
			},
		},
		{
			name: "created without lists",
			body: `{"lead_id":"64c1f0aa12bb34cc56dd78ee"}`,
			want: telecrm.Answer{Status: 201, Verdict: telecrm.Created, LeadID: "64c1f0aa12bb34cc56dd78ee"},
		},
		{
			name: "created with null lists",
			body: `{"lead_id":"64c1f0aa12bb34cc56dd78ee","actions":null,"remarks":null}`,
			want: telecrm.Answer{Status: 201, Verdict: telecrm.Created, LeadID: "64c1f0aa12bb34cc56dd78ee"},
		},
		{
			name: "200 instead of 201",
			body: `{"lead_id":"64c1f0aa12bb34cc56dd78ee"}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Created, LeadID: "64c1f0aa12bb34cc56dd78ee"},
		},
		{
			name: "success without a lead id",
			body: `{"actions":[],"remarks":[]}`,
			want: telecrm.Answer{Status: 201, Verdict: telecrm.Created},
		},
		{
			name: "success without a body",
			want: telecrm.Answer{Status: 201, Verdict: telecrm.Created},
		},
		{
			name: "success with white space",
			body: " \r\n",
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Created},
		},
		{
			name: "no content",
			want: telecrm.Answer{Status: 204, Verdict: telecrm.Created},
		},
		{
			name:        "success with a page",
			contentType: typeHTML,
			body:        errorPage,
			want:        telecrm.Answer{Status: 200, Verdict: telecrm.Retry, Ambiguous: true},
			unusable:    true,
		},
		{
			name:        "success of the async API",
			contentType: "text/plain",
			body:        "OK",
			want:        telecrm.Answer{Status: 200, Verdict: telecrm.Retry, Ambiguous: true},
			unusable:    true,
		},
		{
			name:     "success cut off",
			body:     `{"lead_id":"64c1f0aa12bb34cc56dd78ee","actions":[{"acti`,
			want:     telecrm.Answer{Status: 201, Verdict: telecrm.Retry, Ambiguous: true},
			unusable: true,
		},
		{
			name: "success with an error",
			body: `{"error":{"code":"SOME_CODE","message":"human text"}}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Retry, Code: "SOME_CODE", Ambiguous: true},
		},
		{
			name: "success with an error about the lead",
			body: `{"error":{"code":"INVALID_LEAD","message":"Phone is missing"}}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Rejected, Code: "INVALID_LEAD"},
		},
		{
			name: "success with an error about a duplicate",
			body: `{"error":{"code":"LEAD_ALREADY_EXISTS"}}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Duplicate, Code: "LEAD_ALREADY_EXISTS"},
		},
		{
			name: "success with an error about the account",
			body: `{"error":{"code":"NOT_AUTHORIZED","message":"Invalid access token."}}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Hold, Code: "NOT_AUTHORIZED"},
		},
		{
			name: "redirect",
			want: telecrm.Answer{Status: 302, Verdict: telecrm.Hold},
		},
		{
			name: "invalid lead",
			body: `{"error":{"code":"INVALID_LEAD","message":"Lead identifier phone is missing"}}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected, Code: "INVALID_LEAD"},
		},
		{
			name: "bad request",
			body: `{"error":{"code":"BAD_REQUEST","message":"Unknown action type"}}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected, Code: "BAD_REQUEST"},
		},
		{
			name: "400 of an unknown kind",
			body: `{"error":{"code":"SOME_CODE"}}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Rejected, Code: "SOME_CODE"},
		},
		{
			name:        "400 with a page",
			contentType: typeHTML,
			body:        errorPage,
			want:        telecrm.Answer{Status: 400, Verdict: telecrm.Rejected},
		},
		{
			name: "wrong token",
			body: `{"error":{"code":"NOT_AUTHORIZED","message":"Invalid access token."}}`,
			want: telecrm.Answer{Status: 401, Verdict: telecrm.Hold, Code: "NOT_AUTHORIZED"},
		},
		{
			name: "wrong enterprise id",
			body: `{"error":{"code":"NOT_AUTHORIZED","message":"Enterprise with id \"66aa00\" not found or invalid access token."}}`,
			want: telecrm.Answer{Status: 401, Verdict: telecrm.Hold, Code: "NOT_AUTHORIZED"},
		},
		{
			name: "401 with the error as text",
			body: `{"error":"Unauthorized"}`,
			want: telecrm.Answer{Status: 401, Verdict: telecrm.Hold},
		},
		{
			name: "401 without a body",
			want: telecrm.Answer{Status: 401, Verdict: telecrm.Hold},
		},
		{
			name: "no license bought",
			body: `{"error":{"code":"BUY_LICENSE","message":"No free seat"}}`,
			want: telecrm.Answer{Status: 402, Verdict: telecrm.Hold, Code: "BUY_LICENSE"},
		},
		{
			name: "402 without a body",
			want: telecrm.Answer{Status: 402, Verdict: telecrm.Hold},
		},
		{
			name: "403 about the lead",
			body: `{"error":{"code":"INVALID_LEAD","message":"Lead identifier cannot be updated"}}`,
			want: telecrm.Answer{Status: 403, Verdict: telecrm.Rejected, Code: "INVALID_LEAD"},
		},
		{
			name:        "403 of a firewall",
			contentType: typeHTML,
			body:        errorPage,
			want:        telecrm.Answer{Status: 403, Verdict: telecrm.Hold},
		},
		{
			name: "enterprise not found",
			body: `{"error":{"code":"ENTERPRISE_NOT_FOUND","message":"No such enterprise"}}`,
			want: telecrm.Answer{Status: 404, Verdict: telecrm.Hold, Code: "ENTERPRISE_NOT_FOUND"},
		},
		{
			name: "404 with a code",
			body: `{"error":{"code":"NOT_FOUND","message":"No such thing"}}`,
			want: telecrm.Answer{Status: 404, Verdict: telecrm.Hold, Code: "NOT_FOUND"},
		},
		{
			name:        "404 with a page",
			contentType: typeHTML,
			body:        errorPage,
			want:        telecrm.Answer{Status: 404, Verdict: telecrm.Hold},
		},
		{
			name:        "405 with a page",
			contentType: typeHTML,
			body:        errorPage,
			want:        telecrm.Answer{Status: 405, Verdict: telecrm.Hold},
		},
		{
			name: "duplicate",
			body: `{"error":{"code":"LEAD_ALREADY_EXISTS","message":"Lead with phone 918012345670 already exists."}}`,
			want: telecrm.Answer{Status: 409, Verdict: telecrm.Duplicate, Code: "LEAD_ALREADY_EXISTS"},
		},
		{
			name: "409 of an unknown kind",
			body: `{"error":{"code":"CONFLICT"}}`,
			want: telecrm.Answer{Status: 409, Verdict: telecrm.Duplicate, Code: "CONFLICT"},
		},
		{
			name: "request timeout",
			want: telecrm.Answer{Status: 408, Verdict: telecrm.Retry, Ambiguous: true},
		},
		{
			name: "too large",
			want: telecrm.Answer{Status: 413, Verdict: telecrm.Rejected},
		},
		{
			name: "unsupported media type",
			want: telecrm.Answer{Status: 415, Verdict: telecrm.Rejected},
		},
		{
			name: "too early",
			want: telecrm.Answer{Status: 425, Verdict: telecrm.Retry},
		},
		{
			name: "too many requests",
			body: `{"message":"Too many requests"}`,
			want: telecrm.Answer{Status: 429, Verdict: telecrm.Retry},
		},
		{
			name: "internal error",
			body: `{"error":{"code":"INTERNAL_ERROR","message":"Something went wrong"}}`,
			want: telecrm.Answer{Status: 500, Verdict: telecrm.Retry, Code: "INTERNAL_ERROR", Ambiguous: true},
		},
		{
			name:        "bad gateway",
			contentType: typeHTML,
			body:        errorPage,
			want:        telecrm.Answer{Status: 502, Verdict: telecrm.Retry, Ambiguous: true},
		},
		{
			name: "unavailable",
			want: telecrm.Answer{Status: 503, Verdict: telecrm.Retry, Ambiguous: true},
		},
		{
			name: "license expired, with a 4xx",
			body: `{"error":{"code":"ENTERPRISE_LICENSE_EXPIRED"}}`,
			want: telecrm.Answer{Status: 400, Verdict: telecrm.Hold, Code: "ENTERPRISE_LICENSE_EXPIRED"},
		},
		{
			name: "license expired, with a 5xx",
			body: `{"error":{"code":"ENTERPRISE_LICENSE_EXPIRED"}}`,
			want: telecrm.Answer{Status: 500, Verdict: telecrm.Hold, Code: "ENTERPRISE_LICENSE_EXPIRED"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.contentType == "" {
				tc.contentType = typeJSON
			}
			client := newClient(t, telecrm.Config{
				BaseURL: newServer(t, answering(tc.want.Status, tc.contentType, tc.body)),
			})
			got := client.CreateLead(context.Background(), invented())
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(telecrm.Answer{}, "Date", "Err", "Message")); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if (got.Err != nil) != tc.unusable {
				t.Errorf("Err is %v; want one: %t", got.Err, tc.unusable)
			}
			if confirmed := tc.want.Verdict == telecrm.Created && tc.want.LeadID != ""; got.Confirmed() != confirmed {
				t.Errorf("Confirmed() = %t, want %t", got.Confirmed(), confirmed)
			}
		})
	}
}

func TestCreateLeadFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{
		http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var strayed atomic.Int32
			elsewhere := newServer(t, func(http.ResponseWriter, *http.Request) { strayed.Add(1) })
			base := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere+r.URL.Path, status)
			})
			client := newClient(t, telecrm.Config{BaseURL: base})
			got := client.CreateLead(context.Background(), invented())
			if got.Verdict != telecrm.Hold || got.Status != status {
				t.Errorf("answer is %v, want hold, HTTP %d", got, status)
			}
			if n := strayed.Load(); n != 0 {
				t.Errorf("%d requests followed the redirect", n)
			}
		})
	}
}

func TestVerdictString(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[telecrm.Verdict]string{
		telecrm.Retry:       "retry",
		telecrm.Created:     "created",
		telecrm.Rejected:    "rejected",
		telecrm.Duplicate:   "duplicate",
		telecrm.Hold:        "hold",
		telecrm.Done:        "done",
		telecrm.Missing:     "missing",
		telecrm.Accepted:    "accepted",
		telecrm.Verdict(99): "unknown",
	} {
		if got := verdict.String(); got != want {
			t.Errorf("Verdict(%d).String() = %q, want %q", int(verdict), got, want)
		}
	}
}
