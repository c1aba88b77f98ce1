package delivery

import (
	"strings"
	"testing"
)

func TestPolicyNames(t *testing.T) {
	if got, want := PolicyNames(), "actions, update, upsert, ignore, park"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for name := range strings.SplitSeq(PolicyNames(), ", ") {
		if !Policy(name).Known() {
			t.Errorf("policy %q is not known", name)
		}
	}
	for _, p := range []Policy{"", "Update", "merge"} {
		if p.Known() {
			t.Errorf("policy %q is known", p)
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
