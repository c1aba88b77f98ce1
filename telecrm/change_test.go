package telecrm_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// ignored returns the remarks for fields that a response does not show.
func ignored(names ...string) []telecrm.Remark {
	var remarks []telecrm.Remark
	for _, name := range names {
		remarks = append(remarks, telecrm.Remark{Field: "fields." + name, Status: "IGNORED", Text: "the answer does not show the field"})
	}
	return remarks
}

func TestUpdateLeadReads(t *testing.T) {
	t.Parallel()
	done := telecrm.Answer{Status: 200, Verdict: telecrm.Done, LeadID: leadID}
	with := func(remarks ...telecrm.Remark) telecrm.Answer {
		answer := done
		answer.Remarks = remarks
		return answer
	}
	broken := telecrm.Answer{Status: 200, Verdict: telecrm.Retry, Ambiguous: true}
	name := map[string]any{"name": "Ravi Menon", "city": "Pune"}
	for _, tc := range []struct {
		name, body string
		sent       map[string]any
		want       telecrm.Answer
		unusable   bool // Err is set
	}{
		{name: "as documented", sent: name, body: `{"fields":{"name":"Ravi Menon","phone":"918123456789","city":"Pune"}}`, want: done},
		{name: "values in another spelling", sent: name, body: `{"fields":{"name":"RAVI","city":7}}`, want: done},
		{name: "one dropped", sent: name, body: `{"fields":{"name":"Ravi Menon"}}`, want: with(ignored("city")...)},
		{name: "all dropped", sent: name, body: `{"fields":{"phone":"918123456789"}}`, want: with(ignored("city", "name")...)},
		{name: "one without a value", sent: name, body: `{"fields":{"name":"Ravi Menon","city":null}}`, want: with(ignored("city")...)},
		{name: "one of another case", sent: name, body: `{"fields":{"name":"Ravi Menon","City":"Pune"}}`, want: with(ignored("city")...)},
		{name: "sent without a value", sent: map[string]any{"city": nil}, body: `{"fields":{"name":"Ravi Menon"}}`, want: done},
		{
			name: "beside the fields", sent: map[string]any{"status": "Contacted", "rating": 3, "assignee": "agent7@example.org"},
			body: `{"status":"Contacted","rating":3,"employeeid":"agent7@example.org","fields":{"name":"Ravi Menon"}}`, want: done,
		},
		{
			name: "assignee as employeeid", sent: map[string]any{"assignee": "agent7@example.org"},
			body: `{"fields":{"employeeid":"agent7@example.org"}}`, want: done,
		},
		{
			name: "message that is not a field", sent: map[string]any{"message": "x"},
			body: `{"message":"Lead updated","fields":{"name":"Ravi Menon"}}`,
			want: telecrm.Answer{Status: 200, Verdict: telecrm.Done, LeadID: leadID, Remarks: ignored("message")},
		},
		{
			name: "status dropped", sent: map[string]any{"status": "Nonesuch"}, body: `{"fields":{"status":"Fresh"}}`,
			want: with(telecrm.Remark{Field: "fields.status", Status: "IGNORED", Text: "the answer shows another status"}),
		},
		{
			name: "remarks of the API's own", sent: name,
			body: `{"fields":{"name":"Ravi Menon"},"remarks":[{"field":"fields.city","status":"IGNORED","remark":"x"}]}`,
			want: with(telecrm.Remark{Field: "fields.city", Status: "IGNORED", Text: "x"}),
		},

		{name: "no fields", sent: name, body: `{}`, want: done},
		{name: "fields that are empty", sent: name, body: `{"fields":{}}`, want: done},
		{name: "fields that are no object", sent: name, body: `{"fields":["name"]}`, want: done},
		{name: "status of the request", sent: name, body: `{"status":"OK"}`, want: done},
		{name: "nothing", sent: name, body: " \r\n", want: done},
		{name: "null", sent: name, body: `null`, want: done},
		{name: "lead id of another", sent: name, body: `{"lead_id":"1"}`, want: done},

		{name: "plain text", sent: name, body: "OK", want: broken, unusable: true},
		{name: "list", sent: name, body: `[]`, want: broken, unusable: true},
		{name: "page", sent: name, body: errorPage, want: broken, unusable: true},
		{name: "cut off", sent: name, body: `{"fields":{"name":"Ravi`, want: broken, unusable: true},
		{
			name: "too long", sent: name, body: `{"fields":{"name":"` + strings.Repeat("x", telecrm.MaxAnswerBytes) + `"}}`,
			want: broken, unusable: true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(200, typeJSON, tc.body))})
			got := client.UpdateLead(context.Background(), leadID, tc.sent)
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(telecrm.Answer{}, "Date", "Err", "Message")); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if (got.Err != nil) != tc.unusable {
				t.Errorf("Err is %v; want one: %t", got.Err, tc.unusable)
			}
		})
	}
}

func TestAppendActionsReads(t *testing.T) {
	t.Parallel()
	done := telecrm.Answer{Status: 200, Verdict: telecrm.Done, LeadID: leadID}
	broken := telecrm.Answer{Status: 200, Verdict: telecrm.Retry, Ambiguous: true}
	for _, tc := range []struct {
		name, body string
		want       telecrm.Answer
		unusable   bool // Err is set
	}{
		{
			name: "as documented",
			body: `{"lead_id":"` + leadID + `","actions":[{"action_id":"7","status":"CREATED"},{"action_id":null,"status":"IGNORED"}],
				"remarks":[{"field":"actions[1].fields.callback_email","status":"IGNORED","remark":"Email is invalid"}]}`,
			want: telecrm.Answer{
				Status: 200, Verdict: telecrm.Done, LeadID: leadID,
				Actions: []telecrm.ActionResult{{ID: "7", Status: "CREATED"}, {Status: "IGNORED"}},
				Remarks: []telecrm.Remark{{Field: "actions[1].fields.callback_email", Status: "IGNORED", Text: "Email is invalid"}},
			},
		},
		{name: "lead id alone", body: `{"lead_id":"` + leadID + `"}`, want: done},
		{name: "no lists", body: `{}`, want: done},
		{name: "null lists", body: `{"actions":null,"remarks":null}`, want: done},
		{name: "nothing", want: done},
		{name: "plain text", body: "OK", want: broken, unusable: true},
		{name: "page", body: errorPage, want: broken, unusable: true},
		{name: "cut off", body: `{"lead_id":"` + leadID + `","actions":[{`, want: broken, unusable: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(200, typeJSON, tc.body))})
			got := client.AppendActions(context.Background(), leadID, asked)
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(telecrm.Answer{}, "Date", "Err", "Message")); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			if (got.Err != nil) != tc.unusable {
				t.Errorf("Err is %v; want one: %t", got.Err, tc.unusable)
			}
		})
	}
}

func TestUpsertLeadReads(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, contentType, body string
		status                  int
		want                    telecrm.Verdict
	}{
		{"as documented", typeJSON, `{"status":"QUEUED"}`, 200, telecrm.Accepted},
		{"accepted", typeJSON, `{"status":"QUEUED"}`, 202, telecrm.Accepted},
		{"as older hosts answer", "text/plain", "OK", 200, telecrm.Accepted},
		{"in another case", "text/html", "ok\n", 200, telecrm.Accepted},
		{"as a JSON string", typeJSON, `"OK"`, 200, telecrm.Accepted},
		{"nothing", typeJSON, "", 200, telecrm.Accepted},
		{"no content", typeJSON, "", 204, telecrm.Accepted},
		{"empty object", typeJSON, "{}", 200, telecrm.Accepted},
		{"null error", typeJSON, `{"error":null,"errors":[]}`, 200, telecrm.Accepted},
		{"page", typeHTML, errorPage, 200, telecrm.Retry},
		{"other text", "text/plain", "OK, but not here", 200, telecrm.Retry},
		{"cut off", typeJSON, `{"status":"QUE`, 200, telecrm.Retry},
		{"error", typeJSON, `{"status":"QUEUED","error":{"code":"SOME_CODE"}}`, 200, telecrm.Retry},
		{"errors", typeJSON, `{"errors":["x"]}`, 200, telecrm.Retry},
		{"duplicate", typeJSON, `{"error":{"code":"LEAD_ALREADY_EXISTS"}}`, 200, telecrm.Retry},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newAsync(t, telecrm.Config{BaseURL: newServer(t, answering(tc.status, tc.contentType, tc.body))})
			got := client.UpsertLead(context.Background(), invented())
			if got.Verdict != tc.want || got.Status != tc.status {
				t.Errorf("answer is %v, want %v, HTTP %d", got, tc.want, tc.status)
			}
			if lost := got.Verdict == telecrm.Retry; got.Ambiguous != lost {
				t.Errorf("ambiguous is %t, want %t", got.Ambiguous, lost)
			}
		})
	}
}

// UpsertLead does not modify the caller's actions.
func TestUpsertLeadChangesNothing(t *testing.T) {
	t.Parallel()
	lead := telecrm.Lead{Fields: map[string]any{"phone": "918123456789"}, Actions: []telecrm.Action{{Type: "1042"}}}
	before, _ := json.Marshal(lead)
	var got []sent
	newAsync(t, telecrm.Config{Transport: recorder(&got)}).UpsertLead(context.Background(), lead)
	if after, _ := json.Marshal(lead); string(after) != string(before) {
		t.Errorf("the lead changed from %s to %s", before, after)
	}
}
