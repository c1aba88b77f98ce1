package telecrm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

func TestGetLeadReads(t *testing.T) {
	t.Parallel()
	fields := map[string]any{"name": "Ravi Menon", "rating": json.Number("3")}
	note := telecrm.ShownAction{Type: "1042", Fields: map[string]any{"note": "x"}}
	dated := note
	dated.CreatedOn = createdOn
	payment := telecrm.ShownAction{Type: "PAYMENT", Fields: map[string]any{"amount": "2499", "currency": "INR"}}
	const lead = `"fields":{"name":"Ravi Menon","rating":3}`
	for _, tc := range []struct {
		name, body string
		want       telecrm.Shown
	}{
		{
			"as documented", `{` + lead + `,"actions":[{"type":"1042","fields":{"note":"x"}}],"actions_skip":0,"actions_limit":100}`,
			telecrm.Shown{Fields: fields, Actions: []telecrm.ShownAction{note}},
		},
		{
			"as seen live", `{` + lead + `,"actions":[{"type":"ACTION_1042","fields":{"note":"x"},"creationTimestamp":1767240001234}]}`,
			telecrm.Shown{Fields: fields, Actions: []telecrm.ShownAction{dated}},
		},
		{
			"payment, flat", `{` + lead + `,"actions":[{"type":"PAYMENT","amount":"2499","currency":"INR","fields":null}]}`,
			telecrm.Shown{Fields: fields, Actions: []telecrm.ShownAction{payment}},
		},
		{
			"payment, with fields", `{` + lead + `,"actions":[{"type":"PAYMENT","amount":"1","fields":{"amount":"2499","currency":"INR"}}]}`,
			telecrm.Shown{Fields: fields, Actions: []telecrm.ShownAction{payment}},
		},
		{"type as a number", `{` + lead + `,"actions":[{"type":1042,"fields":{"note":"x"}}]}`, telecrm.Shown{Fields: fields, Actions: []telecrm.ShownAction{note}}},
		{
			"action without fields", `{` + lead + `,"actions":[{"type":"CALL","duration":7}]}`,
			telecrm.Shown{Fields: fields, Actions: []telecrm.ShownAction{{Type: "CALL", Fields: map[string]any{}}}},
		},
		{"no actions", `{` + lead + `,"actions":[]}`, telecrm.Shown{Fields: fields}},
		{"null actions", `{` + lead + `,"actions":null}`, telecrm.Shown{Fields: fields}},
		{"actions not shown", `{` + lead + `}`, telecrm.Shown{Fields: fields, MoreActions: true}},
		{
			"actions that cannot be read", `{` + lead + `,"actions":[null,"x",{},{"type":"1042","fields":{"note":"x"}}]}`,
			telecrm.Shown{Fields: fields, Actions: []telecrm.ShownAction{note}, MoreActions: true},
		},
		{"more in all", `{` + lead + `,"actions":[],"actions_total_count":1}`, telecrm.Shown{Fields: fields, MoreActions: true}},
		{"more in all, as total_count", `{` + lead + `,"actions":[],"total_count":"1"}`, telecrm.Shown{Fields: fields, MoreActions: true}},
		{"no more in all", `{` + lead + `,"actions":[],"total_count":0}`, telecrm.Shown{Fields: fields}},
		{
			"beside the fields", `{"id":"7","name":"y","rating":3,"employeeid":"a@example.org","fields":{"name":"Ravi Menon","city":null},"actions":[]}`,
			telecrm.Shown{Fields: map[string]any{
				"name": "Ravi Menon", "rating": json.Number("3"), "employeeid": "a@example.org", "assignee": "a@example.org",
			}},
		},
		{"no field", `{"fields":{},"actions":[]}`, telecrm.Shown{Fields: map[string]any{}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(200, typeJSON, tc.body))})
			got := client.GetLead(context.Background(), leadID)
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(telecrm.Shown{}, "ServerTime")); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if !got.OK() || got.ServerTime.IsZero() {
				t.Errorf("OK() = %t at %v for %v", got.OK(), got.ServerTime, got)
			}
		})
	}
}

// A success that does not show a lead is a failure.
func TestReadsWithoutResult(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"nothing":       "",
		"null":          "null",
		"empty object":  "{}",
		"list":          "[]",
		"OK":            "OK",
		"page":          errorPage,
		"other API":     `{"status":"QUEUED"}`,
		"other request": `{"lead_id":"1","actions":[{"status":"CREATED"}],"remarks":[]}`,
		"null content":  `{"fields":null,"customFields":null,"data":null}`,
		"other types":   `{"fields":[],"customFields":{},"data":{}}`,
		"too long":      `{"fields":{},"customFields":[],"data":[],"x":"` + strings.Repeat("x", telecrm.MaxAnswerBytes) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := newServer(t, answering(200, typeJSON, body))
			for name, make := range readingCalls() {
				got := make(t, context.Background(), telecrm.Config{BaseURL: base})
				if got.Verdict != telecrm.Retry || got.Status != 200 || got.Err == nil || got.Ambiguous {
					t.Errorf("%s: answer is %v, want retry with an error", name, got)
				}
			}
		})
	}
}

func TestGetLeadBoundsActions(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		entries, actions int
		total            string
		more             bool
	}{
		{99, 99, "", false},
		{100, 100, "", true}, // the page is full
		{100, 100, `,"total_count":100`, false},
		{100, 100, `,"total_count":101`, true},
		{1000, 100, "", true},
		{1000, 100, `,"total_count":1`, true},
	} {
		entries := strings.TrimSuffix(strings.Repeat(`{"type":"1042"},`, tc.entries), ",")
		body := `{"fields":{"name":"x"},"actions":[` + entries + `]` + tc.total + `}`
		client := newClient(t, telecrm.Config{BaseURL: newServer(t, answering(200, typeJSON, body))})
		got := client.GetLead(context.Background(), leadID)
		if len(got.Actions) != tc.actions || got.MoreActions != tc.more {
			t.Errorf("%d entries%s: %v, want %d actions, more %t", tc.entries, tc.total, got, tc.actions, tc.more)
		}
	}
}

func TestShownFormatsAsItsReason(t *testing.T) {
	t.Parallel()
	fields := map[string]any{"phone": "918123456789", "name": "Ravi Menon"}
	action := telecrm.ShownAction{Type: "918123456789", Fields: fields}
	failure := &telecrm.Answer{Verdict: telecrm.Missing, Status: 404, Code: "LEAD_NOT_FOUND", Message: "Ravi Menon"}
	for _, tc := range []struct {
		shown telecrm.Shown
		want  string
	}{
		{telecrm.Shown{}, "lead shown, actions: 0"},
		{telecrm.Shown{Fields: fields, Actions: []telecrm.ShownAction{action}}, "lead shown, actions: 1"},
		{telecrm.Shown{Fields: fields, MoreActions: true}, "lead shown, actions: at least 0"},
		{telecrm.Shown{Failure: failure}, "HTTP 404 LEAD_NOT_FOUND"},
	} {
		if got := tc.shown.Reason(); got != tc.want {
			t.Errorf("Reason() = %q, want %q", got, tc.want)
		}
		for _, v := range []any{tc.shown, &tc.shown} {
			if got := fmt.Sprintf("%+v", v); got != tc.want {
				t.Errorf("a %T prints as %q, want %q", v, got, tc.want)
			}
		}
		checkHides(t, everyVerb(tc.shown)+everyVerb([]telecrm.ShownAction{action})+everyVerb(&action), "918123456789", "Ravi Menon")
	}
}

func TestSameAction(t *testing.T) {
	t.Parallel()
	action := func(kind string, value any) telecrm.Action {
		return telecrm.Action{Type: kind, Fields: map[string]any{"v": value}}
	}
	shown := func(kind string, value any) telecrm.ShownAction {
		return telecrm.ShownAction{Type: kind, Fields: map[string]any{"v": value}}
	}
	for _, tc := range []struct {
		name  string
		sent  telecrm.Action
		shown telecrm.ShownAction
		want  bool
	}{
		{"the same", action("1042", "x"), shown("1042", "x"), true},
		{"prefix shown", action("1042", "x"), shown("ACTION_1042", "x"), true},
		{"prefix sent", action("ACTION_1042", "x"), shown("1042", "x"), true},
		{"another type", action("1042", "x"), shown("1043", "x"), false},
		{"another value", action("1042", "x"), shown("1042", "y"), false},
		{"another case", action("1042", "x"), shown("1042", "X"), true},
		{"other spaces", action("1042", "x  y\n z"), shown("1042", "x y z"), true},
		{"space around it", action("1042", " x\n"), shown("1042", "x"), true},
		{"no value shown", action("1042", "x"), telecrm.ShownAction{Type: "1042"}, false},
		{"no value sent", telecrm.Action{Type: "1042"}, shown("1042", "x"), true},
		{"null sent", action("1042", nil), telecrm.ShownAction{Type: "1042"}, true},
		{"null sent, value shown", action("1042", nil), shown("1042", "x"), false},

		{"number", action("1042", 7), shown("1042", json.Number("7")), true},
		{"number as a float", action("1042", 7), shown("1042", json.Number("7.0")), true},
		{"number with an exponent", action("1042", 1000.0), shown("1042", json.Number("1e3")), true},
		{"large numbers that differ by one", action("1042", int64(9007199254740993)), shown("1042", json.Number("9007199254740992")), false},
		{"another number", action("1042", 7), shown("1042", json.Number("8")), false},
		{"number sent as JSON", action("1042", json.Number("7")), shown("1042", json.Number("7")), true},
		{"number shown as text", action("1042", int64(1767240000000)), shown("1042", "1767240000000"), true},
		{"text shown as a number", action("1042", "918123456789"), shown("1042", json.Number("918123456789")), true},
		{"sum with decimals", action("1042", "7"), shown("1042", "7.00"), true},
		{"another sum", action("1042", "7"), shown("1042", "7.01"), false},
		{"leading zeros", action("1042", "007"), shown("1042", "7"), false},
		{"versions are text", action("1042", "1.2.0"), shown("1042", "1.2"), false},
		{"national phone", action("1042", "918123456789"), shown("1042", "081234 56789"), true},
		{"another country's phone", action("1042", "918123456789"), shown("1042", "448123456789"), false},
		{"end of a phone", action("1042", "918123456789"), shown("1042", "3456789"), false},
		{"date", action("1042", int64(1767205800000)), shown("1042", "01/01/2026"), true},
		{"date and time", action("1042", int64(1767205800000)), shown("1042", "2026-01-01 00:00:00"), true},
		{"another date", action("1042", int64(1767205800000)), shown("1042", "02/01/2026"), false},
		{"date of a text", action("1042", "1767205800000"), shown("1042", "01/01/2026"), false},
		{"phone with a plus", action("1042", "918123456789"), shown("1042", "+918123456789"), true},
		{"plus without a phone", action("1042", "1 2"), shown("1042", "+1 2"), false},
		{"out of range", action("1042", json.Number("1e999999999")), shown("1042", json.Number("2e999999999")), false},
		{"boolean", action("1042", true), shown("1042", true), true},
		{"another boolean", action("1042", true), shown("1042", false), false},
		{"boolean as text", action("1042", true), shown("1042", "true"), false},

		{"list", action("1042", []string{"a", "b "}), shown("1042", []any{" a", "b"}), true},
		{"list in another order", action("1042", []string{"a", "b"}), shown("1042", []any{"b", "a"}), true},
		{"list with a repeat", action("1042", []string{"a", "a"}), shown("1042", []any{"b", "a"}), false},
		{"shorter list", action("1042", []string{"a", "b"}), shown("1042", []any{"a"}), false},
		{"not a list", action("1042", []string{"a"}), shown("1042", "a"), false},
		{"object", action("1042", map[string]any{"a": 1}), shown("1042", map[string]any{"a": json.Number("1.0")}), true},
		{"another object", action("1042", map[string]any{"a": 1}), shown("1042", map[string]any{"b": json.Number("1")}), false},
		{"not an object", action("1042", map[string]any{"a": 1}), shown("1042", "a"), false},
		{"not JSON", action("1042", math.NaN()), shown("1042", "x"), false},

		{"payment", action("PAYMENT", "2499"), shown("PAYMENT", "2499"), true},
		{
			"payment whose fields name a type",
			telecrm.Action{Type: "PAYMENT", Fields: map[string]any{"type": "1042"}},
			telecrm.ShownAction{Type: "PAYMENT"},
			true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := telecrm.SameAction(tc.sent, tc.shown); got != tc.want {
				t.Errorf("SameAction = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestFieldDefinitionsReads(t *testing.T) {
	t.Parallel()
	source := telecrm.FieldDefinition{APIName: "source", Type: "DROPDOWN", Locked: true, Options: []string{"Website", "Expo"}}
	phone := telecrm.FieldDefinition{APIName: "phone", Type: "PHONE", Identifier: true}
	for _, tc := range []struct {
		name, list string
		want       []telecrm.FieldDefinition
	}{
		{
			"summary", `[{"type":"PHONE","apiName":"phone","lockAfterCreate":false,"isLeadid":true},
				{"type":"DROPDOWN","apiName":"source","lockAfterCreate":true,"isLeadid":false,"options":["Website","Expo"]}]`,
			[]telecrm.FieldDefinition{phone, source},
		},
		{
			"detail", `[{"id":"1","type":"dropdown","apiName":"source","description":"x","lockAfterCreate":true,
				"isLeadid":false,"options":[{"id":"o1","label":"Website"},{"id":"o2","label":"Expo"}]}]`,
			[]telecrm.FieldDefinition{source},
		},
		{"truth as text", `[{"type":"phone","apiName":"phone","isLeadid":"TRUE","lockAfterCreate":"no"}]`, []telecrm.FieldDefinition{phone}},
		{"none", `[]`, []telecrm.FieldDefinition{}},
		{
			"unreadable items", `[null,7,{},{"apiName":""},{"apiName":"source","type":["x"],"lockAfterCreate":{},"options":[null,{},[1],{"label":"A"}]}]`,
			[]telecrm.FieldDefinition{{APIName: "source", Options: []string{"A"}}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, telecrm.Config{
				Transport: transport(func(req *http.Request) (*http.Response, error) {
					return respond(req, 200, http.Header{}, `{"customFields":`+tc.list+`}`), nil
				}),
			})
			got := client.FieldDefinitions(context.Background())
			if diff := cmp.Diff(telecrm.Definitions{Fields: tc.want}, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if !got.OK() {
				t.Errorf("OK() = false for %v", got.Failure)
			}
		})
	}
}

func TestNewAsyncRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]telecrm.Config{
		"no token":         {EnterpriseID: testEnterprise},
		"no enterprise id": {Token: testToken},
		"http":             {Token: testToken, EnterpriseID: testEnterprise, BaseURL: "http://next-api.telecrm.in"},
	} {
		if client, err := telecrm.NewAsync(c); err == nil || client != nil {
			t.Errorf("%s: NewAsync gives %v and %v", name, client, err)
		}
	}
}

func TestSimilarAction(t *testing.T) {
	t.Parallel()
	sent := telecrm.Action{Type: "1042", Fields: map[string]any{"note": "Call me", "count": 2, "day": int64(1767240000000)}}
	for name, tc := range map[string]struct {
		kind   string
		fields map[string]any
		want   bool
	}{
		"the same":                  {"1042", map[string]any{"note": "Call me", "count": json.Number("2"), "day": json.Number("1767240000000")}, true},
		"prefix shown":              {"ACTION_1042", map[string]any{"note": "Call me"}, true},
		"all values dropped":        {"1042", nil, true},
		"a date written otherwise":  {"1042", map[string]any{"note": "Call me", "day": "01/01/2026"}, true},
		"another note":              {"1042", map[string]any{"note": "Hello"}, false},
		"another number":            {"1042", map[string]any{"note": "Call me", "count": json.Number("3")}, false},
		"another type":              {"1043", map[string]any{"note": "Call me"}, false},
		"a value that was not sent": {"1042", map[string]any{"note": "Call me", "score": json.Number("5")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := telecrm.SimilarAction(sent, telecrm.ShownAction{Type: tc.kind, Fields: tc.fields}); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
