package telecrm_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/time/rate"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

func ExampleClient_CreateLead() {
	// A fake TeleCRM that stores the lead without its rating.
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{
			"lead_id": "64c1f0aa12bb34cc56dd78ee",
			"actions": [{"action_id": "64c1f0aa12bb34cc56dd78ef", "status": "CREATED"}],
			"remarks": [{"field": "fields.rating", "status": "IGNORED", "remark": "Rating must be between 1 and 5"}]
		}`)
	}))
	defer crm.Close()

	client, err := telecrm.New(telecrm.Config{
		Token:        "a-sync-token",
		EnterpriseID: "66aa00bb11cc22dd33ee44ff",
		BaseURL:      crm.URL,
		Pace:         rate.NewLimiter(1, 5), // one a second, bursts of five
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	answer := client.CreateLead(context.Background(), telecrm.Lead{
		Fields: map[string]any{
			"phone":  "918123456789",
			"name":   "Ravi Menon",
			"rating": 7,
		},
		Actions: []telecrm.Action{
			{Type: "1042", Fields: map[string]any{"note": "Asked for a call after 5 pm"}},
		},
	})
	if answer.Verdict != telecrm.Created {
		fmt.Println(answer.Reason())
		return
	}
	fmt.Println("lead", answer.LeadID)
	for _, remark := range answer.Remarks {
		fmt.Println("not stored:", remark.Field)
	}
	// Output:
	// lead 64c1f0aa12bb34cc56dd78ee
	// not stored: fields.rating
}

// After a create that may have succeeded, a duplicate can be our own lead: it is ours if it was
// created after the attempt began.
func ExampleClient_FindLeads() {
	attempt := time.Date(2026, time.January, 1, 4, 0, 0, 0, time.UTC)

	// A fake TeleCRM that has the lead.
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{
			"data": [{
				"id": "64c1f0aa12bb34cc56dd78ee",
				"status": "Fresh",
				"fields": {"phone": "+918123456789", "created_on": 1767240001234}
			}],
			"total_count": 1, "skip": 0, "limit": 10
		}`)
	}))
	defer crm.Close()

	client, err := telecrm.New(telecrm.Config{
		Token:        "a-sync-token",
		EnterpriseID: "66aa00bb11cc22dd33ee44ff",
		BaseURL:      crm.URL,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	const sent = "918123456789"
	kind := telecrm.PhoneIdentifier
	found := client.FindLeads(context.Background(), "phone", kind.Spellings(sent))
	if !found.OK() {
		fmt.Println(found.Reason()) // found.Failure.Verdict says what to do
		return
	}
	for _, lead := range found.Leads {
		if kind.Same(lead.Identifier, sent) {
			fmt.Println(lead.ID, "is ours:", !lead.CreatedOn.Before(attempt))
		}
	}
	// Output:
	// 64c1f0aa12bb34cc56dd78ee is ours: true
}
