package telecrm_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// A stored lead is sent later exactly as it would have been at once.
func TestLeadSurvivesEncoding(t *testing.T) {
	lead := telecrm.Lead{
		Fields: map[string]any{"phone": "918123456789", "visit_date": json.Number("1767240000000"), "interests": []any{"VIP", "North"}},
		Actions: []telecrm.Action{
			{Type: "1042", Fields: map[string]any{"note": "after 5 pm", "count": json.Number("12.5")}},
			{Type: telecrm.ActionPayment, Fields: map[string]any{"status": "PENDING", "currency": "INR", "amount": "2499"}},
		},
	}
	written, err := json.Marshal(lead.Actions)
	if err != nil {
		t.Fatal(err)
	}
	var read []telecrm.Action
	if err := json.Unmarshal(written, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lead.Actions, read); diff != "" {
		t.Errorf("actions (-written +read):\n%s", diff)
	}
	for _, broken := range []string{`{}`, `{"type":1042}`, `[]`, `null`} {
		var action telecrm.Action
		if err := action.UnmarshalJSON([]byte(broken)); err == nil {
			t.Errorf("%s was decoded as an action", broken)
		}
	}
}
