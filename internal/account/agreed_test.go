package account

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// Machines compare the rate however it is written, the workspace and the policies of forms, and never
// a token. Accounts in a form's block are the same account at another rate.
func TestAgreedSettings(t *testing.T) {
	const token = "11111111-2222-3333-1700000000000:44444444-5555-6666"
	machine := func(rate, policy string, update ...string) outbox.Settings {
		t.Helper()
		r := registry()
		s := Settings{Token: token, EnterpriseID: "66aa", CRMRate: rate}
		if err := r.Add("north", s); err != nil {
			t.Fatal(err)
		}
		s.EnterpriseID = "66bb"
		inline, err := r.Inline(s, "/b")
		if err != nil {
			t.Fatal(err)
		}
		inline.UsePolicy("/b", delivery.OnDuplicate{Policy: delivery.Policy(policy), Fields: update})
		return r.Agreed()
	}
	const usual = "north crm_rate 3600/h 5; north enterprise_id 66aa; north identifier phone"
	for _, test := range []struct{ rate, policy, want string }{
		{"3600/h 5", "actions", usual},
		{"60/m", "park", usual},
		{"1/s 5", "update", usual},
		{"7/m 2", "actions", strings.Replace(usual, "3600/h 5", "420/h 2", 1)},
	} {
		s := machine(test.rate, test.policy)
		for account, settings := range s {
			if text := fmt.Sprint(account, settings); strings.Contains(text, token[:8]) {
				t.Errorf("the settings contain a token: %s", text)
			}
		}
		got := fmt.Sprintf("north crm_rate %s; north enterprise_id %s; north identifier %s", s["north"]["crm_rate"], s["north"]["enterprise_id"], s["north"]["identifier"])
		if got != test.want || s["66bb"]["on_duplicate of form /b"] != test.policy || s["66bb"]["crm_rate"] != s["north"]["crm_rate"] {
			t.Errorf("crm_rate %q, on_duplicate %q: got %v", test.rate, test.policy, s)
		}
	}
	if got := machine("1/s", "update", "name", "city")["66bb"]["on_duplicate of form /b"]; got != "update name city" {
		t.Errorf("the policy is %q", got)
	}
}
