package telecrm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// FuzzCreateLead checks what holds for every response. The seeds are in testdata/fuzz.
func FuzzCreateLead(f *testing.F) {
	f.Fuzz(func(t *testing.T, status int, retryAfter, body string) {
		client := newClient(t, telecrm.Config{
			Transport: transport(func(req *http.Request) (*http.Response, error) {
				return respond(req, status, http.Header{"Retry-After": {retryAfter}}, body), nil
			}),
		})
		answer := client.CreateLead(context.Background(), invented())
		if answer.Status != status {
			t.Errorf("status is %d, want %d", answer.Status, status)
		}
		checkVerdict(t, answer, body)
		checkBounds(t, answer)
		if again := client.CreateLead(context.Background(), invented()); again.Reason() != answer.Reason() {
			t.Errorf("the same answer was read as %v and as %v", answer, again)
		}
	})
}

func checkVerdict(t *testing.T, answer telecrm.Answer, body string) {
	t.Helper()
	if answer.Verdict.String() == "unknown" {
		t.Errorf("verdict is %d", int(answer.Verdict))
	}
	success := answer.Status >= 200 && answer.Status < 300
	switch answer.Verdict {
	case telecrm.Created, telecrm.Done, telecrm.Accepted:
		if !success {
			t.Errorf("%v, but the status is not a success", answer)
		}
		text := strings.TrimSpace(body)
		taken := answer.Verdict == telecrm.Accepted && strings.EqualFold(text, "OK")
		if text != "" && !taken && !json.Valid([]byte(body)) && len(body) <= telecrm.MaxAnswerBytes {
			t.Errorf("%v, but the answer is not JSON", answer)
		}
	case telecrm.Retry:
		if success && !answer.Ambiguous {
			t.Error("a retried success is not ambiguous")
		}
	case telecrm.Rejected, telecrm.Duplicate, telecrm.Hold, telecrm.Missing:
	}
	if answer.Verdict != telecrm.Retry && (answer.Ambiguous || answer.Err != nil) {
		t.Errorf("%v is ambiguous (%t) or has an error", answer, answer.Ambiguous)
	}
	if answer.Confirmed() != (answer.Verdict == telecrm.Created && answer.LeadID != "") {
		t.Errorf("Confirmed() = %t for %v of lead %q", answer.Confirmed(), answer, answer.LeadID)
	}
}

var (
	codePattern = regexp.MustCompile(`^([A-Z][A-Z0-9_]{0,63})?$`)
	idPattern   = regexp.MustCompile(`^[!-~]{0,128}$`)
)

// checkBounds checks that all texts of an answer are short and on one line.
func checkBounds(t *testing.T, answer telecrm.Answer) {
	t.Helper()
	if answer.RetryAfter < 0 || answer.RetryAfter > 24*time.Hour {
		t.Errorf("retry after %v", answer.RetryAfter)
	}
	if !codePattern.MatchString(answer.Code) {
		t.Errorf("code is %q", answer.Code)
	}
	if len(answer.Actions) > 200 || len(answer.Remarks) > 201 {
		t.Errorf("%d actions and %d remarks", len(answer.Actions), len(answer.Remarks))
	}
	ids := []string{answer.LeadID}
	texts := []string{answer.Message}
	for _, action := range answer.Actions {
		ids = append(ids, action.ID)
		texts = append(texts, action.Status)
	}
	for _, remark := range answer.Remarks {
		if remark == (telecrm.Remark{}) {
			t.Error("a remark is empty")
		}
		texts = append(texts, remark.Field, remark.Status, remark.Text)
	}
	for _, id := range ids {
		if !idPattern.MatchString(id) {
			t.Errorf("id is %q", id)
		}
	}
	isBreak := func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) && r != ' ' }
	for _, text := range texts {
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 301 || strings.ContainsFunc(text, isBreak) {
			t.Errorf("text is %q", text)
		}
	}
	if reason := answer.Reason(); len(reason) > 300 || strings.ContainsFunc(reason, isBreak) || fmt.Sprint(answer) != reason {
		t.Errorf("reason is %q", reason)
	}
}

// FuzzFindLeads checks what holds for every response to a search.
func FuzzFindLeads(f *testing.F) {
	f.Fuzz(func(t *testing.T, status int, date, body string) {
		client := newClient(t, telecrm.Config{
			Transport: transport(func(req *http.Request) (*http.Response, error) {
				return respond(req, status, http.Header{"Date": {date}}, body), nil
			}),
		})
		got := findInvented(context.Background(), client)
		if again := findInvented(context.Background(), client); again.Reason() != got.Reason() {
			t.Errorf("the same answer was read as %v and as %v", got, again)
		}
		if !got.OK() {
			checkSearchFailure(t, got, status)
			return
		}
		if status < 200 || status >= 300 || !json.Valid([]byte(body)) {
			t.Errorf("%v, but the answer has status %d or is not JSON", got, status)
		}
		if len(got.Leads) > 10 {
			t.Errorf("%d leads", len(got.Leads))
		}
		for _, lead := range got.Leads {
			if !idPattern.MatchString(lead.ID) {
				t.Errorf("id is %q", lead.ID)
			}
			if on := lead.CreatedOn; !on.IsZero() && (on.Year() < 2001 || on.Year() > 9999) {
				t.Errorf("created on %v", on)
			}
		}
	})
}

func checkSearchFailure(t *testing.T, got telecrm.Found, status int) {
	t.Helper()
	failure := *got.Failure
	if failure.Status != status || len(got.Leads) != 0 || got.More {
		t.Errorf("%v of HTTP %d comes with %d leads, more %t", got, status, len(got.Leads), got.More)
	}
	switch failure.Verdict {
	case telecrm.Retry, telecrm.Hold, telecrm.Rejected:
	case telecrm.Created, telecrm.Duplicate, telecrm.Done, telecrm.Missing, telecrm.Accepted:
		t.Errorf("verdict is %v", failure.Verdict)
	}
	if failure.Ambiguous || failure.LeadID != "" || failure.Actions != nil || failure.Remarks != nil {
		t.Errorf("a search failed with %v", got)
	}
	checkBounds(t, failure)
}

// fuzzed answers every request with the same response.
func fuzzed(status int, body string) telecrm.Config {
	return telecrm.Config{Transport: transport(func(req *http.Request) (*http.Response, error) {
		return respond(req, status, http.Header{}, body), nil
	})}
}

// FuzzStoringCalls checks what holds for every response to a storing request.
func FuzzStoringCalls(f *testing.F) {
	addAnswers(f)
	allowed := map[string][]telecrm.Verdict{
		"create": {telecrm.Created, telecrm.Duplicate, telecrm.Rejected, telecrm.Hold, telecrm.Retry},
		"update": {telecrm.Done, telecrm.Missing, telecrm.Rejected, telecrm.Hold, telecrm.Retry},
		"append": {telecrm.Done, telecrm.Missing, telecrm.Rejected, telecrm.Hold, telecrm.Retry},
		"upsert": {telecrm.Accepted, telecrm.Rejected, telecrm.Hold, telecrm.Retry},
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		for name, make := range storingCalls() {
			answer := make(t, context.Background(), fuzzed(status, body))
			if !slices.Contains(allowed[name], answer.Verdict) {
				t.Errorf("%s: answer is %v", name, answer)
			}
			checkVerdict(t, answer, body)
			checkBounds(t, answer)
			if again := make(t, context.Background(), fuzzed(status, body)); again.Reason() != answer.Reason() {
				t.Errorf("%s: the same answer was read as %v and as %v", name, answer, again)
			}
		}
	})
}

// FuzzReadingCalls checks what holds for every response to a reading request.
func FuzzReadingCalls(f *testing.F) {
	addAnswers(f)
	f.Fuzz(func(t *testing.T, status int, body string) {
		client := newClient(t, fuzzed(status, body))
		shown := client.GetLead(context.Background(), leadID)
		definitions := client.FieldDefinitions(context.Background())
		actions := client.ActionDefinitions(context.Background())
		pipeline := client.Pipeline(context.Background())
		for _, failure := range []*telecrm.Answer{shown.Failure, definitions.Failure, actions.Failure, pipeline.Failure} {
			if failure == nil {
				if status < 200 || status >= 300 || !json.Valid([]byte(body)) {
					t.Errorf("got a result, but the answer has status %d or is not JSON", status)
				}
				continue
			}
			if failure.Ambiguous || failure.LeadID != "" || failure.Actions != nil || failure.Remarks != nil {
				t.Errorf("a read failed with %v", failure)
			}
			checkBounds(t, *failure)
		}
		if len(shown.Actions) > 100 {
			t.Errorf("%d actions", len(shown.Actions))
		}
		for _, action := range shown.Actions {
			sent := telecrm.Action{Type: action.Type, Fields: action.Fields}
			if !telecrm.SameAction(sent, action) {
				t.Errorf("an action differs from itself: %q", body)
			}
		}
		for _, field := range definitions.Fields {
			if field.APIName == "" {
				t.Error("a field has no name")
			}
		}
	})
}

func addAnswers(f *testing.F) {
	f.Helper()
	for _, body := range []string{
		`{"fields":{"name":"x","status":"Fresh"},"actions":[{"type":"ACTION_1042","fields":{"v":[1,"a",{"b":null}]},"creationTimestamp":1767240001234}]}`,
		`{"fields":{},"actions":[{"type":"PAYMENT","amount":"+7","v":1e999999999}],"actions_total_count":"2"}`,
		`{"lead_id":"1","actions":[{"action_id":null,"status":"IGNORED"}],"remarks":["x"]}`,
		`{"customFields":[{"type":"PHONE","apiName":"phone","isLeadid":true,"options":["a",{"label":"b"}]}]}`,
		`{"status":"QUEUED"}`, `OK`, `"OK"`, ``, `null`, errorPage,
	} {
		f.Add(200, body)
	}
	f.Add(404, `{"error":{"code":"LEAD_NOT_FOUND"}}`)
	f.Add(409, `{"error":{"code":"LEAD_ALREADY_EXISTS","lead_id":"1"}}`)
}
