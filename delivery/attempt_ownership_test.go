package delivery

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// otherLeads returns leads with the visitor's number that the visitor's attempt did not create.
func otherLeads() map[string]telecrm.Lead {
	ours := func(change func(fields map[string]any)) map[string]any {
		fields := map[string]any{
			"phone": knownPhone, "name": "R Menon", "city": "Chennai", "rating": json.Number("4"), "source": "Website",
		}
		change(fields)
		return fields
	}
	const agents = "Called in"
	return map[string]telecrm.Lead{
		"another name":           {Fields: map[string]any{"phone": knownPhone, "name": "Ravi Menon"}},
		"only the number":        {Fields: map[string]any{"phone": knownPhone}},
		"a part of what we sent": {Fields: ours(func(f map[string]any) { delete(f, "city") })},
		"all but one value":      {Fields: ours(func(f map[string]any) { f["city"] = "Pune" })},
		"another action": {
			Fields:  ours(func(f map[string]any) { f["city"] = "Pune" }),
			Actions: []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": agents}}},
		},
		"our fields and another action": {
			Fields:  ours(func(map[string]any) {}),
			Actions: []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": agents}}},
		},
	}
}

// A lead that somebody else created after our attempt began does not count as ours, unless it shows
// everything that was sent: then nothing is lost.
func TestLeadOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for policyName, policy := range policyCases() {
		if policy.asyncOnly || policy.Policy == IgnoreDuplicate {
			continue
		}
		for name, other := range otherLeads() {
			t.Run(policyName+"/"+name, func(t *testing.T) {
				t.Parallel()
				sim, entry := createByOther(t, policy, other)
				if entry.Reason == reasonFoundAgain && (!policy.noActions || name != "our fields and another action") {
					t.Errorf("counted as ours; %v", sim.requests)
				}
				if entry.State == outbox.Parked && strings.Contains(entry.Reason, "may have") {
					t.Errorf("parked as uncertain: %s; %v", entry.Reason, sim.requests)
				}
			})
		}
	}
}

// crashedBeforeCreate runs the scenario until it has crashed before the lead is created. The caller
// must close its TeleCRM.
func crashedBeforeCreate(t *testing.T, policy policyCase, s scenario) *simulation {
	t.Helper()
	const beforeCreate = 3
	sim := newSimulation(t, policy, s, beforeCreate)
	sim.start(t)
	sim.mu.Lock()
	sim.crashPoints = 0
	sim.mu.Unlock()
	sim.submit()
	sim.await()
	sim.crash()
	time.Sleep(time.Second)
	return sim
}

// createByOther crashes before the lead is created, creates the other lead, and retries.
func createByOther(t *testing.T, policy policyCase, other telecrm.Lead) (sim *simulation, entry outbox.Entry) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim = crashedBeforeCreate(t, policy, scenario{})
		defer sim.crm.Close()
		sim.create(other)
		sim.start(t)
		sim.await()
		if err := sim.engine.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		sim.check(t)
		var err error
		if entry, err = sim.store.Get(context.Background(), entryID); err != nil {
			t.Fatal(err)
		}
	})
	return sim, entry
}

// A lead counts as ours however TeleCRM formats the values, and whatever people have added to it.
func TestCompareLead(t *testing.T) {
	t.Parallel()
	sent := Job{
		Lead: telecrm.Lead{
			Fields: map[string]any{
				"phone": "918123456789", "name": "R Menon", "other_phone": "918012345670", "email": "R.Menon@example.org",
				"budget": "24999", "visit": json.Number("1767205800000"), "interests": []any{"VIP", "North"}, "status": "Fresh", "assignee": "a@example.org",
			},
			Actions: []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": "Call  me"}}, {Type: "1043"}},
		},
	}
	since := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	shown := func(change func(fields map[string]any), actions ...telecrm.ShownAction) telecrm.Shown {
		fields := map[string]any{
			"phone": "+918123456789", "name": "R Menon ", "other_phone": "080 1234 5670", "email": "r.menon@example.org",
			"budget": json.Number("24999"), "visit": "01/01/2026", "interests": []any{"North", "VIP"}, "status": "Contacted", "assignee": "b@example.org",
			"lead_source": "API",
		}
		change(fields)
		return telecrm.Shown{Fields: fields, Actions: actions}
	}
	as := func(name string, value any) func(map[string]any) {
		return func(fields map[string]any) { fields[name] = value }
	}
	same := func(map[string]any) {}
	note := telecrm.ShownAction{Type: "1042", Fields: map[string]any{"note": "Call me"}, CreatedOn: since}
	bare := telecrm.ShownAction{Type: "ACTION_1043", CreatedOn: since}
	call := telecrm.ShownAction{Type: "OUTGOING_CALL", CreatedOn: since}
	old := note
	old.CreatedOn = since.Add(-time.Hour)
	for name, test := range map[string]struct {
		noActions bool
		shown     telecrm.Shown
		want      evidence
	}{
		"everything":                        {false, shown(same, call, bare, note), present},
		"everything, without actions":       {true, shown(same), present},
		"no action":                         {false, shown(same, call), absent},
		"one action of two":                 {false, shown(same, note), inconclusive},
		"the action of an earlier enquiry":  {false, shown(same, old), absent},
		"another name beside the actions":   {false, shown(as("name", "Ravi"), bare, note), inconclusive},
		"a field left out beside them":      {false, shown(func(f map[string]any) { delete(f, "email") }, bare, note), inconclusive},
		"another name, no actions sent":     {true, shown(as("name", "Ravi")), absent},
		"a field left out, no actions sent": {true, shown(func(f map[string]any) { delete(f, "email") }), absent},
		"another second number":             {true, shown(as("other_phone", "+918012345671")), absent},
		"another day":                       {true, shown(as("visit", "02/01/2026")), absent},
		"another sum":                       {true, shown(as("budget", "24999.50")), absent},
		"the sum with its decimals":         {true, shown(as("budget", "24999.00")), present},
		"the day with its time":             {true, shown(as("visit", "01/01/2026 00:00:00")), present},
		"the moment in milliseconds":        {true, shown(as("visit", json.Number("1767205800000"))), present},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := sent
			if test.noActions {
				job.Actions = nil
			}
			a := &attempt{
				account: &Account{Identifier: "phone"},
				entry:   outbox.Entry{AmbiguousSince: since},
				job:     job,
				now:     func() time.Time { return since.Add(time.Minute) },
			}
			if got := a.compareLead(test.shown); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
	if len(sent.Fields) != 9 {
		t.Errorf("the submitted lead has changed: %v", sent.Fields)
	}
}

// Neither the age of a lead nor a search without ids proves that the lead is ours.
func TestCreatedLead(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	fields := map[string]any{"phone": knownPhone, "name": "R Menon"}
	others := map[string]any{"phone": knownPhone, "name": "Ravi Menon"}
	sent := []telecrm.Action{{Type: "1042", Fields: map[string]any{"note": ourNote}}}
	timeline := func(age time.Duration) []telecrm.ShownAction {
		return []telecrm.ShownAction{{Type: "1042", Fields: sent[0].Fields, CreatedOn: since.Add(-age)}}
	}
	const recent, lastWeek = -time.Second, 7 * 24 * time.Hour
	found := func(id string, age time.Duration) telecrm.FoundLead {
		return telecrm.FoundLead{ID: id, Identifier: knownPhone, CreatedOn: since.Add(-age), Fields: fields}
	}
	undated := found("64c1", 0)
	undated.CreatedOn = time.Time{}
	for name, test := range map[string]struct {
		actions []telecrm.Action
		found   telecrm.FoundLead
		shown   telecrm.Shown
		want    evidence
		reason  string
	}{
		"recent, all there":                       {nil, found("64c1", recent), telecrm.Shown{Fields: fields}, present, ""},
		"recent, another name":                    {nil, found("64c1", recent), telecrm.Shown{Fields: others}, absent, ""},
		"recent, all there with its action":       {sent, found("64c1", recent), telecrm.Shown{Fields: fields, Actions: timeline(recent)}, present, ""},
		"recent, another name with our action":    {sent, found("64c1", recent), telecrm.Shown{Fields: others, Actions: timeline(recent)}, inconclusive, reasonCreateUncertain},
		"of last week, all there":                 {nil, found("64c1", lastWeek), telecrm.Shown{Fields: fields}, absent, ""},
		"of last week, with our action since":     {sent, found("64c1", lastWeek), telecrm.Shown{Fields: fields, Actions: timeline(recent)}, absent, ""},
		"of last week, another name, our action":  {sent, found("64c1", lastWeek), telecrm.Shown{Fields: others, Actions: timeline(recent)}, absent, ""},
		"of last week, with the same action then": {sent, found("64c1", lastWeek), telecrm.Shown{Fields: fields, Actions: timeline(lastWeek)}, absent, ""},
		"of last week, more actions than shown":   {sent, found("64c1", lastWeek), telecrm.Shown{Fields: fields, MoreActions: true}, absent, ""},
		"undated, all there":                      {nil, undated, telecrm.Shown{Fields: fields}, inconclusive, reasonUndated},
		"undated, another name":                   {nil, undated, telecrm.Shown{Fields: others}, absent, ""},
		"undated, with our action since":          {sent, undated, telecrm.Shown{Fields: fields, Actions: timeline(recent)}, present, ""},
		"undated, without our action":             {sent, undated, telecrm.Shown{Fields: fields}, absent, ""},
		"without an id, all there":                {nil, found("", recent), telecrm.Shown{}, present, ""},
		"without an id, with actions":             {sent, found("", recent), telecrm.Shown{}, inconclusive, reasonCreateUncertain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &attempt{
				account: &Account{Identifier: "phone", Client: &fakeCRM{show: &test.shown}},
				entry:   outbox.Entry{AmbiguousSince: since},
				job:     Job{Lead: telecrm.Lead{Fields: fields, Actions: test.actions}},
				now:     func() time.Time { return since.Add(time.Minute) },
				runner:  directRunner{},
			}
			got, reason := absent, ""
			switch created, ended := a.createdLead(t.Context(), telecrm.Found{Leads: []telecrm.FoundLead{test.found}}, duplicate); {
			case ended != nil:
				got, reason = inconclusive, ended.settlement.Reason
				if ended.answer.Verdict != telecrm.Duplicate {
					t.Errorf("answer %+v", ended.answer)
				}
			case created:
				got = present
			}
			if got != test.want || reason != test.reason {
				t.Errorf("%v, %q; want %v, %q", got, reason, test.want, test.reason)
			}
		})
	}
}
