package telecrm_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// An attempt whose response is lost leaves a lead. The next attempt gets a duplicate, and a search
// shows that it is ours.
func TestLostAnswerIsResolvedBySearch(t *testing.T) {
	t.Parallel()
	for name, search := range map[string]sandbox.Search{
		"exact":      {},
		"normalised": {NormalizePhones: true},
		"late":       {IndexSearches: 1},
		"no ids":     {HideIDs: true},
		"twins":      {Twins: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempt := time.Date(2026, time.January, 1, 4, 0, 0, 0, time.UTC)
			crm, err := sandbox.New(sandbox.Config{
				Token:        testToken,
				EnterpriseID: testEnterprise,
				Now:          func() time.Time { return attempt.Add(1234 * time.Millisecond) },
				Search:       search,
			})
			if err != nil {
				t.Fatalf("sandbox.New: %v", err)
			}
			server := httptest.NewServer(crm)
			t.Cleanup(server.Close)
			t.Cleanup(crm.Close)
			client := newClient(t, telecrm.Config{BaseURL: server.URL + "/autoupdate/v2"})

			faults := sandbox.Faults()
			crm.Inject(
				faults[sandbox.FaultServerError].On(sandbox.OpSearch),
				faults[sandbox.FaultDroppedAfterStore].On(sandbox.OpCreate),
			)
			checkFault(t, client.CreateLead(context.Background(), invented()), true, nil)
			if answer := client.CreateLead(context.Background(), invented()); answer.Verdict != telecrm.Duplicate {
				t.Fatalf("answer is %v, want duplicate", answer)
			}
			if failed := findInvented(context.Background(), client); failed.OK() || failed.Failure.Verdict != telecrm.Retry {
				t.Fatalf("result is %v, want retry", failed)
			}
			for range search.IndexSearches {
				if early := findInvented(context.Background(), client); !early.OK() || len(early.Leads) != 0 {
					t.Fatalf("result is %v, want no lead yet", early)
				}
			}
			checkOwnLead(t, findInvented(context.Background(), client), crm, attempt, search)
		})
	}
}

func checkOwnLead(t *testing.T, got telecrm.Found, crm *sandbox.Sandbox, attempt time.Time, search sandbox.Search) {
	t.Helper()
	rows := 1
	if search.Twins {
		rows = 2
	}
	if !got.OK() || len(got.Leads) != rows || got.More {
		t.Fatalf("result is %v, want %d leads", got, rows)
	}
	stored := crm.Leads()[0]
	lead := got.Leads[0]
	if (lead.ID == stored.ID) == search.HideIDs {
		t.Errorf("id is %q, stored is %q", lead.ID, stored.ID)
	}
	if !telecrm.PhoneIdentifier.Same(lead.Identifier, "918123456789") {
		t.Errorf("the identifier of %v is not the one sent", lead)
	}
	if !lead.CreatedOn.Equal(stored.CreatedAt) || lead.CreatedOn.Before(attempt) {
		t.Errorf("created on %v, stored at %v", lead.CreatedOn, stored.CreatedAt)
	}
	if late := got.ServerTime.Sub(lead.CreatedOn); late < -time.Second || late > 0 {
		t.Errorf("the server's time is %v, which is not the sandbox's to the second", got.ServerTime)
	}
}
