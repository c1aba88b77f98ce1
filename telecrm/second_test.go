package telecrm_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadwire/caddy-telecrm/sandbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

const asyncToken = "0a1b2c3d-1700000000001:4e5f6a7b-8c9d"

// newCRM returns a sandbox that contains the invented lead, clients of both its APIs, and the
// lead's id.
func newCRM(t *testing.T, config sandbox.Config) (crm *sandbox.Sandbox, client *telecrm.Client, async *telecrm.AsyncClient, id string) {
	t.Helper()
	config.Token, config.AsyncToken, config.EnterpriseID = testToken, asyncToken, testEnterprise
	crm, err := sandbox.New(config)
	if err != nil {
		t.Fatalf("sandbox.New: %v", err)
	}
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	t.Cleanup(crm.Close)
	client = newClient(t, telecrm.Config{BaseURL: server.URL + "/autoupdate/v2"})
	async = newAsync(t, telecrm.Config{BaseURL: server.URL, Token: asyncToken})
	lead := invented()
	lead.Actions = asked
	answer := client.CreateLead(context.Background(), lead)
	if !answer.Confirmed() {
		t.Fatalf("answer is %v", answer)
	}
	return crm, client, async, answer.LeadID
}

// The second enquiry of a known lead, in the documented and the observed response shapes.
func TestSecondEnquiry(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]sandbox.Config{
		"as documented": {},
		"as seen live":  {LiveShapes: true, DropInvalid: true, AsyncPlainOK: true, ConflictID: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			crm, client, async, id := newCRM(t, config)
			if answer := client.CreateLead(ctx, invented()); answer.Verdict != telecrm.Duplicate || (answer.LeadID == id) != config.ConflictID {
				t.Errorf("create: %v of lead %q", answer, answer.LeadID)
			}
			answer := client.UpdateLead(ctx, id, map[string]any{
				"city": "Pune", "status": "Nonesuch", "nickname": "R", "assignee": "agent7@example.org",
			})
			var lost []string
			for _, remark := range answer.Remarks {
				lost = append(lost, remark.Field)
			}
			if diff := cmp.Diff([]string{"fields.nickname", "fields.status"}, lost); diff != "" || answer.Verdict != telecrm.Done {
				t.Errorf("update: %v, remarks (-want +got):\n%s", answer, diff)
			}
			refused := client.UpdateLead(ctx, id, map[string]any{"rating": 9})
			if want := map[bool]telecrm.Verdict{true: telecrm.Done, false: telecrm.Rejected}[config.DropInvalid]; refused.Verdict != want {
				t.Errorf("update with an invalid value: %v, want %v", refused, want)
			}
			if same := client.UpdateLead(ctx, id, map[string]any{"phone": "918123456789"}); same.Verdict != telecrm.Rejected {
				t.Errorf("update of the identifier: %v", same)
			}

			payment := telecrm.Action{
				Type: telecrm.ActionPayment, Fields: map[string]any{"status": "PENDING", "currency": "INR", "amount": "2499"},
			}
			if answer := client.AppendActions(ctx, id, []telecrm.Action{payment}); answer.Verdict != telecrm.Done ||
				len(answer.Actions) != 1 || !answer.Actions[0].Stored() {
				t.Errorf("append: %v, %v", answer, answer.Actions)
			}
			shown := client.GetLead(ctx, id)
			if !shown.OK() || shown.MoreActions || len(shown.Actions) != 2 ||
				!telecrm.SameAction(asked[0], shown.Actions[0]) || !telecrm.SameAction(payment, shown.Actions[1]) ||
				telecrm.SameAction(payment, shown.Actions[0]) {
				t.Errorf("get: %v", shown)
			}
			if shown.Fields["city"] != "Pune" || shown.Fields["status"] != "Fresh" || shown.Fields["assignee"] != "agent7@example.org" {
				t.Error("get: fields differ from those set")
			}
			if stored := crm.Leads()[0].Actions[1].CreatedAt; !shown.Actions[1].CreatedOn.Equal(stored.Truncate(time.Millisecond)) {
				t.Errorf("an action was created on %v, stored at %v", shown.Actions[1].CreatedOn, stored)
			}

			again := invented()
			again.Fields["city"] = "Nagpur"
			again.Actions = asked
			if answer := async.UpsertLead(ctx, again); answer.Verdict != telecrm.Accepted {
				t.Errorf("upsert: %v", answer)
			}
			if lead := crm.Leads()[0]; lead.Fields["city"] != "Nagpur" || len(lead.Actions) != 3 || len(crm.Leads()) != 1 {
				t.Errorf("after the upsert: got %d leads, %d actions", len(crm.Leads()), len(lead.Actions))
			}

			crm.Delete(id)
			for name, verdict := range map[string]telecrm.Verdict{
				"update": client.UpdateLead(ctx, id, map[string]any{"city": "Pune"}).Verdict,
				"append": client.AppendActions(ctx, id, asked).Verdict,
				"get":    client.GetLead(ctx, id).Failure.Verdict,
			} {
				if verdict != telecrm.Missing {
					t.Errorf("%s of a deleted lead: %v", name, verdict)
				}
			}
		})
	}
}

func TestDefinitionsOfTheSandbox(t *testing.T) {
	t.Parallel()
	crm, client, _, _ := newCRM(t, sandbox.Config{})
	definitions := client.FieldDefinitions(context.Background())
	byName := make(map[string]telecrm.FieldDefinition)
	for _, field := range definitions.Fields {
		byName[field.APIName] = field
	}
	if !definitions.OK() || !byName["phone"].Identifier || byName["name"].Identifier {
		t.Errorf("the identifier is not phone: %v", byName["phone"])
	}
	if n := crm.Count(sandbox.OpFields); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	want := telecrm.FieldDefinition{APIName: "source", Type: "DROPDOWN", Locked: true, Options: []string{"Website", "Expo", "Referral"}}
	if diff := cmp.Diff(want, byName["source"]); diff != "" {
		t.Errorf("definition (-want +got):\n%s", diff)
	}
}

// Each API refuses the other's token, which puts the account on hold.
func TestTokenOfTheOtherAPI(t *testing.T) {
	t.Parallel()
	crm, _, _, id := newCRM(t, sandbox.Config{})
	server := httptest.NewServer(crm)
	t.Cleanup(server.Close)
	client := newClient(t, telecrm.Config{BaseURL: server.URL + "/autoupdate/v2", Token: asyncToken})
	async := newAsync(t, telecrm.Config{BaseURL: server.URL, Token: testToken})
	for name, answer := range map[string]telecrm.Answer{
		"create": client.CreateLead(context.Background(), invented()),
		"update": client.UpdateLead(context.Background(), id, map[string]any{"city": "Pune"}),
		"upsert": async.UpsertLead(context.Background(), invented()),
	} {
		if answer.Verdict != telecrm.Hold || answer.Code != telecrm.CodeNotAuthorized {
			t.Errorf("%s: %v, want hold", name, answer)
		}
	}
}
