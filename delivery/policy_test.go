package delivery

import (
	"strings"
	"testing"
)

func TestPolicyNames(t *testing.T) {
	if got, want := strings.Join(PolicyNames(), ", "), "actions, update, upsert, ignore, park"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, name := range PolicyNames() {
		if err := CheckPolicy(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "Update", "merge"} {
		if CheckPolicy(name) == nil {
			t.Errorf("policy %q is known", name)
		}
	}
}

func TestPolicyHarm(t *testing.T) {
	harms := map[string]string{
		"status": "reopens", "Status": "reopens", "assignee": "owners", "utm_source": "came from", "UTM_Term": "came from",
		"gclid": "came from", "lead_source": "came from", "Referrer": "came from", "name": "", "source_of_funds": "", "status_note": "",
	}
	for field, want := range harms {
		for _, p := range []Policy{UpdateFields, Upsert} {
			if got := p.Harm(field); got == "" != (want == "") || !strings.Contains(got, want) {
				t.Errorf("%s of %s: %q, want %q", p, field, got, want)
			}
		}
		for _, p := range []Policy{AppendActions, IgnoreDuplicate, ParkDuplicate} {
			if got := p.Harm(field); got != "" {
				t.Errorf("%s of %s: %q, although it sets no field", p, field, got)
			}
		}
	}
}
